"""Events that are taken while they are waited for, without anybody being woken."""

import asyncio

import pytest

from fairlead.errors import StreamBroken, TargetTimeout, TargetUnclear
from fairlead.wire.address import place, request_head
from fairlead.wire.connection import Connection
from fairlead.wire.pool import Pool
from fairlead.wire.response import Deadlines, EventStream
from fairlead.wire.sse import Event, Events
from upstream import Upstream, events
from wire.mute import Wire

pytestmark = pytest.mark.anyio


class Glass:
    """Takes what is poured: so many batches at a time."""

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.poured: list[bytes] = []

    def take(self, batch: list[Event]) -> bool:
        self.poured += [data for _, data in batch]
        self.most -= 1
        return self.most > 0


async def opened(pool: Pool, url: str, deadlines: Deadlines, most_bytes: int = 1000) -> EventStream:
    there = place(url)
    response = await pool.ask(pool.origin(there), request_head("POST", there, "/v1/x", {}), b"{}", deadlines)
    return response.events(Events(most_bytes))


async def heard(stream: EventStream, glass: Glass, got: list[bytes]) -> list[bytes]:
    """What was not poured; after the first batch all may be."""
    async for batch in stream:
        got += [data for _, data in batch]
        stream.tap = glass.take if glass.most > 0 else None
    return got


WORDS = (b"one", b"two", b"three", b"four")
LONG = Deadlines(first_token_s=20, between_tokens_s=20, total_s=60)


async def test_what_comes_while_it_is_waited_for_is_poured(pool: Pool) -> None:
    glass = Glass()
    async with Upstream(events(*WORDS, delay_s=0.05)) as up:
        got = await heard(await opened(pool, up.url, LONG), glass, [])
    assert got + glass.poured == list(WORDS) and got[:1] == [b"one"] and glass.poured


async def test_a_full_glass_leaves_the_rest_to_whoever_reads(pool: Pool) -> None:
    glass = Glass(most=1)
    async with Upstream(events(*WORDS, delay_s=0.05)) as up:
        got = await heard(await opened(pool, up.url, LONG), glass, [])
    assert sorted(got + glass.poured) == sorted(WORDS) and glass.most == 0 and got[-1] == b"four"


async def test_what_is_poured_is_a_sign_of_life(pool: Pool) -> None:
    glass, got = Glass(), []
    async with Upstream(events(*WORDS, delay_s=0.4, then="stall")) as up:
        deadlines = Deadlines(first_token_s=20, between_tokens_s=1.0, total_s=60)
        with pytest.raises(TargetTimeout) as caught:
            await heard(await opened(pool, up.url, deadlines), glass, got)
    assert got + glass.poured == list(WORDS) and caught.value.details["stage"] == "between_tokens"


async def test_the_whole_deadline_holds_while_it_is_poured(pool: Pool) -> None:
    glass, got = Glass(most=10_000), []
    async with Upstream(events(*[b"on and on"] * 2000, delay_s=0.01)) as up:
        with pytest.raises(TargetTimeout) as caught:
            await heard(await opened(pool, up.url, Deadlines(between_tokens_s=20, total_s=0.3)), glass, got)
    assert caught.value.details["stage"] == "total"


@pytest.mark.parametrize("then", ["hang_up", "reset"])
async def test_a_stream_that_is_cut_is_broken_after_all_that_was_poured(pool: Pool, then: str) -> None:
    glass, got = Glass(), []
    async with Upstream(events(*WORDS, delay_s=0.05, then=then)) as up:
        with pytest.raises(StreamBroken):
            await heard(await opened(pool, up.url, LONG), glass, got)
    assert got + glass.poured == list(WORDS)


async def test_an_event_that_is_too_long_breaks_off_what_is_poured(pool: Pool) -> None:
    glass, got = Glass(), []
    async with Upstream(events(b"one", b"two", b"x" * 200, b"four", delay_s=0.05)) as up:
        with pytest.raises(TargetUnclear):
            await heard(await opened(pool, up.url, LONG, most_bytes=100), glass, got)
    assert got + glass.poured == [b"one", b"two"] and pool.open_count == 0


async def test_a_bug_of_whoever_takes_it_breaks_the_stream_and_is_in_the_log(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    def clumsy(batch: list[Event]) -> bool:
        raise ZeroDivisionError("a bug")

    async with Upstream(events(*WORDS, delay_s=0.05)) as up:
        stream = await opened(pool, up.url, LONG)
        with pytest.raises(TargetUnclear, match="could not be read here"):
            async for _ in stream:
                stream.tap = clumsy
    assert "ZeroDivisionError" in caplog.text and "clumsy" in caplog.text


async def test_pieces_that_came_together_are_poured_at_once() -> None:
    """Whoever is behind finds more each time it looks, and so catches up."""
    loop, wire, poured = asyncio.get_running_loop(), Wire(), []

    def take(batch: list[Event]) -> bool:
        poured.append([data for _, data in batch])
        return True

    connection = Connection(loop, "there", lambda _: None, lambda _: None)
    connection.connection_made(wire)  # type: ignore[arg-type]
    response = connection.send(b"", b"", LONG, loop.time(), loop.time() + 60)
    connection.data_received(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk(b"zero"))
    await response.head()
    stream = response.events()
    assert await anext(stream) == [("message", b"zero")]
    stream.tap = take
    waiting = asyncio.create_task(anext(stream, None))
    await asyncio.sleep(0)
    connection.data_received(b"".join(map(chunk, WORDS)))
    connection.data_received(chunk(b"five") + b"0\r\n\r\n")
    assert await waiting is None and poured == [list(WORDS), [b"five"]]
    connection.connection_lost(None)


def chunk(data: bytes) -> bytes:
    said = b"data: %b\n\n" % data
    return b"%x\r\n%b\r\n" % (len(said), said)
