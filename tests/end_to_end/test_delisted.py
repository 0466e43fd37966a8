"""A symbol is delisted and listed again while all is captured and analysed: its bars follow."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from analytics_job.followed_settings import captured_settings
from analytics_job.job import AnalyticsJob
from simulator import SimulatedExchange
from spreadlake.config import Settings, load_settings
from spreadlake.lake import Lake
from tests.analytics_job.harness import TestLake
from tests.collector.live import collecting, until
from tests.collector.symbols.test_universe import NAMES, OFTEN, market

LIMIT = 6  # seconds: job.break_minutes


def of_all(exchange: SimulatedExchange, repair_hours: int) -> Settings:
    return load_settings(
        None,
        symbols="all",
        pairs=[["BTCUSDT", "SOLUSDT"]],
        timeframes=["1s"],
        windows=[5],
        lookbacks=[10],
        job={"break_minutes": LIMIT / 60},
        exchange={"ws_url": exchange.ws_url, "rest_url": exchange.rest_url},
        collector={
            "warm_start_minutes": 0,
            "funding": False,
            "request_weight": 2400,
            "repair_hours": repair_hours,
        },
    )


def of_sol(lake: TestLake) -> list[int]:
    return sorted(row["time"] for row in lake.table("bars") if row["symbol"] == "SOLUSDT")


def newest(lake: TestLake) -> int:
    return max((row["time"] for row in lake.table("bars")), default=0)


def state(lake: TestLake) -> tuple[str, str]:
    (line,) = lake.table("pair_status")
    return line["state"], line["message"]


def tables(lake: TestLake) -> dict[str, Any]:
    return {name: lake.table(name) for name in ("bars", "joins", "stops", "pair_analytics")}


@pytest.mark.parametrize("repair_hours", [0, 1])
def test_its_bars_end_and_begin_anew_and_a_rebuild_finds_the_same(
    tmp_path: Path, repair_hours: int
) -> None:
    """Where it traded on meanwhile and that can be had, it had not ended after all."""

    async def scenario() -> None:
        async with SimulatedExchange(market(NAMES[:3])) as exchange:
            settings = of_all(exchange, repair_hours)
            async with collecting(Lake(tmp_path), settings, OFTEN):
                lake = TestLake(tmp_path)
                job = AnalyticsJob(lake.lake, captured_settings(lake.lake, settings))

                def stepped(condition: Any) -> Any:
                    def look() -> bool:
                        job.step()
                        return bool(lake.has_table("stops") and condition())

                    return look

                await until(stepped(lambda: len(of_sol(lake)) > 8))
                exchange.set_facts("SOLUSDT", listed=False)
                await until(stepped(lambda: newest(lake) > max(of_sol(lake)) + 4))
                assert state(lake)[0] == "stale"
                assert state(lake)[1].startswith("ended: no bars of SOLUSDT since ")
                (stop,) = [row["time"] for row in lake.table("stops")]
                assert max(of_sol(lake)) == stop - 1
                exchange.set_facts("SOLUSDT", listed=True)
                await until(stepped(lambda: state(lake)[0] == "ready"))
                if repair_hours:
                    await until(stepped(lambda: not lake.table("stops")))
                begin = stop if not repair_hours else of_sol(lake)[0]
                held = [second for second in of_sol(lake) if second >= begin]
                assert held == list(range(held[0], held[-1] + 1))
                assert (held[0] > stop) == (not repair_hours)
        # What the collector stored of its last moments is taken in as well.
        job.step()
        before = tables(lake)
        job.rebuild(None)
        job.step()
        job.close()
        assert tables(lake) == before
        lake.close()

    asyncio.run(scenario())
