"""Anthropic's language: whole answers of the Messages API."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead import errors
from fairlead.chat import Media, Said, Text, Thinking, ToolCall, Usage
from fairlead.dialects import anthropic

COUNTS = {"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 11}
TEXT = {"type": "text", "text": "hi"}


def message(*content, stop="end_turn", **fields) -> bytes:
    body = {"type": "message", "id": "m1", "model": "claude", "content": content, "stop_reason": stop, "usage": COUNTS}
    return json.dumps({**body, **fields}).encode()


def test_an_answer_is_read():
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    body = message(thinking, TEXT, {"type": "server_tool_use", "name": "x"}, call, stop="tool_use")
    answer = anthropic.read_answer(body, full=True)
    assert (answer.id, answer.model, answer.dialect, answer.finish) == ("m1", "claude", "anthropic", "tool_calls")
    assert answer.spoken is body
    parts = (Thinking("hm", "s", "anthropic"), Text("hi"), ToolCall("t", "f", '{"a": 1}'))
    assert answer.said == (Said(parts, "tool_calls"),)
    assert anthropic.read_answer(body).said == ()


def test_whoever_signs_reasoning_is_told():
    blocks = ({"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking", "data": "d"})
    (said,) = anthropic.read_answer(message(*blocks), full=True, origin="acme").said
    assert said.parts == (Thinking("hm", "s", "acme"), Thinking("", "d", "acme", redacted=True))


def test_an_image_that_a_model_made_is_read():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    there = {"type": "document", "source": {"type": "url", "url": "https://x.org/d"}}
    (said,) = anthropic.read_answer(message(image, there, {"type": "image"}), full=True).said
    assert said.parts == (
        Media(kind="image", media_type="image/png", data="AAAA"),
        Media(kind="document", url="https://x.org/d"),
    )


def test_counts_with_prices_of_their_own_are_told():
    more = {
        **COUNTS,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 7},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
    }
    usage = anthropic.read_answer(message(TEXT, usage=more)).usage
    assert usage.details == {"cache_write_5m_tokens": 4, "cache_write_1h_tokens": 7, "web_searches": 2}


def test_the_stop_sequence_that_ended_it_is_told():
    (said,) = anthropic.read_answer(message(TEXT, stop="stop_sequence", stop_sequence="END"), full=True).said
    assert (said.finish, said.stop) == ("stop", "END")


def test_the_input_counts_cached_tokens_too():
    usage = anthropic.read_answer(
        message(TEXT, usage={**COUNTS, "output_tokens_details": {"thinking_tokens": 2}})
    ).usage
    assert usage == Usage(input=21, output=5, cache_read=7, cache_write=11, reasoning=2)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("a reason of tomorrow", None),
        (None, None),
    ],
)
def test_reasons_to_stop_become_a_finish_or_none(reason, finish):
    answer = anthropic.read_answer(message(TEXT, stop=reason), full=True)
    assert answer.said[0].finish == finish
    assert answer.finish == (finish or reason)


def test_a_refusal_says_why():
    body = message(stop="refusal", stop_details={"type": "refusal", "explanation": "no"})
    assert anthropic.read_answer(body, full=True).said == (Said(refusal="no", finish="content_filter"),)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"type":"message"}', b'{"choices":[]}', b'{"id":"\xff"}']
)
def test_what_is_no_answer_is_unclear(body):
    with pytest.raises(errors.TargetUnclear):
        anthropic.read_answer(body)


def test_an_error_in_an_answers_clothes_is_an_error():
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    with pytest.raises(errors.TargetOverloaded):
        anthropic.read_answer(body)
    assert anthropic.read_error(529, body) == ("Overloaded", "overloaded_error")


def test_a_block_of_a_known_kind_that_can_not_be_read_is_unclear_where_it_must_be_read():
    body = message({"type": "text", "text": 5})
    assert anthropic.read_answer(body).finish == "stop"
    with pytest.raises(errors.TargetUnclear):
        anthropic.read_answer(body, full=True)


@given(some.binary(max_size=100), some.booleans())
def test_random_bytes_raise_nothing_but_target_errors(data, full):
    with pytest.raises(errors.TargetError):
        anthropic.read_answer(data, full=full)
