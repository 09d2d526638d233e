"""One connection from a caller: requests answered one after the other in the order they came.

It decides whose turn it is, how long anything may take, and when the connection ends; `requests.py` reads the bytes, a
request is in `incoming.py`. It has one timer; what that is for follows from what the connection is doing (`_due`,
`_ring`).
"""

import asyncio
import math
import socket
from collections import deque
from collections.abc import Awaitable
from functools import partial
from typing import Any, Protocol, cast

from msgspec import Struct

from fairlead.errors import FairleadError, RequestMalformed, RequestTooSlow, Unavailable
from fairlead.wire.incoming import CLOSE, CONTINUE, Head, Incoming, Lines, Link, head_of, status_line
from fairlead.wire.requests import Requests
from fairlead.wire.timer import Timer

SLICE_BYTES = 16 * 1024  # parsed at a time, so that a few thousand tiny requests are no few thousand objects
PIPELINED = 8  # requests that wait for their turn before reading pauses
LEAST_BYTES_PER_S = 1000  # on average, of a body that comes or a response that goes
LINGER_S = 5.0  # for a caller to read a refusal while it still sends
PROBE_S = (0.05, 2.0)  # first and longest time between two looks whether who stopped sending is still there


class Bounds(Struct, frozen=True):
    """What a caller may take: seconds, and connections of this process."""

    head_s: float = 10.0  # from the first byte of a head to its last, and from connecting to the first
    body_s: float = 30.0  # between two pieces of a body
    idle_s: float = 75.0  # between two requests
    write_s: float = 30.0  # for a caller who does not read
    max_connections: int = 4096


class Refusal(Struct, frozen=True):
    """What is said to a request that never was one."""

    status: int
    lines: Lines
    body: bytes


class Site(Protocol):
    """What is served. `incoming` makes a request of the kind that `serve` is given; `refusal` tells an error."""

    def incoming(self, link: Link, head: Head, /) -> Incoming: ...
    def serve(self, incoming: Any, /) -> Awaitable[None]: ...
    def refusal(self, error: FairleadError) -> Refusal: ...


class House(Protocol):
    """What a connection needs of its listener."""

    loop: asyncio.AbstractEventLoop
    site: Site
    bounds: Bounds
    retiring: bool

    def joined(self, connection: "Inbound") -> bool: ...
    def left(self, connection: "Inbound") -> None: ...


class Inbound(asyncio.Protocol):
    """Implements `incoming.Link`."""

    __slots__ = ("_body_at", "_current", "_eof", "_flowing", "_halves", "_head_at", "_held", "_house", "_leaving",
                 "_paused", "_probe_s", "_progress_at", "_queue", "_requests", "_rings_at", "_task", "_timer",
                 "_transport", "_unsent", "_waits_since", "congested", "loop")  # fmt: skip

    def __init__(self, house: House) -> None:
        self.loop = house.loop
        self.congested = False  # the caller reads too slowly
        self._house = house
        self._timer = Timer(house.loop, self._ring)
        self._requests = Requests(partial(house.site.incoming, self), self._take)
        self._transport: asyncio.Transport | None = None
        self._queue: deque[Incoming | FairleadError] = deque()  # what waits for its turn
        self._current: Incoming | None = None  # what is being served
        self._task: asyncio.Task[None] | None = None
        self._held = b""  # came, but is not looked at before the queue is shorter
        self._rings_at = math.inf  # when the timer will, at the latest
        self._paused = False  # nothing is read from the socket
        self._eof = False  # nothing still comes
        self._leaving = False  # the last byte is written: only the end is awaited
        self._halves = True  # the caller may end its direction and still be answered
        self._flowing: asyncio.Future[None] | None = None
        self._probe_s = PROBE_S[0]
        self._unsent = 0  # bytes in the transport when the write deadline was set
        self._waits_since = self._progress_at = self._head_at = self._body_at = 0.0  # since when; 0: it does not

    # --- for the listener ---

    @property
    def task(self) -> "asyncio.Task[None] | None":
        return self._task

    @property
    def is_idle(self) -> bool:
        return self._current is None and not (
            self._queue or self._held or self._requests.in_head or self._requests.arriving
        )

    @property
    def has_heard_all(self) -> bool:
        """The caller has ended its direction."""
        return self._eof

    @property
    def unsent(self) -> int:
        """Bytes that wait for the caller to read on."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def leave(self) -> None:
        """Close once everything is sent; who does not read it is cut off."""
        if self._transport is not None and not self._leaving:
            self._leave()
            self._transport.close()
            self._rearm()

    def cut_off(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # --- for the request ---

    @property
    def retiring(self) -> bool:
        """This is the last response."""
        return self._house.retiring and not (self._queue or self._held)

    def write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def write_two(self, first: bytes, second: bytes) -> None:
        if self._transport is not None:
            self._transport.writelines((first, second))

    def want_body(self) -> None:
        self._body_at = self._progress_at = self.loop.time()
        self._resume()
        self._feed_held()
        self._rearm()

    def hold_body(self) -> None:
        self._pause()

    async def flow(self) -> None:
        """Until the caller has read on."""
        if self.congested and self._transport is not None:
            self._flowing = self.loop.create_future()
            await self._flowing

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._halves = transport.get_extra_info("sslcontext") is None  # TLS knows no half of an end
        self._waits_since = self.loop.time()
        self._head_at = self._waits_since  # the first head is awaited as one that has begun
        if self._house.joined(self):
            self._rearm()
        elif not transport.is_closing():
            self._requests.last = True
            self._refuse(Unavailable("too many connections", hint="ask again soon", code="too_many_connections"))

    def data_received(self, data: bytes) -> None:
        requests = self._requests
        if requests.last:
            return
        if self._paused or self._held:
            self._held += data
            return
        if self._current is None and not self._queue and not self.congested:  # as nearly always
            alike = requests.alike(data)
            if alike is not None:
                self._head_at = self._body_at = 0.0
                self._begin(alike)
                return
        if len(data) <= SLICE_BYTES:
            requests.feed(data)
        else:
            self._feed(data)
        if requests.arriving is not None:
            self._progress_at = self.loop.time()
        if self._current is None:
            self._next()
        else:
            self._rearm()

    def eof_received(self) -> bool:
        """The caller says no more. It may still listen, or be gone: for TCP that looks the same."""
        self._eof = True
        if self._leaving or not self._halves or self.is_idle:
            return False
        if self._requests.arriving is not None:
            self._requests.spoil(RequestMalformed("the body of the request ended before its end"))
        elif self._current is not None and self._current.is_probed:
            self.write(CONTINUE)  # who is gone says so with a reset, which the next look finds
        self._progress_at = self.loop.time()
        self._go_on()
        return True

    def pause_writing(self) -> None:
        assert self._transport is not None
        self.congested = True
        self._progress_at = self.loop.time()
        self._unsent = self._transport.get_write_buffer_size()
        self._rearm()

    def resume_writing(self) -> None:
        self.congested = False
        self._flow_on()
        if self._current is None:
            self._next()
        else:
            self._rearm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._house.left(self)
        self._timer.end()
        self._transport = None
        self._requests.close()
        self._queue.clear()
        self._flow_on()
        current, task = self._current, self._task
        if current is not None and task is not None and not current.finished:
            current.hung_up = True
            task.cancel()

    # --- reading ---

    def _feed(self, data: bytes) -> None:
        """Into the parser, in slices; what belongs to later requests waits while too many do."""
        requests = self._requests
        while data and not requests.last:
            if len(self._queue) >= PIPELINED:
                self._held = data
                self._pause()
                return
            most = SLICE_BYTES if requests.arriving is None else max(SLICE_BYTES, requests.arriving.missing)
            requests.feed(data if len(data) <= most else data[:most])
            data = data[most:]
        if self._paused and requests.arriving is None:  # the body that was held back is here
            self._resume()

    def _feed_held(self) -> None:
        held, self._held = self._held, b""
        self._feed(held)

    def _take(self, one: Incoming | FairleadError) -> None:
        self._queue.append(one)
        self._head_at = self._body_at = 0.0

    def _pause(self) -> None:
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    # --- one after the other ---

    def _go_on(self) -> None:
        if self._current is None:
            self._next()
        else:
            self._rearm()

    def _next(self) -> None:
        """Whoever is first in line is served; without any, the connection waits or ends."""
        if self._leaving or self._transport is None or self.congested:  # the last response is to be read first
            self._rearm()
            return
        if self._held and len(self._queue) < PIPELINED:
            self._resume()
            self._feed_held()
        if self._queue:
            first = self._queue.popleft()
            if not isinstance(first, Incoming):
                self._refuse(first)
                return
            self._begin(first)
            if first.complete:  # nothing is waited for, and the timer looks for itself when it rings
                return
        elif self._requests.last or self._eof:
            self.leave()
            return
        elif self._rings_at <= self._waits_since + self._house.bounds.idle_s and not self._requests.in_head:
            return
        self._rearm()

    def _begin(self, incoming: Incoming) -> None:
        self._current = incoming
        self._task = asyncio.Task(self._serve(incoming), loop=self.loop, name="request")

    async def _serve(self, incoming: Incoming) -> None:
        try:
            await self._house.site.serve(incoming)
        finally:
            self._served(incoming)

    def _served(self, incoming: Incoming) -> None:
        self._current = self._task = None
        self._waits_since = self.loop.time()
        if self._transport is None:
            return
        if not incoming.finished:
            self._transport.abort()  # a body that does not end: the caller sees that it is not whole
        elif incoming.keeps:
            self._next()
        elif incoming.complete and not self._held:
            self.leave()
        else:
            self._linger()

    def _refuse(self, error: FairleadError) -> None:
        """The last word on this connection, to what is no request."""
        refusal = self._house.site.refusal(error)
        framing = b"content-length: %d" % len(refusal.body)
        head = head_of([status_line(refusal.status), *refusal.lines, framing, CLOSE])
        self.write(head + refusal.body)
        self._linger()

    def _linger(self) -> None:
        """Say that nothing more comes, and let the caller read it: closing at once, while bytes still arrive, would
        reset the connection and could take the response away."""
        if self._transport is None or self._leaving:
            return
        if self._eof or not (self._halves and self._transport.can_write_eof()):
            self.leave()
            return
        self._leave()
        self._resume()
        self._transport.write_eof()
        self._rearm()

    def _leave(self) -> None:
        assert self._transport is not None
        self._leaving = self._requests.last = True
        self._held = b""
        self._progress_at = self.loop.time()
        self._unsent = self._transport.get_write_buffer_size()

    def _flow_on(self) -> None:
        flowing, self._flowing = self._flowing, None
        if flowing is not None and not flowing.done():
            flowing.set_result(None)

    # --- time ---

    def _rearm(self) -> None:
        requests = self._requests
        if requests.in_head and not self._head_at and self._current is None:
            self._head_at = self.loop.time()
        elif requests.arriving is not None and not self._body_at:
            self._body_at = self._progress_at = self.loop.time()
        self._rings_at = self._due()
        self._timer.set(self._rings_at)

    def _due(self) -> float:
        """When what the connection is doing now has taken too long."""
        bounds = self._house.bounds
        if self._leaving:
            return self._progress_at + (bounds.write_s if self._unsent else LINGER_S)
        if self.congested:
            return self._progress_at + bounds.write_s
        arriving = self._requests.arriving
        if arriving is not None and not self._paused:
            average = self._body_at + arriving.size / LEAST_BYTES_PER_S
            return min(self._progress_at, average) + bounds.body_s
        if self._current is not None or self._queue:
            return self._progress_at + self._probe_s if self._eof else math.inf
        if self._head_at:
            return self._head_at + bounds.head_s
        return self._waits_since + bounds.idle_s

    def _ring(self) -> None:
        """It has, or what the connection did when the timer was set is long done."""
        if self._due() > self.loop.time():
            self._rearm()
        elif self._leaving or self.congested:
            self._look_what_was_read()
        elif self._requests.arriving is not None and not self._paused:
            self._requests.spoil(RequestTooSlow("the body of the request came too slowly", hint="`body_s` in [server]"))
            self._go_on()
        elif self._current is not None or self._queue:
            self._look_who_is_there()
        elif self._requests.in_head:
            self._requests.spoil(RequestTooSlow("the head of the request came too slowly", hint="`head_s` in [server]"))
            self._go_on()
        else:
            self.leave()

    def _look_what_was_read(self) -> None:
        """A caller who reads slowly is waited for, one who does not read is cut off."""
        assert self._transport is not None
        unsent = self._transport.get_write_buffer_size()
        if self._unsent - unsent < LEAST_BYTES_PER_S * self._house.bounds.write_s:
            self.cut_off()
        else:
            self._unsent, self._progress_at = unsent, self.loop.time()
            self._rearm()

    def _look_who_is_there(self) -> None:
        """The caller has said all, or has left."""
        assert self._transport is not None
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.cut_off()
            return
        self._probe_s = min(2 * self._probe_s, PROBE_S[1])
        self._progress_at = self.loop.time()
        self._rearm()
