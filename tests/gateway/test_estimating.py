"""Tokens that nobody counted: of streams that are cut, of images, of events that go on as they came."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from fairlead.chat import Chat, Chunk, Head, Media, Message, Request, Stream, Text, ToolDelta, Usage
from fairlead.gateway.call import Asking, Context
from fairlead.gateway.estimating import MEDIUM_TOKENS, Words, of_answer, of_stream
from world import Table, World, caller, request, route, target


def words(*chunks: Chunk) -> int:
    seen = Words()
    for chunk in chunks:
        seen.add(chunk)
    return seen.tokens


def test_a_chunk_is_a_token_at_least_and_a_long_one_is_many() -> None:
    assert words(*[Chunk(text="a", words=True)] * 3) == 3
    assert words(Chunk(text="a" * 400, words=True)) == 100
    assert words(Chunk(reasoning="a" * 40), Chunk(tool=ToolDelta(0, arguments="b" * 40))) == 20


def test_of_events_that_go_on_as_they_came_only_what_differs_is_words() -> None:
    around = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'
    assert words(*[Chunk(spoken=around % b"ab")] * 50) == 50
    assert 100 <= words(Chunk(spoken=around % b"ab"), Chunk(spoken=around % (b"x" * 400))) <= 110


def test_nobody_says_more_than_he_may() -> None:
    long = Words()
    long.add(Chunk(text="a" * 4000))
    assert of_stream(request(), long, None, 50).output == 50


def test_what_a_target_had_counted_counts() -> None:
    few = Words(chunks=3, said=12)
    counted = Usage(input=900, output=1, cache_read=700, details={"x": 1}, spoken=b"event")
    used = of_stream(request(), few, counted, 50)
    assert used == Usage(input=900, output=3, cache_read=700, details={"x": 1}, estimated=True)
    assert of_stream(request(), few, Usage(input=9, output=40), 50).output == 40


def test_the_bytes_of_an_image_are_no_text() -> None:
    chat = Chat(messages=(Message("user", (Text("what?"), Media(kind="image", data="A" * 1_000_000))),))
    asked = request(needs=frozenset({"image"}), input_bound=None, input_bytes=1_000_400, read=lambda: chat)
    assert of_answer(asked, 40) == Usage(input=100 + MEDIUM_TOKENS, output=10, estimated=True)


class Counting(Table):
    """Tells how far it had counted when it is closed, as backends do."""

    def __init__(self, counted: Usage, lines: Any) -> None:
        super().__init__(lines)
        self.counted = counted

    async def stream(self, request: Request, asking: Asking) -> Stream:
        try:
            async with aclosing(super().stream(request, asking)) as items:
                async for item in items:
                    yield item
        finally:
            assert asking.counted is not None
            asking.counted(self.counted)


@pytest.mark.parametrize("hangs_up", [True, False])
def test_a_stream_that_is_cut_is_billed_for_what_its_target_had_counted(hangs_up: bool) -> None:
    counted = Usage(input=2000, output=30, cache_read=1500)
    lines = [Head(model="m-1"), *[Chunk(text="w", words=True)] * 3]
    world = World([route(target("a"))], {"a": lines})
    world.gateway.generation.backends["table"] = Counting(counted, {"a": lines})  # type: ignore[index]

    async def ask() -> None:
        with world.gateway.open(caller(), request(stream=True), Context()) as book:
            async with aclosing(world.gateway.stream(book)) as items:
                async for item in items:
                    if hangs_up and isinstance(item, Chunk):
                        raise asyncio.CancelledError

    if hangs_up:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(ask())
    else:
        asyncio.run(ask())
    [outcome] = world.spool.outcomes()
    assert (outcome.input_tokens, outcome.output_tokens, outcome.cache_read_tokens) == (2000, 30, 1500)
    assert outcome.estimated
