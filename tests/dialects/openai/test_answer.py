"""OpenAI's language: whole answers, both ways, and the bodies around them."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead import errors
from fairlead.chat import Answer, Said, ToolCall, Usage
from fairlead.dialects import openai

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def answer(**fields) -> bytes:
    choices = [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]
    return json.dumps({"id": "c1", "model": "gpt", "choices": choices, "usage": USAGE, **fields}).encode()


def test_the_books_are_read_and_the_body_stays_as_it_came():
    body = answer()
    read = openai.read_answer(body)
    assert (read.id, read.model, read.finish, read.dialect) == ("c1", "gpt", "stop", "openai")
    assert read.spoken is body
    assert read.said == ()
    assert read.usage == Usage(input=10, output=5)


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}}, Usage(10, 5, 4, 3)),
        ({"prompt_tokens_details": None, "prompt_cache_hit_tokens": 6}, Usage(10, 5, 6)),
        ({"num_cached_tokens": 8}, Usage(10, 5, 8)),
        ({"completion_tokens_details": {"reasoning_tokens": 2}}, Usage(10, 5, reasoning=2)),
        ({"completion_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 17}, Usage(10, 7, reasoning=2)),
        ({"completion_tokens": None}, Usage(10, 0)),
        ({"completion_tokens": -3}, Usage(10, 0)),
    ],
)
def test_usage_is_counted_as_the_house_counts(said, usage):
    assert openai.read_answer(answer(usage={**USAGE, **said})).usage == usage


def test_usage_that_was_not_told_is_unknown():
    assert openai.read_answer(answer(usage=None)).usage is None


def test_the_full_reading_has_every_choice():
    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    message = {"content": None, "refusal": "no", "reasoning_content": "hm", "tool_calls": [call]}
    choices = [
        {"message": message, "finish_reason": "tool_calls", "logprobs": {"content": []}},
        {"message": {"content": [{"type": "text", "text": "a"}, {"type": "other"}, "?"]}, "finish_reason": "abort"},
    ]
    read = openai.read_answer(answer(choices=choices), full=True)
    first, second = read.said
    assert (first.text, first.refusal, first.reasoning, first.finish) == (None, "no", "hm", "tool_calls")
    assert first.tool_calls == (ToolCall("t1", "f", '{"a": 1}'),)
    assert first.logprobs is not None
    assert (second.text, second.finish) == ("a", None)


def test_what_a_server_sends_empty_is_neither_a_call_nor_a_finish():
    message = {"role": "assistant", "content": "hi", "function_call": {"name": "", "arguments": ""}}
    read = openai.read_answer(answer(choices=[{"index": 0, "message": message, "finish_reason": ""}]), full=True)
    assert read.finish is None
    assert read.said == (Said(text="hi"),)


def test_completions_and_embeddings_are_answers_too():
    body = json.dumps({"choices": [{"text": "hi", "finish_reason": "length"}]}).encode()
    assert openai.read_answer(body, task="complete", full=True).said == (Said(text="hi", finish="length"),)
    body = json.dumps({"data": [{"embedding": [0.5]}], "model": "e", "usage": {"prompt_tokens": 3}}).encode()
    assert openai.read_answer(body, task="embed").usage == Usage(input=3)


@pytest.mark.parametrize("task", ["chat", "complete", "embed"])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"choices": []}', b'{"data": {}}', b'"\xff"', b"[" * 9999]
)
def test_what_is_no_answer_is_unclear(task, body):
    with pytest.raises(errors.TargetUnclear) as caught:
        openai.read_answer(body, task=task)
    assert caught.value.body == body


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 429, "message": "slow down"}, errors.TargetOverloaded),
        ({"type": "invalid_request_error", "message": "bad"}, errors.TargetRejected),
        ({"type": "insufficient_quota", "code": "insufficient_quota"}, errors.TargetRefused),
        ({"type": "invalid_request_error", "code": "model_not_found"}, errors.TargetRefused),
        ({"code": 502}, errors.TargetFailed),
        ("out of memory", errors.TargetFailed),
    ],
)
def test_an_error_in_an_answers_clothes_is_an_error(error, kind):
    with pytest.raises(errors.TargetError) as caught:
        openai.read_answer(json.dumps({"error": error}).encode())
    assert type(caught.value) is kind
    assert caught.value.dialect == "openai"


def test_an_answer_from_elsewhere_is_written():
    said = Said(text="x", reasoning="hm", tool_calls=(ToolCall("t", "f", "{}"),), finish="tool_calls")
    usage = Usage(input=10, output=5, cache_read=4, reasoning=2)
    body = json.loads(
        openai.write_answer(Answer(id="a", model="m", dialect="anthropic", said=(said,), usage=usage), created=7)
    )
    assert (body["object"], body["created"], body["id"], body["model"]) == ("chat.completion", 7, "a", "m")
    assert body["choices"][0]["message"] == {
        "role": "assistant",
        "content": "x",
        "refusal": None,
        "reasoning_content": "hm",
        "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    assert body["usage"]["total_tokens"] == 15
    assert body["usage"]["prompt_tokens_details"] == {"cached_tokens": 4}


def test_an_answer_without_a_finish_gets_none_made_up():
    body = json.loads(openai.write_answer(Answer(said=(Said(text="x"),)), created=0))
    assert body["choices"][0]["finish_reason"] is None
    assert "usage" not in body


def test_an_answer_in_the_callers_language_goes_as_it_came():
    assert openai.write_answer(openai.read_answer(answer(), full=True), created=7) == answer()


TEXTS = some.none() | some.text(min_size=1)
SAIDS = some.builds(
    Said,
    text=TEXTS,
    reasoning=TEXTS,
    refusal=TEXTS,
    tool_calls=some.lists(some.builds(ToolCall, some.text(min_size=1), some.text(), some.text()), max_size=2).map(
        tuple
    ),
    finish=some.sampled_from([None, "stop", "length", "tool_calls", "content_filter"]),
)


@given(some.lists(SAIDS, min_size=1, max_size=3).map(tuple), some.builds(Usage, *[some.integers(0, 2**40)] * 5))
def test_what_is_written_reads_back_the_same(said, usage):
    read = openai.read_answer(openai.write_answer(Answer(said=said, usage=usage), created=0), full=True)
    assert read.said == said
    assert read.usage == usage


@given(some.binary(max_size=100))
def test_random_bytes_raise_nothing_but_target_errors(body):
    with pytest.raises(errors.TargetError):
        openai.read_answer(body, full=True)


def test_an_error_body_has_openais_shape_and_a_hint():
    body = openai.error_body(
        message="m", type="t", code="c", param="p", hint="h", extra={"call": "1", "message": "not this"}
    )
    assert json.loads(body) == {
        "error": {"message": "m", "type": "t", "param": "p", "code": "c", "hint": "h", "call": "1"}
    }


def test_the_models_are_the_routes():
    body = msgspec.json.decode(openai.models_body(["a", "b"], 5))
    assert body["object"] == "list"
    assert body["data"][1] == {"id": "b", "object": "model", "created": 5, "owned_by": "fairlead"}
