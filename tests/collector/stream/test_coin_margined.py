"""COIN-M contracts, whose quantities are contracts, are refused with one sentence."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from collector.log_lines import OnceLog
from simulator import Recording
from spreadlake.binance.decode import AggTrade, FrameDecoder, MarketTrade
from spreadlake.config import load_settings
from spreadlake.errors import ConfigError, RecordingError
from spreadlake.lake import Lake
from spreadlake.trades import CoinMargined
from tests.collector.fake import FakeServer, fake_server, frame
from tests.collector.lakes import rows_of
from tests.collector.live import collecting, counter, settings_for, ticks, until

COIN = "whose quantities are contracts and not coins"


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"st": 2}, True),
        ({"st": "2"}, True),
        ({"st": 1}, False),
        ({"st": None}, False),
        ({}, False),
        ({"s": "BTCUSD_PERP"}, True),
        ({"s": "BTCUSD_261225"}, True),
        ({"s": "BTCUSD_PERP", "st": 2}, True),
        ({"s": "BTCUSDT_261225", "st": 1}, False),
        ({"s": "BTCUSDT_261225"}, False),
    ],
)
@pytest.mark.parametrize("kind", ["aggTrade", "trade"])
def test_a_frame_tells_what_it_is_of(fields: dict[str, Any], refused: bool, kind: Any) -> None:
    event = {**json.loads(frame(7))["data"], "e": kind, "t": 7, **fields}
    for text in (json.dumps(event), json.dumps({"stream": "x@y", "data": event})):
        found = FrameDecoder(kind).decode(text)
        if refused:
            assert isinstance(found, CoinMargined)
            assert found.symbol == event["s"]
        else:
            assert isinstance(found, AggTrade | MarketTrade)


def test_a_line_is_logged_once_about_each_thing() -> None:
    lines: list[tuple[str, ...]] = []
    once = OnceLog(lambda *line: lines.append(line), most=2)
    for about in ("A", "B", "A", "C", "B"):
        once(about, "%s", about)
    assert lines == [("%s", "A"), ("%s", "B")]


def test_live_they_are_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Over connections that come after each other, too."""

    async def send(fake: FakeServer, connection: ServerConnection) -> None:
        fake.sent += 10
        await connection.send(frame(fake.sent, "ETHUSDT", st=2))
        await connection.send(frame(fake.sent, "BTCUSD_PERP"))
        await connection.send(frame(fake.sent, st=1))

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with fake_server(send) as fake, collecting(lake, settings_for(fake)):
            await until(lambda: ticks(lake) >= 3)
        assert rows_of(lake, "SELECT DISTINCT symbol FROM ticks") == [("BTCUSDT",)]
        assert counter(lake, "coin_margined") >= 6
        assert counter(lake, "malformed") == 0

    asyncio.run(scenario())
    for symbol in ("ETHUSDT", "BTCUSD_PERP"):
        assert caplog.text.count(f"{symbol} is a COIN-M contract, {COIN}") == 1


@pytest.mark.parametrize("symbol", ["BTCUSD_PERP", "ETHUSD_261225"])
def test_a_configuration_cannot_name_one(symbol: str) -> None:
    with pytest.raises(ConfigError, match=rf"{symbol} is a COIN-M contract, {COIN}"):
        load_settings(None, symbols=["BTCUSDT", symbol])
    assert load_settings(None, symbols=["BTCUSDT", "BTCUSDT_261225"]).symbols


@pytest.mark.parametrize(
    ("key", "url"),
    [
        ("ws_url", "wss://dstream.binance.com"),
        ("ws_url", "wss://dstream.binancefuture.com"),
        ("rest_url", "https://dapi.binance.com"),
    ],
)
def test_the_exchange_cannot_be_theirs(key: str, url: str) -> None:
    with pytest.raises(ConfigError, match=rf"COIN-M exchange, {COIN}") as refused:
        load_settings(None, exchange={key: url})
    assert "wss://fstream.binance.com" in str(refused.value)


def recorded(path: Path, *frames: str) -> Path:
    path.write_text("".join(f"{10**18 + n} {text}\n" for n, text in enumerate(frames)))
    return path


def test_a_recording_of_them_alone_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", frame(1, "BTCUSD_PERP"), frame(2, "ETHUSDT", st=2))
    said = rf"COIN-M contracts only \(BTCUSD_PERP, ETHUSDT\), {COIN}"
    with pytest.raises(RecordingError, match=said):
        Recording([path])


def test_of_a_mixed_recording_the_rest_is_taken(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", frame(1, "BTCUSD_PERP"), frame(2), frame(3, "ETHUSDT", st=2))
    recording = Recording([path])
    assert recording.symbols == ["BTCUSDT"]
    assert recording.trades == {"BTCUSDT": 1}
    assert recording.coin_margined == ["BTCUSD_PERP", "ETHUSDT"]
