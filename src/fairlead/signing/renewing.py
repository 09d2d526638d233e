"""What ends and must be fetched anew: credentials, access tokens. Nobody waits for that while the old one still holds.

| left of its life | what a request does |
|---|---|
| more than `early_s` | takes it |
| less | takes it, and one fetch begins beside |
| less than `last_s`, or there is none | waits for the one fetch, until `deadline_s` after that began |

A fetch runs in a thread of its own, which keeps no process from ending. Where it fails, those who waited are told, and
whoever comes a moment later, too; it is not begun anew for each of them. What is fetched is not known here.
"""

import asyncio
import copy
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from fairlead.errors import FairleadError, TargetFailed, TargetTimeout

T = TypeVar("T")
DEADLINE_S = 20.0
PAUSE_S = 10.0  # between fetches while the old one holds
PAUSE_WAITED_S = 1.0  # between fetches that somebody waits for
GIVEN_UP_S = 60.0  # a fetch that takes longer is not waited for by anybody new


class Renewed(Generic[T]):
    """`fetch` blocks and raises FairleadError. `ends_within(value, seconds)`: is less than that left of its life?"""

    def __init__(
        self,
        fetch: Callable[[], T],
        ends_within: Callable[[T, float], bool],
        *,
        what: str,
        early_s: float,
        last_s: float,
        deadline_s: float = DEADLINE_S,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._fetch = fetch
        self._ends_within = ends_within
        self._what = what
        self._early_s = early_s
        self._last_s = last_s
        self._deadline_s = deadline_s
        self._pause_s = pause_s
        self._value: T | None = None
        self._current: _Fetch[T] | None = None

    async def get(self) -> T:
        """Raises what the fetch raised, or TargetTimeout."""
        value = self._value
        if value is not None and not self._ends_within(value, self._early_s):
            return value
        if value is not None and not self._ends_within(value, self._last_s):
            self._under_way(self._pause_s)
            return value
        return await self._awaited(self._under_way(min(self._pause_s, PAUSE_WAITED_S)))

    def _under_way(self, pause_s: float) -> "_Fetch[T]":
        """The fetch that runs or has just ended, else a new one."""
        loop = asyncio.get_running_loop()
        current = self._current
        if current is None or current.loop is not loop or current.age_s > (pause_s if current.is_over else GIVEN_UP_S):
            current = self._current = _Fetch(loop)
            threading.Thread(target=self._run, args=(current,), name=f"fetch {self._what}", daemon=True).start()
        return current

    def _run(self, current: "_Fetch[T]") -> None:
        """In the thread. What is no FairleadError is a fault, which ends up in the log."""
        try:
            current.value = self._fetch()
        except FairleadError as error:
            current.failure = error
        finally:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                current.loop.call_soon_threadsafe(self._end, current)

    def _end(self, current: "_Fetch[T]") -> None:
        if current.value is not None:
            self._value = current.value
        current.over.set()

    async def _awaited(self, current: "_Fetch[T]") -> T:
        if not current.is_over:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._deadline_s - current.age_s):
                    await current.over.wait()
        if current.value is not None:
            return current.value
        if current.failure is not None:
            raise copy.copy(current.failure) from current.failure  # each who waits writes its own target's name on it
        if current.is_over:
            raise TargetFailed(f"{self._what} could not be had", hint="See the log for what went wrong.")
        message = f"{self._what} did not come within {self._deadline_s:g} s"
        raise TargetTimeout(message, hint="Is the place that gives them reachable from here?", stage="connect")


class _Fetch(Generic[T]):
    __slots__ = ("began_s", "failure", "loop", "over", "value")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.began_s = loop.time()
        self.over = asyncio.Event()
        self.value: T | None = None
        self.failure: FairleadError | None = None

    @property
    def is_over(self) -> bool:
        return self.over.is_set()

    @property
    def age_s(self) -> float:
        return self.loop.time() - self.began_s
