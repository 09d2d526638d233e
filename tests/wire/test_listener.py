"""The listener over real sockets: what a server that faces strangers must be good at, each by its name."""

import asyncio

import pytest

from fairlead.wire.inbound import PIPELINED, SLICE_BYTES
from pipe import responses
from wire.shop import CHUNKED, GET, LIMIT, PATIENCE_S, POST, opened

pytestmark = pytest.mark.anyio


# --- smuggling -------------------------------------------------------------------------------------------------------

CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"
AMBIGUOUS = {
    "length and chunks": CHUNKED + b"content-length: 3\r\n\r\n" + CHUNKS,
    "chunks and length": POST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "two lengths": POST + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
    "the same length twice": POST + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
    "a list of lengths": POST + b"content-length: 3, 3\r\n\r\nabc",
    "a signed length": POST + b"content-length: +3\r\n\r\nabc",
    "a negative length": POST + b"content-length: -3\r\n\r\nabc",
    "an empty length": POST + b"content-length: \r\n\r\nabc",
    "a length beyond all numbers": POST + b"content-length: 99999999999999999999999\r\n\r\nabc",
    "another coding": POST + b"transfer-encoding: gzip\r\n\r\nabc",
    "another coding before": POST + b"transfer-encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "another coding after": POST + b"transfer-encoding: chunked, gzip\r\n\r\n" + CHUNKS,
    "chunked twice": CHUNKED + b"transfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "nearly chunked": POST + b"transfer-encoding: xchunked\r\n\r\n" + CHUNKS,
    "chunked behind a tab": POST + b"transfer-encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "chunks in HTTP/1.0": b"POST /a HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "a size that is none": CHUNKED + b"\r\nzz\r\nabc\r\n0\r\n\r\n",
    "a size with 0x": CHUNKED + b"\r\n0x3\r\nabc\r\n0\r\n\r\n",
    "a negative size": CHUNKED + b"\r\n-3\r\nabc\r\n0\r\n\r\n",
    "a size beyond all numbers": CHUNKED + b"\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"\r\n3\r\nabcd\r\n0\r\n\r\n",
    "chunks with bare line feeds": CHUNKED + b"\r\n3\nabc\n0\n\n",
    "a length in the trailer": CHUNKED + b"\r\n3\r\nabc\r\n0\r\ncontent-length: 3\r\n\r\n",
    "a folded line": POST + b"a: b\r\n c\r\n\r\n",
    "a folded first line": b"GET /a HTTP/1.1\r\n host: x\r\n\r\n",
    "bare line feeds": b"GET /a HTTP/1.1\nhost: x\n\n",
    "one bare line feed": b"GET /a HTTP/1.1\r\nhost: x\nb: c\r\n\r\n",
    "a bare carriage return": b"GET /a HTTP/1.1\r\nhost: x\rb: c\r\n\r\n",
    "a space before the colon": POST + b"content-length : 3\r\n\r\nabc",
    "a header without a name": POST + b": b\r\n\r\n",
    "a header without a colon": POST + b"abc\r\n\r\n",
    "a zero byte in a value": POST + b"a: b\0c\r\n\r\n",
    "a zero byte in a name": POST + b"a\0: b\r\n\r\n",
    "a zero byte in the path": b"GET /a\0 HTTP/1.1\r\nhost: x\r\n\r\n",
    "a control character": POST + b"a: b\x01c\r\n\r\n",
    "no host": b"GET /a HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /a HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
    "a host that is none": b"GET /a HTTP/1.1\r\nhost: x/y\r\n\r\n",
    "a host with a user": b"GET /a HTTP/1.1\r\nhost: x@y\r\n\r\n",
    "two keys": b"GET /a HTTP/1.1\r\nhost: x\r\nauthorization: a\r\nauthorization: b\r\n\r\n",
    "HTTP/2": b"GET /a HTTP/2.0\r\nhost: x\r\n\r\n",
    "HTTP/2's beginning": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /a\r\n",
    "another version": b"GET /a HTTP/1.9\r\nhost: x\r\n\r\n",
    "a method of no kind": b"get /a HTTP/1.1\r\nhost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    "a path that is none": b"GET a HTTP/1.1\r\nhost: x\r\n\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\nhost: x\r\n\r\n",
    "a path that is not ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\nhost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("which", AMBIGUOUS)
async def test_what_two_readers_could_read_differently_is_refused_and_the_connection_closed(which: str) -> None:
    async with opened() as open:
        [said] = responses(await open.say(AMBIGUOUS[which] + GET))
        assert said.whole and said.headers["connection"] == "close"
        assert (said.status, said.body) == (400, b"malformed_request")
        assert all((one.method, one.path, one.finished) == ("POST", "/a", True) for one in open.shop.served)


# --- what is taken ---------------------------------------------------------------------------------------------------


async def test_requests_on_one_connection_are_answered_one_after_the_other() -> None:
    async with opened() as open:
        line = await open.call()
        for number in range(3):
            await line.send(b"GET /%d?q=%%20 HTTP/1.1\r\nHost: x\r\n\r\n" % number)
            [said] = await line.answers()
            assert (said.status, said.body) == (200, b"GET /%d?q=%%20 " % number)
            assert "connection" not in said.headers and said.headers["date"].endswith(" GMT")


async def test_pipelined_requests_are_answered_in_their_order_and_none_is_lost() -> None:
    count = 4000  # more than are looked at at once
    async with opened() as open:
        asked = b"".join(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number for number in range(count))
        line = await open.call()
        sending = asyncio.create_task(line.send(asked))
        said = await line.answers(count)
        await sending
        assert [one.body for one in said] == [b"GET /%d? " % number for number in range(count)]


async def test_few_pipelined_requests_wait_in_memory_while_one_is_served() -> None:
    async with opened() as open:
        line = await open.call()
        await line.send(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + GET * 2000)
        await open.shop.begun.wait()
        [connection] = open.listener.connections
        assert len(connection._queue) < PIPELINED + SLICE_BYTES / len(GET)  # pyright: ignore[reportPrivateUsage]
        open.shop.gate.set()
        assert len(await line.answers(2001)) == 2001


async def test_a_fault_behind_good_requests_is_told_after_their_answers() -> None:
    async with opened() as open:
        said = responses(await open.say(GET + POST + b"content-length: 2\r\n\r\nhi" + b"GET /b HTTP/1.1\r\n\r\n" + GET))
        assert [(one.status, one.body) for one in said] == [
            (200, b"GET /a? "),
            (200, b"POST /a? hi"),
            (400, b"malformed_request"),
        ]


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"GET /a HTTP/1.1\r\nhost: x\r\n", True),
        (b"GET /a HTTP/1.1\r\nhost: x\r\nConnection: Close\r\n", False),
        (b"GET /a HTTP/1.0\r\n", False),
        (b"GET /a HTTP/1.0\r\nconnection: keep-alive\r\n", True),
    ],
)
async def test_a_connection_is_kept_as_its_version_and_the_caller_want(head: bytes, kept: bool) -> None:
    async with opened() as open:
        line = await open.call()
        await line.send(head + b"\r\n")
        [said] = await line.answers()
        assert (said.status, said.body) == (200, b"GET /a? ")
        assert (said.headers.get("connection") != "close") == kept
        if kept:
            await line.send(head + b"\r\n")
            assert (await line.answers())[0].status == 200
        else:
            assert await line.rest() == b""


@pytest.mark.parametrize("size", [0, 1, 5000, LIMIT])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_comes_whole_sized_or_in_chunks(size: int, chunked: bool) -> None:
    body = b"z" * size
    async with opened() as open:
        if chunked:
            pieces = [body[at : at + 999] for at in range(0, size, 999)]
            framed = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nx-t: y\r\n\r\n"
            asked = CHUNKED + b"connection: close\r\n\r\n" + framed
        else:
            asked = POST + b"connection: close\r\ncontent-length: %d\r\n\r\n" % size + body
        [said] = responses(await open.say(asked))
        assert said.body == b"POST /a? " + (body if size < 100 else b"%d" % size)
        assert b"x-t" not in open.shop.served[0].headers


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        (b"/a/%2Fb%20c?x=%20", "/a//b c", b"x=%20", b"x"),
        (b"/%C3%A9%FF", "/é\ufffd", b"", b"x"),
        (b"http://other:1/a?b", "/a", b"b", b"other:1"),
        (b"HTTPS://[::1]:1", "/", b"", b"[::1]:1"),
        (b"http://other?b", "/", b"b", b"other"),
        (b"/a?b?c", "/a", b"b?c", b"x"),
        (b"//a", "//a", b"", b"x"),
    ],
)
async def test_a_target_is_a_path_or_a_whole_url(target: bytes, path: str, query: bytes, host: bytes) -> None:
    async with opened() as open:
        await open.say(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        [incoming] = open.shop.served
        assert (incoming.path, incoming.query, incoming.headers[b"host"]) == (path, query, host)


async def test_head_is_answered_without_a_body_and_with_its_length() -> None:
    async with opened() as open:
        said = await open.say(b"HEAD /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert b"content-length: 9\r\n" in said and said.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("more", [b"upgrade: websocket\r\n", b"upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"])
async def test_an_upgrade_is_passed_over_and_the_connection_closed(more: bytes) -> None:
    async with opened() as open:
        said = await open.say(
            b"GET /a HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n" + more + b"\r\n" + b"\0\1\2" + GET
        )
        [only] = responses(said)
        assert (only.status, only.headers["connection"]) == (200, "close")


async def test_headers_that_come_twice_stand_side_by_side() -> None:
    async with opened() as open:
        await open.say(b"GET /a HTTP/1.1\r\nhost: x\r\nX-A: 1 \r\nx-a:\t2\r\nconnection: close\r\n\r\n")
        assert open.shop.served[0].headers[b"x-a"] == b"1, 2"


# --- expectations ----------------------------------------------------------------------------------------------------

EXPECTING = POST + b"content-length: 5\r\nexpect: 100-Continue\r\nconnection: close\r\n\r\n"


async def test_who_waits_for_a_word_before_the_body_gets_it() -> None:
    async with opened() as open:
        line = await open.call()
        await line.send(EXPECTING)
        assert await line.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await line.send(b"hello")
        assert (await line.rest()).endswith(b"POST /a? hello")


async def test_who_is_refused_gets_the_last_word_at_once() -> None:
    async with opened() as open:
        said = await open.say(EXPECTING.replace(b"/a", b"/unread"))
        assert said.startswith(b"HTTP/1.1 401 ") and said.endswith(b"who?")


async def test_who_sends_the_body_at_once_is_not_told_to_go_on() -> None:
    async with opened() as open:
        assert (await open.say(EXPECTING + b"hello")).startswith(b"HTTP/1.1 200 ")


async def test_other_expectations_are_not_met() -> None:
    async with opened() as open:
        [said] = responses(await open.say(POST + b"expect: miracles\r\ncontent-length: 5\r\n\r\nhello"))
        assert said.body == b"expectation_unmet" and said.headers["connection"] == "close"


# --- draining --------------------------------------------------------------------------------------------------------


async def test_a_drain_finishes_what_is_begun_answers_what_races_in_and_closes_the_rest() -> None:
    async with opened() as open:
        idle, begun, racing, waiting = [await open.call() for _ in range(4)]
        for line in (idle, racing):
            await line.send(GET)
            assert (await line.answers())[0].status == 200
        await begun.send(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + GET)
        await open.shop.begun.wait()
        closing = asyncio.create_task(open.listener.close(PATIENCE_S))
        await asyncio.sleep(0)
        await racing.send(GET)
        late = await open.call()
        await late.send(GET)
        for line in (racing, late):
            [said] = responses(await line.rest())
            assert (said.status, said.headers["connection"]) == (200, "close")
        assert await idle.rest() == b"" and await waiting.rest() == b""
        assert not closing.done()
        open.shop.gate.set()
        said = responses(await begun.rest())
        assert [(one.status, one.headers.get("connection")) for one in said] == [(200, None), (200, "close")]
        await closing
        with pytest.raises(ConnectionError):
            await open.call()


async def test_the_end_of_a_drain_cuts_off_what_goes_on() -> None:
    async with opened() as open:
        line = await open.call()
        await line.send(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        await open.shop.begun.wait()
        await open.listener.close(0.2)
        assert open.shop.left.is_set() and await line.ends()
