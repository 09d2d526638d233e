"""OpenAI's language: whole answers, both ways, and the bodies around them."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead import errors
from fairlead.chat import Answer, Media, Said, Text, Thinking, ToolCall, Usage
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


def test_parts_keep_their_order():
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}, "?"]
    call = {"id": "t1", "function": {"name": "f", "arguments": {"a": 1}}}
    choices = [{"message": {"content": content, "tool_calls": [call]}, "finish_reason": "tool_calls"}]
    (said,) = openai.read_answer(answer(choices=choices), full=True).said
    assert said.parts == (Thinking("hm"), Text("a"), ToolCall("t1", "f", '{"a":1}'))


def test_images_and_sounds_that_were_made_are_parts():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    message = {"content": None, "images": [image, {"type": "?"}]}
    (said,) = openai.read_answer(answer(choices=[{"message": {**message, "images": [image]}}]), full=True).said
    assert said.parts == (Media(kind="image", media_type="image/png", data="AAAA"),)
    assert openai.read_answer(answer(choices=[{"message": message}]), full=True).said == (Said(),)
    message = {"content": None, "audio": {"id": "a", "data": "AAAA", "transcript": "Hello", "expires_at": 1}}
    (said,) = openai.read_answer(answer(choices=[{"message": message}]), full=True).said
    assert said.parts == (Text("Hello"), Media(kind="audio", data="AAAA"))


def test_calls_without_ids_are_given_some():
    calls = [{"id": "", "function": {"name": name, "arguments": "{}"}} for name in "fg"]
    (said,) = openai.read_answer(answer(choices=[{"message": {"tool_calls": calls}}]), full=True).said
    assert [call.id for call in said.tool_calls] == ["call_0", "call_1"]


@pytest.mark.parametrize("field", ["stop_reason", "matched_stop"])
def test_the_matched_stop_sequence_is_told(field):
    choices = [{"message": {"content": "x"}, "finish_reason": "stop", field: "END"}]
    assert openai.read_answer(answer(choices=choices), full=True).said[0].stop == "END"
    assert openai.read_answer(answer(choices=[{**choices[0], field: 128001}]), full=True).said[0].stop is None


def test_an_error_in_place_of_a_choice_is_an_error():
    choices = [{"message": {"content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "down"}}]
    for full in (False, True):
        with pytest.raises(errors.TargetFailed):
            openai.read_answer(answer(choices=choices), full=full)


def test_what_a_server_sends_empty_is_neither_a_call_nor_a_finish():
    message = {"role": "assistant", "content": "hi", "function_call": {"name": "", "arguments": ""}}
    read = openai.read_answer(answer(choices=[{"index": 0, "message": message, "finish_reason": ""}]), full=True)
    assert read.finish is None
    assert read.said == (Said((Text("hi"),)),)


def test_completions_and_embeddings_are_answers_too():
    body = json.dumps({"choices": [{"text": "hi", "finish_reason": "length"}]}).encode()
    assert openai.read_answer(body, task="complete", full=True).said == (Said((Text("hi"),), "length"),)
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
    said = Said((Thinking("hm"), Text("x"), ToolCall("t", "f", "{}")), "tool_calls")
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
    body = json.loads(openai.write_answer(Answer(said=(Said((Text("x"),)),)), created=0))
    assert body["choices"][0]["finish_reason"] is None
    assert "usage" not in body


def test_an_answer_in_the_callers_language_goes_as_it_came():
    assert openai.write_answer(openai.read_answer(answer(), full=True), created=7) == answer()


WORDS = some.text(min_size=1)
SIGNED = some.sampled_from(["anthropic", "gemini", "responses", "openai"])
THOUGHTS = some.one_of(
    some.builds(Thinking, WORDS),
    some.builds(Thinking, some.text(), WORDS, SIGNED),
    some.builds(Thinking, some.just(""), WORDS, SIGNED, some.just(True), some.none() | WORDS),
)
CALLS = some.builds(ToolCall, WORDS, WORDS, some.text()) | some.builds(
    ToolCall, WORDS, WORDS, some.text(), WORDS, some.sampled_from(["gemini", "openai"])
)
IMAGES = some.just(Media(kind="image", media_type="image/png", data="AAAA"))


def mixed(text, rest, thoughts, places):
    """Text first, then what comes beside it, with reasoning anywhere; of reasoning that nobody signed one block."""
    parts = [*([Text(text)] if text else []), *rest]
    unsigned = [thought for thought in thoughts if thought.signature is None]
    for thought, place in zip(thoughts, places, strict=False):
        if thought.signature is not None:
            parts.insert(place % (len(parts) + 1), thought)
    return (*unsigned[:1], *parts)


SAIDS = some.builds(
    Said,
    parts=some.builds(
        mixed,
        some.none() | WORDS,
        some.tuples(some.lists(IMAGES, max_size=1), some.lists(CALLS, max_size=2)).map(lambda two: [*two[0], *two[1]]),
        some.lists(THOUGHTS, max_size=3),
        some.lists(some.integers(0, 9), min_size=3, max_size=3),
    ),
    refusal=some.none() | WORDS,
    finish=some.sampled_from([None, "stop", "length", "tool_calls", "content_filter"]),
    stop=some.none() | WORDS,
)
DETAILS = some.dictionaries(
    some.sampled_from([
        "cache_write_5m_tokens", "cache_write_1h_tokens", "input_audio_tokens", "output_audio_tokens",
        "cache_audio_read_tokens", "input_image_tokens", "output_image_tokens", "input_video_tokens", "web_searches",
    ]),
    some.integers(1, 2**40),
)  # fmt: skip


@given(
    some.lists(SAIDS, min_size=1, max_size=3).map(tuple),
    some.builds(Usage, *[some.integers(0, 2**40)] * 5, details=DETAILS),
)
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
        status=400, message="m", type="t", code="c", param="p", hint="h", extra={"call": "1", "message": "not this"}
    )
    assert json.loads(body) == {
        "error": {"message": "m", "type": "t", "param": "p", "code": "c", "hint": "h", "call": "1"}
    }


def test_the_models_are_the_routes():
    body = msgspec.json.decode(openai.models_body(["a", "b"], 5))
    assert body["object"] == "list"
    assert body["data"][1] == {"id": "b", "object": "model", "created": 5, "owned_by": "fairlead"}
