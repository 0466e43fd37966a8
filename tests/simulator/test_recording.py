"""Recordings: what is in them, what is served of them, and what is wrong with them."""

import asyncio
import gzip
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from simulator import Recording, SimulatedExchange
from simulator.recordings import lines
from spreadlake.binance.decode import FrameDecoder
from spreadlake.binance.streams import route_of, stream_name
from spreadlake.errors import RecordingError
from tests.simulator.clients import combined, get, opened, silent, take, until

CAPTURES = Path(__file__).parents[3] / "shared" / "data"
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def event(number: int, symbol: str = "BTCUSDT", kind: str = "aggTrade", **fields: Any) -> bytes:
    time_ms = START_NS // MS + 10 * number
    key = "a" if kind == "aggTrade" else "t"
    values = {"e": kind, "E": time_ms + 1, "s": symbol, key: number, "p": f"{100 + number}.50"}
    values |= {"q": "0.010", "f": number, "l": number, "T": time_ms, "m": number % 2 == 0}
    return json.dumps(values | fields).encode()


def wrapped(number: int, symbol: str = "BTCUSDT", kind: str = "aggTrade", **fields: Any) -> bytes:
    stream = f"{symbol.lower()}@{kind}".encode()
    data = event(number, symbol, kind, **fields)
    # Spelled unusually, to see that it is served verbatim.
    return b'{ "stream" : "%b", "data" : %b }' % (stream, data)


def line(number: int, frame: bytes) -> bytes:
    return b"%d %b\n" % (START_NS + 10 * MS * number, frame)


def recorded(path: Path, frames: Iterable[bytes]) -> Path:
    path.write_bytes(b"".join(line(number, frame) for number, frame in enumerate(frames)))
    return path


async def served(recording: Recording, route: str, count: int) -> list[bytes]:
    """The first `count` messages of a play at full speed."""
    async with (
        SimulatedExchange(recording, speed="max") as exchange,
        opened(exchange, route) as client,
    ):
        async with asyncio.timeout(30):
            frames = [await client.recv(decode=False) for _ in range(count)]
            await exchange.finished()
        assert await silent(client)
        return frames


def test_a_recording_tells_what_is_in_it(tmp_path: Path) -> None:
    frames = [
        b'{"e":"bookTicker","s":"XRPUSDT","b":"1","a":"2"}',
        wrapped(5, "SOLUSDT", "trade", X="INSURANCE_FUND", p="0"),
        wrapped(7, "ETHUSDT", "trade", X="MARKET"),
        wrapped(6, "BTCUSDT", "trade", X="MARKET", p="1.125"),
        wrapped(8, "ETHUSDT", "trade"),
        b"not json",
    ]
    recording = Recording([recorded(tmp_path / "r", frames)])
    assert recording.symbols == ["ETHUSDT", "BTCUSDT"]
    assert recording.kinds == ["trade"]
    assert recording.kind == "trade"
    assert recording.frames == 6
    assert recording.trades == {"ETHUSDT": 2, "BTCUSDT": 1}
    assert (recording.first_ms, recording.last_ms) == (START_NS // MS + 60, START_NS // MS + 80)
    assert recording.instruments["BTCUSDT"].tick_size == "0.001"
    assert recording.instruments["ETHUSDT"].tick_size == "0.01"


def test_frames_are_served_verbatim_to_those_who_subscribed(tmp_path: Path) -> None:
    frames = [
        wrapped(1),
        b'{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","s":"BTCUSDT"}}',
        b"\x00 garbage \xc3\xa9",
        b"",
        wrapped(2, "ETHUSDT"),
        b"\xff\xfe not text",
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade"}}',
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTr',
        wrapped(2),
    ]
    recording = Recording([recorded(tmp_path / "r", frames)])
    wanted = [frame for frame in frames if b"depth" not in frame and b"ETH" not in frame]
    assert asyncio.run(served(recording, combined("BTCUSDT"), len(wanted))) == wanted
    both = [frame for frame in frames if b"depth" not in frame]
    route = combined("BTCUSDT", "ETHUSDT")
    assert asyncio.run(served(recording, route, len(both))) == both


def test_events_are_wrapped_and_unwrapped_as_the_route_asks(tmp_path: Path) -> None:
    frames = [event(1), wrapped(2), b'{"stream":"btcusdt@aggTrade","data":%b}' % event(3)]
    recording = Recording([recorded(tmp_path / "r", frames)])
    bare = asyncio.run(served(recording, "/market/ws/btcusdt@aggTrade", 3))
    assert bare == [event(1), event(2), event(3)]
    whole = asyncio.run(served(recording, combined("BTCUSDT"), 3))
    assert whole == [b'{"stream":"btcusdt@aggTrade","data":%b}' % event(1), *frames[1:]]


@pytest.mark.parametrize(
    ("bare", "stream"),
    [
        (b'{"e":"bookTicker","s":"BTCUSDT"}', "btcusdt@bookTicker"),
        (b'{"e":"kline","s":"BTCUSDT","k":{"i":"1m"}}', "btcusdt@kline_1m"),
        (b'{"e":"depthUpdate","s":"BTCUSDT"}', "btcusdt@depth"),
    ],
)
def test_bare_events_of_other_kinds_have_their_streams(
    tmp_path: Path, bare: bytes, stream: str
) -> None:
    recording = Recording([recorded(tmp_path / "r", [event(1), bare])])
    assert asyncio.run(served(recording, f"/{route_of(stream)}/ws/{stream}", 1)) == [bare]


def test_several_files_plain_and_compressed_are_merged_by_receive_time(tmp_path: Path) -> None:
    odd = tmp_path / "odd.gz"  # the name says gzip, the bytes do not
    odd.write_bytes(b"".join(line(n, wrapped(n, "ETHUSDT")) for n in range(1, 400, 2)))
    even = tmp_path / "even.jsonl"
    even.write_bytes(gzip.compress(b"".join(line(n, wrapped(n)) for n in range(0, 400, 2))))
    recording = Recording([odd, even])
    frames = asyncio.run(served(recording, combined("BTCUSDT", "ETHUSDT"), 400))
    decoder = FrameDecoder("aggTrade")
    events = [decoder.decode(frame) for frame in frames]
    assert [e.trade_id for e in events if not hasattr(e, "what")] == list(range(400))
    assert recording.symbols == ["BTCUSDT", "ETHUSDT"]


@pytest.mark.parametrize(
    "stamp",
    [
        lambda ns: f"{ns // 10**6}",
        lambda ns: f"{ns // 10**3}",
        lambda ns: f"{ns}",
        lambda ns: f"{ns // 10**9}.{ns % 10**9:09}",
        lambda ns: f"{ns // 10**6}.{ns % 10**6:06}",
    ],
    ids=["ms", "µs", "ns", "s with fractions", "ms with fractions"],
)
def test_receive_times_in_other_units_are_told_by_their_magnitude(
    tmp_path: Path, stamp: Callable[[int], str]
) -> None:
    path, times = tmp_path / "other.jsonl", [START_NS + 1500 * MS * n for n in range(4)]
    path.write_bytes(
        b"".join(b"%b %b\n" % (stamp(ns).encode(), event(n)) for n, ns in enumerate(times))
    )
    assert [ns for ns, _ in lines.read_lines(path)] == times
    assert Recording([path]).start_ms() == START_NS // MS
    ours = recorded(tmp_path / "ours.jsonl", [event(9)])
    merged = [frame for _, frame in lines.read_merged([path, ours])]
    assert merged == [event(0), event(9), event(1), event(2), event(3)]


def test_whole_seconds_are_whole_seconds(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(b"%d %b\n" % (START_NS // 10**9, event(0)))
    assert [ns for ns, _ in lines.read_lines(path)] == [START_NS]


def test_line_ends_blank_lines_and_a_cut_off_last_line(tmp_path: Path) -> None:
    path = tmp_path / "r"
    path.write_bytes(
        line(1, wrapped(1)).replace(b"\n", b"\r\n")
        + b"\n  \r\n"
        + line(5, wrapped(2))
        + line(3, wrapped(3))  # the clock was set back
        + line(6, wrapped(4))[:-1]
    )
    assert Recording([path]).frames == 4
    frames = asyncio.run(served(Recording([path]), combined("BTCUSDT"), 4))
    assert frames == [wrapped(n) for n in range(1, 5)]
    for cut in (1, 40, len(line(6, wrapped(4))) - 15):
        path.write_bytes(line(1, wrapped(1)) + line(6, wrapped(4))[: -1 - cut])
        assert Recording([path]).frames == 1
    path.write_bytes(line(1, wrapped(1)) + line(6, b"[" * 100_000)[:-1])
    assert Recording([path]).frames == 1


def test_an_empty_frame_is_a_frame(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", [b"", wrapped(1), b"", wrapped(2)])
    assert Recording([path]).frames == 4
    path.write_bytes(path.read_bytes() + line(5, b"")[:-1])  # cut off before its frame
    assert Recording([path]).frames == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (line(1, wrapped(1)) + b"no time here\n", "line 2, is not a receive time"),
        (line(1, wrapped(1)) + b"\n" + b"123\n", "line 3, is not a receive time"),
        (b"-5 {}\n", "line 1, is not a receive time"),
        (line(1, b'{"e":"bookTicker","s":"A"}'), "holds no trade events among its 1 frames"),
        (line(1, wrapped(1, kind="trade", X="ADL")), "holds no trade events"),
        (line(1, wrapped(1)) + line(2, wrapped(2, kind="trade")), "both aggTrade and trade"),
        (gzip.compress(line(1, wrapped(1)) * 999)[:-20], "is damaged after line"),
        (gzip.compress(line(1, wrapped(1)) * 999)[:50] + b"x" * 99, "is damaged after line"),
    ],
)
def test_recordings_that_cannot_be_replayed(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "capture.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message) as raised:
        Recording([path])
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_line_without_end_is_not_read_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_LONGEST_LINE", 2**20)
    path = tmp_path / "r"
    path.write_bytes(line(1, wrapped(1)) + b"5 " + b"x" * 2**21)
    with pytest.raises(RecordingError, match=r"line 2, is not a .* of less than 1 MiB"):
        Recording([path])


def test_missing_files_folders_and_no_files(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="does not exist"):
        Recording([tmp_path / "none"])
    with pytest.raises(RecordingError, match="cannot be read: Is a directory"):
        Recording([tmp_path])
    with pytest.raises(RecordingError, match="no file given"):
        Recording([])


def test_of_two_kinds_the_chosen_one_is_served(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", [wrapped(1), wrapped(2, "ETHUSDT", "trade")])
    assert Recording([path], "trade").symbols == ["ETHUSDT"]
    assert Recording([path], "aggTrade").symbols == ["BTCUSDT"]
    assert Recording([path], "trade").kinds == ["aggTrade", "trade"]
    only = recorded(tmp_path / "only", [wrapped(1)])
    with pytest.raises(RecordingError, match="no trade events"):
        Recording([only], "trade")


def test_rest_shows_the_trades_that_were_played(tmp_path: Path) -> None:
    frames = [wrapped(n, nq="0.001") for n in (1, 2, 4, 3, 3, 5)]
    recording = Recording([recorded(tmp_path / "r", frames)])

    async def scenario() -> None:
        async with SimulatedExchange(recording, speed="max") as exchange:
            path = "/fapi/v1/aggTrades?symbol=BTCUSDT"
            assert (await get(exchange, path)).json() == []
            async with opened(exchange, combined("BTCUSDT")) as client:
                await take(client, 6)
                await exchange.finished()
                rows = (await get(exchange, path)).json()
                assert [row["a"] for row in rows] == [1, 2, 3, 4, 5]
                assert rows[0] == {
                    "a": 1,
                    "p": "101.50",
                    "q": "0.010",
                    "f": 1,
                    "l": 1,
                    "T": START_NS // MS + 10,
                    "m": False,
                    "nq": "0.001",
                }
                some = (await get(exchange, f"{path}&fromId=2&limit=2")).json()
                assert [row["a"] for row in some] == [2, 3]
                last = (await get(exchange, f"{path}&limit=2")).json()
                assert [row["a"] for row in last] == [4, 5]
                candles = await get(exchange, "/fapi/v1/klines?symbol=BTCUSDT&interval=1m")
                assert [row[8] for row in candles.json()] == [5]
                assert exchange.truth()["BTCUSDT"].ids.tolist() == [1, 2, 3, 4, 5]

    asyncio.run(scenario())


def test_play_begins_when_all_expected_streams_are_subscribed(tmp_path: Path) -> None:
    frames = [wrapped(n, symbol) for n in range(50) for symbol in ("BTCUSDT", "ETHUSDT")]
    recording = Recording([recorded(tmp_path / "r", frames)])
    names = [stream_name(symbol, recording.kind) for symbol in recording.symbols]

    async def scenario() -> None:
        async with (
            SimulatedExchange(recording, speed="max", expected=names) as exchange,
            opened(exchange, combined("BTCUSDT")) as one,
        ):
            assert await silent(one)
            async with opened(exchange, combined("ETHUSDT")) as other:
                assert len(await take(other, 50)) == 50
                assert len(await take(one, 50)) == 50
                await exchange.finished()
                status = exchange.status()
                assert status["finished"] is True
                assert status["frames_sent"] == 100
                assert status["trades_sent"] == {"BTCUSDT": 50, "ETHUSDT": 50}
                assert status["last"] == {"BTCUSDT": 49, "ETHUSDT": 49}
                assert await silent(one)

    asyncio.run(scenario())


def test_a_held_play_waits_for_its_subscriber_to_come_back(tmp_path: Path) -> None:
    # Larger than what the sockets hold, so that the play cannot run away.
    frames = [wrapped(n, note="x" * 1000) for n in range(20_000)]
    recording = Recording([recorded(tmp_path / "r", frames)])

    async def scenario() -> None:
        async with SimulatedExchange(recording, speed="max", hold=True) as exchange:
            async with opened(exchange, combined("BTCUSDT")) as client:
                await take(client, 10)
            await until(lambda: exchange.status()["connections"] == 0)
            assert exchange.status()["finished"] is False
            async with opened(exchange, combined("BTCUSDT")) as client:
                async with asyncio.timeout(30):
                    async for frame in client:
                        if '"a": 19999,' in str(frame):
                            break
                await exchange.finished()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "symbols", "kind", "trades"),
    [
        ("usdm_btcusdt_ethusdt_trades_20240808", ["BTCUSDT", "ETHUSDT"], "trade", 35_389),
        (
            "usdm_mixed_streams_20210722",
            ["CTKUSDT", "AKROUSDT", "SUSHIUSDT", "KEEPUSDT"],
            "aggTrade",
            91,
        ),
    ],
)
def test_real_captures_arrive_as_they_were_recorded(
    name: str, symbols: list[str], kind: str, trades: int
) -> None:
    path = CAPTURES / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"the capture {path.name} is not in ../shared/data")
    recording = Recording([path])
    assert (recording.symbols, recording.kind) == (symbols, kind)
    assert sum(recording.trades.values()) == trades
    frames = asyncio.run(served(recording, combined(*symbols, kind=kind), trades))
    lines = gzip.decompress(path.read_bytes()).splitlines()
    tag = f'@{kind}"'.encode()
    assert frames == [one.split(b" ", 1)[1] for one in lines if tag in one]
