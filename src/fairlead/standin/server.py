"""A stand-in for a provider on TCP: it reads requests of any language, and plays the line whose turn it is.

A bare protocol, so that it is seldom the slowest part of what it stands in. What is said, and what goes wrong with it,
is known in the files beside this one.
"""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle

import httptools
from msgspec import Struct

from fairlead.backends.lines import Line
from fairlead.backends.turns import Turns, prompts
from fairlead.errors import FairleadError
from fairlead.standin.asked import Place, find_place, read
from fairlead.standin.spoiling import Play, Step, healthy, play, prepare
from fairlead.standin.telling import Told, refused, tell

MOST_BYTES = 64 * 1024 * 1024  # of a request
MOST_UNREAD, UNREAD_S = 1024 * 1024, 0.01  # whoever does not read is waited for
LINELESS = "no line was found for it"


class Seen(Struct, frozen=True):
    """A request as it was seen, for whoever keeps count. `line` is the number of the line that answers it, None where
    it makes no sense to this script; `connection` is counted from 0; `trace` is what came as `traceparent`."""

    connection: int
    path: str
    line: int | None
    stream: bool = False
    trace: str = ""
    prompt: str = ""
    error: str = ""


class Standin:
    """`lines` are played as `turns.py` orders them. `seen` is told of every request, before it is answered.
    `connections` and `open` count what came and what is."""

    def __init__(self, lines: Sequence[Line], seen: Callable[[Seen], None] | None = None) -> None:
        self.turns = Turns(lines)
        self.connections = 0
        self.open = 0
        self.seen = seen
        self.deaf = tuple(
            (number, re.compile(line.when.encode() or b"."))
            for number, line in enumerate(self.turns.lines)
            if line.fault == "deaf"
        )
        self._server: asyncio.Server | None = None
        self._talks: set[_Talk] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> str:
        """Listen; the URL to ask, without a path. Raises OSError."""
        prepare(self.turns.lines)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Talk(self, loop), host, port, ssl=tls)
        name, number, *_ = self._server.sockets[0].getsockname()
        shown = f"[{name}]" if ":" in name else name
        return f"http{'s' if tls else ''}://{shown}:{number}"

    async def stop(self) -> None:
        """End every connection, whatever is being said there."""
        if self._server is not None:
            self._server.close()
        for talk in tuple(self._talks):
            talk.abort()
        while self._talks:
            await asyncio.sleep(0)

    def came(self, talk: "_Talk") -> int:
        self._talks.add(talk)
        self.connections, self.open = self.connections + 1, self.open + 1
        return self.connections - 1

    def left(self, talk: "_Talk") -> None:
        self._talks.discard(talk)
        self.open -= 1


class _Talk(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, standin: Standin, loop: asyncio.AbstractEventLoop) -> None:
        self._standin = standin
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._number = 0
        self._busy = False  # an answer is being played
        self._stale = False  # the next request finds it closed
        self._forget()

    def _forget(self) -> None:
        self._path = ""
        self._trace = ""
        self._parts: list[bytes] = []
        self._size = 0

    # --- asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is one in all but name
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._number = self._standin.came(self)

    def data_received(self, data: bytes) -> None:
        if self._stale or self._busy or self._parser is None or self._transport is None:
            self._close()  # nobody asks again before the answer to the first
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._transport = self._parser = None
        self._standin.left(self)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # --- httptools ---

    def on_url(self, url: bytes) -> None:
        self._path += url.partition(b"?")[0].decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 11 and name.lower() == b"traceparent":
            self._trace = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)
        self._size += len(body)
        if self._size > MOST_BYTES:
            self._close()
            return
        for number, when in self._standin.deaf:
            if when.search(body):
                self._see(number, False, "")
                self._reset()
                return

    def on_message_complete(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        path, body = self._path, b"".join(self._parts)
        self._busy = True
        steps = self._answer(path, body)
        self._forget()
        self._go_on(iter(chain(steps.steps, cycle(steps.again))), steps.then, steps.before)

    # --- playing ---

    def _answer(self, path: str, body: bytes) -> Play:
        place: Place | None = None
        try:
            place = find_place(path)
            said = read(place, path, body)
            prompt, last = prompts(said.request)
        except FairleadError as error:
            self._see(None, False, "", error.message)
            return healthy(refused(error, place.language) if place else refused(error))
        number = self._standin.turns.next(last)
        self._see(number, said.request.stream, last, "" if number is not None else LINELESS)
        if number is None:
            return healthy(_lineless(place))
        line = self._standin.turns.lines[number].heard(last)
        return play(line, tell(line, said, prompt))

    def _see(self, line: int | None, stream: bool, prompt: str, error: str = "") -> None:
        if self._standin.seen is not None:
            self._standin.seen(Seen(self._number, self._path, line, stream, self._trace, prompt, error))

    def _go_on(self, steps: Iterator[Step], then: str, wait: float = 0.0) -> None:
        if wait:
            self._timer = self._loop.call_later(wait, self._go_on, steps, then)
            return
        for step in steps:
            if self._transport is None:
                return
            if isinstance(step, bytes):
                self._transport.write(step)
                if self._transport.get_write_buffer_size() > MOST_UNREAD:
                    self._timer = self._loop.call_later(UNREAD_S, self._go_on, steps, then)
                    return
            elif step:
                self._timer = self._loop.call_later(step, self._go_on, steps, then)
                return
            else:
                self._timer = None
                self._loop.call_soon(self._go_on, steps, then)
                return
        self._end(then)

    def _end(self, then: str) -> None:
        if then == "reset":
            self._reset()
        elif then == "close":
            self._close()
        elif then != "stall":
            self._busy = False
            self._stale = then == "stale"

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _reset(self) -> None:
        """A TCP reset instead of an end."""
        if self._transport is None:
            return
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


def _lineless(place: Place) -> Told:
    error = FairleadError(LINELESS, hint="Add a line without `when`: it is played whenever no other fits.")
    return refused(error, place.language)
