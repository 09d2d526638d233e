"""Bedrock's language: whole answers, and errors, both ways."""

import json

import pytest
from msgspec import Raw

from fairlead import errors
from fairlead.chat import Answer, Media, Opaque, Said, Text, Thinking, ToolCall, Usage
from fairlead.dialects import bedrock

USED = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 26, "cacheReadInputTokens": 7, "cacheWriteInputTokens": 11}


def answer(*content, stop="end_turn", **fields) -> bytes:
    message = {"role": "assistant", "content": list(content) or [{"text": "hi"}]}
    return json.dumps({"output": {"message": message}, "stopReason": stop, "usage": USED, **fields}).encode()


def test_an_answer_is_read():
    call = {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}, "type": "tool_use"}}
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}}
    hidden = {"reasoningContent": {"redactedContent": "c2Vj"}}
    image = {"image": {"format": "png", "source": {"bytes": "AAAA"}}}
    body = answer(thought, hidden, {"text": "hi"}, image, call, stop="tool_use")
    read = bedrock.read_answer(body, full=True)
    assert read.said == (
        Said(
            (
                Thinking("Hm.", "c2ln", "bedrock"),
                Thinking("", "c2Vj", "bedrock", redacted=True),
                Text("hi"),
                Media(kind="image", media_type="image/png", data="AAAA"),
                ToolCall("t", "f", '{"a": 1}'),
            ),
            "tool_calls",
        ),
    )
    assert (read.dialect, read.finish, read.spoken) == ("bedrock", "tool_calls", body)
    assert bedrock.read_answer(body).said == ()
    assert bedrock.read_answer(body).usage == read.usage


def test_reasoning_is_signed_by_whom_the_target_says():
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}}
    [said] = bedrock.read_answer(answer(thought), full=True, origin="elsewhere").said
    assert said.parts == (Thinking("Hm.", "c2ln", "elsewhere"),)


def test_the_input_counts_cached_tokens_too():
    details = [
        {"ttl": "1h", "inputTokens": 8},
        {"ttl": "5m", "inputTokens": 3},
        {"ttl": "of tomorrow", "inputTokens": 1},
    ]
    usage = bedrock.read_answer(answer(usage={**USED, "cacheDetails": details})).usage
    counts = {"cache_write_1h_tokens": 8, "cache_write_5m_tokens": 3}
    assert usage == Usage(input=21, output=5, cache_read=7, cache_write=11, details=counts)
    other = {"inputTokens": 1, "outputTokens": 2, "cacheReadInputTokenCount": 4, "cacheWriteInputTokenCount": 0}
    assert bedrock.read_answer(answer(usage=other)).usage == Usage(input=5, output=2, cache_read=4)
    assert bedrock.read_answer(answer(usage=None)).usage is None


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_model_output", None),
        ("malformed_tool_use", None),
        ("a reason of tomorrow", None),
        (None, None),
    ],
)
def test_reasons_to_stop_become_a_finish_or_none(reason, finish):
    read = bedrock.read_answer(answer(stop=reason), full=True)
    assert read.said[0].finish == finish
    assert read.finish == (finish or reason)


@pytest.mark.parametrize(
    ("told", "stop"),
    [({"stop_sequence": "END"}, "END"), ({"stop_sequence": None}, None), ("test", None), ({"x": []}, None),
     ({"stop_sequence": 5}, None)],
)  # fmt: skip
def test_the_sequence_that_matched_is_told(told, stop):
    body = answer(stop="stop_sequence", additionalModelResponseFields=told)
    assert bedrock.read_answer(body, full=True).said[0].stop == stop


def test_the_model_that_a_router_chose_is_told():
    body = answer(trace={"promptRouter": {"invokedModelId": "arn:x"}})
    assert bedrock.read_answer(body).model == "arn:x"


def test_of_citations_the_text_stays_and_what_ran_there_stays_whole():
    cited = {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": []}}
    ran = {"toolResult": {"toolUseId": "s", "content": [{"json": {}}], "type": "nova_code_interpreter_result"}}
    parts = bedrock.read_answer(answer(cited, ran), full=True).said[0].parts
    assert parts == (Text("ab"), Opaque("toolResult", Raw(json.dumps(ran).encode()), "bedrock"))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"output":{}}', b'{"output":{"message":null}}', b'{"choices":[]}', b'{"a":"\xff"}',
     answer({}), answer({"text": 5})],
)  # fmt: skip
def test_what_is_no_answer_is_unclear(body):
    with pytest.raises(errors.TargetUnclear):
        bedrock.read_answer(body, full=True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"__type": "ThrottlingException", "message": "later"}, errors.TargetOverloaded),
        ({"__type": "com.amazon.x#ValidationException:http://y", "Message": "no"}, errors.TargetRejected),
        ({"Output": {"__type": "com.amazon.coral.service#UnknownOperationException"}}, errors.TargetRefused),
        ({"message": "something"}, errors.TargetFailed),
    ],
)
def test_an_error_in_an_answers_clothes_is_an_error(body, kind):
    with pytest.raises(kind):
        bedrock.read_answer(json.dumps(body).encode())


# --- to a caller -----------------------------------------------------------------------------------------------------


def write(*parts, usage=None, **said) -> dict:
    said = {"finish": "stop"} | said
    return json.loads(bedrock.write_answer(Answer(said=(Said(parts, **said),), usage=usage), created=0))


def test_an_answer_in_this_language_stays_as_it_came():
    body = answer()
    assert bedrock.write_answer(bedrock.read_answer(body), created=0) == body


def test_an_answer_is_written():
    usage = Usage(21, 5, 7, 11, 2, details={"cache_write_1h_tokens": 8})
    assert write(Text("hi"), usage=usage, stop="END") == {
        "output": {"message": {"role": "assistant", "content": [{"text": "hi"}]}},
        "stopReason": "stop_sequence",
        "usage": {**USED, "cacheDetails": [{"ttl": "1h", "inputTokens": 8}]},
        "metrics": {"latencyMs": 0},
        "additionalModelResponseFields": {"stop_sequence": "END"},
    }


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"finish": "stop"}, "end_turn"),
        ({"finish": "length"}, "max_tokens"),
        ({"finish": "tool_calls"}, "tool_use"),
        ({"finish": "content_filter"}, "content_filtered"),
        ({"finish": "stop", "refusal": "No."}, "content_filtered"),
        ({"finish": None}, None),
    ],
)
def test_no_finish_is_made_up(said, reason):
    assert write(**said).get("stopReason") == reason


@pytest.mark.parametrize(
    "part",
    [
        Thinking("Hm."),
        Thinking("Hm.", "c2ln", "bedrock"),
        Thinking("", "c2Vj", "bedrock", redacted=True),
        Thinking("Hm.", "c2ln", "anthropic"),
        Thinking("", "aGlk", "anthropic", redacted=True),
        Thinking("So.", "ZW5j", "responses", id="rs_1"),
        Thinking("So.", None, "responses", id="rs_1"),
        Thinking("", "ZW5j", "responses", redacted=True, id="rs_1"),
        ToolCall("t", "f", '{"a":1}', "Z2Vt", "gemini"),
        Media(kind="image", media_type="image/png", data="AAAA"),
    ],
)
def test_what_is_told_is_understood_when_it_comes_back(part):
    body = bedrock.write_answer(Answer(said=(Said((Text("a"), part), "stop"),)), created=0)
    assert bedrock.read_answer(body, full=True).said[0].parts == (Text("a"), part)


def test_a_signature_that_only_looks_wrapped_stays_what_it_is():
    thought = {"reasoningContent": {"reasoningText": {"text": "", "signature": "~fairlead:x/id:nonsense"}}}
    [part] = bedrock.read_answer(answer(thought), full=True).said[0].parts
    assert part == Thinking("", "~fairlead:x/id:nonsense", "bedrock")


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"message":"The model is wrong."}', "The model is wrong.", ""),
        (b'{"Message":"Old."}', "Old.", ""),
        (b'{"__type":"a#ThrottlingException","message":"later"}', "later", "ThrottlingException"),
        (b'{"__type":"a#UnknownOperationException"}', "HTTP 400", "UnknownOperationException"),
        (b'{"error":{"message":"proxied","code":"c"}}', "proxied", "c"),
        (b'{"message":5}', "5", ""),
        (b"<html>", "HTTP 400", ""),
        (b"plain words", "plain words", ""),
    ],
)
def test_an_errors_body_is_read(body, message, code):
    assert bedrock.read_error(400, body) == (message, code)


def test_an_error_is_written_with_the_houses_words_beside_it():
    body = bedrock.error_body(
        status=429,
        message="later",
        type="rate_limit_error",
        code="rate_limited",
        param="p",
        hint="wait",
        extra={"limit": 5},
    )
    assert json.loads(body) == {
        "__type": "ThrottlingException", "message": "later", "code": "rate_limited", "param": "p", "hint": "wait",
        "limit": 5,
    }  # fmt: skip
    assert bedrock.read_error(429, body) == ("later", "ThrottlingException")


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "ValidationException"), (401, "UnrecognizedClientException"), (404, "ResourceNotFoundException"),
     (418, "ValidationException"), (503, "ServiceUnavailableException"), (599, "InternalServerException")],
)  # fmt: skip
def test_a_status_has_a_name_here(status, name):
    assert bedrock.error_type(status) == name
