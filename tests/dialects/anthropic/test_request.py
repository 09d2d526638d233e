"""Anthropic's language, inwards: as much of a request as the road needs."""

import json

import pytest

from fairlead.chat import Chat
from fairlead.dialects import anthropic
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

IMAGE = {"type": "image", "source": {"type": "url", "url": "https://x.org/i"}}
PLAIN = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}
PDF = {"type": "document", "source": {"type": "url", "url": "https://x.org/d"}}
CHUNKS = {"type": "document", "source": {"type": "content", "content": [IMAGE]}}
TOOL = {"name": "f", "input_schema": {"type": "object"}}


def body(content="hi", **fields) -> bytes:
    said = {"model": "route", "max_tokens": 9, "messages": [{"role": "user", "content": content}], **fields}
    return json.dumps({name: value for name, value in said.items() if value is not None}).encode()


def read(content="hi", **fields):
    return anthropic.read_request("chat", body(content, **fields))


def test_the_top_level_is_read_and_the_rest_left_as_it_stands():
    request = read(stream=True)
    assert (request.task, request.route, request.stream, request.max_output_tokens) == ("chat", "route", True, 9)
    assert request.samples == 1
    assert request.wants_usage
    assert request.spoken.dialect == "anthropic"
    assert request.spoken.fields == read_fields(body(stream=True))
    assert request.input_bytes == len(body(stream=True)) < request.input_bound


def test_route_and_stream_may_stand_in_the_url():
    request = anthropic.read_request("chat", body(model=None), route="there", stream=True)
    assert (request.route, request.stream) == ("there", True)


def test_the_full_reading_is_done_once():
    request = read()
    assert isinstance(request.chat(), Chat)
    assert request.chat() is request.chat()


@pytest.mark.parametrize(
    ("content", "fields", "needs", "bounded"),
    [
        ("hi", {}, set(), True),
        ([{"type": "text", "text": "hi"}], {"tools": []}, set(), True),
        ([IMAGE], {}, {"image"}, False),
        ([PLAIN], {}, {"document"}, True),
        ([PDF], {}, {"document"}, False),
        ([CHUNKS], {}, {"document", "image"}, False),
        ([{"type": "tool_result", "tool_use_id": "a", "content": [IMAGE]}], {}, {"image"}, False),
        ([{"type": "tool_result", "tool_use_id": "a", "content": "text"}], {}, set(), True),
        ([{"type": "container_upload"}], {}, set(), False),
        ([{"type": "web_search_tool_result", "content": []}], {}, set(), False),
        ([{"type": "hologram", "source": {"type": "url"}}], {}, {"opaque"}, False),
        ("hi", {"tools": [TOOL]}, {"tools"}, True),
        ("hi", {"tools": [TOOL, {"type": "web_search_20250305", "name": "w"}]}, {"tools"}, False),
        ("hi", {"thinking": {"type": "adaptive"}}, {"thinking"}, True),
        ("hi", {"thinking": {"type": "disabled"}}, set(), True),
        ("hi", {"output_config": {"format": {"type": "json_schema"}}}, {"schema"}, True),
        ("hi", {"output_format": {"type": "json_schema"}}, {"schema"}, True),
        ("hi", {"output_config": {"effort": "low"}}, set(), True),
        ("hi", {"mcp_servers": [{"name": "m"}]}, set(), False),
        ("hi", {"container": "c"}, set(), False),
    ],
)
def test_what_a_model_must_be_able_to_do_and_whether_the_prompt_has_a_bound(content, fields, needs, bounded):
    request = read(content, **fields)
    assert request.needs == needs
    assert (request.input_bound is not None) == bounded


def test_a_count_needs_no_output_limit():
    request = anthropic.read_count_request(body(max_tokens=None))
    assert (request.task, request.route, request.max_output_tokens) == ("count", "route", None)
    assert request.chat().messages


@pytest.mark.parametrize(
    ("said", "param"),
    [
        (body(max_tokens=None), "max_tokens"),
        (body(max_tokens="x"), "max_tokens"),
        (body(model=None), "model"),
        (body(model=""), "model"),
        (body(messages=[]), "messages"),
        (body(stream="yes"), "stream"),
        (body(tools=5), "tools"),
        (b"[]", None),
        (b"{", None),
    ],
)
def test_what_is_wrong_is_told_with_its_path(said, param):
    with pytest.raises(RequestInvalid) as caught:
        anthropic.read_request("chat", said)
    assert caught.value.param == param
