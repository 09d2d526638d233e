"""A connection to the listener's protocol without sockets: what is sent to it, and the responses that come back."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import httptools

from fairlead.wire.inbound import Bounds, Inbound, Site


class House:
    """A listener without a socket."""

    def __init__(self, site: Site, bounds: Bounds = Bounds()) -> None:
        self.loop = asyncio.get_running_loop()
        self.site = site
        self.bounds = bounds
        self.retiring = False
        self.connections: set[Inbound] = set()

    def joined(self, connection: Inbound) -> bool:
        self.connections.add(connection)
        return len(self.connections) <= self.bounds.max_connections

    def left(self, connection: Inbound) -> None:
        self.connections.discard(connection)


class Pipe(asyncio.Transport):
    """The transport of one connection. `written` holds each write; `seen` is told of it. `over`: nothing more comes."""

    def __init__(self, house: House, seen: Callable[[bytes], None] = lambda _: None) -> None:
        super().__init__()
        self.protocol = Inbound(house)
        self.written: list[bytes] = []
        self.reading = True
        self.ended = False  # our direction
        self.over = asyncio.Event()
        self.unread = 0  # bytes that the caller does not read
        self._closing = self._gone = False
        self._seen = seen
        self.protocol.connection_made(self)

    def feed(self, data: bytes) -> None:
        """As a transport does: nothing while reading is paused, which the caller of this must respect."""
        if not self._closing:
            self.protocol.data_received(data)

    def hang_up(self, why: Exception | None = None) -> None:
        if not self._gone:
            self._closing = self._gone = True
            self.over.set()
            self.protocol.connection_lost(why)

    def eof(self) -> None:
        if not self.protocol.eof_received():
            self.close()

    @property
    def said(self) -> bytes:
        return b"".join(self.written)

    # --- asyncio.Transport ---

    def write(self, data: Any) -> None:
        assert not self.ended
        if not self._closing:
            self.written.append(bytes(data))
            self._seen(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True
        self.over.set()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self.protocol.loop.call_soon(self.hang_up)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.unread

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Said(NamedTuple):
    """One response as it came; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool


class Reader:
    """Responses out of bytes."""

    def __init__(self) -> None:
        self.responses: list[Said] = []
        self._parser = httptools.HttpResponseParser(self)

    def read(self, data: bytes) -> list[Said]:
        self._parser.feed_data(data)
        return self.responses

    def on_message_begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.responses.append(Said(self._parser.get_status_code(), self._headers, b"", False))

    def on_body(self, body: bytes) -> None:
        self._body += body
        self.responses[-1] = self.responses[-1]._replace(body=self._body)

    def on_message_complete(self) -> None:
        self.responses[-1] = self.responses[-1]._replace(whole=True)


def responses(data: bytes) -> list[Said]:
    """All that are in there, also one that is cut off."""
    return Reader().read(data) if data else []
