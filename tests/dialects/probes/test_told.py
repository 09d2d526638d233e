"""What is said otherwise than it was asked is told by its path, whatever language the target speaks."""

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Answer, Chat, Message, Said, Text, ToolChoice, Usage
from fairlead.dialects import gemini, openai, responses
from fairlead.dialects.losses import Losses
from fairlead.dialects.probes import LANGUAGES, said_in
from fairlead.dialects.probes.asking import CALL, LOOK_UP, PDF, QUESTION, RESULT, ask, worked

SYSTEM = Message("system", (Text("Be brief."),))
LATE = ask(SYSTEM, QUESTION, SYSTEM, QUESTION)
BROKEN = ask(QUESTION, Message("assistant", (replace(CALL, arguments="{id"),)), RESULT, tools=(LOOK_UP,))
NAMED = ask(Message("user", (Text("What is this?"), PDF)))


@pytest.mark.parametrize(
    ("chat", "path", "by"),
    [
        (LATE, "messages[2].place", {"anthropic", "gemini", "bedrock"}),
        (BROKEN, "messages[1].tool_calls.arguments", {"anthropic", "gemini", "bedrock"}),
        (worked(result=replace(RESULT, is_error=True)), "messages[2].is_error", {"openai", "responses"}),
        (ask(thinking_tokens=4096), "thinking_tokens", {"openai", "responses", "anthropic", "bedrock"}),
        (ask(effort="max"), "reasoning_effort", {"gemini"}),
        (ask(effort="minimal"), "reasoning_effort", {"anthropic", "bedrock"}),
        (NAMED, "messages[0].content.name", {"gemini"}),
        (ask(tools=(LOOK_UP, replace(LOOK_UP, name="f", strict=True))), "tools[1].strict", {"gemini"}),
    ],
)
def test_it_is_told(chat: Chat, path: str, by: set[str]) -> None:
    telling: set[str] = set()
    for language in LANGUAGES:
        losses = Losses(language.LANGUAGE)
        said_in(language, chat, losses)
        telling |= {language.DIALECT} if path in losses.told else set()
        assert set(losses.told) <= {path}
    assert telling == by


@pytest.mark.parametrize("choice", [ToolChoice("required"), ToolChoice("named", "look_up")])
def test_a_forced_call_follows_its_schema_without_being_strict(choice: ToolChoice) -> None:
    losses = Losses(gemini.LANGUAGE)
    said_in(gemini, ask(tools=(replace(LOOK_UP, strict=True),), tool_choice=choice), losses)
    assert losses.told == ()


@pytest.mark.parametrize("arguments", ["", "  ", "{}", '{"id":7}'])
def test_arguments_that_are_an_object_or_nothing_are_not_told(arguments: str) -> None:
    chat = ask(QUESTION, Message("assistant", (replace(CALL, arguments=arguments),)), RESULT, tools=(LOOK_UP,))
    for language in LANGUAGES:
        losses = Losses(language.LANGUAGE)
        said_in(language, chat, losses)
        assert losses.told == ()


def test_verbosity_has_a_word_in_both_of_openais_languages() -> None:
    asked = replace(ask(), others={"text.verbosity": Raw(b'"low"')}, dialect="responses")
    assert json.loads(said_in(openai, asked))["verbosity"] == "low"
    back = replace(ask(), others={"verbosity": Raw(b'"low"')}, dialect="openai")
    assert json.loads(said_in(responses, back))["text"] == {"verbosity": "low"}


def test_searches_are_counted_for_a_responses_caller_where_openai_counts_them() -> None:
    searched = Answer(said=(Said((Text("Yes."),), "stop"),), usage=Usage(1, 1, details={"web_searches": 3}))
    body = json.loads(responses.write_answer(searched, created=0))
    assert body["tool_usage"] == {"web_search": {"num_requests": 3}}
    assert "tool_usage" not in json.loads(responses.write_answer(replace(searched, usage=Usage(1, 1)), created=0))
