"""A connection's protocol without sockets: however bytes are cut, the exchange is the same; garbage does no harm."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairlead.errors import FairleadError
from fairlead.wire.inbound import Refusal
from fairlead.wire.incoming import Incoming
from pipe import House, Pipe, Said, responses

COMMON = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
LIMIT = 500_000


class Echo:
    """Answers with what it was asked, as it understood it."""

    incoming = staticmethod(Incoming)

    async def serve(self, incoming: Incoming) -> None:
        try:
            body = await incoming.body(LIMIT)
        except FairleadError as error:
            return incoming.respond(400, error.code.encode(), [])
        if incoming.path == "/length":
            return incoming.respond(200, b"%d" % len(body), [])
        heard = repr((incoming.method, incoming.path, incoming.query, sorted(incoming.headers.items()), body))
        if incoming.path == "/stream":
            incoming.start([])
            for word in heard.encode().split(b" "):
                await incoming.write(word)
            return await incoming.write(b"", more=False)
        incoming.respond(200, heard.encode(), [])

    def refusal(self, error: FairleadError) -> Refusal:
        return Refusal(400, [], error.code.encode())


async def talk(pieces: list[bytes]) -> tuple[list[Said], bool]:
    """What is said to these pieces, and whether the connection is over then."""
    pipe = Pipe(House(Echo()))
    for piece in pieces:
        while not pipe.reading:
            await asyncio.sleep(0)
        pipe.feed(piece)
        await asyncio.sleep(0)
    for _ in range(20_000):
        before = len(pipe.written)
        for _ in range(5):
            await asyncio.sleep(0)
        if len(pipe.written) == before and pipe.reading:
            break
    over = pipe.over.is_set()
    pipe.hang_up()
    said = [one._replace(headers={**one.headers, "date": ""}) for one in responses(pipe.said)]
    if over and said and not {"content-length", "transfer-encoding"} & set(said[-1].headers):
        said[-1] = said[-1]._replace(whole=True)  # it ends with the connection
    return said, over


def cut(data: bytes, at: list[int]) -> list[bytes]:
    marks = [0, *sorted({one % (len(data) + 1) for one in at}), len(data)]
    return [data[start:end] for start, end in pairwise(marks) if start != end]


@pytest.mark.parametrize("size", [16_000, 66_000, 200_000])
@pytest.mark.parametrize("pieces", [1, 2, 50])
def test_a_body_that_came_before_it_was_asked_for_holds_nothing_up(size: int, pieces: int) -> None:
    asked = b"POST /length HTTP/1.1\r\nhost: here\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size
    told = asyncio.run(talk(cut(asked + asked, [len(asked) * 2 * n // pieces for n in range(pieces)])))[0]
    assert [one.body for one in told] == [b"%d" % size] * 2


TOKENS = st.text("abcxyz-_!", min_size=1, max_size=8).map(lambda text: b"x-" + text.encode())
VALUES = st.binary(max_size=20).map(lambda data: bytes(byte for byte in data if byte > 31 and byte != 127))
PATHS = st.sampled_from([b"/a", b"/stream", b"/%20%ff?x=y", b"http://there/b?c", b"/" + b"long" * 300])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A good one, of either version, with a body of either kind or none."""
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0"]))
    headers = [
        b"host: here",
        *[name + b":" + value for name, value in draw(st.lists(st.tuples(TOKENS, VALUES), max_size=4))],
    ]
    body = draw(st.binary(max_size=300))
    kind = draw(st.sampled_from(["none", "sized", "chunked", "expected"]))
    if kind == "chunked" and version == b"1.1":
        headers.append(b"Transfer-Encoding: chunked")
        pieces = [piece for piece in cut(body, draw(st.lists(st.integers(0, 300), max_size=5))) if piece]
        framed = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    elif kind == "none":
        framed = b""
    else:
        headers.append(b"Content-Length: %d" % len(body))
        framed = body
        if kind == "expected":
            headers.append(b"expect: 100-continue")
    if version == b"1.0":
        headers.append(b"connection: keep-alive")
    start = draw(st.sampled_from([b"GET", b"POST", b"DELETE"])) + b" " + draw(PATHS) + b" HTTP/" + version
    return b"\r\n".join([start, *headers, b"", b""]) + framed


def plain(said: list[Said]) -> list[Said]:
    """Without the words of encouragement, which depend on who is quicker."""
    return [one for one in said if one.status != 100]


@COMMON
@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 5000), max_size=12))
def test_however_requests_are_cut_the_exchange_is_the_same(asked: list[bytes], at: list[int]) -> None:
    data = b"".join(asked)

    async def both() -> Any:
        return await talk([data]), await talk(cut(data, at))

    (whole, over), (pieces, over_too) = asyncio.run(both())
    assert plain(whole) == plain(pieces) and over == over_too
    assert plain(whole) and all(one.whole for one in whole)


@COMMON
@given(requests())
def test_one_byte_at_a_time_is_enough(asked: bytes) -> None:
    async def both() -> Any:
        return await talk([asked]), await talk([asked[at : at + 1] for at in range(len(asked))])

    (whole, _), (pieces, _) = asyncio.run(both())
    assert plain(whole) == plain(pieces)


LINES = (
    *(
        b"GET / HTTP/1.1",
        b"POST /a HTTP/1.1",
        b"CONNECT x:1 HTTP/1.1",
        b"HTTP/1.0",
        b"host: x",
        b"content-length: 5",
        b"",
    ),
    *(
        b"transfer-encoding: chunked",
        b"5",
        b"hello",
        b"0",
        b"expect: 100-continue",
        b"connection: close",
        b"upgrade: x",
    ),
)
PARTS = st.sampled_from([*(line + b"\r\n" for line in LINES), b"\n", b"\0", b" ", b":", b"\xff", b"hello"])


@COMMON
@given(st.lists(st.one_of(PARTS, st.binary(max_size=40)), max_size=30), st.lists(st.integers(0, 2000), max_size=8))
def test_garbage_raises_nothing_and_what_is_said_to_it_is_whole(parts: list[bytes], at: list[int]) -> None:
    data = b"".join(parts)

    async def both() -> Any:
        return await talk([data]), await talk(cut(data, at))

    (whole, over), (pieces, over_too) = asyncio.run(both())
    assert [one.status for one in plain(whole)] == [one.status for one in plain(pieces)] and over == over_too
    assert all(one.whole for one in whole + pieces)
