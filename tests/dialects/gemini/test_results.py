"""Gemini's language: results of tools, which are objects there."""

import json
from typing import Any

import pytest

from dialects.gemini.conversations import CALL, HELLO, chat, read, write
from fairlead.chat import Media, Message, Text

IMAGE = Media(kind="image", media_type="image/png", data="AAAA")
BLOB = {"mimeType": "image/png", "data": "AAAA"}


def written(*parts: Any, is_error: bool = False) -> Any:
    result = Message("tool", parts, tool_call_id="call_1", is_error=is_error)
    body = write(chat(HELLO, Message("assistant", (CALL,)), result))
    said = body["contents"][-1]["parts"][0]["functionResponse"]
    assert (said.pop("name"), said.pop("id")) == ("look_up", "call_1")
    return said


def understood(response: Any, **rest: Any) -> Message:
    call = {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}
    result = {"functionResponse": {"name": "f", "response": response, **rest}}
    return read(call, {"role": "user", "parts": [result]}).messages[-1]


@pytest.mark.parametrize(
    ("parts", "is_error", "response"),
    [
        ([Text("seven")], False, {"result": "seven"}),
        ([Text('{"a": 1}')], False, {"a": 1}),
        ([Text("[1]")], False, {"result": "[1]"}),
        ([Text('{"result": 1}')], False, {"result": '{"result": 1}'}),
        ([Text("")], False, {"result": ""}),
        ([], False, {}),
        ([Text("no such thing")], True, {"error": "no such thing"}),
        ([Text('{"code": 5}')], True, {"error": {"code": 5}}),
        ([], True, {"error": {}}),
        ([Text("a"), Text("b")], False, {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
    ],
)
def test_text_and_failures(parts: list, is_error: bool, response: Any):
    assert written(*parts, is_error=is_error) == {"response": response}


def test_media_stand_beside_the_response_and_are_named_where_their_order_matters():
    assert written(Text("seen:"), IMAGE) == {"response": {"result": "seen:"}, "parts": [{"inlineData": BLOB}]}
    assert written(IMAGE) == {"response": {}, "parts": [{"inlineData": BLOB}]}
    assert written(IMAGE, Text("that")) == {
        "response": {"content": [{"$ref": "image_1"}, {"type": "text", "text": "that"}]},
        "parts": [{"inlineData": {**BLOB, "displayName": "image_1"}}],
    }


@pytest.mark.parametrize(
    ("response", "text", "is_error"),
    [
        ({"result": "seven"}, "seven", False),
        ({"output": "seven"}, "seven", False),
        ({"result": {"a": 1}}, '{"a": 1}', False),
        ({"result": 5}, "5", False),
        ({"a": 1}, '{"a": 1}', False),
        ({"error": "gone"}, "gone", True),
        ({"error": {"code": 5}}, '{"code": 5}', True),
        ({"error": None}, '{"error": null}', False),
        ({"error": "gone", "data": 1}, '{"error": "gone", "data": 1}', False),
        ({"content": ["of its own"]}, '{"content": ["of its own"]}', False),
    ],
)
def test_what_callers_send(response: Any, text: str, is_error: bool):
    message = understood(response)
    assert (message.parts, message.is_error) == ((Text(text),), is_error)
    assert json.loads(text) if text[0] in "{5" else True


def test_media_that_are_not_referred_to_come_last():
    named = {"inlineData": {**BLOB, "displayName": "cat"}}
    message = understood(
        {"content": [{"$ref": "cat"}, {"type": "text", "text": "x"}]}, parts=[{"inlineData": BLOB}, named]
    )
    assert message.parts == (Media(kind="image", media_type="image/png", data="AAAA", name="cat"), Text("x"), IMAGE)
