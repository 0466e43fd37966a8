"""The simulated exchange's funding rates: its endpoint, and the limit that it has of its own."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from simulator import Limits, Recording, SyntheticMarket, exchange_in_thread
from simulator.serving.rest import Reply, Rest
from simulator.serving.statuses import Statuses
from spreadlake.binance.funding_rates import decode_funding

SYMBOLS = ["BTCUSDT", "ETHUSDT", "AAUSDT", "ABUSDT", "ACUSDT", "ADUSDT", "AEUSDT"]
HOUR = 3_600_000
NOW = 1_764_140_400_000  # 07:00 UTC


def rest(statuses: dict[str, str] | None = None) -> Rest:
    source = SyntheticMarket(seed=3, symbols=SYMBOLS, rate=1)
    return Rest(source, 2400, Statuses(statuses or {}, NOW))


def ask(served: Rest, query: str = "", now_ms: int = NOW) -> Reply:
    return served.serve(f"/fapi/v1/fundingRate?{query}", now_ms)


def rows(served: Rest, query: str = "", now_ms: int = NOW) -> list[dict[str, Any]]:
    reply = ask(served, query, now_ms)
    assert reply.status == 200, reply
    found: list[dict[str, Any]] = msgspec.json.decode(reply.body)
    return found


def test_times_are_close_to_full_hours_and_intervals_are_of_the_symbol() -> None:
    every = rows(rest(), f"startTime={NOW - 48 * HOUR}&limit=1000")
    assert every == sorted(every, key=lambda row: (row["fundingTime"], row["symbol"]))
    assert {row["symbol"] for row in every} == set(SYMBOLS)
    assert all(row["fundingTime"] % HOUR < 16 for row in every)
    assert any(row["fundingTime"] % HOUR for row in every)
    intervals = set()
    for symbol in SYMBOLS:
        times = [row["fundingTime"] // HOUR for row in every if row["symbol"] == symbol]
        gaps = {b - a for a, b in pairwise(times)}
        assert len(gaps) == 1
        intervals |= gaps
    assert {4, 8} <= intervals <= {1, 4, 8}
    page = decode_funding(msgspec.json.encode(every), None)
    assert not page.refused
    assert all(abs(rate.rate) < 0.001 and rate.mark_price for rate in page.rates)


def test_pages_go_from_the_start_on_and_join() -> None:
    served, start = rest(), NOW - 24 * HOUR
    whole = rows(served, f"startTime={start}&limit=1000")
    first = rows(served, f"startTime={start}&limit=10")
    assert first == whole[:10]
    # Several symbols may have the same time: the page after begins with it once more.
    then = rows(served, f"startTime={first[-1]['fundingTime']}&limit=1000")
    assert first + [row for row in then if row not in first] == whole
    end = whole[5]["fundingTime"]
    until = [row for row in whole if row["fundingTime"] <= end]
    assert rows(served, f"startTime={start}&endTime={end}") == until
    assert rows(served, f"startTime={end}&endTime={end}") == [
        row for row in whole if row["fundingTime"] == end
    ]


def test_without_times_the_latest_are_given() -> None:
    served = rest()
    whole = rows(served, f"startTime={NOW - 480 * HOUR}&limit=1000")
    assert rows(served, "limit=7") == whole[-7:]
    assert len(rows(served)) == 100
    of_one = rows(served, "symbol=BTCUSDT&limit=1000")
    assert len(of_one) == 1000
    assert {row["symbol"] for row in of_one} == {"BTCUSDT"}


def test_a_funding_is_there_when_its_time_has_come() -> None:
    served = rest()
    last = rows(served, "symbol=BTCUSDT&limit=1")[0]["fundingTime"]
    following = rows(served, f"startTime={last + 1}&symbol=BTCUSDT", NOW + 24 * HOUR)[0]
    due = following["fundingTime"]
    assert rows(served, f"startTime={last + 1}&symbol=BTCUSDT", due) == []
    assert rows(served, f"startTime={last + 1}&symbol=BTCUSDT", due + 1) == [following]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("symbol=NOUSDT", -1121),
        ("symbol=ETHUSDT", -1122),
        ("symbol=", -1102),
        ("limit=1001", -1130),
        ("limit=0", -1130),
        ("startTime=x", -1100),
        ("startTime=5&endTime=4", -1023),
    ],
)
def test_what_is_asked_wrongly_is_refused(query: str, code: int) -> None:
    reply = ask(rest({"ETHUSDT": "CLOSE"}), query)
    assert reply.status == 400
    assert msgspec.json.decode(reply.body)["code"] == code


def test_contracts_that_are_over_are_not_among_all() -> None:
    found = rows(rest({"ETHUSDT": "CLOSE"}), "limit=1000")
    assert {row["symbol"] for row in found} == {*SYMBOLS} - {"ETHUSDT"}


def test_they_have_a_limit_of_their_own() -> None:
    limits = Limits(funding_requests=2, funding_window=3600.0)
    source = SyntheticMarket(seed=3, symbols=SYMBOLS, rate=1)
    with exchange_in_thread(source, limits=limits) as exchange:
        url = f"{exchange.rest_url}/fapi/v1"
        with httpx.Client(trust_env=False) as client:
            answers = [client.get(f"{url}/fundingRate") for _ in range(3)]
            assert [one.status_code for one in answers] == [200, 200, 429]
            assert 0 < int(answers[2].headers["Retry-After"]) <= 3601
            assert client.get(f"{url}/time").status_code == 200
            assert client.get(f"{url}/time").headers["X-MBX-USED-WEIGHT-1M"] == "2"


def test_a_recording_tells_of_none(tmp_path: Path) -> None:
    frame = (
        '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1700000000001,"s":"BTCUSDT","a":1,"p":"1.0",'
        '"q":"2.0","f":1,"l":1,"T":1700000000000,"m":true}}'
    )
    path = tmp_path / "frames.txt"
    path.write_text(f"1700000000000000000 {frame}\n")
    assert rows(Rest(Recording([path]), 2400), "symbol=BTCUSDT&startTime=0") == []
