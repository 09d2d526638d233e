"""Anthropic's language: answers, errors, counts and lists, as callers are told them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec.structs import replace

from fairlead import errors
from fairlead.chat import Answer, Media, Opaque, Said, Text, ToolCall, Usage
from fairlead.dialects import anthropic


def told(said=None, *, created=7, **answer):
    choices = (said or Said((Text("hi"),), "stop"),)
    return json.loads(anthropic.write_answer(Answer(said=choices, **answer), created=created))


def ending(said):
    body = told(said)
    return body["stop_reason"], body["stop_sequence"], body.get("stop_details")


def test_an_answer_is_a_message():
    usage = Usage(21, 5, 7, 11, 2, details={"cache_write_5m_tokens": 4, "cache_write_1h_tokens": 7, "web_searches": 1})
    assert told(id="a", model="m", usage=usage) == {
        "id": "a",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 11,
            "cache_read_input_tokens": 7,
            "output_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 7},
            "server_tool_use": {"web_search_requests": 1, "web_fetch_requests": 0},
            "output_tokens_details": {"thinking_tokens": 2},
        },
    }


def test_what_came_in_this_language_goes_back_as_it_came():
    assert anthropic.write_answer(Answer(dialect="anthropic", spoken=b"{ }"), created=0) == b"{ }"


def test_an_answer_without_an_id_or_counts_gets_some():
    body = told()
    assert body["id"] == "msg_7"
    assert body["usage"]["output_tokens"] == 0


@pytest.mark.parametrize(
    ("said", "reason", "stop"),
    [
        (Said(finish="stop"), "end_turn", None),
        (Said(finish="stop", stop="END"), "stop_sequence", "END"),
        (Said(finish="length"), "max_tokens", None),
        (Said(finish="tool_calls"), "tool_use", None),
        (Said((ToolCall("t", "f", "{}"),), "stop"), "tool_use", None),
        (Said(), None, None),
    ],
)
def test_a_finish_becomes_a_reason_to_stop(said, reason, stop):
    assert ending(said) == (reason, stop, None)


def test_a_refusal_says_why():
    why = {"type": "refusal", "category": None, "explanation": "I can't."}
    assert ending(Said(finish="stop", refusal="I can't.")) == ("refusal", None, why)
    assert ending(Said(finish="content_filter")) == ("refusal", None, {**why, "explanation": None})


def test_calls_without_ids_get_some_and_invalid_json_stays_readable():
    body = told(Said((ToolCall("", "f", "[oops"), ToolCall("", "f", "")), "tool_calls"), id="gen:1")
    assert body["content"] == [
        {"type": "tool_use", "id": "toolu_gen_1_0", "name": "f", "input": {"invalid_json": "[oops"}},
        {"type": "tool_use", "id": "toolu_gen_1_1", "name": "f", "input": {}},
    ]


def test_images_are_told_and_what_has_no_words_is_not():
    parts = (
        Media(kind="image", media_type="image/png", data="AAAA"),
        Media(kind="document", url="https://x.org/d"),
        Media(kind="audio", media_type="audio/wav", data="AAAA"),
        Opaque("executable_code", b"{}", "gemini"),  # type: ignore[arg-type]
    )
    assert told(Said(parts, "stop"))["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "document", "source": {"type": "url", "url": "https://x.org/d"}},
    ]


PARTS = some.lists(
    some.builds(Text, some.text())
    | some.builds(ToolCall, some.sampled_from(["a", "b"]), some.text(), some.just('{"x": [1]}'))
    | some.just(Media(kind="image", media_type="image/png", data="AAAA")),
    max_size=4,
).map(tuple)
COUNTS = some.integers(0, 9)


@given(
    PARTS,
    some.sampled_from([("length", None), ("tool_calls", None), ("content_filter", "no"), ("content_filter", None)]),
    some.builds(
        lambda fresh, output, read, written: Usage(fresh + read + written, output, read, written, output // 2),
        *[COUNTS] * 4,
    ),
)
def test_an_answer_that_is_read_again_says_the_same(parts, ended, usage):
    finish, refusal = ended
    answer = Answer(id="a", model="m", said=(Said(parts, finish, refusal),), finish=finish, usage=usage)
    heard = anthropic.read_answer(anthropic.write_answer(answer, created=0), full=True)
    assert replace(heard, spoken=None, dialect="") == answer


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (503, "overloaded_error"),
        (504, "timeout_error"),
    ],
)
def test_an_error_has_the_languages_own_type(status, kind):
    body = json.loads(anthropic.error_body(status=status, message="m", type="t", code="c"))
    assert body == {"type": "error", "error": {"type": kind, "message": "m", "code": "c"}}


def test_that_there_are_no_threads_is_said_in_words_that_its_client_knows():
    """Its loop over tools asks for a thread first. Told so, it sends the whole conversation instead."""
    told = {"status": 400, "message": "m", "type": "t", "code": "unsupported_feature"}
    error = json.loads(anthropic.error_body(**told, param="thread"))["error"]
    assert error["details"]["error_code"] == "thread_unsupported_request" and error["details"]["unsupported"]
    assert "details" not in json.loads(anthropic.error_body(**told, param="seed"))["error"]


def test_an_error_says_what_the_house_knows_of_it():
    body = json.loads(
        anthropic.error_body(
            status=400,
            message="m",
            type="t",
            code="c",
            param="n",
            hint="do",
            extra={"target": "x", "request_id": "r"},
        )
    )
    assert body["error"] == {
        "type": "invalid_request_error",
        "message": "m",
        "code": "c",
        "param": "n",
        "hint": "do",
        "target": "x",
    }
    assert body["request_id"] == "r"


def test_models_are_listed():
    body = json.loads(anthropic.models_body(["a", "b"], 0))
    assert [model["id"] for model in body["data"]] == ["a", "b"]
    assert (body["first_id"], body["last_id"], body["has_more"]) == ("a", "b", False)
    assert body["data"][0] == json.loads(anthropic.model_body("a", 0))
    assert body["data"][0]["created_at"] == "1970-01-01T00:00:00Z"
    assert json.loads(anthropic.models_body([], 0))["first_id"] is None


def test_counts_are_told_and_read():
    assert anthropic.read_count_answer(anthropic.count_body(7)) == 7
    for body in (b"", b"{}", b'{"input_tokens":"x"}'):
        with pytest.raises(errors.TargetUnclear):
            anthropic.read_count_answer(body)
