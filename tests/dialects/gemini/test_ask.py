"""Gemini's language, outwards: requests to a target that speaks it."""

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from dialects.gemini.conversations import CALL, HELLO, LOOK_UP, SCHEMA, asked, chat, write
from fairlead.chat import Chat, Media, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import gemini
from fairlead.dialects.losses import Losses
from fairlead.dialects.quirks import check_settings
from fairlead.dialects.reading import read_fields
from fairlead.errors import ConfigInvalid, RequestInvalid

RESULT = Message("tool", (Text("seven"),), tool_call_id="call_1")
SCHEMA_SAID = json.loads(bytes(SCHEMA))


def refused(said: Chat, **more: Any) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as caught:
        write(said, **more)
    assert caught.value.code == "unsupported_feature"
    return caught.value


def lost(said: Chat, **more: Any) -> tuple[str, ...]:
    losses = Losses("Gemini's API", lossy=True)
    write(said, losses=losses, **more)
    return losses.told


def passed(body: bytes, *, limit: int = 4000, params: Any = None, quirks: Any = None) -> bytes:
    request = gemini.read_request("chat", body, route="r")
    return gemini.pass_request(request, model="m", max_output_tokens=limit, params=params or {}, quirks=quirks or {})


def test_a_plain_question():
    system = Message("system", (Text("Be brief."),))
    assert write(chat(system, HELLO), limit=9) == {
        "contents": [{"role": "user", "parts": [{"text": "Hello?"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"maxOutputTokens": 9},
    }


def test_results_of_one_turn_stand_in_one_content():
    other = ToolCall("call_2", "look_up", "")
    turn = Message("assistant", (CALL, other))
    body = write(chat(HELLO, turn, RESULT, replace(RESULT, tool_call_id="call_2"), HELLO))
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user", "user"]
    assert body["contents"][1]["parts"] == [
        {"functionCall": {"name": "look_up", "args": {"id": 7}, "id": "call_1"}},
        {"functionCall": {"name": "look_up", "args": {}, "id": "call_2"}},
    ]
    assert [part["functionResponse"]["id"] for part in body["contents"][2]["parts"]] == ["call_1", "call_2"]
    assert {part["functionResponse"]["name"] for part in body["contents"][2]["parts"]} == {"look_up"}


def test_a_call_that_none_of_googles_models_made_is_excused_in_the_current_turn():
    foreign = replace(CALL, id="call_0", signature="c2ln", origin="anthropic")
    said = chat(
        HELLO, Message("assistant", (foreign,)), replace(RESULT, tool_call_id="call_0"),
        HELLO, Message("assistant", (CALL, replace(CALL, id="call_2"))), RESULT,
        Message("assistant", (replace(CALL, id="call_3", signature="c2ln", origin="gemini"),)),
    )  # fmt: skip
    calls = [
        part.get("thoughtSignature")
        for content in write(said)["contents"]
        for part in content["parts"]
        if "functionCall" in part
    ]
    assert calls == [None, "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=", None, "c2ln"]
    for more in ({"model": "gemini-2.5-flash"}, {"quirks": {"unsigned_calls": "bare"}}):
        assert "skip" not in json.dumps(write(said, **more))
        assert "c2tpcF" not in json.dumps(write(said, **more))


def test_arguments_that_are_no_object_stay_readable():
    body = write(chat(HELLO, Message("assistant", (replace(CALL, arguments="[oops"),))))
    assert body["contents"][1]["parts"][0]["functionCall"]["args"] == {"invalid_json": "[oops"}


def test_signatures_go_to_the_one_who_signed():
    parts = (
        Thinking("Hm.", "c2ln", "gemini"),
        Thinking("What?", "c2ln", "anthropic"),
        Thinking("", "c2ln", "responses", True),
        Thinking("Let me see."),
        Text("Yes."),
        Thinking("", "YQ==", "gemini"),
    )
    losses = Losses("Gemini's API")
    body = write(chat(HELLO, Message("assistant", parts)), losses=losses)
    assert body["contents"][1]["parts"] == [
        {"text": "Hm.", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "Let me see.", "thought": True},
        {"text": "Yes.", "thoughtSignature": "YQ=="},
    ]
    assert losses.told == ("messages[1].thinking",)
    call = replace(CALL, signature="c2ln", origin="anthropic")
    assert lost(chat(HELLO, Message("assistant", (call,)))) == ("messages[1].tool_calls.signature",)
    elsewhere = write(chat(HELLO, Message("assistant", parts)), origin="anthropic")
    assert elsewhere["contents"][1]["parts"][0]["text"] == "What?"


def test_media():
    said = chat(
        Message(
            "user",
            (
                Media(kind="image", media_type="image/png", data="AAAA", name="cat", detail="low", cache="5m"),
                Media(kind="image", url="https://example.com/a.webp"),
                Media(kind="audio", url="https://example.com/a"),
                Media(kind="document", file="files/x", origin="gemini"),
            ),
        )
    )
    assert write(said)["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
        {"fileData": {"mimeType": "image/webp", "fileUri": "https://example.com/a.webp"}},
        {"fileData": {"mimeType": "audio/mpeg", "fileUri": "https://example.com/a"}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "files/x"}},
    ]
    assert write(said, quirks={"vertex": True})["contents"][0]["parts"][0]["inlineData"]["displayName"] == "cat"


def test_names_and_details_are_left_out_and_told():
    picture = Media(kind="image", media_type="image/png", data="AAAA", detail="low")
    assert lost(chat(Message("user", (picture,), name="Ada"))) == ("messages[0].name", "messages[0].detail")


def test_tools_and_choices():
    body = write(chat(tools=(LOOK_UP, Tool("g")), tool_choice=ToolChoice("named", "look_up")))
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "look_up", "description": "Look something up.", "parametersJsonSchema": SCHEMA_SAID},
                {"name": "g"},
            ]
        }
    ]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look_up"]}}


def test_models_of_old_want_schemas_of_googles_own():
    body = write(chat(tools=(LOOK_UP,), shape=Shape("schema", schema=SCHEMA)), quirks={"schema": "openapi"})
    own = {"type": "OBJECT", "properties": {"id": {"type": "INTEGER"}}, "required": ["id"]}
    assert body["tools"][0]["functionDeclarations"][0]["parameters"] == own
    assert body["generationConfig"]["responseSchema"] == own


@pytest.mark.parametrize(
    ("asked_for", "more", "thinking"),
    [
        ({"effort": "low"}, {}, {"thinkingLevel": "LOW"}),
        ({"effort": "xhigh", "shows_thinking": True}, {}, {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ({"effort": "minimal"}, {"quirks": {"levels": ["LOW", "HIGH"]}}, {"thinkingLevel": "LOW"}),
        ({"effort": "none"}, {"model": "my-endpoint"}, {"thinkingBudget": 0}),
        ({"effort": "none"}, {}, {"thinkingLevel": "LOW"}),
        ({"effort": "none"}, {"model": "gemini-3-flash-preview"}, {"thinkingLevel": "MINIMAL"}),
        ({"effort": "none"}, {"model": "gemini-3.8-flash"}, {"thinkingLevel": "LOW"}),
        ({"effort": "none"}, {"model": "models/gemini-2.5-flash"}, {"thinkingBudget": 0}),
        ({"effort": "none"}, {"model": "gemini-2.5-pro"}, {"thinkingBudget": 128}),
        ({"effort": "medium"}, {"model": "gemini-3.1-pro-preview"}, {"thinkingLevel": "MEDIUM"}),
        ({"effort": "medium"}, {"model": "gemini-2.5-pro"}, {"thinkingBudget": 2000}),
        ({"effort": "high"}, {"model": "gemini-2.5-pro", "limit": 60_000}, {"thinkingBudget": 24_576}),
        ({"effort": "low"}, {"quirks": {"thinking": "budget"}}, {"thinkingBudget": 800}),
        ({"thinking_tokens": 77}, {"model": "my-endpoint"}, {"thinkingBudget": 77}),
        ({"thinking_tokens": 3000}, {}, {"thinkingLevel": "HIGH"}),
        ({"thinking_tokens": 0}, {}, {"thinkingLevel": "LOW"}),
        ({"thinking_tokens": 31_999}, {"model": "gemini-2.5-flash"}, {"thinkingBudget": 24_576}),
        ({"thinking_tokens": 77}, {"model": "gemini-2.5-flash-lite"}, {"thinkingBudget": 512}),
        ({"thinking_tokens": 0}, {"model": "gemini-2.5-flash"}, {"thinkingBudget": 0}),
        ({"thinking_tokens": 77, "dialect": "gemini"}, {}, {"thinkingBudget": 77}),
        ({"thinking_tokens": 31_999, "dialect": "gemini"}, {"model": "gemini-2.5-flash"}, {"thinkingBudget": 31_999}),
        ({"thinking_tokens": 77, "effort": "low"}, {}, {"thinkingLevel": "LOW"}),
        ({"effort": "low"}, {"quirks": {"thinking": "off"}}, None),
        ({}, {}, None),
    ],
)
def test_thinking(asked_for: Any, more: Any, thinking: Any):
    assert write(chat(**asked_for), **more)["generationConfig"].get("thinkingConfig") == thinking


@pytest.mark.parametrize(
    ("asked_for", "model", "left"),
    [
        ({"effort": "none"}, "gemini-3-pro", "reasoning_effort"),
        ({"effort": "none"}, "gemini-2.5-pro", "reasoning_effort"),
        ({"effort": "xhigh"}, "gemini-3-pro", "reasoning_effort"),
        ({"thinking_tokens": 0}, "gemini-2.5-pro", "thinking_tokens"),
        ({"thinking_tokens": 31_999}, "gemini-2.5-flash", "thinking_tokens"),
        ({"thinking_tokens": 3000}, "gemini-3-pro", "thinking_tokens"),
    ],
)
def test_thinking_that_a_model_has_otherwise_is_told(asked_for: Any, model: str, left: str):
    losses = Losses("Gemini's API")
    write(chat(**asked_for), model=model, losses=losses)
    assert losses.told == (left,)


def test_models_before_the_third_give_no_json_beside_tools():
    said = chat(tools=(LOOK_UP,), shape=Shape("schema", schema=SCHEMA))
    assert "responseJsonSchema" in write(said)["generationConfig"]
    assert refused(said, model="gemini-2.5-pro").param == "response_format"
    assert lost(said, model="gemini-2.5-pro") == ("response_format",)
    assert "responseJsonSchema" in write(replace(said, tools=()), model="gemini-2.5-pro")["generationConfig"]


def test_a_text_of_nothing_is_left_out():
    said = chat(
        Message("system", (Text(""),)),
        HELLO,
        Message("assistant", (Text(""),)),
        Message("user", (Text(""), Text("Well?"))),
    )
    body = write(said)
    assert "systemInstruction" not in body
    assert [content["parts"] for content in body["contents"]] == [[{"text": "Hello?"}], [{"text": "Well?"}]]


def test_a_call_follows_a_turn_of_the_users_if_it_be_an_empty_one():
    body = write(chat(Message("user", (Text(""),)), Message("assistant", (CALL,)), RESULT))
    assert body["contents"][0] == {"role": "user", "parts": [{"text": ""}]}
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]


def test_an_unknown_effort_is_refused():
    with pytest.raises(RequestInvalid) as caught:
        write(chat(effort="heroic"))
    assert caught.value.param == "reasoning_effort"


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (chat(parallel_tool_calls=False), "parallel_tool_calls"),
        (chat(seed=2**40), "seed"),
        (chat(others={"logit_bias": Raw(b"{}")}, dialect="openai"), "logit_bias"),
        (chat(Message("user", (Text("a"), Media(kind="document", file="file_1", origin="openai")))), "messages[0]"),
        (chat(Message("user", (Text("a"), Opaque("hologram", Raw(b"{}"), "anthropic")))), "messages[0].content"),
    ],
)
def test_what_has_no_word_is_refused_or_lost(said: Chat, path: str):
    assert refused(said).param == path
    assert lost(said) == (path,)


def test_what_changes_no_answer_is_let_go():
    others = {"metadata": Raw(b'{"a":"b"}'), "store": Raw(b"true"), "service_tier": Raw(b'"flex"')}
    assert lost(chat(others=others, dialect="openai", user="u", parallel_tool_calls=True)) == ()


def test_a_conversation_needs_more_than_a_system_prompt():
    assert refused(chat(Message("system", (Text("s"),)))).param == "messages"


def test_what_google_said_itself_goes_back_where_it_stood():
    said = {
        "contents": [
            {"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/a.mp4"}, "videoMetadata": {"fps": 2}}]},
            {"role": "model", "parts": [{"executableCode": {"code": "1"}}, {"text": "b"}]},
        ],
        "tools": [{"googleSearch": {}}, {"functionDeclarations": [{"name": "f"}]}],
        "safetySettings": [{"category": "x"}],
        "generationConfig": {"responseModalities": ["IMAGE"], "thinkingConfig": {"muse": True}},
        "toolConfig": {"retrievalConfig": {"languageCode": "en"}, "functionCallingConfig": {"mode": "ANY"}},
    }
    body = write(gemini.read_chat(read_fields(json.dumps(said).encode())), limit=5)
    said["generationConfig"]["maxOutputTokens"] = 5
    said["contents"][0]["parts"][0]["fileData"]["mimeType"] = "video/mp4"
    assert body == said


def test_what_is_said_of_a_declared_tool_stays_with_it():
    declared = [{"name": "f"}, {"name": "g", "response": {"type": "STRING"}, "behavior": "NON_BLOCKING"}]
    body = {"contents": [{"role": "user", "parts": [{"text": "a"}]}], "tools": [{"functionDeclarations": declared}]}
    chat = gemini.read_chat(read_fields(json.dumps(body).encode()))
    assert write(chat)["tools"] == body["tools"]
    later = {**body, "tools": [{"functionDeclarations": [{"name": "e"}]}, *body["tools"]]}
    chat = gemini.read_chat(read_fields(json.dumps(later).encode()))
    assert lost(chat) == ("tools[1].functionDeclarations[1].behavior",)


def test_parameters_of_the_target_win_but_only_narrow_the_limit():
    params = {
        "temperature": 0.1, "generationConfig": {"topK": 3, "maxOutputTokens": 50, "candidateCount": 8},
        "safetySettings": [1], "contents": [], "max_tokens": 60,
    }  # fmt: skip
    body = write(chat(temperature=0.9), params=params, limit=100)
    assert body["generationConfig"] == {"maxOutputTokens": 50, "temperature": 0.1, "topK": 3}
    assert (body["safetySettings"], len(body["contents"])) == ([1], 1)


def test_fields_are_renamed_and_dropped_also_in_the_generation_config():
    quirks = {"rename": {"topK": "top_k"}, "drop": ["seed", "tools"]}
    body = write(chat(top_k=3, seed=7, tools=(LOOK_UP,)), quirks=quirks)
    assert body["generationConfig"] == {"maxOutputTokens": 4000, "top_k": 3}
    assert "tools" not in body


def test_ids_are_left_out_where_a_target_refuses_them():
    body = write(chat(HELLO, Message("assistant", (CALL,)), RESULT), quirks={"call_ids": False})
    assert '"id"' not in json.dumps(body["contents"]).replace('{"id": 7}', "")


def test_quirks_and_parameters_are_known():
    check_settings("gemini", params={"temperature": 0}, quirks={"thinking": "level", "vertex": True})
    with pytest.raises(ConfigInvalid):
        check_settings("gemini", params={}, quirks={"thinking": "hard"})


# --- the caller speaks it too ----------------------------------------------------------------------------------------


def test_a_request_is_passed_on_byte_for_byte_with_a_limit():
    body = b'{ "contents" : [ {"parts": [{"text":"a"}]} ], "unheard_of": 1.50, "generationConfig": {"topP": 0.50}}'
    assert passed(body) == (
        b'{"contents":[ {"parts": [{"text":"a"}]} ],"unheard_of":1.50,'
        b'"generationConfig":{"topP":0.50,"maxOutputTokens":4000}}'
    )


def test_a_lower_limit_of_the_callers_stays_and_a_higher_one_is_narrowed():
    low = b'{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":{ "maxOutputTokens": 5}}'
    assert passed(low) == low
    for spelling in ("maxOutputTokens", "max_output_tokens"):
        high = asked(generation_config={spelling: 5000})
        assert json.loads(passed(high))["generationConfig"] == {"maxOutputTokens": 4000}
    assert json.loads(passed(low, params={"maxOutputTokens": 3}))["generationConfig"] == {"maxOutputTokens": 3}


@pytest.mark.parametrize(
    "config",
    [
        b'"generationConfig":{},"generation_config":{"maxOutputTokens":9000}',
        b'"generationConfig":{"maxOutputTokens":9000,"max_output_tokens":9}',
        b'"generationConfig":{"candidateCount":8,"candidate_count":1}',
        b'"cachedContent":"a","cached_content":"b"',
    ],
)
def test_two_spellings_of_a_field_are_refused(config: bytes):
    with pytest.raises(RequestInvalid, match="comes twice"):
        passed(b'{"contents":[{"parts":[{"text":"a"}]}],' + config + b"}")


@pytest.mark.parametrize(
    "config",
    [
        b'{"maxOutputTokens":9000,"maxOutputTokens":9}',
        b'{"maxOutputTokens":9,"candidateCount":8,"candidat\\u0065Count":1}',
        b'{"max_output_tokens":9000,"max\\u005foutput_tokens":9}',
    ],
)
def test_a_limit_that_comes_twice_is_sent_once(config: bytes):
    said = passed(b'{"contents":[{"parts":[{"text":"a"}]}],"generationConfig":' + config + b"}")
    pairs: list[Any] = []
    json.loads(said, object_pairs_hook=lambda found: pairs.extend(found) or dict(found))
    names = [name.replace("_", "").lower() for name, _ in pairs]
    assert names.count("maxoutputtokens") == 1
    assert names.count("candidatecount") <= 1
    assert dict(pairs).get("maxOutputTokens") == 9


def test_the_model_is_not_named_in_what_is_passed_on():
    assert "model" not in json.loads(passed(asked(model="models/other")))


def test_parameters_and_quirks_hold_for_what_is_passed_on():
    said = json.loads(passed(asked(labels={"a": "b"}), params={"temperature": 0}, quirks={"drop": ["labels"]}))
    assert said["generationConfig"] == {"maxOutputTokens": 4000, "temperature": 0}
    assert "labels" not in said


# --- counting --------------------------------------------------------------------------------------------------------


def count(said: Chat, **quirks: Any) -> Any:
    losses = Losses("Gemini's API", lossy=True)
    return json.loads(gemini.write_count_request(said, model="m", params={}, quirks=quirks, losses=losses))


def test_tokens_of_a_whole_request_are_counted():
    said = chat(Message("system", (Text("s"),)), HELLO, tools=(LOOK_UP,))
    inner = count(said)["generateContentRequest"]
    assert inner.keys() == {"model", "contents", "systemInstruction", "tools", "generationConfig"}
    assert inner["model"] == "models/m"
    assert count(said, vertex=True).keys() == {"contents", "systemInstruction", "tools", "generationConfig"}
