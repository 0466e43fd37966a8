from datetime import date
from pathlib import Path

import pytest

from spreadlake.binance.dumps import parse_name
from spreadlake.errors import InputError


@pytest.mark.parametrize(
    ("name", "symbol", "kind", "first", "last"),
    [
        ("BTCUSDT-aggTrades-2024-08-08.zip", "BTCUSDT", "trades", (8, 8), (8, 8)),
        ("BTCUSDT-aggTrades-2024-08-08.csv", "BTCUSDT", "trades", (8, 8), (8, 8)),
        ("ETHUSDT-aggTrades-2024-02.zip", "ETHUSDT", "trades", (2, 1), (2, 29)),
        ("ETHUSDT-1m-2024-12.csv", "ETHUSDT", "klines", (12, 1), (12, 31)),
        ("ETHUSDT-fundingRate-2024-12.zip", "ETHUSDT", "funding", (12, 1), (12, 31)),
        ("BTCUSDT_240927-1m-2024-08-08.zip", "BTCUSDT_240927", "klines", (8, 8), (8, 8)),
        ("1000PEPEUSDT-aggTrades-2024-08-08.zip", "1000PEPEUSDT", "trades", (8, 8), (8, 8)),
    ],
)
def test_the_name_says_what_is_in_the_file(
    name: str, symbol: str, kind: str, first: tuple[int, int], last: tuple[int, int]
) -> None:
    dump = parse_name(Path("/some/where") / name)
    assert (dump.symbol, dump.kind) == (symbol, kind)
    assert (dump.first, dump.last) == (date(2024, *first), date(2024, *last))


def test_a_file_covers_its_days_and_no_more() -> None:
    dump = parse_name(Path("BTCUSDT-aggTrades-2024-08.zip"))
    assert dump.start_ms == 1_722_470_400_000
    assert dump.end_ms - dump.start_ms == 31 * 86_400_000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("trades.zip", "the name does not tell"),
        ("BTCUSDT-aggTrades-2024-08-08.gz", "the name does not tell"),
        ("BTCUSDT-aggTrades-2024-08-08.zip.CHECKSUM", "is the checksum of a dump; leave it out"),
        ("btcusdt-aggTrades-2024-08-08.zip", "must be in upper case: BTCUSDT"),
        ("BTCUSDT-aggTrades-2024-13-08.zip", "month must be in 1..12"),
        ("BTCUSDT-trades-2024-08-08.zip", "download the aggTrades of the same days"),
        ("BTCUSDT-5m-2024-08-08.zip", "aggTrades and 1m klines can be imported"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        parse_name(Path(name))
    assert name in str(caught.value)
