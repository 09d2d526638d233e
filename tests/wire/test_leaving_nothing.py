"""Connections that ended are gone at once: a worker would keep each that is a cycle for many thousands of requests."""

import asyncio
from contextlib import suppress

import pytest

from fairlead.errors import StreamBroken, TargetError
from fairlead.wire.address import place, request_head
from fairlead.wire.connection import Connection
from fairlead.wire.inbound import Inbound
from fairlead.wire.incoming import Incoming
from fairlead.wire.pool import Pool
from fairlead.wire.requests import Requests
from fairlead.wire.response import EventStream, Response
from fairlead.wire.timer import Timer
from leftovers import living, no_collector
from upstream import Upstream, events, hang_up, raw, reset
from wire.shop import GET, LIMIT, PATIENCE_S, POST, opened

pytestmark = pytest.mark.anyio
TIMES = 5
OF_A_CALLER = (Inbound, Requests, Incoming, Timer)
OF_A_TARGET = (Connection, Response, EventStream, Timer)


async def gone(*kinds: type, but: int) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            while living(*kinds) > but:
                await asyncio.sleep(0.01)
    return living(*kinds) <= but


@pytest.mark.parametrize(
    "said",
    [
        b"",
        GET,
        GET[:20],
        b"no http\r\n\r\n",
        POST + b"content-length: 9\r\n\r\nabc",
        b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=["nothing", "a request", "half a head", "no HTTP", "half a body", "a request that is not answered yet"],
)
async def test_nothing_is_left_of_a_caller_who_left(said: bytes) -> None:
    with no_collector():
        before = living(*OF_A_CALLER)
        async with opened() as shop:
            for _ in range(TIMES):
                line = await shop.call()
                await line.send(said)
                await shop.until(lambda: bool(shop.listener.connections))
                line.reset()
                await shop.until(lambda: not shop.listener.connections)
            shop.shop.served.clear()
            assert await gone(*OF_A_CALLER, but=before)


async def test_nothing_is_left_of_a_request_whose_body_was_too_large() -> None:
    with no_collector():
        before = living(*OF_A_CALLER)
        async with opened() as shop:
            await shop.say(POST + b"content-length: %d\r\n\r\n" % (LIMIT + 1))
            shop.shop.served.clear()
            assert await gone(*OF_A_CALLER, but=before)


@pytest.mark.parametrize(
    "step",
    [
        events(b"1", b"2"),
        events(b"1", then="hang_up"),
        events(b"1", then="reset"),
        hang_up(),
        reset(),
        raw(b"no http\r\n\r\n"),
    ],
    ids=["an end", "a cut", "a reset midway", "no answer", "a reset", "no HTTP"],
)
async def test_nothing_is_left_of_a_connection_to_a_target(pool: Pool, step: object) -> None:
    with no_collector():
        before = living(*OF_A_TARGET)
        async with Upstream(step) as up:  # type: ignore[arg-type]
            for _ in range(TIMES):
                await read_all(pool, up.url)
        assert await gone(*OF_A_TARGET, but=before)


async def test_nothing_is_left_of_an_answer_that_nobody_reads_to_its_end(pool: Pool) -> None:
    with no_collector():
        before = living(*OF_A_TARGET)
        async with Upstream(events(b"1", then="stall")) as up:
            for _ in range(TIMES):
                there = place(up.url)
                response = await pool.ask(pool.origin(there), request_head("POST", there, "/v1/x", {}), b"{}")
                response.close()
                del response
            assert await gone(*OF_A_TARGET, but=before)


async def read_all(pool: Pool, url: str) -> None:
    there = place(url)
    with suppress(TargetError):
        response = await pool.ask(pool.origin(there), request_head("POST", there, "/v1/x", {}), b"{}")
        async for _ in response.events():
            pass


async def test_a_failure_is_raised_as_often_as_it_is_read(pool: Pool) -> None:
    async with Upstream(events(b"1", then="hang_up")) as up:
        there = place(up.url)
        response = await pool.ask(pool.origin(there), request_head("POST", there, "/v1/x", {}), b"{}")
        for _ in range(2):
            with pytest.raises(StreamBroken):
                await response.body()
