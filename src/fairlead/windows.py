"""When a budget's window begins and ends. Pure arithmetic on calendars; what is counted in it is not known here.

Minutes and hours are the clock's, the same everywhere. Days, weeks (from Monday) and months follow the calendar of a
time zone, so that a day lasts 23 or 25 hours where the clocks change. Windows of one kind and zone lie side by side
without gap or overlap.
"""

import zoneinfo
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from fairlead.errors import ConfigInvalid

FOREVER_US = 2**63 - 1  # the end of a window that never ends

_FIXED_US = {"minute": 60 * 1_000_000, "hour": 3600 * 1_000_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def window_start_us(window: str, timezone: str, at_us: int) -> int:
    """The first moment (UTC, in microseconds) of the window that `at_us` lies in; 0 for `total`.

    `window` is minute, hour, day, week, month or total. Raises ConfigInvalid for an unknown window or time zone.
    """
    return _bounds(window, timezone, at_us)[0]


def window_end_us(window: str, timezone: str, at_us: int) -> int:
    """The first moment after the window that `at_us` lies in; FOREVER_US for `total`."""
    return _bounds(window, timezone, at_us)[1]


@lru_cache(maxsize=64)
def find_timezone(name: str) -> tzinfo:
    """The time zone of that IANA name. Raises ConfigInvalid if there is none, here or at all."""
    if name == "UTC":
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = 'use an IANA name such as "Europe/Berlin"; a machine without time zones needs: pip install tzdata'
        raise ConfigInvalid(f'unknown time zone "{name}"', hint=hint) from error


def _bounds(window: str, timezone: str, at_us: int) -> tuple[int, int]:
    if window == "total":
        return 0, FOREVER_US
    if length_us := _FIXED_US.get(window):
        start_us = at_us - at_us % length_us
        return start_us, start_us + length_us
    zone = find_timezone(timezone)
    today = (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).date()
    # Clocks that are put back over midnight live a bit of yesterday once more; so the neighbours are looked at, too.
    starts = [_midnight_us(_first_day(window, today, step), zone) for step in (-1, 0, 1, 2)]
    return max(start for start in starts if start <= at_us), min(start for start in starts if start > at_us)


def _first_day(window: str, day: date, step: int) -> date:
    """The first day of the window `step` windows after the one of `day`."""
    if window == "day":
        return day + timedelta(days=step)
    if window == "week":
        return day + timedelta(days=7 * step - day.weekday())
    if window == "month":
        months = day.year * 12 + day.month - 1 + step
        return date(months // 12, months % 12 + 1, 1)
    raise ConfigInvalid(f'unknown window "{window}"', hint="use minute, hour, day, week, month or total")


def _midnight_us(day: date, zone: tzinfo) -> int:
    """The first moment of `day` in `zone`; where midnight is skipped, the moment of the change."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    return (midnight.astimezone(UTC) - _EPOCH) // _MICROSECOND
