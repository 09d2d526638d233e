"""The bytes of one connection -> requests. Where they could be read in two ways there is a fault, and nothing after it.

It is made of httptools, whose parser refuses most of what could be smuggled; the rest is refused here. It knows no
sockets and no time; `inbound.py` feeds it.

Most callers begin every request of a connection with the same bytes, but for the length of the body. Such a head was
read before, so it is not read again.
"""

import re
from collections.abc import Callable

import httptools
from msgspec import Struct

from fairlead.errors import ExpectationUnmet, FairleadError, HeadTooLarge, RequestMalformed, UrlTooLong
from fairlead.wire.incoming import Head, Incoming
from fairlead.wire.target import check_host, read_target

MAX_HEAD_BYTES = 64 * 1024  # of a head; also of what may come between two pieces of a body
MAX_HEADERS = 128
MAX_URL_BYTES = 16 * 1024
ONCE = frozenset({b"host", b"content-length", b"transfer-encoding", b"authorization", b"expect", b"content-type"})
LENGTH = re.compile(rb"\r\ncontent-length: ?(\d+)\r\n", re.IGNORECASE)
MAX_DIGITS = 9  # of the length of a body whose head is like the one before
MAX_ALIKE_BYTES = 4096  # of a head that is kept for comparison

Make = Callable[[Head], Incoming]


class Read(Struct, frozen=True):
    """A head that was read: what stands before and after the digits of its body's length, and what it says."""

    before: bytes
    after: bytes
    head: Head
    digits_at: int
    rest: int  # bytes after the digits


class Requests:
    """`take` is given each request when its head is read (its body comes later), and the fault that ends them all."""

    __slots__ = ("_begun", "_fault", "_lines", "_make", "_overhead", "_parser", "_read", "_take", "_url", "_whole",
                 "arriving", "in_head", "last")  # fmt: skip

    def __init__(self, make: Make, take: Callable[[Incoming | FairleadError], None]) -> None:
        self.arriving: Incoming | None = None  # whose body is still coming
        self.in_head = False  # in the middle of one
        self.last = False  # whatever still comes is no request
        self._make = make
        self._take = take
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._fault: FairleadError | None = None  # of the head that is being read
        self._overhead = 0  # bytes since a head or a piece of a body ended
        self._url = b""
        self._lines: list[tuple[bytes, bytes]] = []
        self._begun = 0  # requests of which the first byte came in what was fed last
        self._whole: Incoming | None = None  # of those, the last whose end came as well
        self._read: Read | None = None  # the head of an earlier request

    def feed(self, data: bytes) -> None:
        if self._parser is None or self.last:
            return
        between = not self.in_head and self.arriving is None
        if between and (alike := self.alike(data)) is not None:
            self._take(alike)
            return
        self._overhead += len(data)
        self._begun, self._whole = 0, None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.last = True  # the request is answered as it stands; what follows it is no HTTP
            if self._fault is not None:
                self.spoil(self._fault)
            return
        except httptools.HttpParserError as why:
            if not self.last:  # what follows a last request does that no harm
                self.spoil(self._fault or RequestMalformed(f"this is no HTTP/1.1 as it should be: {why}"))
            return
        if self._fault is None and self._overhead > MAX_HEAD_BYTES and not self.last:
            if self.in_head:
                self._fault = HeadTooLarge(f"the head of the request is larger than {MAX_HEAD_BYTES} bytes")
            elif self.arriving is not None:
                self._fault = RequestMalformed("the body of the request is mostly framing")
        if self._fault is not None:
            self.spoil(self._fault)
        elif between and self._begun == 1 and (one := self._whole or self.arriving) is not None:
            self._read = _as_read(data, one)

    def alike(self, data: bytes) -> Incoming | None:
        """The request, if `data` is a whole one between two others whose head differs from the one before in the body's
        length alone. Then the parser need not see it, and it is given here instead of taken."""
        read = self._read
        if read is None or self.in_head or self.arriving is not None or not data.startswith(read.before):
            return None
        start = read.digits_at
        end = data.find(b"\r", start, start + MAX_DIGITS + 1)
        digits = data[start:end]
        if end < 0 or not digits.isdigit() or not data.startswith(read.after, end):
            return None
        body = data[end + read.rest :]
        if len(body) != int(digits):
            return None
        incoming = self._make(read.head)
        incoming.take_all(body)
        return incoming

    def spoil(self, fault: FairleadError) -> None:
        """Nothing that still comes can be understood."""
        self.last = True
        self.in_head = False
        arriving, self.arriving = self.arriving, None
        if arriving is not None:
            arriving.spoil(fault)
        else:
            self._take(fault)

    def close(self) -> None:
        """Nothing is fed after this. What is let go of holds this object: cycles."""
        self._parser = self.arriving = self._whole = self._read = None
        del self._make, self._take

    # --- httptools ---

    def on_message_begin(self) -> None:
        self.in_head = True
        self._begun += 1
        self._url = b""
        self._lines = []

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > MAX_URL_BYTES:
            self._fault = UrlTooLong(f"the URL is longer than {MAX_URL_BYTES} bytes", hint="say it in the body")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.in_head:  # else a trailer: nobody wants one
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        self.in_head = False
        self._overhead = 0
        if self._fault is not None:
            return
        try:
            incoming = self._read_head()
        except FairleadError as fault:
            self._fault = fault
            return
        self.arriving = incoming
        self._take(incoming)

    def on_body(self, data: bytes) -> None:
        self._overhead = 0
        if self.arriving is not None:
            self.arriving.take(data)

    def on_message_complete(self) -> None:
        arriving, self.arriving = self.arriving, None
        self._overhead = 0
        if arriving is not None:
            arriving.end()
            self._whole = arriving
            if not arriving.keep:
                self.last = True

    def _read_head(self) -> Incoming:
        """Raises what is wrong with it."""
        parser, headers = self._parser, _headers(self._lines)
        assert parser is not None
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise RequestMalformed(f"HTTP/{version} is not spoken here", hint="HTTP/1.1 is")
        plain = version == "1.0"
        method = str(parser.get_method(), "ascii")
        if method == "CONNECT":
            raise RequestMalformed("this is no proxy", hint="ask with a path, such as /v1/models")
        path, query, authority = read_target(self._url)
        if authority is not None:
            headers[b"host"] = authority
        host = headers.get(b"host")
        if host is not None or not plain:
            check_host(host)
        coding = headers.get(b"transfer-encoding")
        if coding is not None and (plain or coding.lower() != b"chunked"):
            raise RequestMalformed("this transfer-encoding is not taken", hint="chunked is, in HTTP/1.1")
        expected = None if plain else headers.get(b"expect")
        if expected is not None and expected.lower() != b"100-continue":
            raise ExpectationUnmet("this expectation is not met here", hint="`Expect: 100-continue` is")
        announced = headers.pop(b"content-length", b"0")
        incoming = self._make(Head(method, path, query, headers))
        if coding is not None or announced != b"0":
            incoming.announced = -1 if coding is not None else int(announced)
        if plain or b"connection" in headers:
            incoming.keep = parser.should_keep_alive() and not parser.should_upgrade()
        if plain:
            incoming.plain = True
        if expected is not None:
            incoming.expects = True
        return incoming


def _as_read(data: bytes, one: Incoming) -> Read | None:
    """The head of a request whose first byte, and no other's, `data` begins with; None where it is not as plain as
    nearly all are, or too long to keep."""
    body = data.find(b"\r\n\r\n") + 4
    if not 4 < body <= MAX_ALIKE_BYTES or one.expects or one.plain or not one.keep:
        return None
    head = data[:body]
    found = LENGTH.search(head)
    if found is None or int(found[1]) != one.announced or head.count(b"\n") != head.count(b"\r\n"):
        return None
    return Read(head[: found.start(1)], head[found.end(1) :], one.head, found.start(1), len(head) - found.end(1))


def _headers(lines: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """By their names in lower case; values of one that came several times side by side. Raises what is wrong."""
    headers = {name.lower(): value.strip(b" \t") for name, value in lines}
    if len(headers) < len(lines):
        headers = {}
        for line, said in lines:
            name, value = line.lower(), said.strip(b" \t")
            if name in headers and name in ONCE:
                raise RequestMalformed(f"the header {name.decode('latin-1')!r} came more than once")
            headers[name] = headers[name] + b", " + value if name in headers else value
    if len(headers) > MAX_HEADERS:
        raise HeadTooLarge(f"the request has more than {MAX_HEADERS} headers")
    return headers
