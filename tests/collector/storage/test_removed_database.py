"""ticks.db that is deleted, moved or replaced under the collector: told, and nothing of it lost."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator import SimulatedExchange
from spreadlake.errors import ServiceError
from spreadlake.lake import Lake
from tests.collector.lakes import rows_of
from tests.collector.live import collecting, market, settings_for, ticks, until


def remove_alone(lake: Lake) -> None:
    lake.ticks_db.unlink()


def remove_all(lake: Lake) -> None:
    for path in lake.root.glob("ticks.db*"):
        path.unlink()


def remove_log(lake: Lake) -> None:
    for path in lake.root.glob("ticks.db-*"):
        path.unlink()


def remove_lake(lake: Lake) -> None:
    shutil.rmtree(lake.root)


def move_lake(lake: Lake) -> None:
    shutil.move(lake.root, lake.root.with_name("moved"))


def last_look(lake: Lake) -> int:
    """When the collector last said how it is, and looked whether its file is there: Unix ms."""
    ((at,),) = rows_of(lake, "SELECT max(updated_ms) FROM service_status")
    return 0 if at is None else int(at)  # type: ignore[call-overload]


def held(lake: Lake) -> set[tuple[object, ...]]:
    return set(rows_of(lake, "SELECT symbol, trade_id, price FROM ticks"))


@pytest.mark.parametrize("remove", [remove_alone, remove_all, remove_log, remove_lake, move_lake])
def test_all_that_it_held_is_in_a_new_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, remove: Callable[[Lake], None]
) -> None:
    lake = Lake(tmp_path / "lake")
    before: set[tuple[object, ...]] = set()

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)

            async def removed() -> None:
                async with collecting(lake, settings) as task:
                    await until(lambda: ticks(lake) > 30)
                    look = last_look(lake)
                    await until(lambda: last_look(lake) > look)  # the next is a while away
                    before.update(held(lake))
                    remove(lake)
                    await task

            with pytest.raises(ServiceError, match=r"ticks\.db was removed or replaced"):
                await removed()
            found = held(lake)
            assert found > before  # also what came before it was noticed
            before.update(found)
            async with collecting(lake, settings):
                await until(lambda: ticks(lake) > len(before) + 10)
                await until(lambda: not rows_of(lake, "SELECT 1 FROM gaps WHERE state = 'open'"))

    asyncio.run(scenario())
    assert held(lake) >= before
    told = [r.getMessage() for r in caplog.records if "was deleted, moved" in r.getMessage()]
    assert len(told) == 1
    assert str(lake.ticks_db) in told[0]
    spans = rows_of(
        lake, "SELECT max(trade_id) - min(trade_id) + 1 - count(*) FROM ticks GROUP BY symbol"
    )
    assert set(spans) == {(0,)}


def test_a_file_that_was_put_in_its_place_stays(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    kept: list[set[tuple[object, ...]]] = []

    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, settings_for(exchange)) as task,
        ):
            await until(lambda: ticks(lake) > 30)
            kept.append(held(lake))
            other = Lake(tmp_path / "other")
            other.root.mkdir()
            other.ticks_db.write_bytes(b"another")
            other.ticks_db.rename(lake.ticks_db)
            await task

    with pytest.raises(ServiceError, match=r"ticks\.db was removed or replaced"):
        asyncio.run(scenario())
    assert lake.ticks_db.read_bytes() == b"another"
    (path,) = tmp_path.glob("ticks-kept-*.db")
    path.rename(lake.ticks_db)
    assert held(lake) >= kept[0]
