"""Requests of one connection: a head that was read before is not read again, and nobody can tell."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import FairleadError
from fairlead.wire.incoming import Head, Incoming
from fairlead.wire.requests import MAX_ALIKE_BYTES, Requests

HEAD = b"POST /v1/x?y=z HTTP/1.1\r\nhost: a\r\nContent-Length: %b\r\nauthorization: Bearer k\r\n\r\n"
FIRST = HEAD % b"5" + b"12345"


def read(*pieces: bytes) -> list[Any]:
    """What comes out of the pieces, fed one after the other."""
    taken: list[Incoming | FairleadError] = []
    requests = Requests(lambda head: Incoming(None, head), taken.append)  # type: ignore[arg-type]  # nobody is linked
    for piece in pieces:
        requests.feed(piece)
    return [_told(one) for one in taken]


def _told(one: Incoming | FairleadError) -> object:
    if isinstance(one, FairleadError):
        return one.code
    body = bytes(one._body)  # type: ignore[reportPrivateUsage]
    told = (one.method, one.path, one.query, one.headers, body, one.announced, one.size, one.complete)
    return (*told, one.keep, one.expects, one.plain)


def shared(first: bytes, second: bytes) -> bool:
    """Whether both requests have one head."""
    heads: list[Head] = []

    def make(head: Head) -> Incoming:
        heads.append(head)
        return Incoming(None, head)  # type: ignore[arg-type]  # nobody is linked

    requests = Requests(make, lambda one: None)
    requests.feed(first)
    requests.feed(second)
    return heads[0] is heads[-1] and len(heads) == 2


def test_a_head_that_differs_in_the_length_alone_is_read_once() -> None:
    assert shared(FIRST, HEAD % b"12" + b"123456789012")
    assert not shared(FIRST, FIRST.replace(b"Bearer k", b"Bearer l"))
    assert not shared(FIRST, FIRST.replace(b"/v1/x", b"/v1/w"))


def test_a_head_whose_body_came_later_is_known_as_well() -> None:
    heads: list[Head] = []

    def make(head: Head) -> Incoming:
        heads.append(head)
        return Incoming(None, head)  # type: ignore[arg-type]  # nobody is linked

    requests = Requests(make, lambda one: None)
    for piece in (FIRST[:-3], FIRST[-3:], HEAD % b"12" + b"123456789012"):
        requests.feed(piece)
    assert heads[0] is heads[-1] and len(heads) == 2


@pytest.mark.parametrize(
    "second",
    [
        HEAD % b"3" + b"123",
        HEAD % b"0",
        HEAD % b"003" + b"123",
        HEAD % b"+3" + b"123",
        HEAD % b"3 " + b"123",
        HEAD % b"3, 3" + b"123",
        HEAD % b"" + b"123",
        HEAD % b"3\r\nContent-Length: 3" + b"123",
        HEAD % b"3\r\ntransfer-encoding: chunked" + b"3\r\n123\r\n0\r\n\r\n",
        HEAD % b"0000000003" + b"123",
        HEAD % b"99999999999999999999" + b"123",
        HEAD % b"3" + b"12",
        HEAD % b"3" + b"123" + FIRST,
        HEAD % b"3" + b"123" + b"\r\n",
        FIRST[:20],
        FIRST.replace(b"host: a\r\n", b""),
        FIRST.replace(b"\r\n\r\n", b"\r\nexpect: 100-continue\r\n\r\n"),
        FIRST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"),
        FIRST.replace(b"1.1", b"1.0"),
        b"\r\n" + FIRST,
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
)
def test_what_comes_after_a_request_is_read_as_if_it_came_first(second: bytes) -> None:
    assert read(FIRST, second) == read(FIRST) + read(second)
    rest = HEAD % b"2" + b"12"
    assert read(FIRST, second, rest)[1:] == read(second, rest)


@given(st.lists(st.tuples(st.binary(max_size=40), st.sampled_from([b"a", b"b"])), min_size=1, max_size=6))
def test_any_bodies_under_like_heads_are_whole(said: list[tuple[bytes, bytes]]) -> None:
    whole = [HEAD.replace(b"host: a", b"host: " + host) % (b"%d" % len(body)) + body for body, host in said]
    assert [one[4] for one in read(*whole)] == [body for body, _ in said]
    assert read(*whole) == [read(one)[0] for one in whole]


def test_a_head_that_is_too_long_to_keep_is_read_again() -> None:
    long = FIRST.replace(b"Bearer k", b"Bearer " + b"k" * MAX_ALIKE_BYTES)
    assert not shared(long, long)


def test_no_head_is_taken_from_a_request_that_came_with_another() -> None:
    body = HEAD % b"1" + b"1"
    both = HEAD % (b"%d" % len(body)) + body + HEAD % b"2" + b"12"
    assert read(both, FIRST) == read(both) + read(FIRST)
    assert not shared(FIRST + FIRST, FIRST)
