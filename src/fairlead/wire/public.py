"""Whether a URL that a stranger gave leads to the public internet, as far as its text and an address can tell.

What a name resolves to is only known when it is resolved: whoever connects asks `is_public` of each address again.
Nothing here opens a connection.
"""

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from msgspec import Struct

LONGEST = 8192
PORT = 443
# Names by which machines find themselves, their neighbours and their cloud.
_OWN = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "localdomain", "home.arpa", "onion")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_NUMBER = re.compile(r"(0x[0-9a-f]*|\d+)\Z")  # `127.1`, `0x7f000001`: other spellings of an address
_TARGET = re.compile(r"[\x21-\x7e]*\Z")
_NAT64 = IPv6Network("64:ff9b::/96")
_HOST = re.compile(r"(?P<wild>\*\.)?(?P<name>[a-z0-9_.-]+)(?::(?P<port>\d{1,5}))?\Z")


class NotPublic(ValueError):
    """Why a URL is not followed. The message holds no more of it than its host: URLs hold credentials."""


class PublicUrl(Struct, frozen=True):
    """An https URL taken apart. `host` is in lower case and in ASCII, without a dot at its end; `target` begins with
    `/`."""

    host: str
    port: int
    target: str


def read(url: str) -> PublicUrl:
    """Raises NotPublic unless it is https, without a credential, to a name or an address that may be public."""
    if len(url) > LONGEST:
        raise NotPublic(f"it is longer than {LONGEST} characters")
    if not _TARGET.match(url) or "\\" in url:
        raise NotPublic("it holds characters that no URL may hold")
    try:
        parts = urlsplit(url)
        port = parts.port or PORT
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        raise NotPublic("it is no URL") from None
    if parts.scheme != "https":
        raise NotPublic(f"its scheme is {parts.scheme[:20]!r}, and only https is followed")
    if parts.username is not None or parts.password is not None:
        raise NotPublic("it holds a credential")
    check_host(host)
    query = f"?{parts.query}" if parts.query else ""
    return PublicUrl(host, port, f"{parts.path or '/'}{query}")


def check_host(host: str) -> None:
    """Raises NotPublic for what is no host's name, for names of this machine and its neighbours, and for addresses that
    are not public, however they are spelt."""
    if ":" in host or _NUMBER.match(host.rpartition(".")[2]):
        try:
            public = is_public(host)
        except AddressValueError:
            raise NotPublic(f"{host[:80]!r} is no plain spelling of an address") from None
        if not public:
            raise NotPublic(f"{host} is not a public address")
        return
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.match, labels)):
        raise NotPublic(f"{host[:80]!r} is no host's name")
    if len(labels) < 2 or any(host == own or host.endswith(f".{own}") for own in _OWN):
        raise NotPublic(f"{host!r} is a name for this network, not for the internet")


def is_public(address: str) -> bool:
    """Whether an address, by itself or by one that it carries within, belongs to the internet at large. Raises
    AddressValueError for what is none."""
    try:
        found = ip_address(address)
    except ValueError as error:
        raise AddressValueError(str(error)) from None
    return _is_public(found)


def _is_public(found: IPv4Address | IPv6Address) -> bool:
    if isinstance(found, IPv6Address):
        within: list[IPv4Address | None] = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if found in _NAT64:
            within.append(IPv4Address(int(found) & 0xFFFFFFFF))
        if not all(_is_public(inner) for inner in within if inner is not None):
            return False
        if found.is_site_local or found.scope_id is not None:
            return False
        if found.ipv4_mapped is not None:
            return True
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def is_listed(url: PublicUrl, hosts: Sequence[str]) -> bool:
    """Whether a list of hosts names it: `example.com` that name, `*.example.com` all below it; another port than 443
    only where it is named."""
    for pattern in hosts:
        if found := _HOST.match(pattern.lower()):
            name = found["name"]
            named = url.host.endswith(f".{name}") if found["wild"] else url.host == name
            if named and url.port == int(found["port"] or PORT):
                return True
    return False
