"""A running collector takes on the symbols of an edited configuration."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from collector.service import serve
from simulator import Facts, SimulatedExchange
from spreadlake.config import AcceptedCopy, watch_config
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.universe import captured_symbols
from spreadlake.service import ServiceContext
from tests.collector.lakes import rows_of
from tests.collector.live import (
    FAST,
    SYMBOLS,
    counter,
    differences,
    has_ticks,
    market,
    more_ticks,
    open_gaps,
    ticks,
    until,
)

A, B, C = SYMBOLS
UNKNOWN = "BTCUSDC"


def write(path: Path, exchange: SimulatedExchange, symbols: list[str], more: str = "") -> None:
    beside = path.with_suffix(".new")
    beside.write_text(f"""
symbols = {json.dumps(symbols)}
[exchange]
ws_url = "{exchange.ws_url}"
rest_url = "{exchange.rest_url}"
[collector]
warm_start_minutes = 1
request_weight = 2400
connections_per_symbol = 1
{more}
""")
    beside.replace(path)


@asynccontextmanager
async def collecting(lake: Lake, path: Path, *, restarted: bool = False) -> AsyncIterator[None]:
    copy = AcceptedCopy(lake.accepted_config("collector"))
    watch = watch_config(path, copy, restarted=restarted, alone=not restarted)
    context = ServiceContext(
        watch.settings, lake, path, options={"timing": FAST}, watch=watch, restarted=restarted
    )
    stopped = asyncio.Event()
    task = asyncio.create_task(serve(context, stopped))
    try:
        await until(lambda: task.done() or has_ticks(lake))
        yield
    finally:
        stopped.set()
        await task


def held(lake: Lake, symbol: str) -> int:
    rows = rows_of(lake, f"SELECT ticks FROM symbols WHERE symbol = '{symbol}'")
    return int(str(rows[0][0])) if rows else 0


def captured(lake: Lake) -> list[str] | None:
    with closing(open_reader(lake.ticks_db)) as db:
        return captured_symbols(db)


def status(lake: Lake, key: str) -> Any:
    rows = rows_of(lake, f"SELECT value FROM service_status WHERE key = '{key}'")
    return json.loads(str(rows[0][0])) if rows else None


def test_symbols_come_and_go_and_the_others_are_left_alone(tmp_path: Path) -> None:
    async def scenario() -> dict[str, int]:
        lake, path = Lake(tmp_path / "lake"), tmp_path / "spreadlake.toml"
        async with SimulatedExchange(market()) as exchange:
            write(path, exchange, [A])
            async with collecting(lake, path):
                await until(lambda: held(lake, A) > 100 and captured(lake) == [A])
                write(path, exchange, [A, B, C])
                await until(lambda: min(held(lake, s) for s in SYMBOLS) > 600)
                await until(lambda: captured(lake) == [A, B, C])
                klines = "SELECT count(DISTINCT symbol) FROM klines"
                await until(lambda: rows_of(lake, klines) == [(3,)])
                write(path, exchange, [B, C])
                await until(lambda: captured(lake) == [B, C])
                before = held(lake, A)
                await more_ticks(lake, 200)
                assert held(lake, A) == before
                await until(lambda: not open_gaps(lake))
                assert exchange.status()["connections"] == 1
            assert counter(lake, "reconnects") == 0
            assert rows_of(lake, "SELECT * FROM gaps") == []
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 1800
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_an_unknown_symbol_is_a_refused_edit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        lake, path = Lake(tmp_path / "lake"), tmp_path / "spreadlake.toml"
        async with SimulatedExchange(market()) as exchange:
            write(path, exchange, [A])
            async with collecting(lake, path):
                await until(lambda: held(lake, A) > 10)
                write(path, exchange, [A, B, UNKNOWN])
                await until(lambda: UNKNOWN in status(lake, "collector")["refused"])
                assert "did you mean" in status(lake, "collector")["refused"]
                await more_ticks(lake, 100)
                assert captured(lake) == [A]
            # It died, say, and what the file says is refused again, and nothing stops.
            async with collecting(lake, path, restarted=True):
                stored = ticks(lake)
                await until(lambda: UNKNOWN in status(lake, "collector")["refused"])
                await until(lambda: ticks(lake) > stored + 50)
                write(path, exchange, [A, B])
                await until(lambda: held(lake, B) > 10)
                await until(lambda: status(lake, "collector")["refused"] == "")

    asyncio.run(scenario())
    assert any("the edited configuration is refused" in line for line in caplog.messages)


def test_what_is_read_once_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")

    async def scenario() -> None:
        lake, path = Lake(tmp_path / "lake"), tmp_path / "spreadlake.toml"
        async with SimulatedExchange(market()) as exchange:
            write(path, exchange, [A])
            async with collecting(lake, path):
                await until(lambda: held(lake, A) > 10)
                waits = (
                    'silence_seconds = 99.0\n[redis]\nprefix = "x"\n[storage]\nroll_after_hours = 9'
                )
                write(path, exchange, [A], more=waits)
                keys = "collector.silence_seconds", "storage.roll_after_hours", "redis.prefix"
                said = f"{', '.join(keys)}: taken with the next start, not before"
                await until(lambda: said in caplog.messages)

    asyncio.run(scenario())


def test_a_restart_is_not_ended_by_a_symbol_that_once_was_right(tmp_path: Path) -> None:
    """One that the exchange dropped while nothing was stored of it."""

    async def scenario() -> None:
        lake, path = Lake(tmp_path / "lake"), tmp_path / "spreadlake.toml"
        async with SimulatedExchange(market()) as exchange:
            write(path, exchange, [A, UNKNOWN])
            async with collecting(lake, path, restarted=True):
                await until(lambda: held(lake, A) > 10)
                await until(lambda: UNKNOWN in status(lake, "collector")["not_trading"])
                await more_ticks(lake, 50)

    asyncio.run(scenario())


def test_a_new_symbol_has_the_history_that_the_edit_looks_back_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake, path = Lake(tmp_path / "lake"), tmp_path / "spreadlake.toml"
        async with SimulatedExchange(market(rate=10)) as exchange:
            write(path, exchange, [A])
            async with collecting(lake, path):
                await until(lambda: held(lake, A) > 10)
                edited = path.read_text().replace("[exchange]", "lookbacks = [700]\n[exchange]")
                path.write_text(edited.replace(f'"{A}"', f'"{A}", "{B}"'))
                klines = f"SELECT count(*) FROM klines WHERE symbol = '{B}'"
                await until(lambda: rows_of(lake, klines) == [(700,)])

    asyncio.run(scenario())


def test_names_become_rules_and_rules_become_others_while_trades_are_captured(
    tmp_path: Path,
) -> None:
    def choose(path: Path, exchange: SimulatedExchange, rules: str) -> None:
        write(path, exchange, [A], f"[universe]\nlook_minutes = 60\n{rules}")
        text = path.read_text(encoding="utf-8").replace(f'symbols = ["{A}"]\n', "")
        beside = path.with_suffix(".rules")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)

    async def scenario() -> dict[str, int]:
        lake, path = Lake(tmp_path / "lake"), tmp_path / "spreadlake.toml"
        volumes = {symbol: Facts(quote_volume=9.0 - n) for n, symbol in enumerate(SYMBOLS)}
        async with SimulatedExchange(market(), facts=volumes) as exchange:
            write(path, exchange, [A])
            async with collecting(lake, path):
                await until(lambda: held(lake, A) > 50 and captured(lake) == [A])
                choose(path, exchange, "top = 2")
                await until(lambda: captured(lake) == [A, B])
                choose(path, exchange, f'include = ["{UNKNOWN}"]')
                await until(lambda: UNKNOWN in status(lake, "collector")["refused"])
                assert captured(lake) == [A, B]
                choose(path, exchange, f'exclude = ["{A}"]')
                await until(lambda: captured(lake) == [B, C])
                await until(lambda: held(lake, C) > 50)
                write(path, exchange, [C, A])
                await until(lambda: captured(lake) == [C, A])
                # It says so once in a while, and who is captured at once.
                await until(lambda: status(lake, "collector")["refused"] == "")
                before = held(lake, A)
                await until(lambda: held(lake, A) > before + 200 and not open_gaps(lake))
            assert counter(lake, "reconnects") == 0
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 300
    assert found == {"missing": 0, "twice": 0, "wrong": 0}
