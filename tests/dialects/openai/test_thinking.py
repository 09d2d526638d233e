"""OpenAI's language: every way in which thinking is asked for."""

import json

import pytest

from fairlead.chat import Chat
from fairlead.dialects.losses import Losses
from fairlead.dialects.openai.thinking import read_asked, write_asked
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid


def read(**fields):
    asked = read_asked(read_fields(json.dumps(fields).encode()))
    return asked.effort, asked.tokens, asked.shows


def written(mode, effort=None, tokens=None, shows=None, limit=1000):
    chat = Chat(messages=(), effort=effort, thinking_tokens=tokens, shows_thinking=shows)
    return write_asked(chat, limit, mode, Losses("OpenAI's API"))


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, (None, None, None)),
        ({"reasoning_effort": "xhigh"}, ("xhigh", None, None)),
        ({"reasoning_effort": None}, (None, None, None)),
        ({"reasoning": {"effort": "high", "enabled": True}}, ("high", None, None)),
        ({"reasoning": {"max_tokens": 2000, "exclude": True}}, (None, 2000, False)),
        ({"reasoning": {"enabled": True}}, ("medium", None, None)),
        ({"reasoning": {"enabled": False}}, (None, 0, None)),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, ("low", None, True)),
        ({"enable_thinking": True}, ("medium", None, None)),
        ({"enable_thinking": True, "thinking_budget": 500}, (None, 500, None)),
        ({"enable_thinking": False}, (None, 0, None)),
        ({"enable_thinking": True, "thinking_budget": -1}, ("medium", None, None)),
        ({"chat_template_kwargs": {"enable_thinking": False}}, (None, 0, None)),
        ({"chat_template_kwargs": {"thinking": True}}, ("medium", None, None)),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, (None, 4096, None)),
        ({"thinking": {"type": "disabled"}}, (None, 0, None)),
        ({"thinking": {"type": "adaptive"}, "reasoning_effort": "max"}, ("max", None, None)),
        ({"thinking_token_budget": 7}, (None, 7, None)),
        ({"include_reasoning": False}, (None, None, False)),
        ({"reasoning_format": "parsed", "reasoning_effort": "low"}, ("low", None, True)),
        ({"reasoning_format": "hidden"}, (None, None, False)),
    ],
)
def test_thinking_is_asked_for_in_many_words(fields, asked):
    assert read(**fields) == asked


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"reasoning_effort": "default"}, "reasoning_effort"),
        ({"reasoning": {"effort": "high", "context": "all"}}, "reasoning"),
        ({"reasoning": "much"}, "reasoning"),
        ({"thinking": {"type": "enabled", "clear_thinking": False}}, "thinking"),
        ({"thinking": {"type": "deep"}}, "thinking"),
        ({"chat_template_kwargs": {"style": "x"}}, "chat_template_kwargs"),
        ({"reasoning_format": "raw"}, "reasoning_format"),
    ],
)
def test_what_says_more_is_left_as_it_stands(fields, name):
    asked = read_asked(read_fields(json.dumps(fields).encode()))
    assert asked.unread == {name}
    assert (asked.effort, asked.tokens, asked.shows) == (None, None, None)


@pytest.mark.parametrize(
    ("mode", "asked", "fields"),
    [
        ("effort", {}, {}),
        ("effort", {"effort": "high"}, {"reasoning_effort": "high"}),
        ("effort", {"tokens": 800}, {"reasoning_effort": "high"}),
        ("effort", {"tokens": 0}, {"reasoning_effort": "none"}),
        ("openrouter", {"effort": "minimal"}, {"reasoning": {"effort": "minimal"}}),
        ("openrouter", {"tokens": 300, "effort": "low"}, {"reasoning": {"max_tokens": 300}}),
        ("openrouter", {"tokens": 0}, {"reasoning": {"enabled": False}}),
        ("openrouter", {"shows": False}, {"reasoning": {"exclude": True}}),
        ("qwen", {"effort": "medium"}, {"enable_thinking": True, "thinking_budget": 500}),
        ("qwen", {"tokens": 300}, {"enable_thinking": True, "thinking_budget": 300}),
        ("qwen", {"effort": "none"}, {"enable_thinking": False}),
        ("qwen", {}, {}),
        ("vllm", {"effort": "none"}, {"chat_template_kwargs": {"enable_thinking": False, "reasoning_effort": "none"}}),
        ("vllm", {"tokens": 300}, {"chat_template_kwargs": {"enable_thinking": True, "thinking_budget": 300}}),
        ("vllm", {"shows": True}, {"include_reasoning": True}),
        ("off", {"effort": "high", "tokens": 5}, {}),
    ],
)
def test_thinking_is_asked_for_as_the_target_wants_it(mode, asked, fields):
    assert written(mode, **asked) == fields


@pytest.mark.parametrize("mode", ["openrouter", "vllm"])
@pytest.mark.parametrize(
    "asked", [("high", None, None), ("none", None, True), (None, 0, None), (None, 700, False), (None, None, None)]
)
def test_where_there_are_words_for_all_of_it_nothing_is_lost(mode, asked):
    assert read(**written(mode, *asked)) == asked


def test_whether_it_is_told_is_said_where_the_caller_spoke_the_same_language():
    chat = Chat(messages=(), effort="low", shows_thinking=False, dialect="openai")
    losses = Losses("OpenAI's API")
    assert write_asked(chat, 10, "effort", losses) == {"reasoning_effort": "low", "include_reasoning": False}
    assert written("effort", effort="low", shows=False) == {"reasoning_effort": "low"}


def test_an_effort_that_nobody_knows_is_a_loss():
    with pytest.raises(RequestInvalid) as caught:
        written("effort", effort="enormous")
    assert caught.value.param == "reasoning_effort"
