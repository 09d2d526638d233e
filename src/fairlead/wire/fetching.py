"""Fetches what a stranger's URL names, without being led anywhere but to the public internet.

The name is resolved once, every address that it has must be public, and the connection goes to one of those addresses;
so a name that resolves to something else a moment later changes nothing. No redirects, no credentials, no cookies; a
bound of bytes and of time. Which URLs are fetched at all is decided by whoever asks.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import closing

from msgspec import Struct

from fairlead.errors import TargetTimeout, TargetUnclear, TargetUnreachable
from fairlead.wire.address import Place, request_head, trust
from fairlead.wire.pool import Origin, Pool
from fairlead.wire.public import NotPublic, PublicUrl, is_public
from fairlead.wire.response import Deadlines, Response

CONNECT_S = 5.0
HEADERS = {"user-agent": "fairlead", "accept": "*/*"}

Resolve = Callable[[str, int], Awaitable[list[str]]]


class Fetched(Struct, frozen=True):
    """`media_type` is what the server says that it is, in lower case and without parameters; "" where it does not."""

    data: bytes
    media_type: str


async def resolve(host: str, port: int) -> list[str]:
    """The addresses that the system knows for a name, in its order. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return list(dict.fromkeys(str(address[4][0]) for address in found))


class Fetcher:
    """`fetch` as often as one likes. `permits` and `tls` are for tests, whose servers are on loopback."""

    def __init__(
        self,
        pool: Pool,
        *,
        resolving: Resolve = resolve,
        permits: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._pool = pool
        self._resolve = resolving
        self._permits = permits
        self._tls = tls

    async def fetch(self, url: PublicUrl, *, max_bytes: int, total_s: float) -> Fetched:
        """Raises NotPublic where the name leads to what is not public, TargetUnreachable, TargetTimeout, or
        TargetUnclear where the answer is none that can be taken: another status than 200, or too long."""
        try:
            async with asyncio.timeout(total_s):
                address = await self._address(url)
                place = Place("https", url.host, url.port)
                self._tls = self._tls or trust()
                origin = Origin(place, tls=self._tls, address=address)
                head = request_head("GET", place, url.target, HEADERS)
                response = await self._pool.ask(origin, head, None, Deadlines(min(CONNECT_S, total_s), total_s=total_s))
                with closing(response):
                    return await _take(response, url, max_bytes)
        except TimeoutError:
            raise TargetTimeout(f"{url.host}: nothing whole came within {total_s:g} s", stage="total") from None

    async def _address(self, url: PublicUrl) -> str:
        try:
            addresses = await self._resolve(url.host, url.port)
        except (OSError, UnicodeError):
            raise TargetUnreachable(f"{url.host} has no address") from None
        if not addresses:
            raise TargetUnreachable(f"{url.host} has no address")
        if not all(map(self._permits, addresses)):
            raise NotPublic(f"{url.host} resolves to an address that is not public")
        return addresses[0]


async def _take(response: Response, url: PublicUrl, max_bytes: int) -> Fetched:
    if response.status in range(300, 400):
        raise TargetUnclear(f"{url.host} leads to another place, and redirects are not followed")
    if response.status != 200:
        raise TargetUnclear(f"{url.host} answered with status {response.status}")
    said = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Fetched(await response.body(max_bytes), said)
