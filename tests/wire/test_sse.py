"""Server-sent events: as the specification says, wherever the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import TargetUnclear
from fairlead.wire.sse import Events


def read(*chunks: bytes, limit: int = 1000) -> list[tuple[str, bytes]]:
    events = Events(limit)
    return [event for chunk in chunks for event in events.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b'data: {"a":1}\n\n', [("message", b'{"a":1}')]),
        (b"data: a\n\ndata: b\n\n", [("message", b"a"), ("message", b"b")]),
        (b"event: ping\ndata: {}\n\ndata: x\n\n", [("ping", b"{}"), ("message", b"x")]),
        (b"data: one\ndata: two\n\n", [("message", b"one\ntwo")]),
        (b"data:tight\ndata:  loose\n\n", [("message", b"tight\n loose")]),
        (b"data\n\n", [("message", b"")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [("message", b"a"), ("message", b"b"), ("message", b"c")]),
        (b": a comment\n\n: another\ndata: x\n\n", [("message", b"x")]),
        (b"id: 1\nretry: 5\nother: y\ndata: x\n\n", [("message", b"x")]),
        (b"event: lonely\n\ndata: x\n\n", [("message", b"x")]),
        (b"\xef\xbb\xbfdata: x\n\n", [("message", b"x")]),
        (b"data: a: b\n\n", [("message", b"a: b")]),
        (b"data: never ended\n", []),
        ("data: größer 🙂\n\n".encode(), [("message", "größer 🙂".encode())]),
    ],
)
def test_a_stream_says_the_same_however_it_is_cut(stream: bytes, expected: list[tuple[str, bytes]]) -> None:
    assert read(stream) == expected
    assert read(*[stream[i : i + 1] for i in range(len(stream))]) == expected
    for cut in range(len(stream)):
        assert read(stream[:cut], stream[cut:]) == expected


@given(st.text(alphabet="dat: e\n\r\ufeffvn", max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_cuts_never_change_what_is_read(text: str, cuts: list[int]) -> None:
    stream = text.encode()
    edges = [0, *sorted(cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    assert read(*pieces) == read(stream)


def test_an_event_comes_with_the_chunk_that_ends_it() -> None:
    events = Events()
    assert events.feed(b"data: a\n") == []
    assert events.feed(b"\n") == [("message", b"a")]
    assert events.feed(b"data: b\r\n\r") == [("message", b"b")]
    assert events.feed(b"\ndata: c\n\n") == [("message", b"c")]


@pytest.mark.parametrize("endless", [b"data: " + b"x" * 101, b"data: x\n" * 20, b"x" * 101])
def test_an_endless_event_is_refused(endless: bytes) -> None:
    with pytest.raises(TargetUnclear, match="larger than 100 bytes"):
        read(endless, limit=100)


def test_a_long_stream_of_small_events_is_no_large_event() -> None:
    assert len(read(*[b": ping\n\n", b"data: x\n\n", b"event: a\ndata: y\n\n"] * 100, limit=50)) == 200


def test_an_event_of_many_pieces_is_put_together_in_linear_time() -> None:
    pieces = [b"data: ", *[b"x" * 100] * 40_000, b"\n\n"]
    assert len(read(*pieces, limit=5_000_000)[0][1]) == 4_000_000
