"""OpenAI's Responses, inwards: what the road must know of a request, and nothing more."""

import json

import pytest

from fairlead.dialects import responses
from fairlead.errors import RequestInvalid


def read(**fields):
    return responses.read_request("chat", json.dumps({"model": "route", "input": "hello", **fields}).encode())


def test_the_route_the_stream_and_the_limit_are_told():
    request = read(stream=True, max_output_tokens=7)
    assert (request.task, request.route, request.stream, request.max_output_tokens) == ("chat", "route", True, 7)
    assert request.wants_usage
    assert request.samples == 1


def test_the_url_and_its_caller_may_say_route_and_stream_instead():
    body = json.dumps({"input": "hello"}).encode()
    request = responses.read_request("chat", body, route="other", stream=True)
    assert (request.route, request.stream) == ("other", True)


def test_every_value_stands_as_it_was_said():
    request = responses.read_request("chat", b'{"model":"r", "input" : "\\u00e4", "x":1.0e+2}')
    assert request.spoken is not None
    assert request.spoken.dialect == "responses"
    assert {name: bytes(raw) for name, raw in request.spoken.fields.items()} == {
        "model": b'"r"',
        "input": b'"\\u00e4"',
        "x": b"1.0e+2",
    }


def test_the_full_reading_is_done_once():
    request = read()
    assert request.chat() is request.chat()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"input": None}, "input"),
        ({"input": 7}, "input"),
        ({"input": [{"role": "user", "content": [7]}]}, "input[0].content"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"tools": {}}, "tools"),
        ({"text": []}, "text"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(fields, param):
    with pytest.raises(RequestInvalid) as caught:
        read(**fields)
    assert caught.value.param is not None
    assert caught.value.param.startswith(param)


@pytest.mark.parametrize("name", ["previous_response_id", "conversation", "prompt"])
def test_input_may_be_kept_at_the_provider_and_then_has_no_bound(name):
    body = json.dumps({"model": "r", name: "id_1"}).encode()
    assert responses.read_request("chat", body).input_bound is None


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": "hello"},
        {"role": "user", "content": [{"type": "input_text", "text": "hello"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "seven"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "seven"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
    ],
)
def test_text_has_a_bound(item):
    request = read(input=[item], tools=[{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}])
    assert request.input_bound is not None
    assert request.input_bound > request.input_bytes


@pytest.mark.parametrize(
    "item",
    [
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/a.png"}]},
        {"role": "user", "content": [{"type": "input_of_tomorrow"}]},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file", "file_id": "file-1"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "item_reference", "id": "msg_1"},
        {"id": "msg_1"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "computer_call_output", "call_id": "c", "output": {"type": "computer_screenshot"}},
    ],
)
def test_what_the_provider_looks_up_or_turns_into_tokens_has_none(item):
    assert read(input=[item]).input_bound is None


def test_a_tool_that_runs_at_the_provider_leaves_no_bound():
    assert read(tools=[{"type": "web_search"}]).input_bound is None


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({}, set()),
        ({"tools": [{"type": "function", "name": "f"}]}, {"tools"}),
        ({"tools": []}, set()),
        ({"text": {"format": {"type": "json_schema", "name": "a", "schema": {}}}}, {"schema"}),
        ({"text": {"format": {"type": "json_object"}}}, {"json"}),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, set()),
        ({"reasoning": {"effort": "low"}}, {"thinking"}),
        ({"reasoning": {"summary": "auto"}}, {"thinking"}),
        ({"reasoning": {"effort": "none"}}, set()),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, {"image"}),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, {"audio"}),
        ({"input": [{"role": "user", "content": [{"type": "input_of_tomorrow"}]}]}, {"opaque"}),
        ({"input": [{"type": "computer_call_output", "call_id": "c", "output": {}}]}, {"opaque"}),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, set()),
        (
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_file"}]}]},
            {"document"},
        ),
    ],
)
def test_what_a_model_must_be_able_to_do_is_known(fields, needs):
    assert read(**fields).needs == needs


def test_a_count_is_a_task_of_its_own_and_never_streams():
    request = responses.read_count_request(b'{"model":"r","input":"hello","stream":true}')
    assert (request.task, request.stream) == ("count", False)
    assert request.chat().messages[0].role == "user"


def test_the_name_of_the_route_is_known_of_the_fields_alone():
    request = read()
    assert request.spoken is not None
    assert responses.route_of(request.spoken.fields) == "route"
    assert responses.route_of({}) is None


def test_a_body_that_is_no_text_is_refused_at_once():
    with pytest.raises(RequestInvalid) as caught:
        responses.read_request("chat", b'{"model":"r","input":"\xff"}')
    assert caught.value.code == "malformed_json"
