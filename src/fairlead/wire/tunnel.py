"""A way through a proxy to a server that speaks TLS: `CONNECT`, then TLS with the server itself.

The proxy sees the server's name and port, and bytes that it can't read. What it says is read as far as its status;
none of its words is repeated, they may hold our credential.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from http.client import responses
from typing import TypeVar, cast

from fairlead.errors import TargetUnreachable
from fairlead.wire.address import Place, Proxy

MAX_HEAD_BYTES = 16 * 1024
HINTS = {
    407: "Give the proxy its user and password: `proxy` may refer to http://USER:PASSWORD@HOST:PORT by env: or file:.",
    403: "Does the proxy let us go there? Such lists are the proxy's own.",
}
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?\r?\n")
_END = re.compile(rb"\r?\n\r?\n")
_BEGIN = b"HTTP/1."
Talking = TypeVar("Talking", bound=asyncio.Protocol)


def refused(place: Place, proxy: Proxy, status: int) -> TargetUnreachable:
    """What to say of a status that is the proxy's own."""
    said = f"{status} {responses.get(status, '')}".rstrip()
    return _failed(place, proxy, f"refused: {said}", HINTS.get(status, "Can the proxy reach the server?"))


async def open_tunnel(
    loop: asyncio.AbstractEventLoop, place: Place, proxy: Proxy, tls: ssl.SSLContext, make: Callable[[], Talking]
) -> tuple[asyncio.Transport, Talking]:
    """As `create_connection`: a protocol of `make`, connected to the server. The caller sets the deadline.

    Raises TargetUnreachable, and OSError where the proxy is not reached or the server's TLS is no good.
    """
    raw, asking = await loop.create_connection(lambda: _Asking(loop, place, proxy), proxy.host, proxy.port)
    try:
        await asking.heard
        if asking.failure is not None:
            raise asking.failure
        try:
            secured = await loop.start_tls(raw, asking, tls, server_hostname=place.host)
        except ConnectionError as why:
            raise _failed(place, proxy, "closed the way to it before TLS was agreed") from why
        if secured is None or asking.left or secured.is_closing():
            raise _failed(place, proxy, "closed the way to it as soon as it was made")
        if asking.surplus:
            raise _failed(place, proxy, "has words on the way to it that nobody asked for")
    except BaseException:
        raw.abort()
        raise
    protocol = make()
    secured.set_protocol(protocol)
    protocol.connection_made(secured)
    return secured, protocol


class _Asking(asyncio.Protocol):
    """Says `CONNECT` and hears the answer; then it holds the place of the protocol that is to come."""

    def __init__(self, loop: asyncio.AbstractEventLoop, place: Place, proxy: Proxy) -> None:
        self.heard: asyncio.Future[None] = loop.create_future()  # an answer, or that there is none
        self.failure: TargetUnreachable | None = None
        self.surplus = False  # anything came that belongs to no answer
        self.left = False
        self._place = place
        self._proxy = proxy
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        name = self._place.name
        lines = f"CONNECT {name} HTTP/1.1\r\nhost: {name}\r\n".encode("ascii")
        cast(asyncio.Transport, transport).write(lines + self._proxy.lines + b"\r\n")

    def data_received(self, data: bytes) -> None:
        if self.heard.done():
            self.surplus = True
            return
        self._data += data
        while not self.heard.done() and (end := _END.search(self._data)):
            head, self._data = self._data[: end.end()], self._data[end.end() :]
            self._judge(head)
        if not self.heard.done() and not (self._data.startswith(_BEGIN) or _BEGIN.startswith(self._data)):
            self._judge(self._data)
        elif not self.heard.done() and len(self._data) > MAX_HEAD_BYTES:
            self._fail(f"sent more than {MAX_HEAD_BYTES} bytes of headers")

    def _judge(self, head: bytes) -> None:
        found = _STATUS.match(head)
        status = int(found[1]) if found else 0
        if not status:
            self._fail("does not speak HTTP/1.1", "Is it an HTTP proxy at all?")
        elif status >= 300:
            self._end(refused(self._place, self._proxy, status))
        elif status >= 200 and self._data:  # who speaks TLS waits for us
            self._fail("has words on the way to it that nobody asked for")
        elif status >= 200:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.left = True
        if not self.heard.done():
            self._fail("closed the connection without an answer")

    def _fail(self, what: str, hint: str = "") -> None:
        self._end(_failed(self._place, self._proxy, what, hint))

    def _end(self, failure: TargetUnreachable | None) -> None:
        self.failure = failure
        self.heard.set_result(None)


def _failed(place: Place, proxy: Proxy, what: str, hint: str = "") -> TargetUnreachable:
    return TargetUnreachable(f"{place.name}: the proxy {proxy.name} {what}", hint=hint, stage="proxy")
