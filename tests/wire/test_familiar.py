"""A head of an answer that is like the one before is not read again, and nobody can tell."""

import asyncio
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.errors import TargetError
from fairlead.wire.connection import Connection
from fairlead.wire.familiar import TRIES, Familiar
from fairlead.wire.response import Deadlines
from wire.mute import Wire

HEAD = (
    b"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:0%b GMT\r\ncontent-type: application/json\r\n"
    b"x-request-id: %b\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: %d\r\n\r\n"
)


def answer(body: bytes = b"{}", id: bytes = b"r1", second: bytes = b"1") -> bytes:
    return HEAD % (second, id, len(body)) + body


def heard(*answers: bytes) -> tuple[Any, ...]:
    """What a connection makes of the last of these answers, each to a request of its own."""

    async def ask() -> tuple[Any, ...]:
        loop, wire = asyncio.get_running_loop(), Wire()
        connection = Connection(loop, "there", lambda _: None, lambda _: None)
        connection.connection_made(wire)  # type: ignore[arg-type]
        told: tuple[Any, ...] = ()
        for data in answers:
            response = connection.send(b"", b"", Deadlines(), 0.0, loop.time() + 1000)
            connection.data_received(data)
            if not wire.closed:
                wire.closed = not response._over  # type: ignore[reportPrivateUsage]  # more would still come
            connection.eof_received() if not response._over else None  # type: ignore[reportPrivateUsage]
            connection.connection_lost(None) if wire.closed else None
            try:
                await response.head()
                told = (response.status, response.reason, response.lines, await response.body(), wire.closed)
            except TargetError as error:
                told = (type(error), str(error), wire.closed)
            if wire.closed:
                break
        connection._timer.stop()  # type: ignore[reportPrivateUsage]
        return told

    return asyncio.run(ask())


def test_an_answer_that_differs_in_length_date_and_id_is_the_same_as_if_it_were_the_first() -> None:
    second = answer(b'{"a": 1}', b"r2", b"7")
    assert heard(answer(), second) == heard(second)
    familiar = Familiar()
    familiar.learn(answer(), b"OK", heard(answer())[2])
    assert familiar.read(second) == b'{"a": 1}' and (b"x-request-id", b"r2") in familiar.lines


@given(
    at=st.integers(0, len(answer()) - 1),
    length=st.integers(0, 3),
    instead=st.one_of(st.binary(max_size=3), st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b":", b"5", b"\0"])),
)
@example(at=answer().index(b"2\r\n\r\n"), length=1, instead=b"02")
@example(at=answer().index(b"2\r\n\r\n"), length=1, instead=b"1")
@example(at=answer().index(b"2\r\n\r\n"), length=1, instead=b"3")
@example(at=answer().index(b"2\r\n\r\n"), length=1, instead=b"2 ")
@example(at=answer().index(b"r1"), length=2, instead=b"r\r\nconnection: close")
@example(at=answer().index(b"r1"), length=2, instead=b"r\nconnection: close")
def test_whatever_is_changed_it_is_taken_as_if_it_were_the_first(at: int, length: int, instead: bytes) -> None:
    changed = answer()[:at] + instead + answer()[at + length :]
    assert heard(answer(), changed) == heard(changed) or is_lost(heard(answer(), changed), heard(changed))


def is_lost(second: tuple[Any, ...], first: tuple[Any, ...]) -> bool:
    """Both broke off; of the first request of a connection that is told in other words."""
    return (
        issubclass(second[0], TargetError) and issubclass(first[0], TargetError)
        if len(first) == 3 == len(second)
        else False
    )


@pytest.mark.parametrize(
    "first",
    [
        answer()
        .replace(b"content-length: 2", b"transfer-encoding: chunked")
        .replace(b"\r\n{}", b"\r\n2\r\n{}\r\n0\r\n\r\n"),
        answer().replace(b"x-request-id: ", b"x-request-id:"),
        answer().replace(b"200 OK", b"201 Created"),
        answer().replace(b"set-cookie: a=1", b"connection: close"),
    ],
)
def test_nothing_is_learnt_of_a_head_that_is_not_as_plain(first: bytes) -> None:
    assert heard(first, answer(b'{"a": 1}')) in (heard(answer(b'{"a": 1}')), heard(first))


def test_heads_that_never_come_alike_are_soon_only_read() -> None:
    familiar, lines = Familiar(), heard(answer())[2]
    for _ in range(TRIES + 1):
        familiar.learn(answer(), b"OK", lines)
    assert familiar.read(answer()) is None
