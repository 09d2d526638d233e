"""Connections to servers, kept open between requests: one pool for the whole process, one set per server.

An idle connection is closed before its server would, as far as that says when (`keepalive.py`). What is left is a
race: a server ends an idle connection while our request is on its way. That is how it is taken (`ConnectionStale`)
where a connection that had answered before closes within `connection.RACE_S` of the writing, and not one byte has
come; the other idle connections, which are older, go with it. Here only what has no body is asked again, on a fresh
connection. A request with one may have been read after all, and cost money: it is reported, and asking again is the
gateway's decision, so that every try is in its books.
"""

import asyncio
import math
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from fairlead.errors import ConnectionStale, TargetError, TargetTimeout, TargetUnreachable
from fairlead.wire.address import Place, Proxy, trust
from fairlead.wire.connection import Connection
from fairlead.wire.response import Deadlines, Response
from fairlead.wire.tunnel import open_tunnel

IDLE_S = 30.0  # shorter than what servers and balancers allow that say nothing, which is 60 s and more
MAX_IDLE = 256  # connections kept per server
KEEPALIVE_S = 60  # a model may think for minutes: without a sign of life, a NAT forgets the connection


class Origin:
    """A server, with the authorities that vouch for it and the connections that lie idle there. `address`: where it is
    for sure; else its name is resolved with every connection. With a proxy, that one resolves it: what speaks TLS goes
    through a tunnel, what does not it `forwards`."""

    __slots__ = ("address", "forwards", "idle", "name", "place", "proxy", "tls")

    def __init__(
        self,
        place: Place,
        ca_file: str = "",
        *,
        proxy: Proxy | None = None,
        tls: ssl.SSLContext | None = None,
        address: str = "",
    ) -> None:
        self.place = place
        self.name = place.name
        self.address = address or place.host
        self.tls: ssl.SSLContext | None = (tls or trust(ca_file)) if place.scheme == "https" else None
        self.proxy = proxy
        self.forwards = proxy if self.tls is None else None
        self.idle: deque[Connection] = deque()


class Pool:
    """`ask` writes requests; `close` ends everything. Belongs to the event loop that it is first used in."""

    def __init__(self, *, idle_s: float = IDLE_S, max_idle: int = MAX_IDLE) -> None:
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._origins: dict[tuple[str, str, int, str, Proxy | None], Origin] = {}
        self._open: set[Connection] = set()
        self._closed = False

    def origin(self, place: Place, ca_file: str = "", proxy: Proxy | None = None) -> Origin:
        """The server at `place`, shared by all who name it alike. Raises ConfigInvalid where `ca_file` is no good."""
        key = (place.scheme, place.host, place.port, ca_file, proxy)
        found = self._origins.get(key)
        if found is None:
            found = self._origins[key] = Origin(place, ca_file, proxy=proxy)
        return found

    async def ask(
        self, origin: Origin, head: bytes, body: bytes | None, deadlines: Deadlines = Deadlines(), lines: bytes = b""
    ) -> Response:
        """The response, its headers having come. `head` is of `address.request_head`, `lines` of `header_lines`.

        Raises TargetUnreachable, TargetTimeout (connect, first_token, total) or TargetUnclear.
        """
        kept = self._kept(origin)
        loop = asyncio.get_running_loop() if kept is None else kept.loop  # to ask for it is a system call
        now = loop.time()
        total_at = now + deadlines.total_s
        request = head + lines + (b"\r\n" if body is None else b"content-length: %d\r\n\r\n" % len(body))
        if kept is not None:
            response = kept.send(request, body or b"", deadlines, now, total_at)
            try:
                await response.head()
            except ConnectionStale:
                self._end_idle(origin)
                if body is not None:
                    raise
            else:
                return response
        connection = await self._connect(origin, deadlines.connect_s, total_at)
        response = connection.send(request, body or b"", deadlines, loop.time(), total_at)
        await response.head()
        return response

    async def close(self) -> None:
        """Close every connection, also those in use; what is being read there breaks."""
        self._closed = True
        for connection in tuple(self._open):
            connection.abandon()
        for origin in self._origins.values():
            origin.idle.clear()
        while self._open:
            await asyncio.sleep(0)  # until the loop has told each of them

    @property
    def open_count(self) -> int:
        return len(self._open)

    def idle_count(self, origin: Origin) -> int:
        return len(origin.idle)

    def _kept(self, origin: Origin) -> Connection | None:
        """The connection that was used last: the others grow old and are closed."""
        while origin.idle:
            connection = origin.idle.pop()
            if connection.is_usable:
                return connection
        return None

    def _end_idle(self, origin: Origin) -> None:
        while origin.idle:
            origin.idle.pop().abandon()

    async def _connect(self, origin: Origin, connect_s: float, total_at: float) -> Connection:
        loop = asyncio.get_running_loop()
        name = origin.name
        by = loop.time() + connect_s
        stage = "connect" if by < total_at else "total"
        until = min(by, total_at)

        idle = partial(self._keep, origin)

        def lost(connection: Connection) -> None:
            self._open.discard(connection)
            with suppress(ValueError):
                origin.idle.remove(connection)

        if self._closed:
            raise TargetUnreachable(f"{name} is not asked any more: the connections were closed")
        try:
            async with asyncio.timeout_at(until if until < math.inf else None):
                transport, connection = await _reach(loop, origin, lambda: Connection(loop, name, idle, lost))
        except TimeoutError:
            through = f" through the proxy {origin.proxy.name}" if origin.proxy else ""
            raise TargetTimeout(f"{name}: no connection{through} within {connect_s:g} s", stage=stage) from None
        except (OSError, UnicodeError) as why:
            raise _unreachable(origin, why) from why
        if not connection.is_usable:
            raise TargetUnreachable(f"{name} closed the connection as soon as it was made")
        _tune(transport)
        self._open.add(connection)
        if self._closed:
            connection.abandon()
        return connection

    def _keep(self, origin: Origin, connection: Connection) -> None:
        rest_s = self._idle_s if self._idle_s < connection.rest_s else connection.rest_s
        if self._closed or len(origin.idle) >= self._max_idle or not rest_s:
            connection.abandon()
        else:
            connection.rest(connection.loop.time() + rest_s)
            origin.idle.append(connection)


async def _reach(
    loop: asyncio.AbstractEventLoop, origin: Origin, make: Callable[[], Connection]
) -> tuple[asyncio.BaseTransport, Connection]:
    """Raises OSError; TargetUnreachable where a proxy refuses."""
    place, proxy, tls = origin.place, origin.proxy, origin.tls
    if proxy is None:
        name = place.host if tls else None
        return await loop.create_connection(make, origin.address, place.port, ssl=tls, server_hostname=name)
    if tls is None:
        return await loop.create_connection(make, proxy.host, proxy.port)
    return await open_tunnel(loop, place, proxy, tls, make)


def _tune(transport: asyncio.BaseTransport) -> None:
    """Small writes leave at once, and a silent connection shows that it lives."""
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)


def _unreachable(origin: Origin, why: Exception) -> TargetError:
    """What stood in the way of a connection, in words."""
    name = origin.name
    if isinstance(why, ssl.SSLCertVerificationError):
        return TargetUnreachable(
            f"{name} is not who it should be: {why.verify_message}",
            hint="If its authority is your own, name it with `ca_file` in the backend.",
        )
    if isinstance(why, ssl.SSLError):
        return TargetUnreachable(f"{name} does not speak TLS with us: {why.reason or why}", hint="Is it https at all?")
    said = "base_url"
    stage: dict[str, Any] = {}
    if origin.proxy is not None:  # TLS apart, nobody else was spoken to
        name, said, stage = f"{name}: the proxy {origin.proxy.name}", "proxy", {"stage": "proxy"}
    if isinstance(why, socket.gaierror):
        return TargetUnreachable(f"{name} has no address: {why.strerror}", hint=f"Check the backend's {said}.", **stage)
    if isinstance(why, ConnectionRefusedError):
        return TargetUnreachable(f"{name} refused the connection", hint="Is the server running?", **stage)
    return TargetUnreachable(f"{name} could not be reached: {why}", **stage)
