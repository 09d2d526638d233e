"""One connection to a server: HTTP/1.1, one request at a time. It fills responses; it chooses and retries nothing.

It has one timer, for the deadlines of the request in flight and for the time that it may lie idle.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from typing import cast

import httptools

from fairlead.errors import ConnectionStale, StreamBroken, TargetError, TargetUnclear, TargetUnreachable, trail
from fairlead.wire.familiar import Familiar
from fairlead.wire.keepalive import read_promise
from fairlead.wire.response import Deadlines, Response
from fairlead.wire.timer import Timer

log = logging.getLogger("fairlead.wire")
MAX_HEAD_BYTES = 64 * 1024  # of a response's headers, or of anything else that is no body
SMALL_BYTES = 64 * 1024  # copying up to here is cheaper than a write of two pieces
LINGER_S = 1.0  # for the end of a response that nobody waits for
RACE_S = 1.0  # in which a close after a request is taken to be the end of an idle time


class Connection(asyncio.Protocol):
    """`idle` is called when it can be used again, `lost` when it never can. Implements `response.Link`."""

    __slots__ = ("_came", "_done", "_familiar", "_headers", "_idle", "_keep", "_lost", "_most", "_overhead", "_parser",
                 "_paused", "_reason", "_requests", "_response", "_started", "_timer", "_transport", "loop", "place",
                 "rest_s", "wake_at")  # fmt: skip

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        place: str,
        idle: "Callable[[Connection], None]",
        lost: "Callable[[Connection], None]",
    ) -> None:
        self.loop = loop
        self.place = place
        self._idle = idle
        self._lost = lost
        self._timer = Timer(loop, self._ring)
        self.wake_at = self._timer.set
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._familiar = Familiar()
        self._came: list[bytes] = []  # pieces of a body, out of what is being parsed
        self._requests = 0
        self._most = math.inf  # requests that the server takes here, as far as it says
        self.rest_s = math.inf  # that it lets it lie idle, as far as it says
        self._response: Response | None = None  # the one in flight
        self._paused = False
        self._forget()

    def _forget(self) -> None:
        """Of the last response."""
        self._headers: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._overhead = 0  # bytes since the last byte of a body
        self._started = False  # anything came
        self._done = False  # all of it came
        self._keep = False  # the server lets us ask again

    # --- for the pool ---

    def send(self, request: bytes, body: bytes, deadlines: Deadlines, now: float, total_at: float) -> Response:
        """Write a request; the response fills itself from now on (loop time)."""
        assert self._transport is not None and self._response is None
        self._forget()
        self._requests += 1
        response = self._response = Response(self, deadlines, now, total_at)
        if len(body) < SMALL_BYTES:
            self._transport.write(request + body)
        else:
            self._transport.writelines((request, body))
        return response

    def rest(self, until: float) -> None:
        """Lie idle, at most until then."""
        self._timer.set(until)

    @property
    def is_usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    # --- for the response ---

    def pause(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and self.is_usable:
            self._paused = False
            assert self._transport is not None
            self._transport.resume_reading()

    def abandon(self) -> None:
        """Close at once: what is still to come is of no use to anybody."""
        self._timer.stop()
        if self._transport is not None:
            self._transport.abort()

    def linger(self) -> None:
        """Nobody reads any more, but if the response ends soon, the connection can be kept."""
        self.resume()
        self._timer.set(self.loop.time() + LINGER_S)

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        response, parser = self._response, self._parser
        if response is None or parser is None:  # nothing was asked: whatever this is, the next answer must not be it
            self.abandon()
            return
        is_first, self._started = not self._started, True
        if is_first and (body := self._familiar.read(data)) is not None:
            self._headers = self._familiar.lines
            response.begin(200, self._familiar.reason, self._headers)
            response.take(body)
            self._done = self._keep = True
            self._settle(response)
            return
        self._overhead += len(data)
        failure: TargetError | None = None
        try:
            parser.feed_data(data)
        except httptools.HttpParserCallbackError as why:  # ours, not the server's: the parser hides it behind its own
            failure = self._bug(why.__context__ or why)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as why:
            failure = TargetUnclear(f"{self.place} does not speak HTTP/1.1 as it should: {why}")
        if came := self._came:  # together: who is behind would else write each piece by itself, and never catch up
            body = came[0] if len(came) == 1 else b"".join(came)
            came.clear()
            try:
                response.take(body)
            except Exception as bug:  # noqa: BLE001  # whoever takes it is told of this as of any other end
                failure, self._done = self._bug(bug), False
        if failure is not None:
            self._break_off(failure)
        elif self._done:
            if is_first and self._keep and response.status == 200:
                self._familiar.learn(data, self._reason, self._headers)
            self._settle(response)
        elif self._overhead > MAX_HEAD_BYTES:
            self._break_off(TargetUnclear(f"{self.place} sent more than {MAX_HEAD_BYTES} bytes of headers"))

    def _bug(self, why: BaseException) -> TargetError:
        log.error("reading what %s sent: %s", self.place, trail(why))
        return TargetUnclear(f"what {self.place} sent could not be read here")

    def _settle(self, response: Response) -> None:
        """The response is complete: the connection is free, or it is closed."""
        transport = self._transport
        self._response = None
        response.end()
        if self._requests == 1:  # every answer says the same, so one is enough
            promise = read_promise(self._headers)
            self.rest_s, self._most = promise.rest_s, 1 + promise.more
        keep = self._keep and self._requests < self._most
        if keep and transport and not transport.is_closing() and not transport.get_write_buffer_size():
            if self._paused:
                self.resume()
            self._idle(self)
        else:
            self.abandon()

    def _break_off(self, failure: TargetError) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.end(None if self._done else failure)  # what follows a whole response does it no harm
        self.abandon()

    def eof_received(self) -> None:
        """No half-open connections: a server that has said all is left, even while it does not read our request."""
        self.abandon()

    def connection_lost(self, exc: Exception | None) -> None:
        response, self._response = self._response, None
        self._timer.end()
        self._transport = self._parser = None  # the parser holds this connection's methods: a cycle
        self._lost(self)
        if response is not None:
            whole = exc is None and bool(response.status) and _ends_with_the_connection(response)
            response.end(None if whole else self._why_lost(response, exc))

    def _why_lost(self, response: Response, exc: Exception | None) -> TargetError:
        how = f"broke the connection ({exc})" if exc is not None else "closed the connection"
        if not response.status:
            soon = self.loop.time() - response.sent_at < RACE_S
            kind = ConnectionStale if self._requests > 1 and soon and not self._started else TargetUnreachable
            return kind(f"{self.place} {how} without an answer")
        if "content-length" in response.headers and exc is None:
            return TargetUnclear(f"{self.place} announced {response.headers['content-length']} bytes and sent fewer")
        return StreamBroken(f"{self.place} {how} in the middle of its answer")

    def _ring(self) -> None:
        """A deadline has passed: of the request in flight, of an idle time or of a lingering."""
        if self._response is None:
            self.abandon()
        elif (late := self._response.expired()) is not None:
            self._break_off(late)

    # --- httptools ---

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 200 or self._response is None:  # "continue" and the like: the answer is still to come
            return
        self._response.begin(status, self._reason, self._headers)

    def on_body(self, data: bytes) -> None:
        self._overhead = 0
        self._came.append(data)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        if self._parser.get_status_code() < 200:
            self._headers, self._reason = [], b""
        else:
            self._done = True
            self._keep = self._parser.should_keep_alive()  # it does not know any more once this callback has returned


def _ends_with_the_connection(response: Response) -> bool:
    """Whether nothing but the server's closing tells the end of the body."""
    headers = response.headers
    return "content-length" not in headers and "chunked" not in headers.get("transfer-encoding", "")
