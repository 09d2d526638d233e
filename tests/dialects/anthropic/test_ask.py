"""Anthropic's language, outwards: requests to the Messages API."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Chat, Image, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import anthropic, openai
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid


def say(role, text, **more) -> Message:
    return Message(role, (Text(text),), **more)


HELLO = Chat(messages=(say("user", "hello"),))
TOOL = Tool("f", "does", Raw(b'{"type":"object"}'))
SCHEMA = Shape("schema", "s", Raw(b'{"type":"object"}'))


def write(chat=HELLO, *, limit=4000, stream=False, params=None, quirks=None, **changes):
    body = anthropic.write_request(
        replace(chat, **changes),
        model="claude",
        max_output_tokens=limit,
        stream=stream,
        params=params or {},
        quirks=quirks or {},
    )
    return json.loads(body)


def refusal(chat=HELLO, **more) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as caught:
        write(chat, **more)
    assert caught.value.hint
    return caught.value


def texts(*said):
    return [{"type": "text", "text": text} for text in said]


def test_a_plain_question():
    assert write() == {
        "model": "claude",
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": texts("hello")}],
    }
    assert write(stream=True)["stream"] is True


def test_system_messages_go_to_their_own_place_and_turns_alternate():
    body = write(
        messages=(
            say("system", "a"),
            say("user", "b"),
            say("user", "c"),
            say("system", "d"),
            say("assistant", "e"),
            say("assistant", ""),
            say("user", "f"),
        )
    )
    assert body["system"] == texts("a", "d")
    assert body["messages"] == [
        {"role": "user", "content": texts("b", "c")},
        {"role": "assistant", "content": texts("e")},
        {"role": "user", "content": texts("f")},
    ]


def test_calls_and_their_results():
    calls = (ToolCall("a.1", "f", '{"x": 1}'), ToolCall("b", "f", ""), ToolCall("c", "f", "[oops"))
    body = write(
        messages=(
            say("user", "go"),
            Message("assistant", (), calls),
            say("tool", "ok", tool_call_id="a.1"),
            Message("tool", (), tool_call_id="b", is_error=True),
            say("user", "and?"),
        )
    )
    _, asked, answered = body["messages"]
    assert asked["content"] == [
        {"type": "tool_use", "id": "a_1", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "b", "name": "f", "input": {}},
        {"type": "tool_use", "id": "c", "name": "f", "input": {"invalid_json": "[oops"}},
    ]
    assert answered == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "a_1", "content": texts("ok")},
            {"type": "tool_result", "tool_use_id": "b", "is_error": True},
            *texts("and?"),
        ],
    }


def test_images_by_url_and_by_value():
    images = (Image("https://example.org/x.png", "low"), Image("data:image/png;base64,AAAA"))
    (message,) = write(messages=(Message("user", images),))["messages"]
    assert [block["source"] for block in message["content"]] == [
        {"type": "url", "url": "https://example.org/x.png"},
        {"type": "base64", "media_type": "image/png", "data": "AAAA"},
    ]
    assert refusal(messages=(Message("user", (Image("data:image/svg+xml,<svg/>"),)),)).param == "messages[0].content"


def test_only_its_own_signed_thinking_goes_back():
    parts = (Thinking("mine", "sig", "anthropic"), Thinking("other", "sig", "gemini"), Thinking("plain"), Text("x"))
    redacted = Opaque("redacted_thinking", Raw(b'{"type":"redacted_thinking","data":"d"}'), "anthropic")
    body = write(messages=(say("user", "hi"), Message("assistant", (redacted, *parts)), say("user", "so?")))
    assert body["messages"][1]["content"] == [
        {"type": "redacted_thinking", "data": "d"},
        {"type": "thinking", "thinking": "mine", "signature": "sig"},
        *texts("x"),
    ]


def test_the_last_turn_of_the_assistant_ends_without_white_space():
    body = write(messages=(say("user", "hi"), say("assistant", "The answer is: \n")))
    assert body["messages"][-1]["content"] == texts("The answer is:")


@pytest.mark.parametrize(
    ("choice", "parallel", "said"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("named", "f"), None, {"type": "tool", "name": "f"}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_the_choice_of_tools(choice, parallel, said):
    body = write(tools=(TOOL,), tool_choice=choice, parallel_tool_calls=parallel)
    assert body["tools"] == [{"name": "f", "description": "does", "input_schema": {"type": "object"}}]
    assert body.get("tool_choice") == said


def test_a_tool_without_parameters_takes_an_empty_object():
    (tool,) = write(tools=(Tool("f", strict=True),))["tools"]
    assert tool == {"name": "f", "strict": True, "input_schema": {"type": "object", "properties": {}}}


def test_a_schema_becomes_the_output_format():
    assert write(shape=SCHEMA)["output_config"] == {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    assert "output_config" not in write(shape=Shape("text"))


@pytest.mark.parametrize(
    ("effort", "quirks", "thinking", "output"),
    [
        (None, {}, None, None),
        ("none", {}, {"type": "disabled"}, None),
        ("minimal", {}, {"type": "adaptive"}, {"effort": "low"}),
        ("xhigh", {}, {"type": "adaptive"}, {"effort": "xhigh"}),
        ("medium", {"thinking": "budget"}, {"type": "enabled", "budget_tokens": 2000}, None),
        ("high", {"thinking": "off"}, None, None),
    ],
)
def test_effort_becomes_thinking(effort, quirks, thinking, output):
    body = write(effort=effort, quirks=quirks)
    assert body.get("thinking") == thinking
    assert body.get("output_config") == output


def test_a_budget_leaves_room_for_the_answer_or_there_is_none():
    assert "thinking" not in write(effort="high", quirks={"thinking": "budget"}, limit=1024)
    assert write(effort="low", quirks={"thinking": "budget"}, limit=1025)["thinking"]["budget_tokens"] == 1024


def test_a_forced_tool_leaves_no_thinking():
    body = write(effort="high", tools=(TOOL,), tool_choice=ToolChoice("required"))
    assert "thinking" not in body
    assert body["output_config"] == {"effort": "high"}


def test_a_budget_is_left_out_amid_tools_that_were_called_without_thinking():
    messages = (
        say("user", "go"),
        Message("assistant", (), (ToolCall("a", "f", "{}"),)),
        say("tool", "1", tool_call_id="a"),
    )
    assert "thinking" not in write(messages=messages, effort="high", quirks={"thinking": "budget"})
    assert write(messages=messages, effort="high")["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"temperature": 1.7}, {"temperature": 1.0}),
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}),
        ({"temperature": 1.0, "top_p": 0.9}, {"top_p": 0.9}),
        ({"temperature": 0.5, "top_k": 3, "effort": "low"}, {}),
        ({"top_p": 0.5, "effort": "low"}, {}),
        ({"top_p": 0.97, "effort": "low"}, {"top_p": 0.97}),
        ({"temperature": 0.5, "effort": "none"}, {"temperature": 0.5}),
    ],
)
def test_sampling_keeps_to_what_the_api_takes(changes, said):
    body = write(**changes)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == said


def test_stop_user_and_harmless_fields():
    body = write(stop=("END",), user="u1", seed=7, others=("store", "metadata"))
    assert (body["stop_sequences"], body["metadata"]) == (["END"], {"user_id": "u1"})
    assert "seed" not in body


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"samples": 2}, "n"),
        ({"shape": Shape("json")}, "response_format"),
        ({"stop": ("\n",)}, "stop"),
        ({"others": ("logprobs",)}, "logprobs"),
        ({"others": ("tools[0]",)}, "tools[0]"),
        ({"messages": (say("system", "x"),)}, "messages"),
        ({"messages": (Message("user", (Opaque("input_audio", Raw(b"{}"), "openai"),)),)}, "messages[0].content"),
    ],
)
def test_what_can_not_be_said_is_refused(changes, param):
    error = refusal(**changes)
    assert (error.code, error.param) == ("unsupported_feature", param)


def test_an_unknown_effort_is_refused():
    assert refusal(effort="very").param == "reasoning_effort"


def test_an_operator_may_let_fields_go():
    ignored = {"ignore": ["n", "logprobs", "stop", "response_format"]}
    body = write(samples=2, shape=Shape("json"), stop=("\n", "x"), others=("logprobs",), quirks=ignored)
    assert body["stop_sequences"] == ["x"]


def test_parameters_win_but_never_widen_the_limit():
    params = {"temperature": 0.1, "max_tokens": 9999, "stream": True, "output_config": {"effort": "low"}}
    body = write(shape=SCHEMA, temperature=0.9, params=params)
    assert (body["temperature"], body["max_tokens"]) == (0.1, 4000)
    assert set(body["output_config"]) == {"format", "effort"}
    assert "stream" not in body
    assert write(params={"max_tokens": 10})["max_tokens"] == 10


def test_thinking_in_the_parameters_settles_the_sampling_too():
    assert "temperature" not in write(temperature=0.5, params={"thinking": {"type": "adaptive"}})


def test_quirks_rename_and_drop():
    body = write(temperature=0.5, top_k=3, quirks={"rename": {"top_k": "k"}, "drop": ["temperature"]})
    assert body["k"] == 3
    assert "temperature" not in body
    assert "top_k" not in body


WORDS = some.text(min_size=1, max_size=10)
SAID = some.one_of(
    some.builds(lambda role, text: {"role": role, "content": text}, some.sampled_from(["system", "user"]), some.text()),
    some.builds(
        lambda text, arguments: {
            "role": "assistant",
            "content": text,
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}],
        },
        some.none() | some.text(),
        some.text(),
    ),
    some.builds(lambda text: {"role": "tool", "tool_call_id": "a", "content": text}, some.text()),
)


@given(some.lists(SAID, min_size=1, max_size=6), some.booleans())
def test_every_conversation_is_written_in_alternating_turns_that_are_not_empty(messages, think):
    fields = {"model": "x", "messages": messages, **({"reasoning_effort": "high"} if think else {})}
    chat = openai.read_chat(read_fields(json.dumps(fields).encode()))
    try:
        turns = write(chat, quirks={"thinking": "budget"})["messages"]
    except RequestInvalid as error:
        assert error.param == "messages"
        return
    assert all(turn["content"] for turn in turns)
    assert all(one["role"] != other["role"] for one, other in pairwise(turns))
