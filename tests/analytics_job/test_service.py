"""How the job as a service begins and ends."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import analytics_job.service
from analytics_job.job import AnalyticsJob
from spreadlake.config import load_settings
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _nobody_listens(*_: object) -> None:
    raise AssertionError("the signal would have ended the process")


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Whoever does not listen to a signal fails; afterwards they are as they were."""
    before = {number: signal.signal(number, _nobody_listens) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_job_that_is_told_to_stop_while_it_starts_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    class ToldAtOnce(AnalyticsJob):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)  # type: ignore[arg-type]
            signal.raise_signal(number)

    monkeypatch.setattr(analytics_job.service, "AnalyticsJob", ToldAtOnce)
    analytics_job.service.run(ServiceContext(load_settings(None), Lake(tmp_path)))


def test_one_pass_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: AnalyticsJob) -> None:
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(AnalyticsJob, "step", interrupted)
    context = ServiceContext(load_settings(None), Lake(tmp_path), options={"once": True})
    with pytest.raises(KeyboardInterrupt):
        analytics_job.service.run(context)
