"""Bedrock's language: one event as a frame of AWS's binary event stream. How frames are read is `wire/`'s knowledge.

A frame is: its length, the length of its headers, a checksum over these two; headers; payload; a checksum over all of
it. Numbers are big-endian, checksums CRC-32; a header is its name and its value, each with its length before it.
"""

import struct
import zlib
from functools import lru_cache

STREAM_CONTENT_TYPE = b"application/vnd.amazon.eventstream"

_PRELUDE = struct.Struct(">II")
_NUMBER = struct.Struct(">I")
_TEXT = 7  # the type of a header's value
_AROUND = 16  # bytes of a frame beside headers and payload


def event_frame(event: str, payload: bytes) -> bytes:
    """An event of the stream; the payload is JSON."""
    return _frame(_headers(event, "event"), payload)


def exception_frame(exception: str, payload: bytes) -> bytes:
    """An error that ends the stream."""
    return _frame(_headers(exception, "exception"), payload)


def _frame(headers: bytes, payload: bytes) -> bytes:
    prelude = _PRELUDE.pack(_AROUND + len(headers) + len(payload), len(headers))
    frame = b"".join((prelude, _NUMBER.pack(zlib.crc32(prelude)), headers, payload))
    return frame + _NUMBER.pack(zlib.crc32(frame))


@lru_cache(maxsize=64)
def _headers(name: str, kind: str) -> bytes:
    """In the order in which AWS sends them, so that an event that is passed on is the same frame."""
    said = ((f":{kind}-type", name), (":content-type", "application/json"), (":message-type", kind))
    return b"".join(
        bytes((len(key),)) + key.encode() + bytes((_TEXT,)) + len(value.encode()).to_bytes(2, "big") + value.encode()
        for key, value in said
    )
