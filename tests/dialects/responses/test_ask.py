"""OpenAI's Responses, outwards: what changes on the way to a target, what is written anew, and what can't be said."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import responses
from fairlead.dialects.losses import Losses
from fairlead.dialects.quirks import check_settings
from fairlead.errors import ConfigInvalid, RequestInvalid

HELLO = Message("user", (Text("hello"),))
CALL = ToolCall("c1", "look_up", '{"id":7}')
RESULT = Message("tool", (Text("seven"),), tool_call_id="c1")


def passed(*, limit=100, params=None, quirks=None, stream=None, **fields):
    body = json.dumps({"model": "route", "input": "hello", **fields}).encode()
    request = responses.read_request("chat", body)
    if stream is not None:
        request = msgspec.structs.replace(request, stream=stream)
    return json.loads(
        responses.pass_request(request, model="m", max_output_tokens=limit, params=params or {}, quirks=quirks or {})
    )


def written(*messages, stream=False, params=None, quirks=None, lossy=False, origin="responses", **chat):
    losses = Losses(responses.LANGUAGE, lossy=lossy)
    body = responses.write_request(
        Chat(messages=messages or (HELLO,), **chat),
        model="m",
        max_output_tokens=50,
        stream=stream,
        params=params or {},
        quirks=quirks or {},
        losses=losses,
        origin=origin,
    )
    return json.loads(body), losses.told


def items(*messages, **more):
    return written(HELLO, *messages, **more)[0]["input"][1:]


def refused(*messages, **more):
    with pytest.raises(RequestInvalid) as caught:
        written(*messages, **more)
    assert caught.value.code == "unsupported_feature"
    return caught.value.param


# --- passed on -------------------------------------------------------------------------------------------------------


def test_only_the_model_and_the_limit_change():
    body = b'{ "model":"r", "input" : [ {"role":"user", "content":"\\u00e4 \\/"} ],"x":1.0e+2, "store":false }'
    request = responses.read_request("chat", body)
    assert responses.pass_request(request, model="m", max_output_tokens=5, params={}, quirks={}) == (
        b'{"model":"m","input":[ {"role":"user", "content":"\\u00e4 \\/"} ],"x":1.0e+2,"store":false,'
        b'"max_output_tokens":5}'
    )


@given(
    some.dictionaries(
        some.text().map("x_".__add__), some.integers() | some.text() | some.lists(some.floats()), max_size=5
    )
)
def test_unknown_fields_survive_byte_for_byte(extra):
    values = {name: json.dumps(value).replace("NaN", "0").replace("Infinity", "1") for name, value in extra.items()}
    said = "".join(f",{json.dumps(name)}:{value}" for name, value in values.items())
    body = f'{{"model":"r","input":"x","max_output_tokens":5{said}}}'.encode()
    request = responses.read_request("chat", body)
    again = responses.read_request(
        "chat", responses.pass_request(request, model="r", max_output_tokens=5, params={}, quirks={})
    )
    assert request.spoken is not None
    assert again.spoken is not None
    assert {name: bytes(raw) for name, raw in again.spoken.fields.items()} == {
        name: bytes(raw) for name, raw in request.spoken.fields.items()
    }


@pytest.mark.parametrize(("said", "sent"), [({}, 100), ({"max_output_tokens": None}, 100), (50, 50), (500, 100)])
def test_the_output_limit_is_sent_and_never_above_what_is_allowed(said, sent):
    fields = said if isinstance(said, dict) else {"max_output_tokens": said}
    assert passed(**fields)["max_output_tokens"] == sent


def test_a_targets_own_limit_narrows_and_never_widens():
    assert passed(params={"max_output_tokens": 20})["max_output_tokens"] == 20
    assert passed(params={"max_output_tokens": 2000})["max_output_tokens"] == 100


def test_it_streams_as_the_request_says_by_now():
    assert passed(stream=True)["stream"] is True
    body = passed(**{"stream_options": {"include_obfuscation": False}}, stream=False)
    assert "stream" not in body
    request = msgspec.structs.replace(
        responses.read_request("chat", b'{"model":"r","input":"x","stream":true,"stream_options":{}}'), stream=False
    )
    sent = json.loads(responses.pass_request(request, model="m", max_output_tokens=5, params={}, quirks={}))
    assert sent["stream"] is False
    assert "stream_options" not in sent


def test_a_targets_parameters_win_and_are_merged_where_they_are_objects():
    body = passed(
        reasoning={"effort": "low", "summary": "auto"}, params={"reasoning": {"effort": "high"}, "top_p": 0.5}
    )
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body["top_p"] == 0.5
    assert passed(reasoning=None, params={"reasoning": {"effort": "high"}})["reasoning"] == {"effort": "high"}


def test_quirks_rename_and_drop():
    body = passed(quirks={"rename": {"max_output_tokens": "max_tokens"}, "drop": ["store"]}, store=True)
    assert body["max_tokens"] == 100
    assert not {"store", "max_output_tokens"} & set(body)


def test_what_was_said_in_another_language_is_not_passed_on():
    request = msgspec.structs.replace(responses.read_request("chat", b'{"model":"r","input":"x"}'), spoken=None)
    with pytest.raises(TypeError):
        responses.pass_request(request, model="m", max_output_tokens=5, params={}, quirks={})


# --- written ---------------------------------------------------------------------------------------------------------


def test_a_request_of_another_language_is_not_stored_and_asks_for_signed_reasoning():
    body, told = written(stream=True)
    assert body == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": "hello"}],
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "max_output_tokens": 50,
        "stream": True,
    }
    assert told == ()
    assert "include" not in written(quirks={"encrypted_reasoning": False})[0]


def test_the_first_system_prompt_becomes_the_instructions():
    brief = Message("system", (Text("Be brief."),))
    body, _ = written(brief, HELLO, brief)
    assert body["instructions"] == "Be brief."
    assert [item["role"] for item in body["input"]] == ["user", "system"]
    alone, _ = written(brief)
    assert "instructions" not in alone
    assert alone["input"][0]["role"] == "system"


def test_an_assistants_parts_become_items_in_their_order():
    parts = (Thinking("Hm.", "gAAA=", "responses", id="rs_1"), Text("a"), Text("b"), CALL, Text("c"))
    said = items(Message("assistant", parts), RESULT)
    assert [item["type"] for item in said] == [
        "reasoning",
        "message",
        "function_call",
        "message",
        "function_call_output",
    ]
    assert said[0] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "gAAA=",
    }
    assert [part["text"] for part in said[1]["content"]] == ["a", "b"]
    assert said[2] == {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": '{"id":7}'}
    assert said[4] == {"type": "function_call_output", "call_id": "c1", "output": "seven"}


def test_only_this_providers_reasoning_is_sent_and_the_rest_is_told():
    def sent(part, **more):
        body, told = written(HELLO, Message("assistant", (part, Text("Yes."))), HELLO, **more)
        return [item["type"] for item in body["input"]].count("reasoning"), told

    assert sent(Thinking("Hm.", "c2ln", "anthropic")) == (0, ("messages[1].thinking",))
    assert sent(Thinking("", "c2ln", "gemini")) == (0, ("messages[1].thinking",))
    assert sent(Thinking("Hm.")) == (0, ("messages[1].thinking",))
    assert sent(Thinking("Hm."), quirks={"plain_reasoning": True}) == (1, ())
    assert sent(Thinking("Hm.", "gAAA=", "responses"), origin="azure") == (0, ("messages[1].thinking",))
    assert sent(Thinking("Hm.", "gAAA=", "azure"), origin="azure") == (1, ())


def test_reasoning_that_nothing_follows_is_left_out():
    body, told = written(HELLO, Message("assistant", (Text("a"), Thinking("", "gAAA=", "responses"))), HELLO)
    assert [item["type"] for item in body["input"]] == ["message"] * 3
    assert told == ("messages[1].thinking",)


def test_a_calls_signature_by_another_provider_is_left_out_and_told():
    call = ToolCall("c1", "look_up", "{}", "c2ln", "gemini")
    body, told = written(HELLO, Message("assistant", (call,)), RESULT)
    assert "c2ln" not in json.dumps(body)
    assert told == ("messages[1].tool_calls.signature",)


def test_calls_get_ids_that_the_api_takes_and_results_follow_them():
    long = "x" * 90
    call, result = ToolCall(long, "f", "{}"), Message("tool", (Text("1"),), tool_call_id=long)
    said = items(Message("assistant", (call,)), result, Message("assistant", (call,)), result)
    ids = [item["call_id"] for item in said]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert all(len(id) <= 64 for id in ids)


def test_media_are_written_where_there_are_words_for_them():
    def sent(medium):
        return items(Message("user", (Text("See:"), medium)))[0]["content"][1]

    assert sent(Media(kind="image", media_type="image/png", data="iVBORw0KGgo=")) == {
        "type": "input_image",
        "image_url": "data:image/png;base64,iVBORw0KGgo=",
        "detail": "auto",
    }
    assert sent(Media(kind="image", url="https://example.com/a.png", detail="low"))["detail"] == "low"
    assert sent(Media(kind="document", media_type="application/pdf", data="JVBERg==")) == {
        "type": "input_file",
        "file_data": "data:application/pdf;base64,JVBERg==",
        "filename": "document.pdf",
    }
    assert sent(Media(kind="document", url="https://example.com/a.pdf"))["file_url"] == "https://example.com/a.pdf"
    assert sent(Media(kind="document", file="file-1", origin="responses"))["file_id"] == "file-1"
    assert sent(Media(kind="audio", media_type="audio/wav", data="UklGRg==")) == {
        "type": "input_audio",
        "input_audio": {"data": "UklGRg==", "format": "wav"},
    }


@pytest.mark.parametrize(
    "medium",
    [
        Media(kind="video", media_type="video/mp4", data="AAAA"),
        Media(kind="audio", media_type="audio/flac", data="AAAA"),
        Media(kind="audio", url="https://example.com/a.wav"),
        Media(kind="image", file="file-1", origin="anthropic"),
        Media(kind="image", url="gs://bucket/a.png"),
    ],
)
def test_media_without_a_word_are_refused_with_their_path(medium):
    assert refused(HELLO, Message("user", (Text("See:"), medium))) == "messages[1].content"
    body, told = written(HELLO, Message("user", (Text("See:"), medium)), lossy=True)
    assert body["input"][1]["content"] == [{"type": "input_text", "text": "See:"}]
    assert told == ("messages[1].content",)


def test_a_result_may_hold_a_picture_and_its_failure_is_told_in_its_text():
    picture = Media(kind="image", media_type="image/png", data="iVBORw0KGgo=")
    result = Message("tool", (Text("seven"), picture), tool_call_id="c1", is_error=True)
    body, told = written(HELLO, Message("assistant", (CALL,)), result)
    assert [part["type"] for part in body["input"][2]["output"]] == ["input_text", "input_image"]
    assert told == ("messages[2].is_error",)


def test_cache_marks_are_written_where_the_model_knows_them():
    messages = (
        Message("system", (Text("Be brief.", "5m"),)),
        Message("user", (Text("Long.", "1h"), Text("Short."))),
        Message("assistant", (CALL,)),
        Message("tool", (Text("seven"),), tool_call_id="c1", cache="5m"),
    )
    body, _ = written(*messages, quirks={"cache_breakpoints": True})
    system, user, _, result = body["input"]
    assert system["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit"}
    assert user["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "12h"}
    assert result["output"][0]["prompt_cache_breakpoint"] == {"mode": "explicit"}
    body, told = written(*messages)
    assert "breakpoint" not in json.dumps(body)
    assert body["instructions"] == "Be brief."
    assert told == ()


def test_tools_are_not_strict_unless_they_were_said_to_be():
    schema = Raw(b'{"type":"object"}')
    body, _ = written(
        tools=(Tool("a", "d", schema), Tool("b", strict=True)),
        tool_choice=ToolChoice("named", "a"),
        parallel_tool_calls=False,
    )
    assert body["tools"] == [
        {"type": "function", "name": "a", "description": "d", "parameters": {"type": "object"}, "strict": False},
        {"type": "function", "name": "b", "parameters": None, "strict": True},
    ]
    assert body["tool_choice"] == {"type": "function", "name": "a"}
    assert body["parallel_tool_calls"] is False
    assert written(tools=(Tool("a"),), tool_choice=ToolChoice("required"))[0]["tool_choice"] == "required"


def test_what_is_known_of_tools_that_are_no_more_is_let_go():
    others = {"tools[0].defer_loading": Raw(b"true"), "tools[1]": Raw(b'{"type":"web_search"}')}
    body, _ = written(others=others, dialect="responses")
    assert body["tools"] == [{"type": "web_search"}]


def test_the_form_of_the_answer_is_written():
    body, _ = written(shape=Shape("schema", None, Raw(b'{"type":"object"}'), True, "d"))
    assert body["text"]["format"] == {
        "type": "json_schema",
        "name": "answer",
        "schema": {"type": "object"},
        "strict": True,
        "description": "d",
    }
    assert written(shape=Shape("json"))[0]["text"] == {"format": {"type": "json_object"}}


@pytest.mark.parametrize(
    ("asked", "reasoning"),
    [
        ({}, None),
        ({"effort": "high", "shows_thinking": True}, {"effort": "high", "summary": "auto"}),
        ({"effort": "low", "shows_thinking": False}, {"effort": "low", "summary": None}),
        ({"shows_thinking": False}, None),
        ({"thinking_tokens": 40}, {"effort": "high"}),
        ({"thinking_tokens": 0}, {"effort": "none"}),
    ],
)
def test_thinking_is_asked_for_by_effort(asked, reasoning):
    assert written(**asked)[0].get("reasoning") == reasoning


def test_log_probabilities_are_included():
    body, _ = written(logprobs=2, temperature=0.5, top_p=0.9, user="u")
    assert body["include"] == ["reasoning.encrypted_content", "message.output_text.logprobs"]
    assert (body["top_logprobs"], body["temperature"], body["top_p"], body["user"]) == (2, 0.5, 0.9, "u")
    assert "top_logprobs" not in written(logprobs=0)[0]


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"samples": 2}, "n"),
        ({"stop": ("END",)}, "stop"),
        ({"seed": 7}, "seed"),
        ({"top_k": 40}, "top_k"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"others": {"logit_bias": Raw(b"{}")}, "dialect": "openai"}, "logit_bias"),
    ],
)
def test_what_has_no_word_is_refused_or_left_out_and_told(asked, param):
    assert refused(**asked) == param
    assert written(lossy=True, **asked)[1] == (param,)


def test_a_penalty_of_nothing_asks_for_nothing():
    assert written(presence_penalty=0.0, frequency_penalty=0.0)[1] == ()


def test_fields_that_change_nothing_said_are_let_go_and_openais_own_are_carried_over():
    others = {"metadata": Raw(b'{"a":"b"}'), "service_tier": Raw(b'"auto"')}
    body, told = written(others=others, dialect="anthropic")
    assert not others.keys() & body.keys()
    assert told == ()
    body, told = written(others={"prompt_cache_key": Raw(b'"k"'), "verbosity": Raw(b'"low"')}, dialect="openai")
    assert (body["prompt_cache_key"], body["text"], told) == ("k", {"verbosity": "low"}, ())


def test_what_only_another_language_knows_is_refused():
    strange = Opaque("server_tool_use", Raw(b"{}"), "anthropic")
    assert refused(HELLO, Message("assistant", (strange,))) == "messages[1].content"
    assert refused(Message("user", (strange, Text("a")))) == "messages[0].content"
    picture = Media(kind="image", media_type="image/png", data="iVBORw0KGgo=")
    assert refused(HELLO, Message("assistant", (picture,))) == "messages[1].content"


def test_names_of_messages_are_left_out_and_told():
    assert written(Message("user", (Text("hello"),), name="ann"))[1] == ("messages[0].name",)


def test_a_count_asks_for_the_prompt_alone():
    chat = Chat(messages=(Message("system", (Text("Be brief."),)), HELLO), tools=(Tool("f"),), temperature=0.5)
    body = responses.write_count_request(
        chat, model="m", params={"reasoning": {"effort": "low"}, "top_p": 1}, quirks={}, losses=Losses("x", lossy=True)
    )
    assert set(json.loads(body)) == {"model", "input", "instructions", "tools", "reasoning"}


def test_settings_that_would_have_no_effect_are_found():
    check_settings("responses", params={"max_output_tokens": 5}, quirks={"cache_breakpoints": True})
    for params, quirks in (({"input": "x"}, {}), ({"max_output_tokens": 0}, {}), ({}, {"of_tomorrow": 1})):
        with pytest.raises(ConfigInvalid):
            check_settings("responses", params=params, quirks=quirks)


def test_a_mark_on_a_result_of_which_nothing_is_left_is_lost_with_it():
    strange = Message("tool", (Opaque("container", Raw(b"{}"), "anthropic"),), tool_call_id="c1", cache="5m")
    call = Message("assistant", (ToolCall("c1", "f", "{}"),))
    body, told = written(HELLO, call, strange, quirks={"cache_breakpoints": True}, lossy=True)
    assert body["input"][2]["output"] == []
    assert told == ("messages[2].content",)
