"""What a server says of the connections that it keeps, and what we make of it."""

import asyncio
import math

import pytest

from fairlead.wire.address import place, request_head
from fairlead.wire.keepalive import NONE, Promise, read_promise
from fairlead.wire.pool import Pool
from upstream import Upstream, reply


@pytest.mark.parametrize(
    ("said", "promise"),
    [
        (b"timeout=5", Promise(4)),
        (b"timeout=60, max=100", Promise(59, 100)),
        (b'MAX=7; Timeout = "15"', Promise(14, 7)),
        (b"timeout=2", Promise(1)),
        (b"timeout=1", Promise(0.5)),
        (b"timeout=0, max=0", Promise(0, 0)),
        (b"timeout=20, timeout=10", Promise(9)),
        (b"", NONE),
        (b"timeout", NONE),
        (b"timeout=-5", NONE),
        (b"timeout=5.5", NONE),
        (b"timeout=1e3", NONE),
        (b"notimeout=5", NONE),
        (b"timeout=99999999999999999999", NONE),
        (b"x" * 300 + b",timeout=5", NONE),
        (b"\xff\x00=,;=timeout==5", NONE),
    ],
)
def test_a_promise_is_read_or_is_none(said: bytes, promise: Promise) -> None:
    assert read_promise([(b"Keep-Alive", said), (b"date", b"timeout=3")]) == promise


def test_of_two_promises_the_narrower_counts() -> None:
    assert read_promise([(b"keep-alive", b"timeout=9"), (b"KEEP-ALIVE", b"max=3, timeout=5")]) == Promise(4, 3)


def test_no_header_is_no_promise() -> None:
    assert read_promise([(b"connection", b"keep-alive")]) == Promise(math.inf, math.inf)


pooled = pytest.mark.anyio


async def _ask(pool: Pool, up: Upstream) -> None:
    there = place(up.url)
    await (await pool.ask(pool.origin(there), request_head("POST", there, "/x", {}), b"{}")).body()


@pooled
async def test_a_connection_ends_before_the_server_would_end_it(pool: Pool) -> None:
    async with Upstream(reply(headers={"keep-alive": "timeout=1"})) as up:
        await _ask(pool, up)
        await _ask(pool, up)
        assert up.connections == 1
        await asyncio.wait_for(up.closed.wait(), 20)
        assert (pool.open_count, pool.idle_count(pool.origin(place(up.url)))) == (0, 0)


@pooled
async def test_a_long_promise_does_not_make_ours_longer() -> None:
    pool = Pool(idle_s=0.03)
    async with Upstream(reply(headers={"keep-alive": "timeout=3600"})) as up:
        await _ask(pool, up)
        await asyncio.wait_for(up.closed.wait(), 20)
        assert pool.open_count == 0


@pooled
async def test_no_more_requests_are_sent_than_the_server_takes(pool: Pool) -> None:
    async with Upstream(reply(headers={"keep-alive": "timeout=60, max=2"})) as up:
        for _ in range(6):
            await _ask(pool, up)
        assert [asked.connection for asked in up.requests] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("said", ["timeout=0", "max=0"])
@pooled
async def test_a_connection_that_is_promised_nothing_is_not_kept(pool: Pool, said: str) -> None:
    async with Upstream(reply(headers={"keep-alive": said})) as up:
        await _ask(pool, up)
        await _ask(pool, up)
        assert up.connections == 2
