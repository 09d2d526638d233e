"""Gemini's language, inwards: conversations in the house language, and errors that name the exact path."""

import base64
import json
import time

import pytest
from msgspec import Raw

from dialects.gemini.conversations import PIXEL, read
from fairlead.chat import Media, Message, Opaque, Text, Thinking, ToolCall
from fairlead.dialects import gemini
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid


def user(*parts) -> dict:
    return {"role": "user", "parts": list(parts)}


def model(*parts) -> dict:
    return {"role": "model", "parts": list(parts)}


def said(text: str) -> dict:
    return {"text": text}


def call(name: str = "f", **rest) -> dict:
    return {"functionCall": {"name": name, **rest}}


def result(response=None, name: str = "f", **rest) -> dict:
    return {"functionResponse": {"name": name, "response": response or {}, **rest}}


def wrong(*contents, **fields) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as caught:
        read(*contents, **fields)
    assert caught.value.hint
    return caught.value


def test_roles_and_the_system_instruction():
    chat = read(user(said("a")), model(said("b")), {"parts": [said("c")]}, systemInstruction={"parts": [said("s")]})
    assert chat.messages == (
        Message("system", (Text("s"),)),
        Message("user", (Text("a"),)),
        Message("assistant", (Text("b"),)),
        Message("user", (Text("c"),)),
    )
    assert chat.dialect == "gemini"


def test_one_part_or_one_content_stands_for_a_list_of_one():
    for contents in ({"parts": {"text": "a"}}, [{"parts": {"text": "a"}}], {"parts": [{"text": "a"}]}):
        chat = read(contents=contents, systemInstruction={"parts": {"text": "s"}})
        assert chat.messages == (Message("system", (Text("s"),)), Message("user", (Text("a"),)))


def test_both_spellings_mean_the_same_at_every_level():
    camel = read(
        user({"inlineData": {"mimeType": "image/png", "data": PIXEL}}),
        model({"functionCall": {"name": "f", "id": "1"}, "thoughtSignature": "c2ln"}),
        user(
            {"functionResponse": {"name": "f", "id": "1", "parts": [{"inlineData": {"mimeType": "a/b", "data": ""}}]}}
        ),
        systemInstruction={"parts": [said("s")]},
        generationConfig={"maxOutputTokens": 7, "thinkingConfig": {"includeThoughts": True}},
        toolConfig={"functionCallingConfig": {"mode": "ANY"}},
        tools=[{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {}}]}],
    )
    snake = read(
        user({"inline_data": {"mime_type": "image/png", "data": PIXEL}}),
        model({"function_call": {"name": "f", "id": "1"}, "thought_signature": "c2ln"}),
        user(
            {
                "function_response": {
                    "name": "f",
                    "id": "1",
                    "parts": [{"inline_data": {"mime_type": "a/b", "data": ""}}],
                }
            }
        ),
        system_instruction={"parts": [said("s")]},
        generation_config={"max_output_tokens": 7, "thinking_config": {"include_thoughts": True}},
        tool_config={"function_calling_config": {"mode": "ANY"}},
        tools=[{"function_declarations": [{"name": "f", "parameters_json_schema": {}}]}],
    )
    assert camel == snake
    assert camel.max_output_tokens == 7


def test_media_lie_in_the_request_or_elsewhere():
    chat = read(
        user(
            {"inlineData": {"mimeType": "application/pdf", "data": "AAAA", "displayName": "paper"}},
            {"fileData": {"mimeType": "image/png", "fileUri": "gs://bucket/a"}},
            {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.png?x=1"}},
            {"fileData": {"fileUri": "https://www.youtube.com/watch?v=x"}},
            {
                "fileData": {
                    "fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc",
                    "mimeType": "audio/mp3",
                }
            },
        )
    )
    assert chat.messages[0].parts == (
        Media(kind="document", media_type="application/pdf", data="AAAA", name="paper"),
        Media(kind="image", media_type="image/png", url="gs://bucket/a"),
        Media(kind="image", url="https://example.com/a.png?x=1"),
        Media(kind="video", url="https://www.youtube.com/watch?v=x"),
        Media(
            kind="audio",
            media_type="audio/mp3",
            file="https://generativelanguage.googleapis.com/v1beta/files/abc",
            origin="gemini",
        ),
    )


def test_base64_of_either_alphabet_becomes_the_standard_one():
    data = base64.urlsafe_b64encode(b"\xff\xef\xbf\xfe").decode().rstrip("=")
    [part] = read(user({"inlineData": {"mimeType": "image/png", "data": data}})).messages[0].parts
    assert isinstance(part, Media)
    assert part.data == "/++//g=="
    assert base64.b64decode(part.data) == b"\xff\xef\xbf\xfe"


def test_calls_and_results_are_told_apart_by_their_ids():
    chat = read(
        user(said("q")),
        model(call(id="x", args={"a": 1}), call(id="y")),
        user(result({"result": "two"}, id="y"), result({"result": "one"}, id="x")),
    )
    assert chat.messages[1].tool_calls == (ToolCall("x", "f", '{"a": 1}'), ToolCall("y", "f", "{}"))
    assert [(m.tool_call_id, m.parts) for m in chat.messages[2:]] == [("y", (Text("two"),)), ("x", (Text("one"),))]


def test_calls_without_ids_get_them_from_their_places_and_results_find_them_by_name_in_order():
    chat = read(
        model(call("f"), said("and"), call("g"), call("f")),
        user(result({"result": "1"}, "f"), result({"result": "2"}, "g"), result({"result": "3"}, "f")),
        model(call("f")),
        user(result({"result": "4"}, "f", id="unheard of")),
    )
    assert [c.id for c in chat.messages[0].tool_calls] == ["call_0_0", "call_0_1", "call_0_2"]
    assert [m.tool_call_id for m in chat.messages if m.role == "tool"] == [
        "call_0_0",
        "call_0_1",
        "call_0_2",
        "call_2_0",
    ]


def test_a_call_that_is_named_again_waits_again():
    chat = read(user(said("a")), model(call(id="x")), user(result(id="x")), model(call(id="x")), user(result()))
    assert [message.tool_call_id for message in chat.messages if message.role == "tool"] == ["x", "x"]


def test_the_calls_of_results_without_ids_are_found_in_one_go():
    """However many there are: to look through all of them for each would take minutes."""
    many = 30_000
    contents = user(said("a")), model(*[call()] * many), user(*[result()] * many)
    began = time.process_time()
    assert len(read(*contents).messages) == many + 2
    assert time.process_time() - began < 5


def test_results_come_before_the_rest_of_what_the_user_said():
    chat = read(model(call()), user(said("look:"), result({"result": "r"})))
    assert [(m.role, m.parts) for m in chat.messages[1:]] == [("tool", (Text("r"),)), ("user", (Text("look:"),))]


def test_signatures_stand_with_what_they_sign():
    chat = read(
        model(
            {"text": "Hm.", "thought": True, "thoughtSignature": "YQ=="},
            {"text": "Yes.", "thoughtSignature": "Yg=="},
            {"text": "", "thoughtSignature": "Yw=="},
            {**call(), "thoughtSignature": "ZA=="},
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "ZQ=="},
            {"thoughtSignature": "Zg=="},
        )
    )
    assert chat.messages[0].parts == (
        Thinking("Hm.", "YQ==", "gemini"),
        Text("Yes."),
        Thinking("", "Yg==", "gemini"),
        Thinking("", "Yw==", "gemini"),
        ToolCall("call_0_0", "f", "{}", "ZA==", "gemini"),
        Media(kind="image", media_type="image/png", data="AAAA"),
        Thinking("", "ZQ==", "gemini"),
        Thinking("", "Zg==", "gemini"),
    )


@pytest.mark.parametrize("word", ["skip_thought_signature_validator", "context_engineering_is_the_way_to_go"])
def test_a_word_that_stands_in_for_a_signature_is_none(word: str):
    for signature in (word, base64.b64encode(word.encode()).decode()):
        assert read(model({**call(), "thoughtSignature": signature})).messages[0].tool_calls[0].signature is None


def test_what_runs_at_the_provider_is_kept_as_it_stands():
    code = {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "YQ=="}
    tomorrow = {"hologram": {"depth": 3}}
    parts = read(model(code, tomorrow)).messages[0].parts
    assert parts == (
        Opaque("executableCode", Raw(json.dumps(code).encode()), "gemini"),
        Opaque("hologram", Raw(json.dumps(tomorrow).encode()), "gemini"),
    )


def test_what_is_said_about_a_medium_is_listed_by_its_path():
    film = {"fileData": {"fileUri": "gs://b/a.mp4"}, "videoMetadata": {"fps": 2}, "mediaResolution": {}}
    assert read(user(said("a"), film)).others == {"contents[0].parts[1].videoMetadata": Raw(b'{"fps": 2}')}


@pytest.mark.parametrize(
    ("contents", "param"),
    [
        ([], "contents[0]"),
        ([{"role": "user", "parts": [{"text": 5}]}], "contents[0].parts[0].text"),
        ([user(said("a")), model(said("b"), {"functionCall": {}})], "contents[1].parts[1].functionCall.name"),
        ([{"role": "wizard", "parts": []}], "contents[0].role"),
        ([user({})], "contents[0].parts[0]"),
        ([user({"inlineData": {"mimeType": "image/png"}})], "contents[0].parts[0].inlineData.data"),
        ([user({"inlineData": {"data": "?"}})], "contents[0].parts[0].inlineData.data"),
        ([user({"fileData": {}})], "contents[0].parts[0].fileData.fileUri"),
        ([user(result({"a": 1}))], "contents[0].parts[0]"),
        ([model(call()), user(result([1]))], "contents[1].parts[0].functionResponse.response"),
        ([model(call()), user(result({}, parts=[{}]))], "contents[1].parts[0].functionResponse.parts[0]"),
        ([model(call(id="1"), call(id="1"))], "contents[0]"),
    ],
)
def test_an_error_names_its_place(contents: list, param: str):
    assert wrong(contents=contents).param == param


def test_a_system_prompt_holds_no_results():
    assert wrong(systemInstruction={"parts": [result()]}).param == "systemInstruction.parts[0]"


def test_a_system_prompt_that_says_nothing_is_named_where_there_is_no_conversation_either():
    with pytest.raises(RequestInvalid) as caught:
        gemini.read_chat(read_fields(b'{"systemInstruction":{"parts":[{"parts":[]}]}}'))
    assert caught.value.param == "contents"
