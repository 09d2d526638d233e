"""A stream that comes piece by piece, and so past all layers, says and costs what it does when it comes at once."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from fairlead.backends.http import Http
from fairlead.wire.pool import Pool
from server.client import CHAT, Client
from upstream import Upstream, events
from world import World, route, target


def event(choices: list[Any], **rest: Any) -> bytes:
    said = {"id": "c1", "object": "chat.completion.chunk", "model": "m-1", "choices": choices, **rest}
    return json.dumps(said).encode()


def word(text: str) -> bytes:
    return event([{"index": 0, "delta": {"content": text}, "finish_reason": None}])


FIRST = event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
WORDS = [word(text) for text in ("Good ", "day", " to ", "you", ".")]
STOP = event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
USED = event([], usage={"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12})
ERROR = b'{"error":{"message":"the model fell over","type":"server_error"}}'
STREAMS: dict[str, tuple[list[bytes], str]] = {
    "whole": ([FIRST, *WORDS, STOP, USED, b"[DONE]"], "end"),
    "without usage": ([FIRST, *WORDS, STOP, b"[DONE]"], "end"),
    "without a mark at its end": ([FIRST, *WORDS, STOP, USED], "end"),
    "without an end": ([FIRST, *WORDS], "end"),
    "cut": ([FIRST, *WORDS], "hang_up"),
    "with an error": ([FIRST, *WORDS, ERROR], "end"),
    "unreadable": ([FIRST, *WORDS, b'{"choices": ['], "end"),
}


def played(said: list[bytes], then: str, delay_s: float, **settings: Any) -> Any:
    """What the caller hears, and what stands in the books."""

    async def run() -> Any:
        pool = Pool()
        async with Upstream(events(*said, delay_s=delay_s, then=then)) as up:
            world = World([route(target("a"), **settings)], {})
            backend = Http(pool, kind="openai", base_url=up.url, key="sk-test")
            world.gateway.generation = replace(world.gateway.generation, backends={"table": backend})
            writes: list[bytes] = []
            client = Client(world)
            client.seen = writes.append
            try:
                status, _, body = await client.ask(body={**CHAT, "stream": True})
            finally:
                await pool.close()
            [outcome], [call] = world.spool.outcomes(), world.spool.calls()
            books = (
                (outcome.outcome, outcome.finish, outcome.input_tokens, outcome.output_tokens, outcome.estimated),
                (outcome.cost_nusd, outcome.served_model, call.status, call.cost_nusd),
            )
            return status, body.replace(up.url.removeprefix("http://").encode(), b"THERE"), books, len(writes)

    return asyncio.run(run())


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_the_same_piece_by_piece(name: str) -> None:
    said, then = STREAMS[name]
    at_once, apart = played(said, then, 0.0), played(said, then, 0.02)
    assert apart[:3] == at_once[:3]
    assert apart[3] >= len(WORDS)


def test_a_route_that_holds_streams_back_is_told_nothing_early() -> None:
    said, then = STREAMS["cut"]
    status, body, _, _ = played(said, then, 0.02, on_break="buffer")
    assert status == 502 and b"Good" not in body


def test_what_came_together_with_an_error_is_told_before_it() -> None:
    said = [FIRST, *WORDS, word("last") + b"\n\ndata: " + ERROR]
    _, body, books, _ = played(said, "end", 0.02)
    assert body.index(b"last") < body.index(b"error") and books[0][0] == "target_failed"
