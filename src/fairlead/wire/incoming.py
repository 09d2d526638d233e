"""One request as it came from a caller, and the way back for its response. It knows HTTP/1.1 and no endpoints.

`inbound.py` fills it while bytes come; whoever serves it reads the body and answers, whole or piece by piece. Header
lines of a response are bytes without their line ends; `head_of`, where all heads are made, lets none break out.
"""

import asyncio
import re
from copy import copy
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

from fairlead.errors import BodyTooLarge, FairleadError
from fairlead.ids import now_us

AHEAD_BYTES = 64 * 1024  # of a body that nobody has asked for yet
SMALL_BYTES = 64 * 1024  # copying up to here is cheaper than a write of two pieces
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
NO_BODY = (204, 304)
CLOSE = b"connection: close"
KEEP = b"connection: keep-alive"  # said to HTTP/1.0 alone
_STATUS = {int(one): f"HTTP/1.1 {int(one)} {one.phrase}".encode() for one in HTTPStatus}
_BREAKING = re.compile(rb"[\r\n\0]+")

Lines = list[bytes]


class Link(Protocol):
    """What a request needs of its connection."""

    loop: asyncio.AbstractEventLoop
    congested: bool

    @property
    def retiring(self) -> bool: ...
    def write(self, data: bytes) -> None: ...
    def write_two(self, first: bytes, second: bytes) -> None: ...
    def want_body(self) -> None: ...
    def hold_body(self) -> None: ...
    async def flow(self) -> None: ...


class Head:
    """What stands above a body. Requests of one connection that begin alike share one, so nobody changes it. `headers`
    by their names in lower case, but for the body's length; of one that came several times the values stand side by
    side. `known` is for whoever serves such requests: what he found out when the first of them came."""

    __slots__ = ("headers", "known", "method", "path", "query")

    def __init__(self, method: str, path: str, query: bytes, headers: dict[bytes, bytes]) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.known: Any = None


class Incoming:
    """One request with its `head`, and what came of its body.

    It is answered with `respond`, or with `start`, `write` … and a last `write(…, more=False)`. When the caller hangs
    up, the task that serves the request is cancelled.
    """

    # Most requests leave these as they are.
    also: tuple[bytes, ...] = ()  # lines of every head that is sent
    announced = 0  # bytes of the body; -1: not told
    keep = True  # the caller would keep the connection
    plain = False  # HTTP/1.0: it knows no chunks
    expects = False  # the caller waits for a word before the body comes
    complete = False  # all of the body is here
    started = False  # the head of the response is made
    finished = False  # the last byte of it is out
    keeps = False  # the response leaves the connection open
    hung_up = False
    size = 0  # bytes of the body that came
    whole: bytes | None = None  # the body, where all of it came with the head
    _body: bytes | bytearray = b""
    _limit = 0
    _fault: FairleadError | None = None
    _waiter: asyncio.Future[None] | None = None
    _pending = b""  # a head that goes out with the first piece
    _flows = False  # the head is out, and pieces are chunks

    def __init__(self, link: Link, head: Head) -> None:
        self.head = head
        self.headers = head.headers
        self._link = link

    @property
    def method(self) -> str:
        return self.head.method

    @property
    def path(self) -> str:
        return self.head.path

    @property
    def query(self) -> bytes:
        return self.head.query

    # --- for whoever serves it ---

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises BodyTooLarge before more than `limit` is held, and what else is wrong with it."""
        if self.announced > limit or self.size > limit:
            raise too_large(limit)
        if not self.complete and self._fault is None:
            self._limit = limit
            self._waiter = self._link.loop.create_future()
            if self.expects and not self.size:
                self._link.write(CONTINUE)
            self._link.want_body()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._fault is not None:
            raise copy(self._fault)  # one that this holds, and that holds this, would be a cycle
        return self._body if type(self._body) is bytes else bytes(self._body)

    def respond(self, status: int, body: bytes, lines: Lines) -> None:
        """All of a response at once, in one write."""
        self.started = self.finished = True
        if status in NO_BODY:
            self._link.write(self._head(status, lines, None))
            return
        head = self._head(status, lines, b"content-length: %d" % len(body))
        if self.head.method == "HEAD":
            self._link.write(head)
        elif len(body) < SMALL_BYTES:
            self._link.write(head + body)
        else:
            self._link.write_two(head, body)

    def start(self, lines: Lines) -> None:
        """The head of a streamed 200; it goes out with the first piece."""
        self.started = True
        self._pending = self._head(200, lines, None if self.plain else b"transfer-encoding: chunked")

    async def write(self, piece: bytes, more: bool = True) -> None:
        """One piece of a stream in one write; waits while the caller reads too slowly."""
        if not self.push(piece, more):
            await self._link.flow()

    def push(self, piece: bytes, more: bool = True) -> bool:
        """The same without waiting, for what is small. False: the caller reads too slowly, and it waits here."""
        link = self._link
        if self._flows and more and piece:  # as nearly always
            link.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            return not link.congested
        if piece and not self.plain:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        if not more:
            self.finished = True
            if not self.plain:
                piece += LAST_CHUNK
        if self._pending:
            piece, self._pending = self._pending + piece, b""
        if piece:
            link.write(piece)
            self._flows = not self.plain
        return not link.congested

    # --- for the connection ---

    @property
    def missing(self) -> int:
        """Bytes that are still to come, as far as that was told."""
        return self.announced - self.size

    @property
    def is_probed(self) -> bool:
        """Whether an interim response may be sent, to find out whether anybody is there."""
        return not (self.started or self.plain)

    def take_all(self, body: bytes) -> None:
        """All of the body at once."""
        self.announced = self.size = len(body)
        self.whole = self._body = body
        self.complete = True

    def take(self, data: bytes) -> None:
        self.size += len(data)
        if self._waiter is not None:
            if self.size > self._limit:
                self.spoil(too_large(self._limit))
        elif self.size > AHEAD_BYTES:
            self._link.hold_body()
        if self._fault is not None:
            return
        if not self._body:
            self._body = data
        elif type(self._body) is bytearray:
            self._body += data
        else:
            self._body = bytearray(self._body)
            self._body += data

    def end(self) -> None:
        """All of the body is here."""
        self.complete = True
        if self._waiter is not None:
            self._wake()

    def spoil(self, fault: FairleadError) -> None:
        """The body will never be whole."""
        self._fault, self._body = fault, b""
        self._wake()

    # --- inside ---

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _head(self, status: int, lines: Lines, framing: bytes | None) -> bytes:
        parts = [_STATUS.get(status) or status_line(status), *lines, *self.also, _date(now_us() // 1_000_000)]
        if framing is not None:
            parts.append(framing)
        ends_with_connection = self.plain and framing is None and status not in NO_BODY
        self.keeps = self.keep and self.complete and not (self._link.retiring or ends_with_connection)
        if not self.keeps:
            parts.append(CLOSE)
        elif self.plain:
            parts.append(KEEP)
        return head_of(parts)


def status_line(status: int) -> bytes:
    return _STATUS.get(status) or b"HTTP/1.1 %d " % status


def head_of(parts: Lines) -> bytes:
    """The lines of a head, put together. None of them gets to be two: what would break it becomes a space."""
    said = b"".join(parts)
    if 10 in said or 13 in said or 0 in said:  # numbers, which are found ten times as fast as byte strings
        parts = [_BREAKING.sub(b" ", part) for part in parts]
    return b"\r\n".join(parts) + b"\r\n\r\n"


def too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the request is larger than {limit / 1e6:g} MB", hint="`max_body_mb` in [server] sets the limit", limit=limit
    )


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return b"date: " + formatdate(second, usegmt=True).encode("ascii")
