"""A lake knows which exchange its trades are of, by whichever of its hosts they come."""

from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.binance.hosts import BINANCE, venue_of
from spreadlake.errors import InputError, LakeError
from spreadlake.lake import Lake, check_claim, claim, open_ticks_writer

TESTNET = "binance-usdm-testnet"


@pytest.mark.parametrize(
    ("url", "venue"),
    [
        ("wss://fstream.binance.com", BINANCE),
        ("wss://fstream-auth.binance.com:443", BINANCE),
        ("https://fapi.binance.com", BINANCE),
        ("https://FAPI1.Binance.com.", BINANCE),
        ("wss://stream.binancefuture.com", TESTNET),
        ("wss://fstream.binancefuture.com", TESTNET),
        ("https://testnet.binancefuture.com", TESTNET),
        ("https://demo-fapi.binance.com", TESTNET),
        ("ws://127.0.0.1:9443", None),
        ("ws://[::1]:9443", None),
        ("wss://relay.example.org/binance.com", None),
        ("wss://notbinance.com", None),
    ],
)
def test_a_host_tells_the_exchange_or_nothing(url: str, venue: str | None) -> None:
    assert venue_of(url) == venue
    assert venue_of("ws://relay:1", url) == venue


def test_addresses_of_two_exchanges_are_refused() -> None:
    with pytest.raises(InputError, match=r"two exchanges: .*testnet\.binancefuture.* set both"):
        venue_of("wss://fstream.binance.com", "https://testnet.binancefuture.com")


@pytest.mark.parametrize("venues", [(TESTNET, BINANCE), (BINANCE, TESTNET)])
def test_one_folder_takes_one_exchange(tmp_path: Path, venues: tuple[str, str]) -> None:
    lake, (first, second) = Lake(tmp_path), venues
    with closing(open_ticks_writer(lake)) as db:
        claim(db, lake, "aggTrade", "exchange", first)
        for unnamed_or_same in (None, first, None):
            claim(db, lake, "aggTrade", "exchange", unnamed_or_same)
        said = "holds trades of Binance's .* and cannot take trades of Binance's .* --data"
        with pytest.raises(LakeError, match=said):
            claim(db, lake, "aggTrade", "exchange", second)
        with pytest.raises(LakeError, match=said):
            check_claim(lake, "aggTrade", "exchange", second)
        check_claim(lake, "aggTrade", "exchange", first)
        held = db.execute("SELECT value FROM meta WHERE key = 'venue'").fetchall()
    assert held == [(first,)]


def test_a_lake_from_before_adopts_the_first_exchange_that_writes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(open_ticks_writer(lake)) as db:
        claim(db, lake, "aggTrade", "exchange")  # as older versions did
        check_claim(lake, "aggTrade", "exchange", TESTNET)
        assert db.execute("SELECT * FROM meta WHERE key = 'venue'").fetchall() == []
        claim(db, lake, "aggTrade", "exchange", TESTNET)
        with pytest.raises(LakeError, match="Binance's testnet"):
            claim(db, lake, "aggTrade", "exchange", BINANCE)
