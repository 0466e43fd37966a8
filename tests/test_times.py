"""Times as people and files write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.errors import InputError
from spreadlake.times import bars_of_span, iso_utc, parse_time, timeframe_seconds

MIDNIGHT = 1_723_161_600  # 2024-08-09T00:00:00Z

moments = st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1))  # noqa: DTZ001
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-08-09T00:00:00Z", MIDNIGHT),
        ("2024-08-09T00:00Z", MIDNIGHT),
        ("2024-08-09 00:00:00Z", MIDNIGHT),
        ("2024-08-09", MIDNIGHT),
        ("20240809T000000Z", MIDNIGHT),
        ("2024-08-09t00:00:00z", MIDNIGHT),
        ("2024-08-09t02:00:00.25+02:00", MIDNIGHT + 0.25),
        ("  2024-08-09T02:00:00+02:00 ", MIDNIGHT),
        ("2024-08-08T19:30:00-04:30", MIDNIGHT),
        ("2024-08-09T00:00:00.25Z", MIDNIGHT + 0.25),
        ("2024-08-09T00:00:00.123456+00:00", MIDNIGHT + 0.123456),
        ("1723161600", MIDNIGHT),
        ("1723161600.25", MIDNIGHT + 0.25),
        ("1723161600250", MIDNIGHT + 0.25),
    ],
)
def test_every_unambiguous_way_to_write_a_time_is_understood(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2024-08-09T00:00:00", "has no zone; add Z for UTC, or an offset"),
        ("2024-08-09 12:30", "has no zone"),
        ("17231616000000000", "is neither epoch seconds .* nor milliseconds"),
        ("1723", "is neither epoch seconds"),
        ("-1723161600", "is neither epoch seconds"),
        ("yesterday", "is not understood; write 2024-08-09T00:00:00Z"),
        ("09/08/2024", "is not understood"),
        ("", "is not understood"),
    ],
)
def test_what_could_be_two_instants_or_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        parse_time(text)
    assert repr(text.strip()) in str(caught.value)


@given(moments, zones)
def test_any_zone_is_the_same_instant(moment: datetime, zone: timezone) -> None:
    instant = moment.replace(tzinfo=UTC)
    assert parse_time(instant.astimezone(zone).isoformat()) == instant.timestamp()


@given(st.integers(100_000_000, 7_000_000_000))
def test_what_is_written_reads_back(seconds: int) -> None:
    assert parse_time(iso_utc(seconds)) == seconds
    assert parse_time(str(seconds)) == seconds
    assert parse_time(str(seconds * 1000)) == seconds


@pytest.mark.parametrize(("name", "seconds"), [("1s", 1), ("15s", 15), ("5m", 300), ("4h", 14_400)])
def test_a_timeframe_is_a_number_of_seconds(name: str, seconds: int) -> None:
    assert timeframe_seconds(name) == seconds


@pytest.mark.parametrize("name", ["", "s", "0s", "1.5m", "1d", "m1", "-1s", "1S", "01m", "1m "])
def test_other_timeframes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number of s, m or h"):
        timeframe_seconds(name)


@pytest.mark.parametrize(
    ("text", "length", "bars"),
    [
        ("30d", 60, 43_200),
        ("12h", 60, 720),
        ("90m", 60, 90),
        ("90s", 1, 90),
        ("2w", 3600, 336),
        (" 1h ", 3600, 1),
        ("500", 60, 500),
    ],
)
def test_a_span_is_a_number_of_bars(text: str, length: int, bars: int) -> None:
    assert bars_of_span(text, length) == bars


@pytest.mark.parametrize("text", ["", "d", "0", "0d", "-1d", "1.5d", "1y", "1d12h", "1 d", "all"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no span of time"):
        bars_of_span(text, 60)


@pytest.mark.parametrize("text", ["30s", "90s", "61s"])
def test_a_span_is_whole_bars(text: str) -> None:
    with pytest.raises(InputError, match=f"{text} is no whole number of bars, which are 60 s"):
        bars_of_span(text, 60)
