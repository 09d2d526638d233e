"""What a server answers to one request: its status and headers, then its body whole, or as events.

A response is filled by its connection (see `connection.py`) and emptied by whoever asked. It knows deadlines and
bounds, but neither sockets nor what the bytes mean.
"""

import asyncio
import math
from collections.abc import Callable
from copy import copy
from typing import Protocol

from msgspec import Struct

from fairlead.errors import TargetError, TargetTimeout, TargetUnclear
from fairlead.wire.sse import Event, Events

MAX_BODY_BYTES = 64 * 1024 * 1024
EXCERPT_S = 5.0  # an error's body is not worth a longer wait
LATE = {
    "first_token": "nothing came",
    "between_tokens": "nothing more came",
    "total": "the answer was not complete",
}
LAG_BYTES = 256 * 1024  # that a consumer may lie behind before reading from the socket pauses


class Deadlines(Struct, frozen=True):
    """Seconds, each for one stage; `total_s` is over all of them, from before connecting to the last byte.

    An answer that is not streamed has no first token that could be seen: then only `connect_s` and `total_s` apply.
    """

    connect_s: float = 5.0
    first_token_s: float = math.inf  # from the request's sending to the first event, headers included
    between_tokens_s: float = math.inf  # of waiting for the next event; comments are none
    total_s: float = 600.0


class Decoder(Protocol):
    """Bytes of a stream as they come -> its events: name and data of each."""

    def feed(self, chunk: bytes) -> list[Event]: ...


class Link(Protocol):
    """What a response needs of its connection."""

    loop: asyncio.AbstractEventLoop
    place: str

    wake_at: Callable[[float], None]

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def abandon(self) -> None: ...
    def linger(self) -> None: ...


class Response:
    """Raises TargetTimeout, TargetUnreachable, TargetUnclear or StreamBroken from whatever is awaited.

    Whoever holds one ends it: by reading it to its end, by `close` (the connection is closed if anything is
    missing) or by `release` (the connection is kept if the rest comes at once). Cancelling a read closes it.
    """

    __slots__ = ("_deadlines", "_failure", "_headers", "_held", "_link", "_over", "_parts", "_poured_by",
                 "_reason", "_stage", "_tap", "_total_at", "_waiter", "lines", "sent_at", "status")  # fmt: skip

    def __init__(self, link: Link, deadlines: Deadlines, sent_at: float, total_at: float) -> None:
        self.status = 0
        self.sent_at = sent_at
        self._link = link
        self._deadlines = deadlines
        self._total_at = total_at
        self._parts: list[bytes] = []
        self._held = 0  # bytes in parts
        self._over = False  # nothing more will come
        self._failure: TargetError | None = None  # raised as a copy: one that holds its reader would be a cycle
        self._stage = "total"
        self._tap: Callable[[bytes], None] | None = None  # takes what comes while it is waited for
        self._poured_by = 0.0  # when more must have come, since that took something
        self._waiter: asyncio.Future[None] | None = None
        self._reason = b""
        self.lines: list[tuple[bytes, bytes]] = []
        self._headers: dict[str, str] | None = None

    # --- for whoever asked ---

    @property
    def reason(self) -> str:
        return self._reason.decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """By name in lower case; what came several times stands side by side. Read when first asked for: few are."""
        if self._headers is None:
            self._headers = {}
            for name, value in self.lines:
                key, said = name.decode("latin-1").lower(), value.decode("latin-1").strip()
                before = self._headers.get(key)
                self._headers[key] = said if before is None else f"{before}, {said}"
        return self._headers

    async def head(self) -> None:
        """Wait until status and headers are there."""
        try:
            while not self.status and not self._over:
                await self._arrival(self.sent_at + self._deadlines.first_token_s, "first_token")
        except asyncio.CancelledError:
            self.close()
            raise
        if self._failure is not None and not self.status:
            raise copy(self._failure)

    async def body(self, max_bytes: int = MAX_BODY_BYTES) -> bytes:
        """All of it. Raises TargetUnclear where it is larger than `max_bytes`."""
        parts: list[bytes] = []
        size = 0
        while True:
            size += self._held
            if size > max_bytes or (not self._over and self._announced() > max_bytes):
                self.close()
                raise TargetUnclear(f"{self._link.place} answered with more than {max_bytes} bytes")
            if self._over:
                break
            parts.append(self._taken())
            await self._more(math.inf, "total")
        if self._failure is not None:
            raise copy(self._failure)
        return b"".join((*parts, self._taken())) if parts else self._taken()

    async def excerpt(self, max_bytes: int) -> bytes:
        """The first `max_bytes` of an error's body, or what came of it in a short while; then the response is over."""
        self._total_at = min(self._total_at, self._link.loop.time() + EXCERPT_S)
        found = b""
        while True:
            found += self._taken()
            if self._over or len(found) >= max_bytes:
                break
            await self._more(math.inf, "total")
        self.close()
        return found[:max_bytes]

    def events(self, decoder: Decoder | None = None) -> "EventStream":
        """The body as events, in batches as they come: `async for batch in response.events()`.

        They are server-sent events, unless `decoder` finds others in the bytes.
        """
        return EventStream(self, self._deadlines, decoder or Events())

    async def read(self, by: float, stage: str) -> bytes:
        """What has come of the body since the last read, waiting for it until `by` (loop time); b"" at the end."""
        while not self._held and not self._over:
            await self._more(by, stage)
        if not self._held and self._failure is not None:
            raise copy(self._failure)
        return self._taken()

    def close(self) -> None:
        """Nothing more is wanted. What has not come yet never will: then the connection is closed. May be repeated."""
        if not self._over:
            self._over = True
            self._taken()
            self._link.abandon()

    def release(self) -> None:
        """Nothing more is wanted, but the server is believed to be done: it has a moment to say so."""
        if not self._over:
            self._over = True
            self._taken()
            self._link.linger()

    # --- for the connection ---

    def begin(self, status: int, reason: bytes, lines: list[tuple[bytes, bytes]]) -> None:
        self.status, self._reason, self.lines = status, reason, lines
        if self._waiter is not None:
            self._wake()

    def take(self, data: bytes) -> None:
        if self._over:  # released: what still comes is dropped
            return
        waiter, tap = self._waiter, self._tap
        if tap is not None and waiter is not None and not waiter.done():
            tap(data)
            return
        self._parts.append(data)
        self._held += len(data)
        if self._held > LAG_BYTES:
            self._link.pause()
        if waiter is not None:
            self._wake()

    def end(self, failure: TargetError | None = None) -> None:
        """Nothing more comes. What has come can still be read, then `failure` is raised."""
        if not self._over:
            self._over, self._failure = True, failure
            if self._waiter is not None:
                self._wake()

    def expired(self) -> TargetTimeout | None:
        """The error for the deadline that has just passed. None where nobody waits: who reads may take its time, and
        only the total deadline runs meanwhile."""
        now = self._link.loop.time()
        if now < min(self._poured_by, self._total_at) and self._waiter is not None:
            self._stage = "between_tokens" if self._poured_by < self._total_at else "total"
            self._link.wake_at(min(self._poured_by, self._total_at))
            return None
        if self._waiter is None:
            if not self._over and now < self._total_at:
                self._link.wake_at(self._total_at)
                return None
            self._stage = "total"
        seconds = getattr(self._deadlines, f"{self._stage}_s")
        return TargetTimeout(f"{self._link.place}: {LATE[self._stage]} within {seconds:g} s", stage=self._stage)

    # --- inside ---

    def _arrival(self, by: float, stage: str) -> "asyncio.Future[None]":
        """Done when anything has happened, or the deadline made it an end. Whoever waits closes when cancelled."""
        if by < self._total_at:
            self._stage = stage
        else:
            self._stage, by = "total", self._total_at
        self._link.wake_at(by)
        waiter = self._waiter = self._link.loop.create_future()
        return waiter

    async def _more(self, by: float, stage: str) -> None:
        try:
            await self._arrival(by, stage)
        except asyncio.CancelledError:
            self.close()
            raise

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _taken(self) -> bytes:
        """What has come of the body and was not read yet."""
        parts = self._parts
        if self._held > LAG_BYTES and not self._over:
            self._link.resume()
        self._held = 0
        if len(parts) == 1:
            return parts.pop()
        self._parts = []
        return b"".join(parts)

    def _announced(self) -> int:
        length = self.headers.get("content-length", "")
        return int(length) if length.isdecimal() else 0


class EventStream:
    """Batches of events, each holding all that came together. Raises StreamBroken where the body is cut short.

    While the next batch is waited for, those that come are given to `tap`, if there is one, and nobody is woken: that
    costs several times what an event does. It says whether it takes the next one as well; if not, the batch that was
    waited for is empty.
    """

    __slots__ = ("_begun", "_deadlines", "_events", "_refused", "_response", "tap")

    def __init__(self, response: Response, deadlines: Deadlines, decoder: Decoder) -> None:
        self._response = response
        self._deadlines = deadlines
        self._events = decoder
        self._begun = False
        self._refused = False
        self.tap: Callable[[list[Event]], bool] | None = None

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> list[Event]:
        """One coroutine from the connection to the reader: each more costs every chunk 0.1 µs or more."""
        response = self._response
        if self._begun:
            by, stage = response._link.loop.time() + self._deadlines.between_tokens_s, "between_tokens"
        else:
            by, stage = response.sent_at + self._deadlines.first_token_s, "first_token"
        try:
            while not response._over or response._held:
                if not response._held:
                    response._tap = None if self.tap is None else self._pour
                    await response._arrival(max(by, response._poured_by), stage)
                    response._tap = None
                    if self._refused:
                        self._refused = False
                        return []
                elif batch := self._events.feed(response._taken()):
                    self._begun = True
                    return batch
        except asyncio.CancelledError:
            response.close()
            raise
        if response._failure is not None:
            raise copy(response._failure)
        raise StopAsyncIteration

    def _pour(self, data: bytes) -> None:
        """What came while a batch was waited for."""
        response = self._response
        try:
            batch = self._events.feed(data)
        except TargetError as failure:
            response.end(failure)
            response._link.abandon()
            return
        if not batch:
            return
        self._begun = True
        tap = self.tap
        assert tap is not None
        if tap(batch):
            response._poured_by = response._link.loop.time() + self._deadlines.between_tokens_s
        else:
            self._refused = True
            response._wake()
