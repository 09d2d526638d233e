"""Where a request goes and what stands above its body: URLs and header lines, checked once and kept as bytes.

Nothing here opens a connection. Everything that an operator wrote wrongly raises ConfigInvalid; a header's value is
never repeated in a message, it may be a credential.
"""

import base64
import re
import ssl
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from fairlead.errors import ConfigInvalid

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*\Z")  # no CR, no LF, no other control character
TARGET = re.compile(r"[\x21-\x7e]*\Z")
OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "te", "upgrade"})


class Place(Struct, frozen=True):
    """A server and a path prefix there. `path` has no slash at its end; `query` begins with `?` or is empty."""

    scheme: str
    host: str  # without brackets
    port: int
    path: str = ""
    query: str = ""

    @property
    def name(self) -> str:
        """For people: `api.example.com:443`."""
        return f"{self._bracketed}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the header `host`."""
        usual = {"http": 80, "https": 443}[self.scheme]
        return self._bracketed if self.port == usual else self.name

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


class Proxy(Struct, frozen=True):
    """An HTTP proxy, spoken to without TLS, and what it knows us by: `lines`, of its header."""

    host: str
    port: int
    lines: bytes = b""
    secrets: tuple[str, ...] = ()  # that nobody may see, in each of their forms

    @property
    def name(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Proxy({self.name})"


def read_proxy(url: str) -> Proxy:
    """Of `http://USER:PASSWORD@HOST:PORT`. Raises ConfigInvalid, which does not show it."""
    wrong = ConfigInvalid("this is not the URL of an HTTP proxy", hint="It looks like http://host:3128.", path="proxy")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        raise wrong from None
    rest = parts.path.rstrip("/") + parts.query + parts.fragment
    if parts.scheme != "http" or not host or not port or rest or not TARGET.match(host):
        raise wrong
    if parts.username is None:
        return Proxy(host, port)
    user, password = unquote(parts.username), unquote(parts.password or "")
    shown = base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    line = f"proxy-authorization: Basic {shown}\r\n".encode("ascii")
    return Proxy(host, port, line, (password, parts.password or "", shown))


def place(url: str) -> Place:
    """The place that a `base_url` (http or https) names. Raises ConfigInvalid if it is none, or holds a credential."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        raise _not_a_url(url) from None
    if parts.username is not None or parts.password is not None:
        raise ConfigInvalid("a URL must not hold a credential", hint='Give it as `key = "env:NAME"`.', path="base_url")
    whole = parts.path + parts.query
    if parts.scheme not in ("http", "https") or not host or parts.fragment or not TARGET.match(whole):
        raise _not_a_url(url)
    query = f"?{parts.query}" if parts.query else ""
    return Place(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/"), query)


def _not_a_url(url: str) -> ConfigInvalid:
    return ConfigInvalid(f"{url!r} is not an http or https URL", hint="It looks like https://host/v1.", path="base_url")


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Headers as they stand on the wire, each line ended; of two spellings of one name the later one counts.

    Raises ConfigInvalid where a name or a value could break out of its line, or where the header is the client's own.
    """
    lines: dict[str, bytes] = {}
    for name, value in headers.items():
        lower = name.lower()
        if not TOKEN.match(name) or not VALUE.match(value):
            raise ConfigInvalid(f"the header {name!r} has characters that no header may have", path=f"headers.{name}")
        if lower in OURS:
            raise ConfigInvalid(f"the header {name!r} is set by Fairlead itself", path=f"headers.{name}")
        lines[lower] = f"{lower}: {value}\r\n".encode("latin-1")
    return b"".join(lines.values())


def request_head(
    method: str, place: Place, path: str, headers: Mapping[str, str], forwards: Proxy | None = None
) -> bytes:
    """The request line and the headers that never change, ready to be followed by further header lines. `forwards`: a
    proxy that reads them, and sends them on (`Origin.forwards`)."""
    target = f"{place.path}{path}{place.query}" or "/"
    if not TOKEN.match(method) or not TARGET.match(target):
        raise ConfigInvalid(f"{method} {target!r} can't stand in a request line")
    ours = b""
    if forwards is not None:
        target = f"{place.scheme}://{place.authority}" + (target if target[0] == "/" else f"/{target}")
        ours = forwards.lines
    start = f"{method} {target} HTTP/1.1\r\nhost: {place.authority}\r\naccept-encoding: identity\r\n"
    return start.encode("ascii") + ours + header_lines(headers)


def trust(ca_file: str = "") -> ssl.SSLContext:
    """TLS as a client: the system's authorities, or only those in `ca_file`; the host's name is checked, 1.2 at least.

    Reading the authorities takes milliseconds: once per backend, not per request. Raises ConfigInvalid.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as why:
        raise ConfigInvalid(f"the authorities in {ca_file!r} can't be read: {why}", file=ca_file) from why
    context.set_alpn_protocols(["http/1.1"])
    return context
