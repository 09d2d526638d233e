"""What no caller may take from the listener: memory, time, places; and how connections end."""

import asyncio

import pytest

from pipe import responses
from wire.shop import CHUNKED, GET, POST, opened

pytestmark = pytest.mark.anyio


# --- limits ----------------------------------------------------------------------------------------------------------

LONG = b"a" * 200_000


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (b"GET /" + LONG, b"url_too_long"),
        (b"GET /" + LONG[:17_000] + b" HTTP/1.1\r\nhost: x\r\n\r\n", b"url_too_long"),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + LONG, b"head_too_large"),
        (b"GET / HTTP/1.1\r\nhost: x\r\n" + LONG, b"head_too_large"),
        (
            b"GET / HTTP/1.1\r\nhost: x\r\n" + b"".join(b"h%d: 1\r\n" % n for n in range(200)) + b"\r\n",
            b"head_too_large",
        ),
        (CHUNKED + b"\r\n5;" + LONG, b"malformed_request"),
        (CHUNKED + b"\r\n0\r\nx-trailer: " + LONG, b"malformed_request"),
    ],
)
async def test_what_is_no_body_is_bounded(asked: bytes, code: bytes) -> None:
    async with opened() as open:
        [said] = responses(await open.say(asked))
        assert (said.body, said.headers["connection"]) == (code, "close")


async def test_a_body_that_is_announced_too_large_is_refused_unread() -> None:
    async with opened() as open:
        line = await open.call()
        await line.send(POST + b"content-length: 900000000\r\n\r\n")
        [said] = responses(await line.rest())
        assert (said.status, said.body, said.headers["connection"]) == (413, b"body_too_large", "close")


async def test_a_body_that_grows_too_large_is_refused_and_who_still_sends_can_read_it() -> None:
    async with opened() as open:
        line = await open.call()
        await line.send(CHUNKED + b"\r\n")
        for _ in range(30):
            await line.send(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        [said] = responses(await line.rest())
        assert (said.status, said.body) == (413, b"body_too_large")


async def test_a_body_that_nobody_asks_for_is_not_read_into_memory() -> None:
    async with opened() as open:
        line = await open.call()
        await line.send(b"POST /wait HTTP/1.1\r\nhost: x\r\ncontent-length: 50000000\r\n\r\n")
        sending = asyncio.create_task(line.send(b"x" * 50_000_000))
        await open.shop.begun.wait()
        [incoming] = open.shop.served
        await open.until(lambda: incoming.size > 65536)
        done, _ = await asyncio.wait({sending}, timeout=0.3)
        assert not done and incoming.size < 2_000_000
        sending.cancel()
        line.reset()


async def test_one_connection_too_many_is_told_so_and_others_stay() -> None:
    async with opened(max_connections=2) as open:
        kept = [await open.call() for _ in range(2)]
        await open.until(lambda: len(open.listener.connections) == 2)
        [said] = responses(await open.say(GET))
        assert (said.body, said.headers["connection"]) == (b"too_many_connections", "close")
        for line in kept:
            await line.send(GET)
            assert (await line.answers())[0].status == 200
        kept[0].writer.close()
        await open.until(lambda: len(open.listener.connections) == 1)
        line = await open.call()
        await line.send(GET)
        assert (await line.answers())[0].status == 200


# --- time ------------------------------------------------------------------------------------------------------------

SOON_S = 0.15


@pytest.mark.parametrize("start", [b"G", b"GET /a HTTP/1.1\r\nhost: x\r\n", b"\r\n\r\n"])
async def test_a_head_that_comes_too_slowly_is_not_waited_for(start: bytes) -> None:
    async with opened(head_s=SOON_S) as open:
        said = await open.say(start)
        assert said == b"" if start.isspace() else responses(said)[0].body == b"request_too_slow"


async def test_a_head_that_drips_is_not_waited_for_either() -> None:
    async with opened(head_s=SOON_S) as open:
        line = await open.call()
        rest = asyncio.create_task(line.rest())
        try:
            while not rest.done():
                await line.send(b"GET /a HTTP/1.1\r\nhost: x\r\n" if not open.listener.connections else b"a: b\r\n")
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        await asyncio.wait({rest})
        assert rest.exception() is not None or b"request_too_slow" in rest.result() or b"malformed" in rest.result()


async def test_a_caller_who_says_nothing_is_let_go_without_a_word() -> None:
    async with opened(head_s=SOON_S) as open:
        assert await open.say() == b""


@pytest.mark.parametrize("head", [POST + b"content-length: 9\r\n\r\n123", CHUNKED + b"\r\n3\r\nabc\r\n"])
async def test_a_body_that_stops_is_not_waited_for(head: bytes) -> None:
    async with opened(body_s=SOON_S) as open:
        [said] = responses(await open.say(head))
        assert said.body == b"request_too_slow" and said.headers["connection"] == "close"


async def test_a_body_that_drips_below_the_least_pace_is_not_waited_for() -> None:
    async with opened(body_s=SOON_S) as open:
        line = await open.call()
        await line.send(POST + b"content-length: 90000\r\n\r\n")
        rest = asyncio.create_task(line.rest())
        while not rest.done():
            try:
                await line.send(b"x")
            except ConnectionError:
                break
            await asyncio.sleep(0.01)
        await asyncio.wait({rest})
        assert rest.exception() is not None or b"request_too_slow" in rest.result()
        assert open.shop.served[0].size < 90_000


async def test_an_idle_connection_is_closed_in_its_time() -> None:
    async with opened(idle_s=SOON_S) as open:
        line = await open.call()
        await line.send(GET)
        assert (await line.answers())[0].status == 200
        assert await line.rest() == b""


@pytest.mark.parametrize("path", [b"/flood", b"/big"])
async def test_a_caller_who_does_not_read_is_cut_off_and_little_waits_in_memory(path: bytes) -> None:
    async with opened(write_s=SOON_S) as open:
        line = await open.call()
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await line.send(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        await open.until(lambda: bool(open.shop.served))
        [connection] = open.listener.connections
        await open.until(lambda: connection.congested)
        assert connection.unsent < (9_000_000 if path == b"/big" else 1_000_000)
        await open.until(lambda: not open.listener.connections)
        if path == b"/flood":
            await open.until(open.shop.left.is_set)
        line.writer.close()


async def test_a_caller_who_reads_slowly_gets_all_of_it() -> None:
    async with opened(write_s=SOON_S) as open:
        line = await open.call()
        await line.send(b"GET /big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        size = 0
        while data := await line.reader.read(300_000):
            size += len(data)
            await asyncio.sleep(0.005)
        assert size > 8_000_000


# --- ends ------------------------------------------------------------------------------------------------------------


async def test_who_ends_his_direction_is_still_answered() -> None:
    async with opened() as open:
        assert (await open.say(GET, then_eof=True)).endswith(b"GET /a? ")
        line = await open.call()
        await line.send(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n" + GET)
        line.writer.write_eof()
        await open.shop.begun.wait()
        await open.until(lambda: all(connection.has_heard_all for connection in open.listener.connections))
        open.shop.gate.set()
        said = [one for one in responses(await line.rest()) if one.status != 100]
        assert [one.body for one in said] == [b"GET /wait? ", b"GET /a? "]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("path", [b"/wait", b"/stream"])
async def test_who_is_gone_stops_the_work(path: bytes, how: str) -> None:
    async with opened() as open:
        line = await open.call()
        await line.send(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\n\r\n")
        await open.shop.begun.wait()
        if how == "reset":
            line.reset()
        else:
            line.writer.close()
            await line.writer.wait_closed()
        if path == b"/stream" and how == "close":
            open.shop.gate.set()  # its next words find nobody
        await open.until(lambda: not open.listener.connections)
        if path == b"/wait" or how == "reset":
            await open.until(open.shop.left.is_set)


async def test_a_body_that_ends_early_is_no_body() -> None:
    async with opened() as open:
        [said] = responses(await open.say(POST + b"content-length: 9\r\n\r\n123", then_eof=True))
        assert said.body == b"malformed_request"


async def test_a_stream_comes_piece_by_piece_and_ends_with_its_last_chunk() -> None:
    async with opened() as open:
        line = await open.call()
        await line.send(b"GET /stream HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await line.reader.readuntil(b"one \r\n")).count(b"\r\n\r\n") == 1
        open.shop.gate.set()
        assert (await line.reader.readuntil(b"0\r\n\r\n")) == b"4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"
        await line.send(GET)
        assert (await line.answers())[0].body == b"GET /a? "


async def test_a_stream_in_http_1_0_ends_with_the_connection() -> None:
    async with opened() as open:
        open.shop.gate.set()
        said = await open.say(b"GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
        assert said.endswith(b"\r\n\r\none two three") and b"connection: close" in said and b"chunked" not in said


async def test_no_value_breaks_out_of_its_header() -> None:
    async with opened() as open:
        said = await open.say(b"GET /odd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        [only] = responses(said)
        assert only.headers["x-said"] == "a set-cookie: b=c d" and "set-cookie" not in only.headers
        assert b"\0" not in said
