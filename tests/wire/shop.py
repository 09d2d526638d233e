"""A listener over real sockets and callers who say bytes to it, for tests."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fairlead.errors import FairleadError
from fairlead.wire.inbound import Bounds, Refusal
from fairlead.wire.incoming import Incoming
from fairlead.wire.listener import Listener
from pipe import Reader, Said

PATIENCE_S = 20.0
LIMIT = 100_000
GET = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n"


class Shop:
    """Answers `METHOD PATH?QUERY BODY`; what else it does, the path says."""

    incoming = staticmethod(Incoming)

    def __init__(self) -> None:
        self.served: list[Incoming] = []
        self.gate = asyncio.Event()  # of /wait and /stream
        self.begun = asyncio.Event()
        self.left = asyncio.Event()  # somebody hung up

    async def serve(self, incoming: Incoming) -> None:
        self.served.append(incoming)
        try:
            await self._serve(incoming)
        except FairleadError as error:
            incoming.respond(413 if error.code == "body_too_large" else 400, error.code.encode(), [])
        except asyncio.CancelledError:
            self.left.set()
            raise

    async def _serve(self, incoming: Incoming) -> None:
        match incoming.path:
            case "/unread":
                return incoming.respond(401, b"who?", [])
            case "/wait":
                self.begun.set()
                await self.gate.wait()
            case "/stream":
                incoming.start([b"content-type: text/plain"])
                for piece in (b"one ", b"two ", b"three"):
                    await incoming.write(piece)
                    self.begun.set()
                    await self.gate.wait()
                return await incoming.write(b"", more=False)
            case "/flood":
                incoming.start([])
                while True:
                    await incoming.write(b"x" * 65536)
            case "/big":
                return incoming.respond(200, b"y" * 8_000_000, [])
            case "/odd":
                return incoming.respond(200, b"", [b"x-said: a\r\nset-cookie: b=c\0d", b"x-more: \n\n"])
        body = await incoming.body(LIMIT)
        said = f"{incoming.method} {incoming.path}?{incoming.query.decode()} ".encode()
        incoming.respond(200, said + (body if len(body) < 100 else b"%d" % len(body)), [])

    def refusal(self, error: FairleadError) -> Refusal:
        return Refusal(400, [], error.code.encode())


class Open:
    """A listener in this process, and where it listens."""

    def __init__(self, shop: Shop, listener: Listener, address: tuple[str, int]) -> None:
        self.shop = shop
        self.listener = listener
        self.address = address

    async def call(self) -> "Line":
        return Line(*await asyncio.open_connection(*self.address))

    async def say(self, *pieces: bytes, then_eof: bool = False) -> bytes:
        """All that is said to these bytes until the connection ends."""
        line = await self.call()
        for piece in pieces:
            await line.send(piece)
        if then_eof:
            line.writer.write_eof()
        return await line.rest()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                await asyncio.sleep(0.005)


class Line:
    """A caller's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.sock: socket.socket = writer.get_extra_info("socket")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answers(self, count: int = 1) -> list[Said]:
        reader = Reader()
        async with asyncio.timeout(PATIENCE_S):
            while not (len(reader.responses) >= count and reader.responses[count - 1].whole):
                data = await self.reader.read(65536)
                assert data, "the connection ended"
                reader.read(data)
        return reader.responses

    async def rest(self) -> bytes:
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def ends(self) -> bool:
        """Whether it does, in order or not."""
        with suppress(ConnectionError):
            await self.rest()
        return True

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def opened(**bounds: Any) -> AsyncIterator[Open]:
    sock = socket.create_server(("127.0.0.1", 0))
    shop = Shop()
    listener = Listener(shop, Bounds(**bounds))
    await listener.open(sock)
    try:
        yield Open(shop, listener, sock.getsockname())
    finally:
        await listener.close(0)
        assert not listener.connections
