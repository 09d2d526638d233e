"""One more attempt elsewhere where the first word is late; whoever says it first is heard.

`Hedging` stands around the Ask of one call, on routes that want it. Where nothing has come after a delay (a fixed one,
or a percentile of how long the target took lately), another account of the target is asked as well, else the next
target of the call. The other attempt is then closed; what it cost stands in the books. No more hedges are made than a
share of the requests, and none that a circuit, a limit or a budget stands against: the first attempt just goes on.

An answer of a given form is worded for its target, so it is hedged at another account of that target only.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import aclosing, suppress
from typing import Any, Generic, TypeVar

from fairlead.chat import Answer, Chunk, Item, Request, Stream
from fairlead.errors import FairleadError
from fairlead.gateway.allowance import Allowance
from fairlead.gateway.breaking import Circuits
from fairlead.gateway.call import Ask, Call, Clock, Form, Hedge, Target
from fairlead.gateway.ledger import Book
from fairlead.gateway.spreading import Spreading

LATE = "another attempt was faster"
REMEMBERED = 512  # of each target's latest times to the first word
RECKON_EVERY = 16  # of them, a percentile is found anew
MOST_AT_ONCE = 10.0  # hedges of one route, where there were none for a while

T = TypeVar("T", Answer, "Opened")
Begin = Callable[[Target, str, Form | None], Coroutine[Any, Any, T]]


class Latencies:
    """The latest times of one target to its first word, in seconds."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=REMEMBERED)
        self._new = 0
        self._found: tuple[float, float] | None = None  # a percentile, and what it was

    def add(self, seconds: float) -> None:
        self._latest.append(seconds)
        self._new += 1

    def percentile(self, wanted: float, min_samples: int) -> float | None:
        """The time within which so many of a hundred came; None where too few are known."""
        if len(self._latest) < min_samples:
            return None
        if self._found is None or self._found[0] != wanted or self._new >= RECKON_EVERY:
            rank = min(len(self._latest) - 1, int(len(self._latest) * wanted / 100))
            self._found, self._new = (wanted, sorted(self._latest)[rank]), 0
        return self._found[1]


class Lateness:
    """What this process knows of its targets' times, and how many hedges its routes may still make."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._latencies: dict[tuple[str, bool], Latencies] = {}
        self._allowances: dict[str, Allowance] = {}

    def of(self, target: str, *, stream: bool) -> Latencies:
        return self._latencies.setdefault((target, stream), Latencies())

    def allowance(self, route: str) -> Allowance:
        return self._allowances.setdefault(route, Allowance(most=MOST_AT_ONCE))


class Opened:
    """A stream up to its first word."""

    def __init__(self, early: list[Item], rest: Stream) -> None:
        self.early = early
        self.rest = rest


class Hedging:
    """An Ask around the Ask. The further attempt has the purpose `hedge`."""

    def __init__(
        self,
        ask: Ask,
        call: Call,
        book: Book,
        rules: Hedge,
        lateness: Lateness,
        circuits: Circuits,
        spreading: Spreading | None,
    ) -> None:
        self._ask = ask
        self._call = call
        self._book = book
        self._rules = rules
        self._lateness = lateness
        self._circuits = circuits
        self._spreading = spreading

    async def answer(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Answer:
        def begin(whom: Target, why: str, shape: Form | None) -> Coroutine[Any, Any, Answer]:
            return self._ask.answer(whom, request, why, shape)

        race = _Race(self, begin, target, purpose, form, self._lateness.of(target.name, stream=False))
        answer = await race.run()
        self._book.target, self._book.request_id = race.winner.name, answer.request_id
        return answer

    async def stream(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Stream:
        def begin(whom: Target, why: str, shape: Form | None) -> Coroutine[Any, Any, Opened]:
            return _open(self._ask.stream(whom, request, why, shape))

        race = _Race(self, begin, target, purpose, form, self._lateness.of(target.name, stream=True))
        opened = await race.run()
        self._book.target, self._book.request_id = race.winner.name, ""
        async with aclosing(opened.rest) as items:
            for item in opened.early:
                yield item
            async for item in items:
                yield item

    def delay_s(self, known: Latencies) -> float | None:
        """None: nothing is hedged yet."""
        rules = self._rules
        if rules.after_percentile is None:
            return rules.after_s
        found = known.percentile(rules.after_percentile, rules.min_samples)
        return rules.after_s if found is None else found

    def other(self, target: Target, form: Form | None) -> Target | None:
        """Who is asked as well: the same target at another account, else one that the call has not come to."""
        if self._spreading is not None and self._spreading.has_another(target):
            return target
        if form is not None:
            return None
        left = iter(self._call.targets)
        for one in left:
            if one.name == target.name:
                break
        return next((one for one in left if self._circuits.takes(one)), None)

    def affords(self) -> bool:
        return self._lateness.allowance(self._call.route.name).withdraw(self.clock.now())

    def counts(self) -> None:
        """One more request of the route."""
        self._lateness.allowance(self._call.route.name).deposit(self._rules.max_share)

    @property
    def clock(self) -> Clock:
        return self._lateness.clock


class _Race(Generic[T]):
    """The attempts of one asking. When `run` is left, at most one of them still goes on: the winner's stream."""

    def __init__(
        self, hedging: Hedging, begin: Begin[T], target: Target, purpose: str, form: Form | None, known: Latencies
    ) -> None:
        self.winner = target
        self._hedging = hedging
        self._begin = begin
        self._purpose = purpose
        self._form = form
        self._known = known
        self._running: dict[asyncio.Task[T], Target] = {}

    async def run(self) -> T:
        """Raises what the first attempt raises, where none is answered."""
        clock = self._hedging.clock
        started = clock.now()
        self._hedging.counts()
        self._start(self.winner, self._purpose, self._form)
        won: asyncio.Task[T] | None = None
        try:
            delay_s = self._hedging.delay_s(self._known)
            if delay_s is not None and await self._is_late(delay_s):
                self._hedge()
            won = await self._first_answered()
            self._known.add(clock.now() - started)  # of a loser it is the least that it would have taken
            self.winner = self._running[won]
            return won.result()
        finally:
            await self._end_but(won)
            self._running.clear()
            won = None  # its error holds this frame: a cycle

    def _start(self, target: Target, purpose: str, form: Form | None) -> None:
        self._running[asyncio.create_task(self._begin(target, purpose, form))] = target

    async def _is_late(self, delay_s: float) -> bool:
        [first] = self._running
        timer = asyncio.create_task(self._hedging.clock.sleep(delay_s))
        try:
            await asyncio.wait({first, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
        return not first.done()

    def _hedge(self) -> None:
        other = self._hedging.other(self.winner, self._form)
        if other is not None and self._hedging.affords():
            self._start(other, "hedge", self._form and self._form.anew())

    async def _first_answered(self) -> "asyncio.Task[T]":
        """The first that came to something; else the first that was asked, with its error."""
        first = next(iter(self._running))
        waiting = set(self._running)
        while waiting:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in self._running:
                if task.done() and not task.cancelled() and task.exception() is None:
                    return task
            if first.done() and _is_final(first):
                return first
        return first

    async def _end_but(self, won: "asyncio.Task[T] | None") -> None:
        """All others are closed, and their outcomes in the books, before anybody goes on."""
        losers = [task for task in self._running if task is not won]
        for task in losers:
            task.cancel(LATE if won is not None else None)
        if losers:
            await asyncio.wait(losers)
        for task in losers:
            if not task.cancelled() and task.exception() is None:
                await _close(task.result())


def _is_final(task: "asyncio.Task[Any]") -> bool:
    """Whether asking elsewhere changes nothing: the caller's own mistake, or a bug."""
    error = None if task.cancelled() else task.exception()
    return not (isinstance(error, FairleadError) and error.retryable)


async def _open(items: Stream) -> Opened:
    early: list[Item] = []
    try:
        async for item in items:
            early.append(item)
            if type(item) is Chunk and item.words:
                break
    except BaseException:
        await items.aclose()
        raise
    return Opened(early, items)


async def _close(lost: Answer | Opened) -> None:
    """Of two that were ready in the same instant."""
    if isinstance(lost, Opened):
        with suppress(asyncio.CancelledError, StopAsyncIteration):
            await lost.rest.athrow(asyncio.CancelledError(LATE))
        await lost.rest.aclose()
