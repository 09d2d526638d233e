"""One asking for all who ask the same at the same time.

A `Flight` is an asking that runs beside the calls that wait for it: in the books of the one that began it, read by each
at its own pace. Whoever hangs up leaves it to the others; it ends when nobody is left. The call that began it stays in
the books until it has ended, so that what it costs stands with it.

What is said is kept while the flight lasts, so that whoever comes late misses nothing; beyond a bound it is let go once
all who are there have read it, and nobody can join any more. It knows nothing of requests: who asks the same is
`caching.py`'s to say.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing

from fairlead.chat import Answer, Item, Stream
from fairlead.errors import (
    AllTargetsFailed,
    BudgetExceeded,
    LimitExceeded,
    PolicyDenied,
    TargetTimeout,
    Unavailable,
)
from fairlead.gateway.ledger import Book
from fairlead.gateway.rescuing import size_of


class Reader:
    """One of those who wait for a flight. Whoever got it from `join` calls `leave`."""

    def __init__(self, flight: "Flight") -> None:
        self.at = 0  # of the flight's items, the first that was not read
        self._flight = flight

    async def items(self, left_s: Callable[[], float] | None = None) -> AsyncGenerator[Item, None]:
        """What is said, as it comes, until the flight ends. `left_s` is how long this reader may wait."""
        flight = self._flight
        while True:
            while self.at < len(flight.items):
                item = flight.items[self.at]
                self.at += 1
                yield item
            if flight.ended:
                return
            await flight.wait(left_s)

    async def end(self, left_s: Callable[[], float] | None = None) -> list[Item]:
        """All that is said, once the flight has ended."""
        said: list[Item] = []
        async with aclosing(self.items(left_s)) as items:
            async for item in items:
                said.append(item)
        return said

    def leave(self) -> None:
        self._flight.left(self)


class Flight:
    """`error` is what ended it, `answer` what a flight of a whole answer gave."""

    def __init__(self, book: Book, most_bytes: int) -> None:
        self.items: list[Item] = []
        self.answer: Answer | None = None
        self.error: BaseException | None = None
        self.ended = False
        self.has_all = True  # nothing was let go: what is in `items` is all that was said
        self.size = 0
        self._book = book
        self._most_bytes = most_bytes
        self._readers: list[Reader] = []
        self._came = asyncio.Event()
        self._read = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def target(self) -> str:
        return self._book.target

    @property
    def is_open(self) -> bool:
        """Whether others may join: it goes on, and nothing of it is missing."""
        return self.has_all and not self.ended and bool(self._readers)

    def ask(self, ask: Callable[[], Awaitable[Answer]], landed: Callable[["Flight"], None]) -> Reader:
        """`landed` is told when it has ended, before anybody who waits for it."""
        return self._begin(self._await(ask), landed)

    def stream(self, stream: Callable[[], Stream], landed: Callable[["Flight"], None]) -> Reader:
        """The same for a stream."""
        return self._begin(self._hear(stream), landed)

    def _begin(self, flying: Coroutine[None, None, None], landed: Callable[["Flight"], None]) -> Reader:
        reader = self.join()
        self._task = asyncio.ensure_future(flying)
        self._task.add_done_callback(lambda task: self._land(task, landed))
        return reader

    def join(self) -> Reader:
        reader = Reader(self)
        self._readers.append(reader)
        return reader

    def left(self, reader: Reader) -> None:
        self._readers.remove(reader)
        _wake(self._read)
        if not self._readers and self._task is not None:
            self._task.cancel()

    async def outlast(self) -> None:
        """For the call that began it, when it has left: until the others have their answer. Being cancelled once more
        changes nothing: whoever ends everything ends the others, too, and with them the flight."""
        assert self._task is not None
        cancelled: asyncio.CancelledError | None = None
        while not self._task.done():
            try:
                await asyncio.wait({self._task})
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def wait(self, left_s: Callable[[], float] | None = None) -> None:
        """Until something came, or the end. Raises TargetTimeout where the reader's own time is over."""
        if not self.has_all:
            _wake(self._read)
        if left_s is None:
            await self._came.wait()
            return
        try:
            async with asyncio.timeout(max(left_s(), 0)):
                await self._came.wait()
        except TimeoutError:
            raise TargetTimeout("no time is left to wait for it", target=self.target, stage="total") from None

    async def _await(self, ask: Callable[[], Awaitable[Answer]]) -> None:
        self.answer = await ask()

    async def _hear(self, stream: Callable[[], Stream]) -> None:
        async with aclosing(stream()) as items:
            async for item in items:
                self.items.append(item)
                self.size += size_of(item)
                _wake(self._came)
                while self.size > self._most_bytes and not self._let_go():
                    await self._read.wait()

    def _let_go(self) -> bool:
        """What is too much to keep goes when all have read it."""
        self.has_all = False
        if any(reader.at < len(self.items) for reader in self._readers):
            return False
        self.items.clear()
        self.size = 0
        for reader in self._readers:
            reader.at = 0
        return True

    def _land(self, task: asyncio.Task[None], landed: Callable[["Flight"], None]) -> None:
        self.ended = True
        self.error = asyncio.CancelledError() if task.cancelled() else task.exception()
        landed(self)
        _wake(self._came)


def is_own(error: BaseException) -> bool:
    """Whether a failure is that of the call that began the flight: its budget, its deadline, its hanging up. Others who
    ask the same may fare better; all other failures are theirs as well."""
    match error:
        case PolicyDenied() | BudgetExceeded() | LimitExceeded() | Unavailable() | asyncio.CancelledError():
            return True
        case TargetTimeout():
            return error.details.get("stage") == "total"
        case AllTargetsFailed():
            return any(is_own(failure) for failure in error.failures)
    return False


def _wake(event: asyncio.Event) -> None:
    """Everybody who waits now."""
    event.set()
    event.clear()
