"""Gemini's language: whole answers, both ways, and the small bodies around them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Raw

from dialects.gemini.conversations import CALL
from fairlead.chat import Answer, Finish, Media, Opaque, Said, Text, Thinking, ToolCall, Usage
from fairlead.dialects import gemini
from fairlead.errors import TargetError, TargetFailed, TargetOverloaded, TargetRefused, TargetUnclear

LOGPROBS = {
    "content": [
        {
            "token": "é",
            "logprob": -0.5,
            "bytes": [195, 169],
            "top_logprobs": [{"token": "a", "logprob": -1.5, "bytes": [97]}],
        }
    ],
    "refusal": None,
}


def body(*parts: Any, reason: str | None = "STOP", **rest: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    candidate |= rest.pop("candidate", {})
    return json.dumps({"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r1"} | rest).encode()


def read(*parts: Any, **rest: Any) -> Answer:
    return gemini.read_answer(body(*parts, **rest), full=True)


def said(*parts: Any, **rest: Any) -> Said:
    [choice] = read(*parts, **rest).said
    return choice


def write(*choices: Said, **rest: Any) -> Any:
    return json.loads(gemini.write_answer(Answer(id="r", model="m", said=choices, **rest), created=0))


def failure(data: bytes, kind: type[TargetError]) -> TargetError:
    for full in (False, True):
        with pytest.raises(kind) as caught:
            gemini.read_answer(data, full=full)
    assert caught.value.dialect == "gemini"
    return caught.value


def test_for_the_books_an_answer_is_only_looked_at():
    data = body({"text": "Yes."}, usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 2})
    answer = gemini.read_answer(data)
    assert (answer.id, answer.model, answer.finish, answer.said, answer.spoken) == ("r1", "gemini-x", "stop", (), data)
    assert answer.usage == Usage(input=3, output=2)
    assert gemini.write_answer(answer, created=0) == data


def test_parts_come_in_order():
    code = {"executableCode": {"code": "1"}}
    choice = said(
        {"text": "Hm.", "thought": True, "thoughtSignature": "YQ=="},
        {"text": "Look:"},
        {"inlineData": {"mimeType": "image/png", "data": "AA--"}, "thoughtSignature": "Yg=="},
        code,
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "Yw=="},
        {"functionCall": {"name": "g", "id": "own"}},
        {"text": "", "thoughtSignature": "ZA=="},
    )
    assert choice.parts == (
        Thinking("Hm.", "YQ==", "gemini"),
        Text("Look:"),
        Media(kind="image", media_type="image/png", data="AA++"),
        Thinking("", "Yg==", "gemini"),
        Opaque("executableCode", Raw(json.dumps(code).encode()), "gemini"),
        ToolCall("call_r1_0", "f", '{"a": 1}', "Yw==", "gemini"),
        ToolCall("own", "g", "{}"),
        Thinking("", "ZA==", "gemini"),
    )
    assert choice.finish == "tool_calls"


def test_signatures_belong_to_who_is_asked():
    answer = gemini.read_answer(
        body({"text": "Hm.", "thought": True, "thoughtSignature": "YQ=="}), full=True, origin="x"
    )
    assert answer.said[0].parts == (Thinking("Hm.", "YQ==", "x"),)


def test_candidates_stand_in_the_order_of_their_numbers():
    candidates = [
        {
            "index": index,
            "content": {"parts": [{"text": text}, {"functionCall": {"name": "f"}}]},
            "finishReason": "STOP",
        }
        for index, text in ((1, "b"), (0, "a"))
    ]
    answer = gemini.read_answer(json.dumps({"candidates": candidates, "responseId": "r1"}).encode(), full=True)
    assert [choice.text for choice in answer.said] == ["a", "b"]
    assert [choice.tool_calls[0].id for choice in answer.said] == ["call_r1_0", "call_r1_1_0"]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"), ("MAX_TOKENS", "length"), ("CONTINUATION", "length"), ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"), ("IMAGE_SAFETY", "content_filter"), ("BLOCKLIST", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"), ("SPII", "content_filter"),
        ("A_REASON_OF_TOMORROW", None), (None, None),
    ],
)  # fmt: skip
def test_finishes(reason: str | None, finish: Finish | None):
    assert said({"text": "a"}, reason=reason).finish == finish
    assert gemini.read_answer(body({"text": "a"}, reason=reason)).finish == (finish or reason)


def test_a_stop_with_a_call_is_a_call_but_a_limit_stays_one():
    call = {"functionCall": {"name": "f"}}
    assert gemini.read_answer(body(call)).finish == "tool_calls"
    assert gemini.read_answer(body(call, reason="UNEXPECTED_TOOL_CALL")).finish == "tool_calls"
    assert gemini.read_answer(body(call, reason="MAX_TOKENS")).finish == "length"


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "OTHER", "NO_IMAGE"])
def test_an_end_that_is_no_answer_is_a_failure(reason: str):
    error = failure(body(reason=reason, candidate={"finishMessage": "because"}), TargetFailed)
    assert reason in error.message
    assert "because" in error.message


def test_an_account_that_is_closed_refuses():
    failure(body(reason="PUP_LIMITED_DISABLED"), TargetRefused)


def test_a_filtered_answer_and_a_blocked_prompt_are_refusals():
    filtered = said(reason="SAFETY", candidate={"content": {}, "finishMessage": "no"})
    assert (filtered.refusal, filtered.finish, filtered.parts) == ("no", "content_filter", ())
    blocked = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "responseId": "r1"}).encode()
    answer = gemini.read_answer(blocked, full=True)
    assert (answer.finish, answer.spoken) == ("content_filter", blocked)
    assert answer.said == (Said(refusal="The prompt was blocked (SAFETY).", finish="content_filter"),)


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"<html>", b'{"candidates":[]}', b'{"candidates":[{"content":5}]}', b"\xff"]
)
def test_what_is_no_answer_is_unclear(data: bytes):
    failure(data, TargetUnclear)


def test_an_error_in_an_answers_clothes_is_one():
    failure(b'{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"slow down"}}', TargetOverloaded)


def test_tokens_are_counted_as_they_are_billed():
    usage = read(
        {"text": "a"},
        usageMetadata={
            "promptTokenCount": 100, "toolUsePromptTokenCount": 20,
            "candidatesTokenCount": 30, "thoughtsTokenCount": 40,
            "cachedContentTokenCount": 50, "totalTokenCount": 190,
            "promptTokensDetails": [
                {"modality": "TEXT", "tokenCount": 10}, {"modality": "AUDIO", "tokenCount": 20},
                {"modality": "IMAGE", "tokenCount": 30}, {"modality": "DOCUMENT", "tokenCount": 5},
                {"modality": "VIDEO", "tokenCount": 35},
            ],
            "toolUsePromptTokensDetails": [{"modality": "IMAGE", "tokenCount": 1}, {"modality": "AUDIO"}],
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 7}],
            "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 9}, {"modality": "TEXT", "tokenCount": 41}],
        },
        candidate={"groundingMetadata": {"webSearchQueries": ["", "who", "when"]}},
    ).usage  # fmt: skip
    assert usage == Usage(
        input=120, output=70, cache_read=50, reasoning=40,
        details={
            "input_audio_tokens": 20, "input_image_tokens": 36, "input_video_tokens": 35, "output_image_tokens": 7,
            "cache_audio_read_tokens": 9, "web_searches": 2,
        },
    )  # fmt: skip


def test_usage_that_counts_nothing_is_none():
    assert read({"text": "a"}, usageMetadata={"trafficType": "ON_DEMAND"}).usage is None


def test_log_probabilities_are_told_in_openais_form():
    result = {
        "chosenCandidates": [{"token": "é", "tokenId": 5, "logProbability": -0.5}, {"token": "b"}],
        "topCandidates": [{"candidates": [{"token": "a", "logProbability": -1.5}]}],
    }
    logprobs = said({"text": "éb"}, candidate={"logprobsResult": result}).logprobs
    second = {"token": "b", "logprob": 0.0, "bytes": [98], "top_logprobs": []}
    assert json.loads(bytes(logprobs or b"")) == {"content": [*LOGPROBS["content"], second], "refusal": None}


# --- written ---------------------------------------------------------------------------------------------------------


def test_an_answer_of_another_language():
    choice = Said((Thinking("Hm.", "c2ln", "anthropic"), Text("Yes."), CALL), "tool_calls")
    usage = Usage(input=10, output=5, cache_read=4, cache_write=3, reasoning=2)
    assert write(choice, usage=usage) == {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"text": "Hm.", "thought": True, "thoughtSignature": "fmZhaXJsZWFkOmFudGhyb3BpYzpjMmxu"},
                        {"text": "Yes."},
                        {"functionCall": {"id": "call_1", "name": "look_up", "args": {"id": 7}}},
                    ],
                    "role": "model",
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "modelVersion": "m",
        "responseId": "r",
        "usageMetadata": {
            "promptTokenCount": 10,
            "candidatesTokenCount": 3,
            "thoughtsTokenCount": 2,
            "cachedContentTokenCount": 4,
            "totalTokenCount": 15,
        },
    }


def test_ends():
    reasons = {
        finish: write(Said((Text("a"),), finish))["candidates"][0].get("finishReason")
        for finish in ("stop", "length", "tool_calls", "content_filter", None)
    }
    assert reasons == {
        "stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY", None: None,
    }  # fmt: skip


def test_a_refusal_is_a_message_beside_the_end():
    [candidate] = write(Said(refusal="I can't.", finish="stop"))["candidates"]
    assert (candidate["finishReason"], candidate["finishMessage"]) == ("SAFETY", "I can't.")


def test_counts_by_modality_add_up():
    details = {"input_audio_tokens": 4, "input_image_tokens": 1, "output_image_tokens": 5, "cache_audio_read_tokens": 2}
    usage = write(Said(), usage=Usage(input=10, output=5, cache_read=2, details=details))["usageMetadata"]
    assert usage["promptTokensDetails"] == [
        {"modality": "AUDIO", "tokenCount": 4},
        {"modality": "IMAGE", "tokenCount": 1},
        {"modality": "TEXT", "tokenCount": 5},
    ]
    assert usage["candidatesTokensDetails"] == [{"modality": "IMAGE", "tokenCount": 5}]
    assert usage["cacheTokensDetails"] == [{"modality": "AUDIO", "tokenCount": 2}]


_parts = some.lists(
    some.sampled_from(
        [
            Text("Yes."),
            Thinking("Hm."),
            Thinking("Hm.", "c2ln", "gemini"),
            Thinking("Hm.", "c2ln", "anthropic"),
            Thinking("", "a+/b", "anthropic", redacted=True),
            Thinking("Hm.", "c2ln", "responses", id="rs_1:;="),
            Media(kind="image", media_type="image/png", data="AAAA"),
            CALL,
            ToolCall("call_2", "f", "{}", "c2ln", "gemini"),
            ToolCall("call_3", "f", "{}", "c2ln", "elsewhere"),
            Opaque("executableCode", Raw(b'{"executableCode": {"code": "1"}}'), "gemini"),
        ]
    ),
    max_size=5,
)


@given(_parts, some.sampled_from(["stop", "length", "content_filter"]), some.booleans())
def test_an_answer_comes_back_as_it_was_said(parts: list, finish: Finish, has_logprobs: bool):
    if finish == "stop" and any(isinstance(part, ToolCall) for part in parts):
        finish = "tool_calls"
    choice = Said(tuple(parts), finish, logprobs=Raw(json.dumps(LOGPROBS).encode()) if has_logprobs else None)
    usage = Usage(input=10, output=5, cache_read=2, reasoning=1, details={"input_audio_tokens": 4})
    answer = Answer(id="r", model="m", said=(choice,), usage=usage)
    back = gemini.read_answer(gemini.write_answer(answer, created=0), full=True)
    assert (back.id, back.model, back.usage) == ("r", "m", usage)
    assert (back.said[0].parts, back.said[0].finish) == (choice.parts, choice.finish)
    assert (back.said[0].logprobs is not None) == has_logprobs
    if has_logprobs:
        assert json.loads(bytes(back.said[0].logprobs or b"")) == LOGPROBS


# --- errors, counts, models ------------------------------------------------------------------------------------------


def test_an_error_in_googles_shape():
    told = gemini.error_body(
        status=429, message="Slow down.", type="rate_limit_error", code="rate_limited", param="contents[0]",
        hint="Wait.", extra={"retry_after_s": 2, "limit": {"a": 1}},
    )  # fmt: skip
    error = json.loads(told)["error"]
    assert (error["code"], error["status"], error["message"]) == (429, "RESOURCE_EXHAUSTED", "Slow down.")
    info, violation, retry = error["details"]
    assert (info["reason"], info["domain"]) == ("RATE_LIMITED", "fairlead")
    assert info["metadata"] == {"retry_after_s": "2", "limit": '{"a":1}', "hint": "Wait."}
    assert violation["fieldViolations"] == [{"field": "contents[0]", "description": "Slow down."}]
    assert retry["retryDelay"] == "2s"


@pytest.mark.parametrize(
    ("status", "word"),
    [(400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"), (404, "NOT_FOUND"), (418, "INVALID_ARGUMENT"),
     (502, "UNAVAILABLE"), (504, "DEADLINE_EXCEEDED"), (599, "INTERNAL")],
)  # fmt: skip
def test_every_status_has_a_word(status: int, word: str):
    assert json.loads(gemini.error_body(status=status, message="m", type="t", code="c"))["error"]["status"] == word


@pytest.mark.parametrize(
    ("data", "message", "code"),
    [
        ({"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}, "bad", "INVALID_ARGUMENT"),
        ([{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}], "bad", "INVALID_ARGUMENT"),
        (
            {
                "error": {
                    "code": 400,
                    "message": "key",
                    "status": "INVALID_ARGUMENT",
                    "details": [{"reason": "API_KEY_INVALID"}],
                }
            },
            "key",
            "API_KEY_INVALID",
        ),
        ([], "HTTP 400", ""),
        ({"error": "plain"}, "plain", ""),
    ],
)
def test_errors_are_read_in_any_shape(data: Any, message: str, code: str):
    assert gemini.read_error(400, json.dumps(data).encode()) == (message, code)
    assert gemini.read_error(400, b"<html>") == ("HTTP 400", "")


def test_counts():
    assert gemini.read_count_answer(gemini.count_body(17)) == 17
    for data in (b"", b"{}", b"[]"):
        with pytest.raises(TargetUnclear):
            gemini.read_count_answer(data)


def test_the_list_of_what_may_be_asked_for():
    [model] = json.loads(gemini.models_body(["some/route"], created=0))["models"]
    assert (model["name"], model["displayName"]) == ("models/some/route", "some/route")
    assert "generateContent" in model["supportedGenerationMethods"]
