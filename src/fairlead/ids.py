"""Ids and times as they stand in the books.

An id is 128 bits as 32 hexadecimal digits, laid out as UUID version 7 (RFC 9562): 48 bits of Unix milliseconds, then
random bits, so that ids sort by time. Times at rest are UTC microseconds; durations come from a monotonic clock.
"""

import os
import time
from collections.abc import Callable

STOCK = 256  # words that are drawn at once


class _Stock:
    """Random words of so many hexadecimal digits, each given once. They are drawn from the kernel by the hundred: to
    ask it for each costs 0.7 µs. Any thread may take one; a child that is forked draws its own."""

    __slots__ = ("_digits", "_shape", "_words")

    def __init__(self, digits: int, shape: Callable[[str], str] = str) -> None:
        self._digits = digits
        self._shape = shape
        self._words: list[str] | None = None

    def take(self) -> str:
        while True:
            try:
                return self._words.pop()  # type: ignore[union-attr]  # one step, whichever thread comes next
            except (AttributeError, IndexError):
                self._draw()

    def _draw(self) -> None:
        if self._words is None:
            self._words = []
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self._words.clear)
        drawn = os.urandom(STOCK * self._digits // 2).hex()
        self._words += [self._shape(drawn[at : at + self._digits]) for at in range(0, len(drawn), self._digits)]


def _versioned(word: str) -> str:
    """The second part of a UUID of version 7."""
    return f"7{word[:3]}{'89ab'[int(word[3], 16) & 3]}{word[4:19]}"


_tails = _Stock(20, _versioned)
_spans = _Stock(48)


def now_us() -> int:
    """The wall clock: microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def least_id(at_us: int) -> str:
    """No id of something that begins at `at_us` or later sorts before it, none of something earlier after it (but for
    those of the same millisecond)."""
    return f"{min(max(0, at_us // 1000), 0xFFFFFFFFFFFF):012x}"


def new_id(at_us: int | None = None) -> str:
    """A fresh sortable id for something that begins at `at_us` (now, if not given)."""
    return hex((now_us() if at_us is None else at_us) // 1000)[2:].zfill(12) + _tails.take()


def new_trace() -> tuple[str, str]:
    """Ids of a trace and of a span in it, as W3C's traceparent has them."""
    word = _spans.take()
    return word[16:], word[:16]
