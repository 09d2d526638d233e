"""A small HTTP proxy on real TCP: tunnels, requests sent on, and whatever else a proxy says instead. For tests.

async with Proxying() as proxy:
    ...  # proxy.url, proxy.heads
"""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit


class Proxying:
    """`heads` are the heads that came, whole. `says`: these bytes instead of any answer of its own; `then` "hang_up" or
    "stall". `extra` comes with the word that a tunnel is made. `grants`: the
    credential that it wants, as it is shown."""

    def __init__(
        self, *, says: bytes | None = None, then: str = "hang_up", extra: bytes = b"", grants: str = ""
    ) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self.url = ""
        self._says, self._then, self._extra = says, then, extra
        self._grants = grants
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Proxying":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self._says is not None:
            writer.write(self._says)
            await writer.drain()
            if self._then == "stall":
                await reader.read()
            return
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        if self._grants and f"proxy-authorization: {self._grants}".encode() not in head.split(b"\r\n"):
            writer.write(b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n")
            return
        there = urlsplit(f"//{target}" if method == "CONNECT" else target)
        try:
            theirs, ours = await asyncio.open_connection(there.hostname, there.port)
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad\r\ncontent-length: 0\r\n\r\n")
            return
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n" + self._extra)
        else:
            rest = head.split(b" ", 2)[2]
            ours.write(f"{method} {there.path}?{there.query} ".encode() + rest)
        try:
            await asyncio.gather(_pass(reader, ours), _pass(theirs, writer))
        finally:
            ours.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
