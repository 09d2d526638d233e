"""AWS's event stream: frames however the bytes are cut, and nothing that a checksum does not vouch for."""

import struct
import zlib

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as some

from fairlead.dialects.bedrock.frames import event_frame, exception_frame
from fairlead.errors import StreamBroken
from fairlead.wire.eventstream import MAX_FRAME_BYTES, MAX_HEADERS_BYTES, Frames


def header(name: str, value: bytes, kind: int = 7) -> bytes:
    sized = len(value).to_bytes(2, "big") + value if kind in (6, 7) else value
    return bytes((len(name),)) + name.encode() + bytes((kind,)) + sized


def frame(headers: bytes, payload: bytes = b"") -> bytes:
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    start = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return start + struct.pack(">I", zlib.crc32(start))


events = some.tuples(some.text(min_size=1, max_size=40), some.binary(max_size=300))


@given(some.lists(events, max_size=6), some.lists(some.integers(0, 400), max_size=12))
def test_however_the_bytes_are_cut_the_events_are_the_same(said, lengths):
    raw = b"".join(event_frame(name, payload) for name, payload in said)
    frames, found = Frames(), []
    for length in lengths:
        found += frames.feed(raw[:length])
        raw = raw[length:]
    assert [*found, *frames.feed(raw)] == said


@given(some.lists(events, min_size=1, max_size=4))
def test_frames_are_what_amazons_own_parser_reads(said):
    theirs = EventStreamBuffer()
    theirs.add_data(b"".join(event_frame(name, payload) for name, payload in said))
    assert [(event.headers[":event-type"], event.payload) for event in theirs] == said


def test_an_exception_has_its_own_name():
    raw = exception_frame("throttlingException", b'{"message":"later"}')
    assert Frames().feed(raw) == [("throttlingException", b'{"message":"later"}')]
    theirs = EventStreamBuffer()
    theirs.add_data(raw)
    [event] = theirs
    assert event.headers[":message-type"] == "exception"
    assert event.to_response_dict()["status_code"] == 400


def test_an_error_of_the_transport_tells_what_its_headers_say():
    said = header(":message-type", b"error") + header(":error-code", b"Busy") + header(":error-message", b"later")
    assert Frames().feed(frame(said)) == [("error", b'{"code":"Busy","message":"later"}')]


def test_headers_of_every_type_are_passed_over():
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    others = b"".join(header(f"h{kind}", bytes(size), kind) for kind, size in sizes.items())
    said = others + header("raw", b"\xff", 6) + header(":event-type", b"e")
    assert Frames().feed(frame(said, b"x")) == [("e", b"x")]


def test_one_event_in_many_small_pieces_costs_no_more_than_its_length():
    raw = event_frame("e", bytes(300_000))
    frames = Frames()
    for at in range(0, len(raw) - 100, 100):
        assert frames.feed(raw[at : at + 100]) == []


@pytest.mark.parametrize("at", [0, 5, 9, 20, -6, -1])
def test_a_changed_byte_breaks_the_stream(at):
    raw = bytearray(event_frame("e", b'{"text":"hello"}'))
    raw[at] ^= 1
    with pytest.raises(StreamBroken):
        Frames().feed(bytes(raw) + bytes(64))


def prelude_only(length: int, headers: int) -> bytes:
    prelude = struct.pack(">II", length, headers)
    return prelude + struct.pack(">I", zlib.crc32(prelude))


@pytest.mark.parametrize(
    ("length", "headers"), [(15, 0), (MAX_FRAME_BYTES + 1, 0), (100, 85), (MAX_FRAME_BYTES, MAX_HEADERS_BYTES + 1)]
)
def test_lengths_that_cannot_be_are_refused_before_anything_is_waited_for(length, headers):
    with pytest.raises(StreamBroken):
        Frames().feed(prelude_only(length, headers))


@pytest.mark.parametrize(
    "headers",
    [
        b"\x05ab",
        b"\x01a\x0a",
        b"\x01a\x07\x00\x09short",
        b"\x01a\x07\x00",
        b"\x02\xff\xfe\x00",
        header("a", b"\xff"),
        header("a", b"", 9),
    ],
)
def test_headers_that_cannot_be_read_break_the_stream(headers):
    with pytest.raises(StreamBroken):
        Frames().feed(frame(headers))


def test_a_server_web_page_is_no_event_stream():
    with pytest.raises(StreamBroken, match="checksum"):
        Frames().feed(b"<!doctype html><html><body>Bad gateway</body></html>")
