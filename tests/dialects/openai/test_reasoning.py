"""OpenAI's language: reasoning and its signatures in the history that a caller sends, and on the way back."""

import json

import pytest

from fairlead.chat import Answer, Chat, Said, Text, Thinking, ToolCall
from fairlead.dialects import openai
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields

CALL = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TEXT = {"type": "reasoning.text", "text": "hm", "format": "anthropic-claude-v1", "index": 0}


def read(**message) -> Chat:
    messages = [{"role": "user", "content": "x"}, {"role": "assistant", **message}]
    return openai.read_chat(read_fields(json.dumps({"model": "m", "messages": messages}).encode()))


def parts(**message):
    return read(**message).messages[1].parts


def sent_back(**message):
    chat = read(**message)
    losses = Losses(openai.LANGUAGE)
    body = openai.write_request(chat, model="m", max_output_tokens=9, stream=False, params={}, quirks={}, losses=losses)
    assert losses.told == ()
    return json.loads(body)["messages"][1]


def test_the_text_of_reasoning_has_two_names():
    assert parts(content="x", reasoning_content="hm") == (Thinking("hm"), Text("x"))
    assert parts(content="x", reasoning="hm") == (Thinking("hm"), Text("x"))
    assert parts(content="x", reasoning={"what": "else"}, reasoning_content=None) == (Text("x"),)


def test_details_that_repeat_the_text_are_not_read_twice():
    signed = [{**TEXT, "signature": "c2ln"}]
    assert parts(content="x", reasoning="hm", reasoning_details=signed) == (
        Thinking("hm", "anthropic-claude-v1:c2ln", "openai"),
        Text("x"),
    )


def test_details_are_found_where_litellm_keeps_them():
    kept = {"reasoning_details": [{**TEXT, "signature": "c2ln"}], "refusal": None}
    signed = (Thinking("hm", "anthropic-claude-v1:c2ln", "openai"), Text("x"))
    assert parts(content="x", reasoning_content="hm", provider_specific_fields=kept) == signed
    for odd in (None, {}, [], "x", {"reasoning_details": {"a": 1}}):
        assert parts(content="x", provider_specific_fields=odd) == (Text("x"),)


def test_the_pieces_of_a_stream_become_one_again():
    pieces = [{**TEXT, "text": "h"}, {**TEXT, "text": "m"}, {**TEXT, "text": None, "signature": "c2ln"}]
    assert parts(content="x", reasoning_details=pieces)[0] == Thinking("hm", "anthropic-claude-v1:c2ln", "openai")
    two = [*pieces, {"type": "reasoning.text", "text": "more", "index": 0}]
    assert parts(content="x", reasoning_details=two)[:2] == (
        Thinking("hm", "anthropic-claude-v1:c2ln", "openai"),
        Thinking("more"),
    )


@pytest.mark.parametrize(
    "details",
    [
        [{"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0}],
        [{"type": "reasoning.text", "text": "hm", "signature": "c2ln", "index": 0}],
        [
            {"type": "reasoning.summary", "summary": "hm", "id": "rs", "format": "openai-responses-v1", "index": 0},
            {"type": "reasoning.encrypted", "data": "c2ln", "id": "rs", "format": "openai-responses-v1", "index": 0},
        ],
        [
            {"type": "reasoning.text", "text": "hm", "id": "t", "format": "google-gemini-v1", "index": 0},
            {"type": "reasoning.encrypted", "data": "c2ln", "id": "t", "format": "google-gemini-v1", "index": 0},
        ],
        [{"type": "reasoning.encrypted", "data": "c2ln", "format": "google-gemini-v1", "index": 0}],
        [
            {"type": "reasoning.encrypted", "data": "one", "id": "a", "index": 0},
            {"type": "reasoning.encrypted", "data": "two", "id": "b", "index": 1},
        ],
    ],
)
def test_a_targets_own_details_go_back_as_they_came(details):
    assert sent_back(content="x", tool_calls=[CALL], reasoning_details=details)["reasoning_details"] == details


def test_details_that_say_nothing_are_let_go():
    assert parts(content="x", reasoning_details=[{"type": "reasoning.server_tool_call"}, {**TEXT, "text": ""}]) == (
        Text("x"),
    )


def test_a_text_or_a_call_that_google_signed_goes_back_signed():
    signed = {"google": {"thought_signature": "c2ln"}}
    message = {"content": "x", "extra_content": signed, "tool_calls": [{**CALL, "extra_content": signed}]}
    assert parts(**message) == (
        Text("x"),
        Thinking("", "c2ln", "openai"),
        ToolCall("t", "f", "{}", "c2ln", "openai"),
    )
    assert sent_back(**message) == {"role": "assistant", **message}


@pytest.mark.parametrize(
    "said",
    [
        (Thinking("hm", "c2ln", "anthropic"), Text("x"), ToolCall("t", "f", "{}")),
        (Thinking("", "c2ln", "anthropic", True), Thinking("hm", "sig", "anthropic"), ToolCall("t", "f", "{}")),
        (Thinking("hm", "c2ln", "responses", True, "rs_1"), Text("x")),
        (Thinking("one", "1", "anthropic"), Text("x"), Thinking("two", "2", "anthropic"), ToolCall("t", "f", "{}")),
        (Thinking("hm"), Text("x"), Thinking("", "c2ln", "gemini")),
        (ToolCall("t", "f", "{}", "c2ln", "gemini"), Thinking("", "c2ln", "gemini"), ToolCall("u", "f", "{}")),
    ],
)
def test_what_another_provider_signed_survives_a_caller_of_this_language(said):
    body = openai.write_answer(Answer(said=(Said(said),)), created=0)
    message = json.loads(body)["choices"][0]["message"]
    assert parts(**message) == said
    assert b'"~fairlead:' in body


def test_reasoning_with_a_number_beyond_all_numbers_comes_last():
    details = [{"type": "reasoning.text", "text": "Hm.", "index": 2**70}]
    assert [type(part).__name__ for part in parts(content="Yes.", reasoning_details=details)] == ["Text", "Thinking"]
