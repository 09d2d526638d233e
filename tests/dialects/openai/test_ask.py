"""OpenAI's language, outwards: what changes on the way to a target, and what does not."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead.chat import Chat, Message, Opaque, Text, Thinking
from fairlead.dialects import openai
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


def written(chat, *, stream=False, params=None, quirks=None):
    body = openai.write_request(
        chat, model="m", max_output_tokens=9, stream=stream, params=params or {}, quirks=quirks or {}
    )
    return json.loads(body)


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
    own = Opaque("input_audio", msgspec.Raw(b'{"type":"input_audio"}'), "openai")
    audio = Opaque("audio", msgspec.Raw(b'{"id":"a"}'), "openai")
    messages = written(Chat(messages=(Message("user", (own,)), Message("assistant", (audio,)))))["messages"]
    assert messages[0]["content"] == [{"type": "input_audio"}]
    assert messages[1] == {"role": "assistant", "content": None, "audio": {"id": "a"}}


def test_another_providers_signed_reasoning_is_left_out():
    signed = Thinking("hm", "signature", "anthropic")
    (message,) = written(Chat(messages=(Message("assistant", (signed, Text("x"))),)))["messages"]
    assert message == {"role": "assistant", "content": "x"}


def test_fields_that_would_be_lost_are_refused():
    with pytest.raises(RequestInvalid) as caught:
        written(Chat(messages=(Message("user", (Text("x"),)),), others=("logit_bias",)))
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
