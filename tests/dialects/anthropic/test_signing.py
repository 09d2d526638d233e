"""Anthropic's language: signatures of several providers in the blocks of one conversation."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace

from fairlead.chat import Answer, Chunk, Head, Message, Said, Text, Thinking, ToolCall, ToolDelta
from fairlead.dialects import anthropic
from fairlead.dialects.anthropic.signing import Heard, hear
from fairlead.dialects.reading import read_fields
from fairlead.dialects.signatures import has_wrapped

TEXTS = some.text(max_size=20)
ORIGINS = some.sampled_from(["", "openai", "responses", "gemini", "bedrock", "anthropic"])
THOUGHTS = some.builds(
    lambda text, signature, origin: Thinking(text, signature or None, origin), TEXTS, TEXTS, ORIGINS
) | some.builds(lambda signature, id: Thinking("", signature or None, "responses", id=id), TEXTS, TEXTS)
HIDDEN = some.builds(
    lambda signature, origin: Thinking("", signature or None, origin, redacted=True),
    TEXTS,
    ORIGINS,
)
CALLS = some.builds(
    lambda signature, origin: ToolCall("", "f", "{}", signature, origin) if signature else ToolCall("", "f", "{}"),
    some.none() | some.text(min_size=1, max_size=20),
    ORIGINS,
)


def numbered(parts):
    """Each call with an id of its own."""
    return tuple(
        replace(part, id=f"id{place}") if isinstance(part, ToolCall) else part for place, part in enumerate(parts)
    )


def blocks_of(*parts):
    body = anthropic.write_answer(Answer(id="a", said=(Said(parts, "stop"),)), created=0)
    return json.loads(body)["content"]


def sent_back(blocks) -> Message:
    """What is read of an assistant's turn that a client keeps and sends back unchanged."""
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": blocks}]
    chat = anthropic.read_chat(read_fields(json.dumps({"model": "m", "max_tokens": 1, "messages": messages}).encode()))
    return chat.messages[1]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Thinking("hm", "sig", "anthropic"), {"type": "thinking", "thinking": "hm", "signature": "sig"}),
        (Thinking("hm", "sig", "gemini"), {"type": "thinking", "thinking": "hm", "signature": "~fairlead:gemini:sig"}),
        (Thinking("hm", None, "openai"), {"type": "thinking", "thinking": "hm", "signature": "~fairlead:openai:"}),
        (Thinking("hm"), {"type": "thinking", "thinking": "hm", "signature": "~fairlead::"}),
        (
            Thinking("hm", "sig", "responses", id="rs_1"),
            {"type": "thinking", "thinking": "hm", "signature": '~fairlead:responses/id:["rs_1","sig"]'},
        ),
        (Thinking("", "data", "bedrock", True), {"type": "redacted_thinking", "data": "~fairlead:bedrock:data"}),
    ],
)
def test_reasoning_is_told_with_the_mark_of_who_signed_it(part, block):
    assert blocks_of(part) == [block]


def test_the_signature_of_a_call_stands_in_a_hidden_block_before_it():
    hidden, call = blocks_of(ToolCall("t", "f", "{}", "sig", "gemini"))
    assert hidden == {"type": "redacted_thinking", "data": '~fairlead:gemini/call:["t","sig"]'}
    assert call == {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    assert has_wrapped(json.dumps(hidden).encode())


@given(some.lists(THOUGHTS | HIDDEN | CALLS | some.builds(Text, TEXTS), max_size=6).map(numbered))
def test_a_turn_that_is_sent_back_is_what_was_said(parts):
    assert sent_back(blocks_of(*parts)).parts == parts


@given(some.lists(THOUGHTS | HIDDEN | CALLS | some.builds(Text, TEXTS), max_size=6).map(numbered))
def test_a_house_behind_a_house_hears_the_same(parts):
    body = anthropic.write_answer(Answer(id="a", said=(Said(parts, "length"),)), created=0)
    assert anthropic.read_answer(body, full=True).said == (Said(parts, "length"),)


def test_a_signature_finds_its_call_wherever_it_stands_in_the_turn():
    hidden, call = blocks_of(ToolCall("t", "f", "{}", "sig", "gemini"))
    assert sent_back([call, hidden]).parts == (ToolCall("t", "f", "{}", "sig", "gemini"),)


def test_a_signature_whose_call_is_gone_is_gone_too():
    hidden, _ = blocks_of(ToolCall("t", "f", "{}", "sig", "gemini"))
    assert sent_back([hidden, {"type": "text", "text": "x"}]).parts == (Text("x"),)


@pytest.mark.parametrize("said", ["", "plain", "~fairlead:", "~fairlead", "x/call:[1]"])
def test_what_is_not_wrapped_is_the_languages_own(said):
    assert hear(said) == Heard(said or None, "anthropic")


def test_a_pair_that_is_none_is_a_signature():
    assert hear("~fairlead:x/call:oops") == Heard("oops", "x/call")


def test_signatures_in_a_stream_go_the_same_way():
    writer, reader = anthropic.StreamWriter(), anthropic.StreamReader(full=True)
    said = (
        Head("m", "model", dialect="gemini"),
        Chunk(reasoning="hm", words=True),
        Chunk(part=Thinking("", "s1", "gemini", id="n")),
        Chunk(reasoning="unsigned", words=True),
        Chunk(tool=ToolDelta(0, "a", "f", "{}", "s2", "gemini"), words=True),
        Chunk(tool=ToolDelta(1, "b", "f", "{}"), words=True),
        Chunk(tool=ToolDelta(1, signature="late", origin="gemini")),
        Chunk(part=Thinking("", "d", "bedrock", redacted=True), words=True),
        Chunk(text="x", words=True),
        Chunk(part=Thinking("", "s3", "gemini")),
        Chunk(finish="tool_calls"),
    )
    written = b"".join(writer.write(item) for item in said) + writer.end()
    heard = [
        item
        for event in written.decode().split("\n\n")
        if event
        for item in reader.read("", event.partition("\ndata: ")[2].encode())
    ]
    assert [item.part for item in heard if isinstance(item, Chunk) and item.part] == [
        Thinking("", "s1", "gemini", id="n"),
        Thinking("", "d", "bedrock", redacted=True),
        Thinking("", "s3", "gemini"),
    ]
    assert [item.tool for item in heard if isinstance(item, Chunk) and item.tool and item.tool.signature] == [
        ToolDelta(0, "a", "f", "", "s2", "gemini"),
        ToolDelta(1, signature="late", origin="gemini"),
    ]
    assert '"signature":"~fairlead:gemini:"' in written.decode()
