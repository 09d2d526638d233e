"""Gemini's language, inwards: what the road needs of a request."""

import json
from typing import Any

import pytest

from dialects.gemini.conversations import PIXEL, asked
from fairlead.dialects import gemini
from fairlead.errors import RequestInvalid


def road(*contents: Any, task: Any = "chat", **fields: Any) -> Any:
    return gemini.read_request(task, asked(*contents, **fields), route="r", stream=False)


def user(*parts: Any) -> dict:
    return {"role": "user", "parts": list(parts)}


def test_the_url_names_route_and_stream():
    request = gemini.read_request("chat", asked(model="models/other"), route="some/route", stream=True)
    assert (request.route, request.stream, request.wants_usage) == ("some/route", True, True)
    assert gemini.read_request("chat", asked(model="models/other")).route == "other"


def test_text_has_a_bound():
    request = road(user({"text": "a"}), systemInstruction={"parts": [{"text": "s"}]})
    assert request.input_bound is not None
    assert request.input_bound > request.input_bytes
    assert request.needs == frozenset()


def test_limits_and_samples():
    request = road(generationConfig={"max_output_tokens": 5, "candidateCount": 3})
    assert (request.max_output_tokens, request.samples) == (5, 3)


@pytest.mark.parametrize(
    ("part", "needs"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": PIXEL}}, {"image"}),
        ({"inline_data": {"mime_type": "audio/wav", "data": "AAAA"}}, {"audio"}),
        ({"fileData": {"fileUri": "https://example.com/a.mp4"}}, {"video"}),
        ({"fileData": {"fileUri": "files/x", "mimeType": "application/pdf"}}, {"document"}),
        ({"functionResponse": {"name": "f", "parts": [{"inlineData": {"mimeType": "image/png"}}]}}, {"image"}),
        ({"hologram": {"depth": 3}}, {"opaque"}),
        ({"hologram": {}}, set()),
    ],
)
def test_media_have_no_bound(part: dict, needs: set):
    request = road(user({"text": "a"}, part))
    assert (request.input_bound is None, request.needs) == (bool(needs), needs)


def test_parts_of_models_are_text_too():
    parts = [
        {"text": "a", "thought": True, "thoughtSignature": "YQ=="},
        {"function_call": {"name": "f", "args": {}}},
        {"executableCode": {"code": "1"}, "videoMetadata": None},
    ]
    assert road({"role": "model", "parts": parts}).input_bound is not None


@pytest.mark.parametrize(
    ("fields", "needs", "bounded"),
    [
        ({"tools": [{"functionDeclarations": [{"name": "f"}]}]}, {"tools"}, True),
        ({"tools": [{"googleSearch": {}}]}, {"tools"}, False),
        ({"cachedContent": "cachedContents/1"}, set(), False),
        ({"generationConfig": {"responseSchema": {"type": "OBJECT"}}}, {"schema"}, True),
        ({"generationConfig": {"responseMimeType": "application/json"}}, {"json"}, True),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}}, {"thinking"}, True),
        ({"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}, {"thinking"}, True),
        ({"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}, {"thinking"}, True),
        ({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}, set(), True),
    ],
)
def test_what_a_model_must_be_able_to_do(fields: dict, needs: set, bounded: bool):
    request = road(**fields)
    assert (request.needs, request.input_bound is not None) == (needs, bounded)


def test_the_full_reading_is_done_once():
    request = road()
    assert request.chat() is request.chat()


def test_a_request_with_foreign_signatures_is_not_passed_on():
    part = {"text": "Hm.", "thought": True, "thoughtSignature": "fmZhaXJsZWFkOmFudGhyb3BpYzpjMmxu"}
    body = asked({"role": "model", "parts": [part]})
    assert gemini.has_wrapped(body)
    assert gemini.read_request("chat", body, route="r").spoken is None
    assert not gemini.has_wrapped(asked())


def test_tokens_are_counted_of_contents_or_of_a_whole_request():
    inner = json.loads(asked(systemInstruction={"parts": [{"text": "s"}]}))
    for body in (inner, {"generateContentRequest": {"model": "models/x", **inner}}):
        request = gemini.read_count_request(json.dumps(body).encode(), route="r")
        assert (request.task, request.route, len(request.chat().messages)) == ("count", "r", 2)
        assert request.spoken is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "contents"),
        (b'{"contents":"hello"}', "contents"),
        (b'{"contents":[{"parts":"hello"}]}', "contents[0].parts"),
        (b'{"contents":[{"parts":[]}],"generationConfig":{"candidateCount":0}}', "generationConfig.candidateCount"),
    ],
)
def test_what_the_road_can_not_read_is_refused(body: bytes, param: str):
    with pytest.raises(RequestInvalid) as caught:
        gemini.read_request("chat", body, route="r").chat()
    assert caught.value.param == param


def test_there_are_no_bare_completions():
    with pytest.raises(RequestInvalid) as caught:
        road(task="complete")
    assert caught.value.code == "unsupported_feature"
