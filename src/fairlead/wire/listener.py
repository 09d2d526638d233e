"""All connections from callers: accepted, counted, ended in good order. One connection is in `inbound.py`.

It is handed a socket that listens, which several processes may share. A certificate can be replaced while it serves:
each new connection is shown the newest.
"""

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from fairlead.errors import ConfigInvalid
from fairlead.wire.inbound import Bounds, Inbound, Site

SPARE = 256  # connections beyond the most that are told so; still more are only closed
BACKLOG = 2048
RACE_S = 0.1  # in which what was on its way when a drain began still comes
LAST_WORDS_S = 1.0  # for those who are cut off to write their records
GOODBYE_S = 2.0  # of TLS


class Listener:
    """Serves `site` within `bounds`, which may be replaced. Implements `inbound.House`."""

    def __init__(self, site: Site, bounds: Bounds, tls: ssl.SSLContext | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.site = site
        self.bounds = bounds
        self.tls = tls
        self.retiring = False
        self.connections: set[Inbound] = set()
        self._server: asyncio.Server | None = None
        self._sock: socket.socket | None = None
        self._gone = asyncio.Event()

    async def open(self, sock: socket.socket) -> None:
        """Take connections on a socket that listens."""
        if self.tls is not None:
            self.tls.sni_callback = self._choose
        self._sock = sock.dup()
        self._sock.setblocking(False)
        self._server = await self.loop.create_server(
            lambda: Inbound(self), sock=sock, backlog=BACKLOG, **self._secured()
        )

    async def close(self, patience_s: float) -> None:
        """Take nothing new, answer what came, and cut off what is not done in time. What raced in is answered: whoever
        connected or wrote before it could know better."""
        self.retiring = True
        await asyncio.sleep(min(RACE_S, patience_s))
        await self._close_door()
        await asyncio.sleep(min(RACE_S, patience_s))
        for connection in list(self.connections):
            if connection.is_idle:
                connection.leave()
        await self._emptied(patience_s)
        if tasks := {connection.task for connection in self.connections if connection.task is not None}:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=LAST_WORDS_S)
        for connection in list(self.connections):
            connection.cut_off()
        await self._emptied(LAST_WORDS_S)

    async def _close_door(self) -> None:
        """Whoever stands in the queue is let in first: the last to close the socket would turn them all away."""
        if self._server is None or self._sock is None:
            return
        self._server.close()
        await asyncio.sleep(0)
        waiting = []
        with contextlib.suppress(OSError):  # at the end of the queue
            while True:
                waiting.append(self._sock.accept()[0])
        self._sock.close()
        entering = (
            self.loop.connect_accepted_socket(lambda: Inbound(self), sock, **self._secured()) for sock in waiting
        )
        await asyncio.gather(*entering, return_exceptions=True)  # some are gone again

    def _secured(self) -> dict[str, Any]:
        if self.tls is None:
            return {}
        return {"ssl": self.tls, "ssl_handshake_timeout": self.bounds.head_s, "ssl_shutdown_timeout": GOODBYE_S}

    async def _emptied(self, patience_s: float) -> None:
        if self.connections:
            self._gone.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), patience_s)

    # --- for a connection ---

    def joined(self, connection: Inbound) -> bool:
        """Whether there is room for it."""
        self.connections.add(connection)
        over = len(self.connections) - self.bounds.max_connections
        if over > SPARE:
            connection.cut_off()
        return over <= 0

    def left(self, connection: Inbound) -> None:
        self.connections.discard(connection)
        if not self.connections:
            self._gone.set()

    def _choose(self, connection: ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> None:
        if self.tls is not None and self.tls is not first:
            connection.context = self.tls


def identity(cert_file: str, key_file: str) -> ssl.SSLContext:
    """TLS as a server: this certificate (and those above it) and its key, 1.2 at least. Raises ConfigInvalid."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert_file, key_file, password=_no_password)
    except (OSError, ssl.SSLError, ValueError) as why:
        raise ConfigInvalid(
            f"the certificate {cert_file!r} with the key {key_file!r} can't be used: {why}",
            hint="both are PEM files, the key without a password, the server's own certificate first",
            path="server.tls_cert",
        ) from why
    return context


def _no_password() -> str:
    """Asked for at a terminal otherwise."""
    raise ValueError("the key has a password")
