"""Spans of time and moments, as they are typed: `30d`, `90m`, `2026-01-31`."""

from datetime import datetime
from typing import Any

import click

from fairlead.ids import now_us
from fairlead.spans import seconds_of

SECOND_US = 1_000_000


class Span(click.ParamType):
    """`30d` -> seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        seconds = seconds_of(value)
        if seconds is None:
            self.fail(f"{value!r} is no span of time; write 45m, 12h, 30d or 2w", param, ctx)
        return seconds


class Since(click.ParamType):
    """`1d` (so long ago), `2026-01-31`, `2026-01-31T08:30` (local time, if it names no zone) -> UTC microseconds."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        seconds = seconds_of(value)
        if seconds is not None:
            return now_us() - seconds * SECOND_US
        try:
            return round(datetime.fromisoformat(value).astimezone().timestamp() * SECOND_US)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no moment; write 1d, 12h, 2026-01-31 or 2026-01-31T08:30", param, ctx)
