"""Anthropic's language, outwards: requests to the Messages API."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Chat, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import anthropic
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid


def say(role, *texts, **more) -> Message:
    return Message(role, tuple(map(Text, texts)), **more)


HELLO = Chat(messages=(say("user", "hello"),))
TOOL = Tool("f", "does", Raw(b'{"type":"object"}'))
SOUND = Opaque("input_audio", Raw(b"{}"), "openai")
SHOWN = {"type": "adaptive", "display": "summarized"}
SCHEMA = Shape("schema", "s", Raw(b'{"type":"object"}'))


def write(chat=HELLO, *, limit=4000, stream=False, params=None, quirks=None, losses=None, **changes):
    body = anthropic.write_request(
        replace(chat, **changes),
        model="claude",
        max_output_tokens=limit,
        stream=stream,
        params=params or {},
        quirks=quirks or {},
        losses=losses or Losses(anthropic.LANGUAGE),
    )
    return json.loads(body)


def told(chat=HELLO, **more) -> tuple[str, ...]:
    """What was left out, on a route that allows it."""
    losses = Losses(anthropic.LANGUAGE, lossy=True)
    write(chat, losses=losses, **more)
    return losses.told


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
            Message("assistant", calls),
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
    ("changes", "quirks", "thinking", "output"),
    [
        ({}, {}, None, None),
        ({"effort": "none"}, {}, {"type": "disabled"}, None),
        ({"effort": "minimal"}, {}, {"type": "adaptive"}, {"effort": "low"}),
        ({"effort": "xhigh"}, {}, {"type": "adaptive"}, {"effort": "xhigh"}),
        ({"effort": "medium"}, {"thinking": "budget"}, {"type": "enabled", "budget_tokens": 2000}, None),
        ({"effort": "high"}, {"thinking": "off"}, None, None),
        ({"thinking_tokens": 0}, {}, {"type": "disabled"}, None),
        ({"thinking_tokens": 0, "effort": "low"}, {}, {"type": "disabled"}, {"effort": "low"}),
        ({"thinking_tokens": 2000}, {}, {"type": "adaptive"}, {"effort": "medium"}),
        ({"thinking_tokens": -1}, {}, {"type": "adaptive"}, None),
        ({"thinking_tokens": 1500}, {"thinking": "budget"}, {"type": "enabled", "budget_tokens": 1500}, None),
        ({"thinking_tokens": 1500, "dialect": "anthropic"}, {}, {"type": "enabled", "budget_tokens": 1500}, None),
        ({"thinking_tokens": -1}, {"thinking": "budget"}, {"type": "enabled", "budget_tokens": 2000}, None),
        (
            {"effort": "low", "shows_thinking": True},
            {},
            {"type": "adaptive", "display": "summarized"},
            {"effort": "low"},
        ),
        ({"effort": "low", "shows_thinking": False}, {}, {"type": "adaptive", "display": "omitted"}, {"effort": "low"}),
    ],
)
def test_effort_and_budgets_become_thinking(changes, quirks, thinking, output):
    body = write(quirks=quirks, **changes)
    assert body.get("thinking") == thinking
    assert body.get("output_config") == output


@pytest.mark.parametrize(
    ("changes", "quirks", "left"),
    [
        ({"effort": "minimal"}, {}, "reasoning_effort"),
        ({"effort": "high"}, {"thinking": "off"}, "reasoning_effort"),
        ({"thinking_tokens": 500}, {"thinking": "budget"}, "thinking_tokens"),
        ({"thinking_tokens": 9000}, {"thinking": "budget"}, "thinking_tokens"),
        ({"thinking_tokens": 2000}, {"thinking": "off"}, "thinking_tokens"),
        ({"thinking_tokens": 2000, "effort": "low"}, {}, "thinking_tokens"),
        ({"shows_thinking": True}, {}, "shows_thinking"),
    ],
)
def test_thinking_that_can_not_be_as_it_was_asked_for_is_told(changes, quirks, left):
    assert told(quirks=quirks, **changes) == (left,)


def test_a_budget_leaves_room_for_the_answer_or_there_is_none():
    assert "thinking" not in write(effort="high", quirks={"thinking": "budget"}, limit=1024)
    assert write(effort="low", quirks={"thinking": "budget"}, limit=1025)["thinking"]["budget_tokens"] == 1024


def test_a_budget_that_is_too_large_or_too_small_is_the_nearest_that_fits():
    for tokens, budget in ((500, 1024), (9000, 3999)):
        body = write(thinking_tokens=tokens, quirks={"thinking": "budget"})
        assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}


def test_a_forced_tool_leaves_no_thinking():
    body = write(effort="high", tools=(TOOL,), tool_choice=ToolChoice("required"))
    assert "thinking" not in body
    assert body["output_config"] == {"effort": "high"}


def test_a_budget_is_left_out_amid_tools_that_were_called_without_thinking():
    messages = (
        say("user", "go"),
        Message("assistant", (ToolCall("a", "f", "{}"),)),
        say("tool", "1", tool_call_id="a"),
    )
    assert "thinking" not in write(messages=messages, effort="high", quirks={"thinking": "budget"})
    assert write(messages=messages, effort="high")["thinking"] == {"type": "adaptive"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"temperature": 0.5}, {"temperature": 0.5}),
        ({"temperature": 1.0, "top_p": 0.9}, {"top_p": 0.9}),
        ({"temperature": 0.5, "top_p": 1.0}, {"temperature": 0.5}),
        ({"temperature": 1.0, "effort": "low"}, {}),
        ({"top_p": 0.97, "effort": "low"}, {"top_p": 0.97}),
        ({"temperature": 0.5, "effort": "none"}, {"temperature": 0.5}),
        ({"temperature": 0.5, "top_p": 0.9, "dialect": "anthropic"}, {"temperature": 0.5, "top_p": 0.9}),
    ],
)
def test_sampling_that_can_be_said_is_said(changes, said):
    body = write(**changes)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == said


@pytest.mark.parametrize(
    ("changes", "param", "said"),
    [
        ({"temperature": 1.7}, "temperature", {"temperature": 1.0}),
        ({"temperature": 0.5, "top_p": 0.9}, "top_p", {"temperature": 0.5}),
        ({"temperature": 0.5, "effort": "low"}, "temperature", {}),
        ({"top_k": 1, "effort": "low"}, "top_k", {}),
        ({"top_p": 0.5, "effort": "low"}, "top_p", {}),
    ],
)
def test_sampling_that_the_api_refuses_is_refused_or_left_out_and_told(changes, param, said):
    assert refusal(**changes).param == param
    losses = Losses(anthropic.LANGUAGE, lossy=True)
    body = write(losses=losses, **changes)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == said
    assert losses.told == (param,)


def test_stop_user_and_harmless_fields():
    body = write(stop=("END",), user="u1", others={"store": Raw(b"true"), "metadata": Raw(b"{}")}, dialect="openai")
    assert (body["stop_sequences"], body["metadata"]) == (["END"], {"user_id": "u1"})
    assert "store" not in body


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"samples": 2}, "n"),
        ({"shape": Shape("json")}, "response_format"),
        ({"stop": ("\n",)}, "stop"),
        ({"seed": 7}, "seed"),
        ({"logprobs": 0}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": -0.5}, "frequency_penalty"),
        ({"others": {"modalities": Raw(b'["audio"]')}}, "modalities"),
        ({"others": {"tools[0]": Raw(b"{}")}}, "tools[0]"),
        (
            {"messages": (Message("user", (Opaque("input_audio", Raw(b"{}"), "openai"), Text("x"))),)},
            "messages[0].content",
        ),
    ],
)
def test_what_can_not_be_said_is_refused_or_left_out_and_told(changes, param):
    error = refusal(**changes)
    assert (error.code, error.param) == ("unsupported_feature", param)
    assert told(**changes) == (param,)


def test_there_must_be_something_to_answer():
    assert refusal(messages=(say("system", "x"),)).param == "messages"
    assert refusal(messages=(say("system", "x"),), losses=Losses("it", lossy=True)).param == "messages"


def test_an_unknown_effort_is_refused():
    assert refusal(effort="very").param == "reasoning_effort"


def test_an_operator_may_let_fields_go():
    others = {"modalities": Raw(b"[]")}
    ignored = {"ignore": ["n", "modalities", "stop", "response_format", "seed"]}
    body = write(samples=2, shape=Shape("json"), stop=("\n", "x"), others=others, seed=1, quirks=ignored)
    assert body["stop_sequences"] == ["x"]


def test_parameters_win_but_never_widen_the_limit():
    params = {"temperature": 0.1, "max_tokens": 9999, "stream": True, "output_config": {"effort": "low"}}
    body = write(shape=SCHEMA, temperature=0.9, params=params)
    assert (body["temperature"], body["max_tokens"]) == (0.1, 4000)
    assert set(body["output_config"]) == {"format", "effort"}
    assert "stream" not in body
    assert write(params={"max_tokens": 10})["max_tokens"] == 10


def test_thinking_in_the_parameters_settles_the_sampling_too():
    losses = Losses(anthropic.LANGUAGE)
    assert "temperature" not in write(temperature=0.5, params={"thinking": {"type": "adaptive"}}, losses=losses)
    assert losses.told == ("temperature",)


def test_fields_of_this_language_that_the_house_has_no_word_for_go_on_as_they_stood():
    others = {
        "service_tier": Raw(b'"auto"'),
        "output_config.task_budget": Raw(b'{"total":9}'),
        "tools[0]": Raw(b'{"type":"web_search_20250305","name":"web_search"}'),
        "tools[1].defer_loading": Raw(b"true"),
    }
    body = write(others=others, dialect="anthropic", tools=(TOOL,), effort="low", tool_choice=ToolChoice("auto"))
    assert body["service_tier"] == "auto"
    assert body["output_config"] == {"effort": "low", "task_budget": {"total": 9}}
    assert [tool["name"] for tool in body["tools"]] == ["web_search", "f"]
    assert body["tools"][1]["defer_loading"] is True


def test_a_count_is_asked_for_with_the_prompt_alone():
    said = {"model": "claude", "params": {"service_tier": "auto"}, "quirks": {}, "losses": Losses("it")}
    chat = replace(HELLO, tools=(TOOL,), temperature=0.5, stop=("x",), user="u", effort="low")
    body = json.loads(anthropic.write_count_request(chat, **said))
    assert set(body) == {"model", "messages", "tools", "thinking", "output_config"}


def test_quirks_rename_and_drop():
    body = write(temperature=0.5, top_k=3, quirks={"rename": {"top_k": "k"}, "drop": ["temperature"]})
    assert body["k"] == 3
    assert "temperature" not in body
    assert "top_k" not in body


WORDS = some.builds(Text, some.text())
SAID = some.one_of(
    some.builds(Message, some.sampled_from(["system", "user", "assistant"]), some.lists(WORDS, max_size=3).map(tuple)),
    some.builds(lambda text: Message("assistant", (ToolCall("a", "f", text),)), some.text()),
    some.builds(lambda text: Message("assistant", (Thinking(text, "s", "anthropic"),)), some.text()),
    some.builds(lambda part: Message("tool", (part,), tool_call_id="a"), WORDS),
)


@given(some.lists(SAID, min_size=1, max_size=6), some.booleans())
def test_every_conversation_is_written_in_alternating_turns_that_are_not_empty(messages, think):
    try:
        turns = write(messages=tuple(messages), effort="high" if think else None, quirks={"thinking": "budget"})[
            "messages"
        ]
    except RequestInvalid as error:
        assert error.param == "messages"
        return
    assert all(turn["content"] for turn in turns)
    assert all(one["role"] != other["role"] for one, other in pairwise(turns))
