"""Spans of time as people write them, in the configuration and on the command line: `45m`, `12h`, `30d`, `2w`."""

import re

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"\s*(\d{1,6})\s*([smhdw])\s*\Z")


def seconds_of(text: str) -> int | None:
    """None: it is no span."""
    found = _SPAN.match(text)
    return int(found[1]) * _UNITS_S[found[2]] if found else None
