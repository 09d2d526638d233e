"""OpenAI's language, outwards: what changes on the way to a target, and what does not."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead.chat import Chat, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall
from fairlead.dialects import openai
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

HELLO = [{"role": "user", "content": "hello"}]


def passed(task="chat", *, limit=100, params=None, quirks=None, stream=None, **fields):
    fields = {"model": "route", **({"messages": HELLO} if task == "chat" else {}), **fields}
    request = openai.read_request(task, json.dumps(fields).encode())
    if stream is not None:
        request = msgspec.structs.replace(request, stream=stream)
    return json.loads(
        openai.pass_request(request, model="m", max_output_tokens=limit, params=params or {}, quirks=quirks or {})
    )


def written(chat, *, stream=False, params=None, quirks=None, losses=None, origin="openai"):
    body = openai.write_request(
        chat,
        model="m",
        max_output_tokens=9,
        stream=stream,
        params=params or {},
        quirks=quirks or {},
        losses=losses or Losses(openai.LANGUAGE),
        origin=origin,
    )
    return json.loads(body)


def said(*parts, role="assistant"):
    return Chat(messages=(Message(role, parts),))


def test_only_the_model_and_the_limit_change():
    body = (
        b'{ "model":"r", "messages" : [ {"role":"user", "content":"\\u00e4 \\/"} ],"x":1.0e+2, "logit_bias":{"1":1} }'
    )
    request = openai.read_request("chat", body)
    assert openai.pass_request(request, model="m", max_output_tokens=5, params={}, quirks={}) == (
        b'{"model":"m","messages":[ {"role":"user", "content":"\\u00e4 \\/"} ],"x":1.0e+2,"logit_bias":{"1":1},'
        b'"max_tokens":5}'
    )


@given(
    some.dictionaries(
        some.text().map("x_".__add__), some.integers() | some.text() | some.lists(some.floats()), max_size=5
    )
)
def test_unknown_fields_survive_byte_for_byte(extra):
    values = {name: json.dumps(value).replace("NaN", "0").replace("Infinity", "1") for name, value in extra.items()}
    said = "".join(f",{json.dumps(name)}:{value}" for name, value in values.items())
    body = f'{{"model":"r","messages":[{{"role":"user","content":"x"}}],"max_tokens":5{said}}}'.encode()
    request = openai.read_request("chat", body)
    again = openai.read_request(
        "chat", openai.pass_request(request, model="r", max_output_tokens=5, params={}, quirks={})
    )
    assert request.spoken is not None
    assert again.spoken is not None
    assert {name: bytes(raw) for name, raw in again.spoken.fields.items()} == {
        name: bytes(raw) for name, raw in request.spoken.fields.items()
    }


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({}, {"max_tokens": 100}),
        ({"max_tokens": None}, {"max_tokens": 100}),
        ({"max_tokens": 50}, {"max_tokens": 50}),
        ({"max_tokens": 500}, {"max_tokens": 100}),
        ({"max_completion_tokens": 500}, {"max_completion_tokens": 100}),
        ({"max_completion_tokens": 20, "max_tokens": 500}, {"max_completion_tokens": 20, "max_tokens": 100}),
    ],
)
def test_the_output_limit_is_sent_and_never_above_what_is_allowed(said, sent):
    body = passed(**said)
    assert {name: value for name, value in body.items() if name.startswith("max_")} == sent


@pytest.mark.parametrize("said", [{}, {"max_tokens": 50}, {"max_completion_tokens": 50}])
def test_a_quirk_names_the_field_of_the_limit(said):
    body = passed(**said, quirks={"max_tokens_name": "max_completion_tokens"})
    assert body["max_completion_tokens"] == (50 if said else 100)
    assert "max_tokens" not in body


def test_a_parameter_overrides_the_caller_but_never_widens_the_limit():
    body = passed(temperature=1, params={"temperature": 0, "top_k": 5, "max_tokens": 1000, "model": "other"})
    assert (body["temperature"], body["top_k"], body["max_tokens"], body["model"]) == (0, 5, 100, "m")
    assert passed(params={"max_tokens": 10})["max_tokens"] == 10


def test_quirks_rename_and_drop():
    body = passed(
        reasoning_effort="low", store=True, quirks={"rename": {"reasoning_effort": "effort"}, "drop": ["store"]}
    )
    assert body["effort"] == "low"
    assert "reasoning_effort" not in body
    assert "store" not in body


def test_a_stream_is_asked_for_its_usage():
    assert passed(stream=True)["stream_options"] == {"include_usage": True}
    fields = {"model": "r", "messages": HELLO, "stream": True, "stream_options": {"include_obfuscation": False}}
    request = openai.read_request("chat", json.dumps(fields).encode())
    body = json.loads(openai.pass_request(request, model="m", max_output_tokens=5, params={}, quirks={}))
    assert body["stream_options"] == {"include_obfuscation": False, "include_usage": True}


def test_stream_options_that_a_provider_refuses_are_not_sent():
    body = passed(stream=True, stream_options={"include_usage": True}, quirks={"stream_usage": False})
    assert "stream_options" not in body


def test_the_request_says_whether_it_streams_not_the_field():
    fields = {"model": "r", "messages": HELLO, "stream": True, "stream_options": {"include_usage": True}}
    request = msgspec.structs.replace(openai.read_request("chat", json.dumps(fields).encode()), stream=False)
    body = json.loads(openai.pass_request(request, model="m", max_output_tokens=5, params={}, quirks={}))
    assert body["stream"] is False
    assert "stream_options" not in body


def test_embeddings_have_no_limit_and_no_stream():
    assert passed("embed", input="x") == {"model": "m", "input": "x"}


def test_a_request_in_another_language_can_not_be_passed_on():
    request = openai.read_request("chat", json.dumps({"model": "r", "messages": HELLO}).encode())
    with pytest.raises(TypeError):
        openai.pass_request(
            msgspec.structs.replace(request, spoken=None), model="m", max_output_tokens=5, params={}, quirks={}
        )


def test_a_written_request_streams_with_usage():
    chat = Chat(messages=(Message("user", (Text("x"),)),))
    assert written(chat, stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in written(chat, stream=True, quirks={"stream_usage": False})
    assert written(chat, quirks={"max_tokens_name": "max_completion_tokens"})["max_completion_tokens"] == 9


def test_a_part_of_another_language_is_refused():
    foreign = Opaque("document", msgspec.Raw(b"{}"), "anthropic")
    with pytest.raises(RequestInvalid) as caught:
        written(Chat(messages=(Message("user", (foreign,)),)))
    assert (caught.value.code, caught.value.param) == ("unsupported_feature", "messages[0].content")


def test_a_part_of_its_own_language_goes_as_it_came():
    own = Opaque("input_smell", msgspec.Raw(b'{"type":"input_smell"}'), "openai")
    audio = Opaque("audio", msgspec.Raw(b'{"id":"a"}'), "openai")
    messages = written(Chat(messages=(Message("user", (own,)), Message("assistant", (audio,)))))["messages"]
    assert messages[0]["content"] == [{"type": "input_smell"}]
    assert messages[1] == {"role": "assistant", "content": None, "audio": {"id": "a"}}


def test_another_providers_signed_reasoning_is_left_out():
    signed = Thinking("hm", "signature", "anthropic")
    call = ToolCall("t", "f", "{}", "signature", "gemini")
    losses = Losses(openai.LANGUAGE)
    (message,) = written(said(signed, Text("x"), call), losses=losses)["messages"]
    plain = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert message == {"role": "assistant", "content": "x", "tool_calls": [plain]}
    assert losses.told == ("messages[0].tool_calls", "messages[0].thinking")


def test_reasoning_goes_back_to_who_signed_it():
    parts = Thinking("hm", "anthropic-claude-v1:c2ln", "elsewhere"), Text("x")
    (message,) = written(said(*parts), origin="elsewhere")["messages"]
    assert message["reasoning_content"] == "hm"
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0}
    ]
    (message,) = written(said(*parts), origin="elsewhere", quirks={"returns_reasoning": False})["messages"]
    assert message == {"role": "assistant", "content": "x"}


def test_a_target_names_reasoning_as_it_likes():
    (message,) = written(said(Thinking("hm"), Text("x")), quirks={"reasoning": "openrouter"})["messages"]
    assert message == {"role": "assistant", "content": "x", "reasoning": "hm"}


def test_marks_for_the_cache_go_to_who_takes_them():
    call = ToolCall("t", "f", "{}", cache="1h")
    chat = Chat(
        messages=(
            Message("user", (Text("long", "5m"),)),
            Message("assistant", (call,)),
            Message("tool", (Text("x"),), tool_call_id="t", cache="1h"),
        ),
        tools=(Tool("f", cache="5m"),),
    )
    assert "cache_control" not in json.dumps(written(chat))
    marked = written(chat, quirks={"cache_control": True})
    short, long = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
    assert marked["messages"][0]["content"] == [{"type": "text", "text": "long", "cache_control": short}]
    assert marked["messages"][1]["tool_calls"][0]["cache_control"] == long
    assert (marked["messages"][2]["cache_control"], marked["tools"][0]["cache_control"]) == (long, short)


def test_a_target_may_call_system_messages_those_of_the_developer():
    assert written(said(Text("x"), role="system"))["messages"][0]["role"] == "system"
    assert written(said(Text("x"), role="system"), quirks={"system_role": "developer"})["messages"][0]["role"] == (
        "developer"
    )


def test_the_turn_of_an_assistant_has_content_or_calls():
    assert written(said())["messages"] == [{"role": "assistant", "content": ""}]
    assert written(said(ToolCall("t", "f", "{}")))["messages"][0]["content"] is None


def test_what_is_lost_on_a_lossy_route_is_told_and_left_out():
    losses = Losses(openai.LANGUAGE, lossy=True)
    chat = Chat(
        messages=(Message("user", (Text("x"), Opaque("container", msgspec.Raw(b"{}"), "anthropic"))),),
        others={"mcp_servers": msgspec.Raw(b"[1]"), "metadata": msgspec.Raw(b"{}")},
        effort="enormous",
        dialect="anthropic",
    )
    body = written(chat, losses=losses)
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "x"}]}]
    assert losses.told == ("messages[0].content", "reasoning_effort", "mcp_servers")
    assert not {"mcp_servers", "metadata", "reasoning_effort"} & body.keys()


def test_its_own_fields_that_the_house_has_no_word_for_go_as_they_came():
    body = (
        b'{"model":"r","messages":[{"role":"user","content":"x"}],"max_tokens":9,"verbosity":"low","logit_bias":{"1":5},'
        b'"tools":[{"type":"custom","custom":{"name":"c"}},{"type":"function","function":{"name":"f"}}]}'
    )
    chat = openai.read_chat(read_fields(body))
    assert written(chat) == {**json.loads(body), "model": "m"}


def test_a_schema_is_named_and_described():
    shape = Shape("schema", None, msgspec.Raw(b'{"type":"object"}'), None, "what it is")
    assert written(Chat(messages=(Message("user", (Text("x"),)),), shape=shape))["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "description": "what it is", "schema": {"type": "object"}},
    }


def test_penalties_and_log_probabilities_are_asked_for():
    body = written(
        Chat(messages=(Message("user", (Text("x"),)),), logprobs=0, frequency_penalty=0.5, presence_penalty=-1)
    )
    assert (body["logprobs"], body["frequency_penalty"], body["presence_penalty"]) == (True, 0.5, -1)
    assert "top_logprobs" not in body
    assert written(Chat(messages=(Message("user", (Text("x"),)),), logprobs=3))["top_logprobs"] == 3


def test_fields_that_would_be_lost_are_refused():
    with pytest.raises(RequestInvalid) as caught:
        written(Chat(messages=(Message("user", (Text("x"),)),), others={"logit_bias": msgspec.Raw(b"{}")}))
    assert caught.value.param == "logit_bias"


def test_the_name_of_the_output_limit_is_a_chats_only() -> None:
    quirks = {"max_tokens_name": "max_completion_tokens"}
    for task, body, name in (
        ("chat", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}, "max_completion_tokens"),
        ("complete", {"prompt": "hi", "max_tokens": 5}, "max_tokens"),
        ("complete", {"prompt": "hi"}, "max_tokens"),
    ):
        asked = openai.read_request(task, json.dumps({"model": "r", **body}).encode())  # type: ignore[arg-type]
        said = json.loads(openai.pass_request(asked, model="m", max_output_tokens=9, params={}, quirks=quirks))
        assert {field for field in said if field.startswith("max_")} == {name}


@pytest.mark.parametrize(
    ("quirks", "more", "last"),
    [
        ({}, {}, {}),
        ({"prefill": "last"}, {}, {}),
        ({"prefill": "vllm"}, {"continue_final_message": True, "add_generation_prompt": False}, {}),
        ({"prefill": "prefix"}, {}, {"prefix": True}),
    ],
)
def test_a_begun_answer_is_gone_on_with_in_the_targets_own_words(quirks, more, last):
    body = written(Chat(messages=(Message("user", (Text("hi"),)), Message("assistant", (Text("We"),)))), quirks=quirks)
    assert body["messages"][-1] == {"role": "assistant", "content": "We", **last}
    assert {name: body[name] for name in body if name in ("continue_final_message", "add_generation_prompt")} == more
    call = Message("assistant", (ToolCall("t", "f", "{}"),))
    for ends in (Message("user", (Text("hi"),)), call):
        plain = written(Chat(messages=(Message("user", (Text("hi"),)), ends)), quirks=quirks)
        assert "continue_final_message" not in plain and "prefix" not in plain["messages"][-1]
