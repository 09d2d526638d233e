"""AWS's binary event stream (`application/vnd.amazon.eventstream`), read incrementally. It reads no JSON.

A frame is: its length, the length of its headers, a checksum over these two; headers; payload; a checksum over all of
it. Numbers are big-endian, checksums CRC-32. Bytes may be cut anywhere. Every frame becomes an event like those of
`sse.py`: a name and its data.

| `:message-type` | name | data |
|---|---|---|
| event | `:event-type` | the payload |
| exception | `:exception-type` | the payload |
| error | `error` | `:error-code` and `:error-message` as a JSON object |
"""

import struct
import zlib

import msgspec

from fairlead.errors import StreamBroken
from fairlead.wire.sse import Event

MAX_HEADERS_BYTES = 128 * 1024  # AWS's own bounds
MAX_PAYLOAD_BYTES = 24 * 1024 * 1024
MAX_FRAME_BYTES = MAX_PAYLOAD_BYTES + MAX_HEADERS_BYTES + 16
KNOWN_HEADERS = 64  # distinct blocks of headers that are remembered; a stream has about six

_PRELUDE = struct.Struct(">III")
_NUMBER = struct.Struct(">I")
_SHORT = struct.Struct(">H")
_LEAST_BYTES = _PRELUDE.size + _NUMBER.size
_STRINGS = frozenset({6, 7})  # bytes, text: two bytes of length before them
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # true, false, integers, a time, a UUID


class Frames:
    """What has come of one stream. `feed` gives every event that a chunk completes.

    Raises StreamBroken where a length or a checksum is wrong, or the headers can't be read; then nothing more can be.
    """

    __slots__ = ("_held", "_kinds", "_needed")

    def __init__(self) -> None:
        self._held = bytearray()  # of a frame whose end has not come
        self._needed = 0  # bytes that must be held before there is any use in looking at them
        self._kinds: dict[bytes, tuple[str, str, bytes]] = {}  # headers as bytes -> what they say: most frames repeat

    def feed(self, chunk: bytes) -> list[Event]:
        held = self._held
        if held:
            held += chunk
            if len(held) < self._needed:
                return []
            chunk = bytes(held)
            held.clear()
        found: list[Event] = []
        start, end = 0, len(chunk)
        self._needed = _PRELUDE.size
        while end - start >= _PRELUDE.size:
            length = _checked_length(chunk, start)
            if end - start < length:
                self._needed = length
                break
            found.append(self._event(chunk, start, start + length))
            start += length
        if start < end:
            held += chunk[start:]
        return found

    def _event(self, data: bytes, start: int, end: int) -> Event:
        body_end = end - _NUMBER.size
        if zlib.crc32(data[start:body_end]) != _NUMBER.unpack_from(data, body_end)[0]:
            raise _broken("a frame's checksum is wrong")
        first = start + _PRELUDE.size
        last = first + _NUMBER.unpack_from(data, start + 4)[0]
        headers = data[first:last]
        kind = self._kinds.get(headers)
        if kind is None:
            kind = _read_kind(headers)
            if len(self._kinds) < KNOWN_HEADERS:
                self._kinds[headers] = kind
        message_type, name, error = kind
        return (name, error if message_type == "error" else data[last:body_end])


def _checked_length(data: bytes, start: int) -> int:
    length, headers, checksum = _PRELUDE.unpack_from(data, start)
    if zlib.crc32(data[start : start + 8]) != checksum:
        raise _broken("the checksum of a frame's lengths is wrong")
    if headers > MAX_HEADERS_BYTES or not headers + _LEAST_BYTES <= length <= MAX_FRAME_BYTES:
        raise _broken(f"a frame of {length} bytes with {headers} bytes of headers can't be")
    return length


def _read_kind(headers: bytes) -> tuple[str, str, bytes]:
    """(message type, name of the event, data of an error)"""
    said = _read_headers(headers)
    message_type = said.get(":message-type", "event")
    if message_type == "error":
        error = {"code": said.get(":error-code", ""), "message": said.get(":error-message", "")}
        return message_type, "error", msgspec.json.encode(error)
    return message_type, said.get(":exception-type" if message_type == "exception" else ":event-type", ""), b""


def _read_headers(data: bytes) -> dict[str, str]:
    """The headers that are text; those of other types are passed over."""
    found: dict[str, str] = {}
    at, end = 0, len(data)
    try:
        while at < end:
            name_end = at + 1 + data[at]
            name, kind = data[at + 1 : name_end].decode(), data[name_end]
            at = name_end + 1
            if kind in _STRINGS:
                value_end = at + 2 + _SHORT.unpack_from(data, at)[0]
                if kind == 7:
                    found[name] = data[at + 2 : value_end].decode()
                at = value_end
            else:
                at += _SIZES[kind]
    except (IndexError, KeyError, struct.error, UnicodeDecodeError):
        raise _broken("a frame's headers can't be read") from None
    if at > end:
        raise _broken("a frame's headers are longer than they say")
    return found


def _broken(what: str) -> StreamBroken:
    return StreamBroken(
        f"The event stream can't be read: {what}.", hint="Is something between here and AWS changing the bytes?"
    )
