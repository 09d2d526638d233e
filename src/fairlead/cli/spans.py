"""Spans of time and moments, as they are typed: `30d`, `90m`, `2026-01-31`."""

import re
from datetime import datetime
from typing import Any

import click

from fairlead.ids import now_us

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
SPAN = re.compile(r"\s*(\d{1,6})\s*([smhdw])\s*\Z")
SECOND_US = 1_000_000


class Span(click.ParamType):
    """`30d` -> seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        seconds = _seconds(value)
        if seconds is None:
            self.fail(f"{value!r} is no span of time; write 45m, 12h, 30d or 2w", param, ctx)
        return seconds


class Since(click.ParamType):
    """`1d` (so long ago), `2026-01-31`, `2026-01-31T08:30` (local time, if it names no zone) -> UTC microseconds."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        seconds = _seconds(value)
        if seconds is not None:
            return now_us() - seconds * SECOND_US
        try:
            return round(datetime.fromisoformat(value).astimezone().timestamp() * SECOND_US)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no moment; write 1d, 12h, 2026-01-31 or 2026-01-31T08:30", param, ctx)


def _seconds(text: str) -> int | None:
    found = SPAN.match(text)
    return int(found[1]) * UNITS_S[found[2]] if found else None
