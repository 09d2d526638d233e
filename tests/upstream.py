"""A server on real TCP that misbehaves as it is told: the test adapter for everything that goes out over HTTP.

    async with Upstream(reply(b"{}"), reset()) as up:
        ...  # up.url, up.requests

Each step serves one request, in the order in which they come, on whatever connection; the last one serves all the rest.
A step is an async function of a `Talk`. It knows no language of models.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple


class Asked(NamedTuple):
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int  # the first one is 0


class Talk:
    """One request and the connection that it came on."""

    def __init__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.asked = asked
        self.writer = writer
        self.keeps = True

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def hang_up(self) -> None:
        """Close once everything is sent."""
        self.keeps = False

    def reset(self) -> None:
        """A TCP reset instead of an end."""
        self.keeps = False
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Step = Callable[[Talk], Awaitable[None]]


class Upstream:
    """`requests` holds what was asked, `open` how many connections there are now, `connections` how many there were."""

    def __init__(self, *steps: Step, tls: ssl.SSLContext | None = None) -> None:
        self._steps = list(steps)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.requests: list[Asked] = []
        self.connections = 0
        self.open = 0
        self.url = ""
        self.closed = asyncio.Event()  # some connection came to its end

    async def __aenter__(self) -> "Upstream":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"https://localhost:{port}" if self._tls else f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number, self.connections, self.open = self.connections, self.connections + 1, self.open + 1
        try:
            while await self._serve_one(reader, writer, number):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            self.open -= 1
            self.closed.set()
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        asked = await _read(reader, number)
        self.requests.append(asked)
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        talk = Talk(asked, writer)
        doing = asyncio.ensure_future(step(talk))
        gone = asyncio.ensure_future(_until_gone(reader))
        try:
            await asyncio.wait((doing, gone), return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
            return talk.keeps and doing.done()
        finally:
            doing.cancel()
            gone.cancel()
            await asyncio.gather(doing, gone, return_exceptions=True)


async def _read(reader: asyncio.StreamReader, number: int) -> Asked:
    start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    method, path, _ = start.split(" ")
    headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body, number)


async def _until_gone(reader: asyncio.StreamReader) -> None:
    """Returns when the peer has left. Nobody sends a second request before the first is answered."""
    while not (reader.at_eof() or reader.exception()):
        await asyncio.sleep(0.002)


# --- steps -----------------------------------------------------------------------------------------------------------


def head(status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = b"0\r\n\r\n"


def reply(
    body: bytes = b"{}", status: int = 200, *, kind: str = "application/json", headers: Mapping[str, str] | None = None
) -> Step:
    """An answer with its length."""
    return raw(head(status, {"content-type": kind, "content-length": str(len(body)), **(headers or {})}) + body)


def raw(*pieces: bytes, delay_s: float = 0.0, then: str = "keep") -> Step:
    """These bytes, one write each, `delay_s` before every one but the first; then keep, hang_up, reset or stall."""

    async def step(talk: Talk) -> None:
        for number, piece in enumerate(pieces):
            if number and delay_s:
                await asyncio.sleep(delay_s)
            await talk.send(piece)
        await _end(talk, then)

    return step


def events(*data: bytes, delay_s: float = 0.0, then: str = "end", names: bool = False) -> Step:
    """An event stream, chunked. `then`: end (as it should), hang_up (the last chunk missing), reset or stall.

    With `names`, the type of each event is the `type` of its JSON, as in Anthropic's streams.
    """
    start = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
    pieces = [chunk(_named(item) if names else b"data: " + item + b"\n\n") for item in data]
    return raw(start, *pieces, *([LAST] if then == "end" else []), delay_s=delay_s, then=then)


def _named(item: bytes) -> bytes:
    name = item.partition(b'"type":"')[2].partition(b'"')[0]
    return b"event: " + name + b"\ndata: " + item + b"\n\n"


def drip(data: bytes, size: int = 1, delay_s: float = 0.0, then: str = "keep") -> Step:
    """The bytes in tiny pieces."""
    return raw(*_cut(data, size), delay_s=delay_s or 1e-6, then=then)


def _cut(data: bytes, size: int) -> Iterable[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def silence() -> Step:
    return raw(then="stall")


def reset() -> Step:
    return raw(then="reset")


def hang_up() -> Step:
    return raw(then="hang_up")


async def _end(talk: Talk, then: str) -> None:
    if then == "stall":
        await asyncio.sleep(3600)
    elif then == "reset":
        await asyncio.sleep(0.01)  # a reset overtakes what was sent before it
        talk.reset()
    elif then == "hang_up":
        talk.hang_up()


def refused_url() -> str:
    """A place where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}"
