"""Ids and times as they stand in the books.

An id is 128 bits as 32 hexadecimal digits, laid out as UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then
random bits, so that ids sort by time. Times at rest are UTC microseconds; durations come from a monotonic clock.
"""

import os
import time


def now_us() -> int:
    """The wall clock: microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def new_id(at_us: int | None = None) -> str:
    """A fresh sortable id for something that begins at `at_us` (now, if not given)."""
    milliseconds = (now_us() if at_us is None else at_us) // 1000
    rest = int.from_bytes(os.urandom(10), "big") & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62
    return f"{milliseconds:012x}{rest:020x}"
