"""OpenAI's language, inwards: the full reading, and the way back out of it."""

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead.chat import Chat, Media, Message, Opaque, Role, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import openai
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

HELLO = {"role": "user", "content": "hello"}


def read(*messages, **fields) -> Chat:
    return openai.read_chat(read_fields(json.dumps({"model": "x", "messages": messages or [HELLO], **fields}).encode()))


def refusal(*messages, **fields) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as caught:
        read(*messages, **fields)
    return caught.value


def plain(value):
    """Raw values compare by identity: compare what they say."""
    return msgspec.json.decode(msgspec.json.encode(value))


def test_a_whole_conversation_is_read():
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
    chat = read(
        {"role": "developer", "content": "be brief"},
        {"role": "user", "name": "ann", "content": [
            {"type": "text", "text": "what is it"},
            {"type": "image_url", "image_url": {"url": "https://example.org/x.png", "detail": "low"}},
        ]},
        {"role": "assistant", "content": None, "reasoning_content": "let me look", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "a cat"},
    )  # fmt: skip
    assert chat.messages == (
        Message("system", (Text("be brief"),)),
        Message(
            "user", (Text("what is it"), Media(kind="image", url="https://example.org/x.png", detail="low")), name="ann"
        ),
        Message("assistant", (Thinking("let me look"), ToolCall("c1", "look", '{"a":1}'))),
        Message("tool", (Text("a cat"),), tool_call_id="c1"),
    )


def test_the_fields_are_read():
    chat = read(
        temperature=1, top_p=0.5, top_k=4, stop="x", seed=-7, n=2, user="u", reasoning_effort="low", max_tokens=9,
        frequency_penalty=0.5, presence_penalty=0, logprobs=True, top_logprobs=2,
        parallel_tool_calls=False, tool_choice={"type": "function", "function": {"name": "f"}},
    )  # fmt: skip
    assert (chat.temperature, chat.top_p, chat.top_k, chat.stop, chat.seed, chat.samples) == (
        1.0,
        0.5,
        4,
        ("x",),
        -7,
        2,
    )
    assert (chat.user, chat.effort, chat.max_output_tokens, chat.parallel_tool_calls) == ("u", "low", 9, False)
    assert chat.tool_choice == ToolChoice("named", "f")
    assert (chat.frequency_penalty, chat.presence_penalty, chat.logprobs) == (0.5, None, 2)
    assert (chat.others, chat.dialect) == ({}, "openai")
    assert read(logprobs=True).logprobs == 0
    assert read(logprobs=False, top_logprobs=2).logprobs is None


def test_tools_and_shapes_keep_their_schemas_as_they_stand():
    schema = {"type": "object", "properties": {"b": {}, "a": {}}}
    chat = read(
        tools=[{"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}],
        response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "description": "d"}},
    )
    assert chat.shape is not None
    assert (chat.tools[0].name, chat.tools[0].strict) == ("f", True)
    assert (chat.shape.mode, chat.shape.name, chat.shape.description) == ("schema", "s", "d")
    assert plain(chat.tools[0].parameters) == plain(chat.shape.schema) == schema


def test_the_old_form_of_calls_gets_ids_that_match():
    chat = read(
        HELLO,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "done"},
    )
    assert chat.messages[1].tool_calls[0].id == chat.messages[2].tool_call_id
    assert refusal({"role": "function", "name": "f", "content": "done"}).param == "messages[0].name"


def test_functions_in_the_old_form_are_tools():
    chat = read(functions=[{"name": "f", "description": "d", "parameters": {}}], function_call={"name": "f"})
    assert (chat.tools[0].name, chat.tools[0].description, chat.tool_choice) == ("f", "d", ToolChoice("named", "f"))
    assert read(functions=[{"name": "f"}], function_call="none").tool_choice == ToolChoice("none")
    assert refusal(function_call="always").param == "function_call"
    assert refusal(functions=[{}]).param == "functions[0].name"


def test_a_result_needs_its_call():
    assert refusal(HELLO, {"role": "tool", "tool_call_id": "c", "content": "x"}).param == "messages[1]"
    call = {"id": "c", "function": {"name": "f"}}
    assert refusal(HELLO, {"role": "assistant", "tool_calls": [call, call]}).param == "messages[1]"


def test_marks_for_the_cache_are_read_wherever_they_stand():
    mark, long = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
    chat = read(
        {"role": "system", "content": "a", "cache_control": long},
        {
            "role": "user",
            "content": [{"type": "text", "text": "b", "cache_control": mark}, {"type": "text", "text": "c"}],
        },
        {"role": "assistant", "tool_calls": [{"id": "t", "function": {"name": "f"}, "cache_control": mark}]},
        {"role": "tool", "tool_call_id": "t", "content": "d", "cache_control": long},
        {"role": "user", "content": [{"type": "text", "text": "e", "prompt_cache_breakpoint": {"mode": "explicit"}}]},
        tools=[
            {"type": "function", "function": {"name": "f"}, "cache_control": mark},
            {"type": "function", "function": {"name": "g", "cache_control": long}},
        ],
    )
    system, user, assistant, tool, last = chat.messages
    assert (system.parts, tool.cache, tool.parts) == ((Text("a", "1h"),), "1h", (Text("d"),))
    assert (user.parts, last.parts) == ((Text("b", "5m"), Text("c")), (Text("e", "5m"),))
    assert [call.cache for call in assistant.tool_calls] == ["5m"]
    assert [tool.cache for tool in chat.tools] == ["5m", "1h"]


def test_what_the_house_has_no_word_for_is_listed_but_not_where_it_asks_for_nothing():
    assert list(read(logit_bias={"1": 5}, verbosity="low", store=False).others) == ["logit_bias", "verbosity"]
    assert read(modalities=["text"]).others == {}
    assert list(read(tools=[{"type": "custom", "custom": {"name": "f"}}]).others) == ["tools[0]"]
    assert read(tools=[{"function": {"name": "f"}}]).tools == (Tool("f"),)
    assert read(tool_choice="any").tool_choice == ToolChoice("required")
    assert list(read(response_format={"type": "grammar"}).others) == ["response_format"]
    assert read(tool_choice={"type": "allowed_tools", "allowed_tools": {}}).others.keys() == {"tool_choice"}


def test_an_unknown_part_is_kept_as_it_stands():
    part = {"type": "input_smell", "file": "roses"}
    (kept,) = read({"role": "user", "content": [part]}).messages[0].parts
    assert isinstance(kept, Opaque)
    assert (kept.kind, kept.dialect, plain(kept.raw)) == ("input_smell", "openai", part)


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([HELLO, {"role": "robot", "content": "x"}], "messages[1].role"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([HELLO, {"role": "user", "content": ["a", {"text": "x"}]}], "messages[1].content[1].type"),
        ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "messages[0].content[0].text"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
            "messages[0].content[0].image_url.url",
        ),
        ([{"role": "tool", "content": "x"}], "messages[0].tool_call_id"),
        ([{"role": "assistant", "tool_calls": [{"id": "a"}]}], "messages[0].tool_calls[0].function"),
        (
            [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": 1}}]}],
            "messages[0].tool_calls[0].function.name",
        ),
    ],
)
def test_errors_name_the_exact_path(messages, param):
    assert refusal(*messages).param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"stop": [1]}, "stop[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": 5}}]}, "tools[0].function.name"),
        ({"logprobs": 5}, "logprobs"),
        ({"top_logprobs": -1}, "top_logprobs"),
        ({"tools": [{"search": {}}]}, "tools[0].type"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.schema"),
    ],
)
def test_a_wrong_field_is_named(fields, param):
    assert refusal(**fields).param == param


WORDS = some.text(min_size=1, max_size=20)
MARKS = some.sampled_from([None, "5m", "1h"])
MEDIA = some.sampled_from([
    Media(kind="image", url="https://example.org/x.png", detail="low"),
    Media(kind="image", media_type="image/png", data="AAAA", cache="1h"),
    Media(kind="audio", media_type="audio/wav", data="AAAA"),
    Media(kind="audio", media_type="audio/mpeg", data="AAAA"),
    Media(kind="audio", url="https://example.org/x.mp3"),
    Media(kind="video", media_type="video/mp4", data="AAAA"),
    Media(kind="video", url="https://example.org/x.mp4"),
    Media(kind="document", media_type="application/pdf", data="JVBERi0x"),
    Media(kind="document", media_type="text/plain", data="AAAA", name="notes", cache="5m"),
    Media(kind="document", url="https://example.org/x.pdf", name="x.pdf"),
    Media(kind="document", file="file-1", origin="openai"),
])  # fmt: skip
PARTS = some.builds(Text, WORDS, MARKS) | MEDIA
SIGNED = some.one_of(
    some.builds(Thinking, WORDS, WORDS, some.just("openai")),
    some.builds(Thinking, some.just(""), WORDS, some.just("openai"), some.just(True), some.none() | WORDS),
)


@some.composite
def turns(draw):
    """An assistant's message, with a result for each of its calls."""
    ids = draw(some.lists(WORDS, unique=True, max_size=2))
    signatures = draw(some.sampled_from([(None, ""), ("c2ln", "openai")]))
    calls = [ToolCall(id, draw(WORDS), draw(WORDS), *signatures, draw(MARKS)) for id in ids]
    parts = [*draw(some.lists(some.builds(Text, WORDS), max_size=2)), *calls]
    signed = draw(some.lists(SIGNED, max_size=2))
    for thought in signed:
        parts.insert(draw(some.integers(0, len(parts))), thought)
    if not signed and draw(some.booleans()):
        parts.insert(0, Thinking(draw(WORDS)))
    results = [Message("tool", draw(some.lists(PARTS, min_size=1, max_size=2)), id, cache=draw(MARKS)) for id in ids]
    return [Message("assistant", tuple(parts)), *(msgspec.structs.replace(r, parts=tuple(r.parts)) for r in results)]


MESSAGES = turns() | some.builds(
    lambda role, parts: [Message(role, tuple(parts))],
    some.sampled_from(["system", "user"]),
    some.lists(PARTS, min_size=1, max_size=3),
)
CHATS = some.builds(
    Chat,
    messages=some.lists(MESSAGES, min_size=1, max_size=4).map(
        lambda groups: tuple(m for group in groups for m in group)
    ),
    max_output_tokens=some.just(77),
    temperature=some.none() | some.floats(0, 2),
    stop=some.lists(WORDS, max_size=2).map(tuple),
    seed=some.none() | some.integers(0, 2**31),
    logprobs=some.none() | some.integers(0, 5),
    frequency_penalty=some.none() | some.floats(0.1, 2),
    tools=some.lists(some.builds(Tool, WORDS, some.none() | WORDS, cache=MARKS), max_size=2).map(tuple),
    tool_choice=some.sampled_from([None, ToolChoice("auto"), ToolChoice("named", "f")]),
    parallel_tool_calls=some.sampled_from([None, True, False]),
    shape=some.sampled_from([None, Shape("text"), Shape("json")]),
    effort=some.none() | some.just("low"),
    user=some.none() | WORDS,
    samples=some.integers(1, 4),
    dialect=some.just("openai"),
)


@given(CHATS)
def test_what_is_written_reads_back_the_same(chat):
    body = openai.write_request(
        chat,
        model="m",
        max_output_tokens=77,
        stream=False,
        params={},
        quirks={"cache_control": True},
        losses=Losses(openai.LANGUAGE),
    )
    assert openai.read_chat(read_fields(body)) == chat


def test_the_roles_of_the_house_are_all_read():
    calls = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f"}}]}
    assert {
        read(calls, {"role": role, "content": "x", "tool_call_id": "c"}).messages[1].role for role in get_args(Role)
    } == set(get_args(Role))
