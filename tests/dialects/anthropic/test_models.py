"""Anthropic's language, outwards: what differs by the model that is asked."""

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Chat, Message, Spoken, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import anthropic
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid

HELLO = Chat(messages=(Message("user", (Text("hello"),)),), dialect="openai")
TOOLS = {"tools": (Tool("f"),), "tool_choice": ToolChoice("required")}
HAIKU, OPUS_45, OPUS_46, OPUS_5 = "claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-6", "claude-opus-5"
OPUS_55, SONNET_55 = "claude-opus-5-5", "claude-sonnet-5-5"


def write(model, losses=None, *, limit=4000, quirks=None, **changes):
    body = anthropic.write_request(
        replace(HELLO, **changes),
        model=model,
        max_output_tokens=limit,
        stream=False,
        params={},
        quirks=quirks or {},
        losses=losses or Losses(anthropic.LANGUAGE),
    )
    return json.loads(body)


@pytest.mark.parametrize(
    ("model", "changes", "thinking", "effort"),
    [
        (HAIKU, {"effort": "medium"}, {"type": "enabled", "budget_tokens": 2000}, None),
        (HAIKU, {"thinking_tokens": 3000}, {"type": "enabled", "budget_tokens": 3000}, None),
        (HAIKU, {"effort": "none"}, {"type": "disabled"}, None),
        (OPUS_45, {"effort": "medium"}, {"type": "enabled", "budget_tokens": 2000}, None),
        (OPUS_46, {"effort": "medium"}, {"type": "adaptive"}, "medium"),
        (OPUS_46, {"effort": "xhigh"}, {"type": "adaptive"}, "high"),
        (OPUS_5, {"effort": "xhigh"}, {"type": "adaptive"}, "xhigh"),
        (OPUS_5, {"effort": "none"}, {"type": "disabled"}, None),
        (SONNET_55, {"effort": "none"}, {"type": "between_tools"}, None),
        ("claude-3-5-haiku-20241022", {"effort": "none"}, None, None),
    ],
)
def test_thinking_is_asked_for_as_the_model_takes_it(model, changes, thinking, effort):
    body = write(model, **changes)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort


@pytest.mark.parametrize(
    ("model", "changes", "thinking", "output"),
    [
        (HAIKU, {"effort": "medium"}, {"type": "enabled", "budget_tokens": 2000}, None),
        (OPUS_45, {"effort": "max", "thinking_tokens": 2000}, {"type": "enabled", "budget_tokens": 2000}, "high"),
        (OPUS_46, {"thinking_tokens": 2000}, {"type": "enabled", "budget_tokens": 2000}, None),
        (OPUS_5, {"thinking_tokens": 2000}, {"type": "adaptive"}, "medium"),
        (SONNET_55, {"effort": "none"}, {"type": "between_tools"}, None),
    ],
)
def test_a_caller_of_this_language_who_spoke_to_another_model_is_understood(model, changes, thinking, output):
    body = write(model, dialect="anthropic", **changes)
    assert body["thinking"] == thinking
    assert body.get("output_config", {}).get("effort") == output


def test_a_quirk_decides_over_the_name():
    assert write(HAIKU, effort="low", quirks={"thinking": "adaptive"})["thinking"] == {"type": "adaptive"}
    assert write(OPUS_5, effort="high", quirks={"thinking": "budget"})["thinking"]["type"] == "enabled"


@pytest.mark.parametrize(
    ("model", "changes", "param"),
    [
        (OPUS_55, {"effort": "none"}, "reasoning_effort"),
        ("claude-fable-5", {"thinking_tokens": 0}, "thinking_tokens"),
        ("claude-3-5-haiku-20241022", {"effort": "low"}, "reasoning_effort"),
        (OPUS_5, {"temperature": 0.5}, "temperature"),
        (OPUS_5, {"top_p": 0.97}, "top_p"),
        (OPUS_5, {"top_k": 5}, "top_k"),
        (OPUS_55, TOOLS, "tool_choice"),
        (OPUS_46, {"messages": (*HELLO.messages, Message("assistant", (Text("So"),)))}, "messages"),
    ],
)
def test_what_a_model_refuses_is_refused_or_left_out_and_told(model, changes, param):
    with pytest.raises(RequestInvalid) as caught:
        write(model, **changes)
    assert (caught.value.code, caught.value.param) == ("unsupported_feature", param)
    losses = Losses(anthropic.LANGUAGE, lossy=True)
    body = write(model, losses, **changes)
    assert losses.told == (param,)
    assert body.get("tool_choice", {"type": "auto"}) == {"type": "auto"}
    assert body["messages"][-1]["role"] == "user"
    assert not {"temperature", "top_p", "top_k", "thinking"} & body.keys()


def test_what_an_earlier_model_takes_is_said():
    begun = (*HELLO.messages, Message("assistant", (Text("So"),)))
    body = write(HAIKU, messages=begun, temperature=0.5, **TOOLS)
    assert (body["temperature"], body["tool_choice"], len(body["messages"])) == (0.5, {"type": "any"}, 2)
    assert write(OPUS_5, temperature=1.0, top_p=1.0).keys().isdisjoint({"temperature", "top_p"})


def test_a_budget_is_left_out_beside_a_begun_answer_without_thinking():
    begun = (*HELLO.messages, Message("assistant", (Text("So"),)))
    losses = Losses(anthropic.LANGUAGE)
    assert "thinking" not in write(HAIKU, losses, messages=begun, effort="low")
    assert losses.told == ("reasoning_effort",)
    signed = Message("assistant", (Thinking("hm", "sig", "anthropic"), Text("So")))
    assert "thinking" in write(HAIKU, messages=(*HELLO.messages, signed), effort="low")


def test_words_for_another_model_are_no_budget_amid_tools():
    messages = (
        *HELLO.messages,
        Message("assistant", (ToolCall("a", "f", "{}"),)),
        Message("tool", (Text("1"),), tool_call_id="a"),
    )
    assert "thinking" not in write(HAIKU, messages=messages, effort="high", dialect="anthropic")
    assert "thinking" in write(HAIKU, messages=messages, thinking_tokens=2000, dialect="anthropic")


@pytest.mark.parametrize(
    ("fields", "fitting"),
    [
        ({}, "all"),
        ({"thinking": {"type": "adaptive"}}, {OPUS_46, OPUS_5, OPUS_55, SONNET_55}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, {HAIKU, OPUS_45, OPUS_46}),
        ({"thinking": {"type": "disabled"}}, {HAIKU, OPUS_45, OPUS_46, OPUS_5}),
        ({"thinking": {"type": "between_tools"}}, {SONNET_55}),
        ({"thinking": {"type": "of tomorrow"}}, "all"),
        ({"thinking": 7, "output_config": 7, "temperature": "x", "tool_choice": 7}, "all"),
        ({"output_config": {"effort": "low"}}, {OPUS_45, OPUS_46, OPUS_5, OPUS_55, SONNET_55}),
        ({"output_config": {"effort": "xhigh"}}, {OPUS_5, OPUS_55, SONNET_55}),
        ({"temperature": 0.5}, {HAIKU, OPUS_45, OPUS_46}),
        ({"temperature": 1, "top_p": None}, "all"),
        ({"tool_choice": {"type": "any"}}, {HAIKU, OPUS_45, OPUS_46, OPUS_5}),
    ],
)
def test_words_fit_the_models_that_take_them(fields, fitting):
    models = {HAIKU, OPUS_45, OPUS_46, OPUS_5, OPUS_55, SONNET_55}
    body = b'{"model":"x","max_tokens":5,"messages":[{"role":"user","content":"hi"}]}'
    request = anthropic.read_request("chat", body)
    raws = {name: Raw(json.dumps(value).encode()) for name, value in fields.items()}
    said = replace(request, spoken=Spoken("anthropic", raws))
    found = {model for model in models if anthropic.fits(said, model)}
    assert found == (models if fitting == "all" else fitting)
    assert anthropic.fits(said, "my-deployment")


def test_thinking_between_tools_is_no_thinking():
    body = {"model": "x", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    request = anthropic.read_request("chat", json.dumps({**body, "thinking": {"type": "between_tools"}}).encode())
    assert request.chat().effort == "none"
    assert not request.needs
