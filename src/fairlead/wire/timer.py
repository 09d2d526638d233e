"""One deadline that moves. Moving it later costs an assignment; only an earlier one touches the event loop."""

import asyncio
import math
from collections.abc import Callable


class Timer:
    """Calls `ring` once when the deadline has passed, in the loop's own seconds. It knows no stages and no errors."""

    __slots__ = ("_at", "_handle", "_loop", "_ring", "_wakes_at")

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._at = math.inf
        self._wakes_at = math.inf
        self._handle: asyncio.TimerHandle | None = None

    def set(self, at: float) -> None:
        """Ring at `at` instead of whenever it was; infinity: never."""
        self._at = at
        if at < self._wakes_at:
            if self._handle is not None:
                self._handle.cancel()
            self._wakes_at = at
            self._handle = self._loop.call_at(at, self._wake)

    def stop(self) -> None:
        self._at = self._wakes_at = math.inf
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def end(self) -> None:
        """Never ring again, and let go of whoever would have heard it: who owns a timer that calls him is a cycle."""
        self.stop()
        self._ring = _unheard

    def _wake(self) -> None:
        at = self._at
        self._handle, self._wakes_at = None, math.inf
        if at <= self._loop.time():
            self._at = math.inf
            self._ring()
        elif at < math.inf:
            self.set(at)


def _unheard() -> None:
    """What an ended timer calls."""
