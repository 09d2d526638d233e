"""What translation costs: a streamed chunk from every language into every other, and a request of 4 kB.

`make bench-dialects` runs it under pytest-benchmark. Goals: 15 µs a chunk, 60 µs a request (medians). The events that
are timed are made by the languages' own writers, so that every pair says the same.
"""

from types import ModuleType
from typing import Any

import msgspec
import pytest

from fairlead.chat import Chat, Chunk, Head, Item, Message, Text, Tool, ToolCall, ToolDelta, Usage
from fairlead.dialects import bedrock
from fairlead.dialects.losses import Losses
from fairlead.dialects.probes import LANGUAGES
from fairlead.dialects.reading import read_fields
from fairlead.wire.eventstream import Frames
from fairlead.wire.sse import Events

pytestmark = pytest.mark.benchmark(disable_gc=True, warmup=True, min_rounds=200)
PAIRS = [(target, caller) for target in LANGUAGES for caller in LANGUAGES if target is not caller]
NAMES = [f"{target.DIALECT} to {caller.DIALECT}" for target, caller in PAIRS]
PIECES: list[Chunk] = [
    *(Chunk(text=f" word {n}", words=True) for n in range(80)),
    Chunk(tool=ToolDelta(0, "call_1", "look_up"), words=True),
    *(Chunk(tool=ToolDelta(0, arguments=f"{n},"), words=True) for n in range(16)),
]


def spoken(language: ModuleType) -> list[tuple[str, bytes]]:
    """A stream of about a hundred events as a provider of that language says it."""
    writer = language.StreamWriter(model="m", created=1, include_usage=True)
    items: list[Item] = [Head("id", "m"), *PIECES, Chunk(finish="tool_calls"), Usage(100, 100)]
    told = b"".join(writer.write(item) for item in items) + writer.end()
    return (Frames() if language is bedrock else Events()).feed(told)


@pytest.mark.parametrize(("target", "caller"), PAIRS, ids=NAMES)
def test_a_stream_is_translated(benchmark: Any, target: ModuleType, caller: ModuleType) -> None:
    events = spoken(target)

    def translate() -> bytes:
        reader = target.StreamReader(full=True)
        writer = caller.StreamWriter(model="m", created=1, include_usage=True)
        told = [writer.write(item) for event, data in events for item in reader.read(event, data)]
        return b"".join([*told, *(writer.write(item) for item in reader.close()), writer.end()])

    assert benchmark(translate)
    benchmark.extra_info["events"] = len(events)
    benchmark.extra_info["us_per_event"] = round(benchmark.stats.stats.median * 1e6 / len(events), 2)
    benchmark.extra_info["goal_us"] = 15


def long_chat() -> Chat:
    """About 4 kB of conversation with tools."""
    schema = msgspec.Raw(b'{"type":"object","properties":{"id":{"type":"integer"},"name":{"type":"string"}}}')
    tools = tuple(Tool(f"tool_{n}", "Looks something up in the archive.", schema) for n in range(4))
    turns: list[Message] = [Message("system", (Text("You are a careful clerk. " * 20),))]
    for n in range(4):
        turns += [
            Message("user", (Text("What does the archive say of this? " * 8),)),
            Message("assistant", (Text("I look."), ToolCall(f"call_{n}", "tool_1", '{"id": 7, "name": "x"}'))),
            Message("tool", (Text("It says a good deal about it. " * 8),), tool_call_id=f"call_{n}"),
        ]
    return Chat(messages=tuple(turns), tools=tools, max_output_tokens=512, temperature=0.5)


def said(chat: Chat, language: ModuleType) -> bytes:
    return language.write_request(
        chat, model="m", max_output_tokens=512, stream=True, params={}, quirks={}, losses=Losses(language.LANGUAGE)
    )


@pytest.mark.parametrize(("target", "caller"), PAIRS, ids=NAMES)
def test_a_request_of_4_kb_is_translated(benchmark: Any, target: ModuleType, caller: ModuleType) -> None:
    fields = read_fields(said(long_chat(), caller))
    assert benchmark(lambda: said(caller.read_chat(fields), target))
    benchmark.extra_info["us"] = round(benchmark.stats.stats.median * 1e6, 1)
    benchmark.extra_info["goal_us"] = 60
