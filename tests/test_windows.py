"""Windows lie side by side on every calendar, also on the days when clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import ConfigInvalid
from fairlead.windows import FOREVER_US, window_end_us, window_start_us

HOUR_US = 3600 * 1_000_000
# Changes by an hour, by half of one, over midnight, at midnight, none at all, a skipped day, odd offsets.
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "America/Havana",
    "Africa/Cairo", "Asia/Kolkata", "Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Kiritimati",
]  # fmt: skip


def us(text: str, zone: str = "UTC", fold: int = 0) -> int:
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(moment.timestamp()) * 1_000_000


def bounds(window: str, zone: str, at_us: int) -> tuple[int, int]:
    return window_start_us(window, zone, at_us), window_end_us(window, zone, at_us)


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        ("minute", "2024-05-15 13:45:00", "2024-05-15 13:46:00"),
        ("hour", "2024-05-15 13:00:00", "2024-05-15 14:00:00"),
        ("day", "2024-05-15 00:00:00", "2024-05-16 00:00:00"),
        ("week", "2024-05-13 00:00:00", "2024-05-20 00:00:00"),
        ("month", "2024-05-01 00:00:00", "2024-06-01 00:00:00"),
    ],
)
def test_every_window_begins_where_people_say(window: str, start: str, end: str) -> None:
    assert bounds(window, "UTC", us("2024-05-15 13:45:30")) == (us(start), us(end))


def test_a_total_is_one_window_without_end() -> None:
    assert bounds("total", "Europe/Berlin", us("2024-05-15 13:45:30")) == (0, FOREVER_US)


def test_the_year_turns_within_weeks_and_months() -> None:
    assert bounds("month", "UTC", us("2024-12-31 23:59:59")) == (us("2024-12-01"), us("2025-01-01"))
    assert bounds("week", "UTC", us("2025-01-01 12:00:00")) == (us("2024-12-30"), us("2025-01-06"))


def test_a_day_has_23_or_25_hours_when_the_clocks_change() -> None:
    for day, hours in (("2024-03-31", 23), ("2024-03-30", 24), ("2024-10-27", 25)):
        start, end = bounds("day", "Europe/Berlin", us(f"{day} 12:00:00", "Europe/Berlin"))
        assert start == us(f"{day} 00:00:00", "Europe/Berlin")
        assert end - start == hours * HOUR_US


def test_both_passings_of_the_same_clock_time_are_the_same_day() -> None:
    first, second = (us("2024-10-27 02:30:00", "Europe/Berlin", fold) for fold in (0, 1))
    assert second - first == HOUR_US
    assert bounds("day", "Europe/Berlin", first) == bounds("day", "Europe/Berlin", second)


def test_where_midnight_is_skipped_the_day_begins_with_the_change() -> None:
    start, end = bounds("day", "Africa/Cairo", us("2024-04-26 12:00:00", "Africa/Cairo"))
    assert datetime.fromtimestamp(start // 1_000_000, UTC) == datetime(2024, 4, 25, 22, tzinfo=UTC)
    assert end - start == 23 * HOUR_US


def test_where_midnight_comes_twice_the_day_begins_with_the_first() -> None:
    start, end = bounds("day", "America/Havana", us("2024-11-03 12:00:00", "America/Havana"))
    assert start == us("2024-11-03 00:00:00", "America/Havana", 0)
    assert end - start == 25 * HOUR_US


def test_a_day_that_never_was_takes_no_time() -> None:
    before = bounds("day", "Pacific/Apia", us("2011-12-29 12:00:00", "Pacific/Apia"))
    after = bounds("day", "Pacific/Apia", us("2011-12-31 12:00:00", "Pacific/Apia"))
    assert before[1] == after[0]


@given(
    st.sampled_from(["minute", "hour", "day", "week", "month"]),
    st.sampled_from(ZONES),
    st.integers(us("1995-01-01"), us("2036-01-01")),
)
def test_windows_lie_side_by_side_and_every_moment_of_one_agrees(window: str, zone: str, at_us: int) -> None:
    start, end = bounds(window, zone, at_us)
    assert start <= at_us < end
    assert end - start <= timedelta(days=32).total_seconds() * 1_000_000
    assert bounds(window, zone, start) == (start, end)
    assert bounds(window, zone, end - 1) == (start, end)
    assert window_start_us(window, zone, end) == end
    assert window_end_us(window, zone, start - 1) == start


@given(st.sampled_from(ZONES), st.integers(us("1995-01-01"), us("2036-01-01")))
def test_weeks_and_months_begin_where_days_begin(zone: str, at_us: int) -> None:
    for window in ("week", "month"):
        start = window_start_us(window, zone, at_us)
        assert window_start_us("day", zone, start) == start


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_an_unknown_time_zone_is_refused_with_a_hint(zone: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        window_start_us("day", zone, 0)
    assert "Europe/Berlin" in caught.value.hint


def test_an_unknown_window_is_refused() -> None:
    with pytest.raises(ConfigInvalid, match="fortnight"):
        window_start_us("fortnight", "UTC", 0)
