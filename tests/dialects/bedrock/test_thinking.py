"""Thinking on Bedrock: each family of models is asked in its own words."""

import json

import pytest

from fairlead.chat import Chat, Message, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import bedrock
from fairlead.dialects.bedrock.thinking import model_of
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid

HI = Message("user", (Text("hi"),))
ADAPTIVE, BUDGET, NOVA = (
    "global.anthropic.claude-opus-4-6-v1",
    "anthropic.claude-sonnet-4-5-v1:0",
    "amazon.nova-2-lite-v1:0",
)
GPT_OSS, GPT, DEEPSEEK, QWEN, LLAMA = (
    "openai.gpt-oss-20b-1:0", "openai.gpt-6-sol", "deepseek.v3-v1:0", "qwen.qwen3-32b-v1:0", "meta.llama4-x",
)  # fmt: skip


def asked(model, *messages, quirks=None, losses=None, limit=8000, **wish):
    chat = Chat(messages=messages or (HI,), **wish)
    body = bedrock.write_request(
        chat,
        model=model,
        max_output_tokens=limit,
        stream=False,
        params={},
        quirks=quirks or {},
        losses=losses or Losses("Bedrock"),
    )
    return json.loads(body).get("additionalModelRequestFields", {})


@pytest.mark.parametrize(
    ("id", "family", "way"),
    [
        ("anthropic.claude-opus-4-6-v1", "anthropic", "anthropic"),
        ("us.anthropic.claude-sonnet-5", "anthropic", "anthropic"),
        ("anthropic.claude-of-tomorrow", "anthropic", "anthropic"),
        ("eu.anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic", "budget"),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "anthropic", "budget"),
        ("us.anthropic.claude-3-7-sonnet-20250219-v1:0", "anthropic", "budget"),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "anthropic", None),
        ("anthropic.claude-v2:1", "anthropic", None),
        ("us-gov.anthropic.claude-sonnet-4-5-v1:0", "anthropic", "budget"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-2-lite-v1:0", "nova", "nova"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "nova", None),
        ("openai.gpt-oss-120b-1:0", "open", "openai"),
        ("openai.gpt-5.6-sol", "closed", "responses"),
        ("us.deepseek.r1-v1:0", "closed", None),
        ("deepseek.v3.2", "open", "deepseek"),
        ("qwen.qwen3-32b-v1:0", "closed", "qwen"),
        ("moonshot.kimi-k2-thinking", "open", "openai"),
        ("zai.glm-4.7", "closed", "deepseek"),
        ("us.meta.llama4-maverick-17b-instruct-v1:0", "closed", None),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123", "unknown", None),
    ],
)
def test_a_models_id_tells_its_family(id, family, way):
    assert (model_of(id).family, model_of(id).way) == (family, way)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (ADAPTIVE, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}}),
        (BUDGET, {"thinking": {"type": "enabled", "budget_tokens": 4000}}),
        (NOVA, {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}),
        (GPT_OSS, {"reasoning_effort": "medium"}),
        (GPT, {"reasoning": {"effort": "medium"}}),
        (DEEPSEEK, {"reasoning_effort": "high"}),
        (QWEN, {"reasoning_config": "high"}),
    ],
)
def test_an_effort_in_every_familys_words(model, said):
    assert asked(model, effort="medium") == said
    assert asked(model, thinking_tokens=4000) == said


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (ADAPTIVE, {"thinking": {"type": "disabled"}}),
        (BUDGET, {"thinking": {"type": "disabled"}}),
        (NOVA, {"reasoningConfig": {"type": "disabled"}}),
        (GPT, {"reasoning": {"effort": "none"}}),
        (DEEPSEEK, {"reasoning_effort": "none"}),
        (QWEN, {"reasoning_config": "none"}),
        (LLAMA, {}),
    ],
)
def test_no_thinking_in_every_familys_words(model, said):
    assert asked(model, effort="none") == said
    assert asked(model, thinking_tokens=0) == said


def test_what_a_model_cannot_do_is_refused_with_what_to_do():
    with pytest.raises(RequestInvalid, match="thinking") as caught:
        asked(LLAMA, effort="low")
    assert (caught.value.param, "quirk" in caught.value.hint) == ("reasoning_effort", True)
    with pytest.raises(RequestInvalid):
        asked(GPT_OSS, effort="none")
    with pytest.raises(RequestInvalid):
        asked("arn:aws:bedrock:us-east-1:1:application-inference-profile/abc", thinking_tokens=2000)


def test_the_quirk_decides_over_the_id():
    profile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"
    said = asked(profile, effort="low", top_k=None, quirks={"thinking": "anthropic"})
    assert said == {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
    assert asked(ADAPTIVE, effort="low", quirks={"thinking": "budget"})["thinking"]["budget_tokens"] == 1600


def test_switched_off_it_is_not_said_and_told():
    losses = Losses("Bedrock")
    assert asked(ADAPTIVE, effort="low", quirks={"thinking": "off"}, losses=losses) == {}
    assert losses.told == ("reasoning_effort",)


def test_a_level_that_a_family_does_not_know_becomes_the_nearest_and_is_told():
    losses = Losses("Bedrock")
    assert asked(GPT_OSS, effort="max", losses=losses) == {"reasoning_effort": "high"}
    assert asked(ADAPTIVE, effort="minimal", losses=losses)["output_config"] == {"effort": "low"}
    assert losses.told == ("reasoning_effort",)


def test_an_unknown_level_is_the_callers_mistake():
    with pytest.raises(RequestInvalid, match="'very'") as caught:
        asked(ADAPTIVE, effort="very")
    assert caught.value.code == "invalid_request"


def test_novas_high_effort_takes_no_output_limit_so_it_is_lost():
    with pytest.raises(RequestInvalid, match="high effort"):
        asked(NOVA, effort="high")
    losses = Losses("Bedrock", lossy=True)
    assert asked(NOVA, effort="high", losses=losses)["reasoningConfig"]["maxReasoningEffort"] == "medium"
    assert losses.told == ("reasoning_effort",)


@pytest.mark.parametrize(
    ("limit", "tokens", "budget", "told"),
    [
        (8000, 2000, 2000, ()),
        (8000, 500, 1024, ("thinking_tokens",)),
        (8000, 9000, 7999, ("thinking_tokens",)),
        (1024, 1024, None, ("thinking_tokens",)),
        (8000, -1, 4000, ("thinking_tokens",)),
    ],
)
def test_a_budget_has_a_least_and_leaves_room_for_the_answer(limit, tokens, budget, told):
    losses = Losses("Bedrock")
    thinking = asked(BUDGET, thinking_tokens=tokens, limit=limit, losses=losses).get("thinking", {})
    assert (thinking.get("budget_tokens"), losses.told) == (budget, told)


def test_claude_does_not_think_under_a_forced_tool():
    losses = Losses("Bedrock")
    forced = {"tools": (Tool("f"),), "tool_choice": ToolChoice("required")}
    assert asked(ADAPTIVE, effort="low", losses=losses, **forced) == {"output_config": {"effort": "low"}}
    assert losses.told == ("thinking",)
    assert "thinking" not in asked(BUDGET, effort="low", **forced)


def test_amid_tools_claude_takes_a_budget_only_after_signed_thinking():
    call, result = ToolCall("t", "f", "{}"), Message("tool", (Text("1"),), tool_call_id="t")
    unsigned = (HI, Message("assistant", (call,)), result)
    signed = (HI, Message("assistant", (Thinking("Hm.", "c2ln", "bedrock"), call)), result)
    tools = (Tool("f"),)
    assert "thinking" not in asked(BUDGET, *unsigned, effort="low", tools=tools)
    assert "thinking" in asked(BUDGET, *signed, effort="low", tools=tools)
    assert "thinking" in asked(ADAPTIVE, *unsigned, effort="low", tools=tools)


def test_whether_thinking_is_shown_is_said():
    assert asked(ADAPTIVE, effort="low", shows_thinking=True)["thinking"]["display"] == "summarized"
    assert asked(BUDGET, effort="low", shows_thinking=False)["thinking"]["display"] == "omitted"


def test_who_speaks_this_language_gets_the_budget_that_was_asked_for():
    said = asked(ADAPTIVE, thinking_tokens=2000, effort="low", dialect="bedrock")
    assert said == {"thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"effort": "low"}}


OPUS_5, OPUS_55, SONNET_55 = (
    "us.anthropic.claude-opus-5", "anthropic.claude-opus-5-5", "global.anthropic.claude-sonnet-5-5-v1:0",
)  # fmt: skip


def test_claudes_of_late_are_asked_as_each_of_them_takes_it():
    assert asked(SONNET_55, effort="none") == {"thinking": {"type": "between_tools"}}
    assert asked(ADAPTIVE, effort="xhigh")["output_config"] == {"effort": "high"}
    assert asked(OPUS_5, effort="xhigh")["output_config"] == {"effort": "xhigh"}
    assert asked(OPUS_5, thinking_tokens=4000, dialect="bedrock")["thinking"] == {"type": "adaptive"}
    assert asked(OPUS_5, temperature=1.0, top_p=1.0) == {}


@pytest.mark.parametrize(
    ("model", "wish", "param"),
    [
        (OPUS_55, {"effort": "none"}, "reasoning_effort"),
        (OPUS_55, {"thinking_tokens": 0}, "thinking_tokens"),
        (OPUS_55, {"tools": (Tool("f"),), "tool_choice": ToolChoice("required")}, "tool_choice"),
        (OPUS_5, {"temperature": 0.5}, "temperature"),
        (OPUS_5, {"top_k": 5}, "top_k"),
        (ADAPTIVE, {"messages": (HI, Message("assistant", (Text("So"),)))}, "messages"),
    ],
)
def test_what_a_claude_refuses_is_refused_or_left_out_and_told(model, wish, param):
    messages = wish.pop("messages", ())
    with pytest.raises(RequestInvalid) as caught:
        asked(model, *messages, **wish)
    assert caught.value.param == param
    losses = Losses("Bedrock", lossy=True)
    said = asked(model, *messages, losses=losses, **wish)
    assert losses.told == (param,)
    assert said in ({}, {"output_config": {"effort": "low"}})
