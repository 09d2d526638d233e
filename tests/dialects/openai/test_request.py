"""OpenAI's language, inwards: what the road reads of a request, and how a bad one is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead.dialects import openai
from fairlead.errors import RequestInvalid

HELLO = [{"role": "user", "content": "hello"}]


def read(task="chat", **fields):
    return openai.read_request(task, json.dumps({"model": "tickets", **fields}).encode())


def refusal(task="chat", **fields):
    with pytest.raises(RequestInvalid) as caught:
        read(task, **fields)
    assert caught.value.hint
    return caught.value


def test_the_road_learns_what_it_needs():
    request = read(
        messages=HELLO, stream=True, n=3, max_tokens=50, stream_options={"include_usage": True}, anything={"else": 1}
    )
    assert (request.task, request.route, request.stream, request.samples) == ("chat", "tickets", True, 3)
    assert (request.max_output_tokens, request.wants_usage) == (50, True)
    assert request.spoken is not None
    assert bytes(request.spoken.fields["anything"]) == b'{"else": 1}'


def test_null_means_that_the_caller_did_not_say():
    request = read(messages=HELLO, stream=None, n=None, max_tokens=None, stream_options=None, tools=None)
    assert (request.stream, request.samples, request.max_output_tokens, request.wants_usage) == (False, 1, None, False)
    assert request.input_bound is not None


def test_the_newer_name_of_the_limit_wins():
    assert read(messages=HELLO, max_tokens=50, max_completion_tokens=40).max_output_tokens == 40


def test_of_a_key_that_comes_twice_the_last_counts_and_only_it_is_kept():
    body = b'{"model": "cheap", "messages": [{"role": "user", "content": "x"}], "mod\\u0065l": "dear"}'
    request = openai.read_request("chat", body)
    assert request.route == "dear"
    assert openai.pass_request(request, model="m", max_output_tokens=5, params={}, quirks={}).count(b'"model"') == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"model": "x"} trailing',
        b'{"model": "\xff"}',
        b"{'model': 1}",
        b'{"a": NaN}',
        b'{"a":' + b"[" * 99999,
    ],
)
def test_what_is_not_json_is_malformed(body):
    with pytest.raises(RequestInvalid) as caught:
        openai.read_request("chat", body)
    assert caught.value.code == "malformed_json"
    assert "jSON" not in caught.value.message


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1"])
def test_json_that_is_no_object_is_an_invalid_request(body):
    with pytest.raises(RequestInvalid) as caught:
        openai.read_request("chat", body)
    assert caught.value.code == "invalid_request"


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "n"])
@pytest.mark.parametrize("value", [0, -1, True, 1.5, "5", 10**30, [1]])
def test_a_count_must_be_a_positive_whole_number(name, value):
    error = refusal(messages=HELLO, **{name: value})
    assert (error.code, error.param) == ("invalid_request", name)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": HELLO, "model": 5}, "model"),
        ({"messages": HELLO, "model": ""}, "model"),
        ({"messages": HELLO, "stream": "yes"}, "stream"),
        ({"messages": "hello"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [5]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({}, "messages"),
        ({"messages": HELLO, "stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(fields, param):
    assert refusal(**fields).param == param


def test_a_model_must_be_named():
    with pytest.raises(RequestInvalid) as caught:
        openai.read_request("chat", b'{"messages": [{"role": "user", "content": "x"}]}')
    assert caught.value.param == "model"


def test_text_is_bounded_by_its_bytes():
    request = read(messages=HELLO)
    assert request.input_bound == request.input_bytes + 1024
    assert read(messages=[{"role": "user", "content": [{"type": "text", "text": "x"}]}]).input_bound is not None
    assert read(messages=HELLO, tools=[{"type": "function", "function": {"name": "f"}}]).input_bound is not None
    assert read(messages=HELLO, tools=[{"function": {"name": "f"}}]).input_bound is not None


def test_text_that_talks_about_images_is_still_text():
    assert read(messages=[{"role": "user", "content": 'what is "image_url"?'}]).input_bound is not None


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "video_url", "video_url": {"url": "https://example.org/x.mp4"}},
        {"image_url": "https://example.org/x.png"},
        {"type": "a kind of tomorrow"},
    ],
)
def test_a_part_that_is_not_text_has_no_bound(part):
    assert read(messages=[*HELLO, {"role": "user", "content": [part]}]).input_bound is None


def test_an_escaped_name_does_not_hide_an_image():
    body = b'{"model":"x","messages":[{"role":"user","content":[{"ty\\u0070e":"image\\u005furl","image_url":"u"}]}]}'
    assert openai.read_request("chat", body).input_bound is None


@pytest.mark.parametrize(
    "fields",
    [
        {"web_search_options": {}},
        {"tools": [{"type": "web_search"}]},
        {"tools": [{"search": {}}]},
        {"tools": "nonsense"},
        {"plugins": [{"id": "web"}]},
        {"chat_template": "{% for _ in range(100000) %}x{% endfor %}"},
    ],
)
def test_what_the_provider_adds_to_the_prompt_has_no_bound(fields):
    assert read(messages=HELLO, **fields).input_bound is None


def test_earlier_audio_of_the_assistant_has_no_bound():
    assert read(messages=[*HELLO, {"role": "assistant", "audio": {"id": "audio_1"}}]).input_bound is None
    assert read(messages=[*HELLO, {"role": "assistant", "content": "x", "audio": None}]).input_bound is not None


@pytest.mark.parametrize(
    ("fields", "samples"),
    [
        ({"prompt": "a"}, 1),
        ({"prompt": ["a", "b"]}, 2),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1, 2], [3]], "n": 2}, 4),
        ({"prompt": ["a", "b"], "n": 2, "best_of": 5}, 10),
    ],
)
def test_a_completion_has_samples_for_every_prompt(fields, samples):
    assert read("complete", **fields).samples == samples


@pytest.mark.parametrize("prompt", [[], ["a", 1], [1, [2]], {"a": 1}, None, [True]])
def test_a_prompt_is_strings_or_tokens(prompt):
    assert refusal("complete", prompt=prompt).param.startswith("prompt")


def test_embeddings_need_an_input_and_have_no_output():
    request = read("embed", input=["a", "b"])
    assert (request.samples, request.max_output_tokens, request.needs) == (1, None, frozenset())
    assert request.embed().inputs == ("a", "b")
    assert request.input_bound is not None
    assert refusal("embed").param == "input"
    assert refusal("embed", input={"text": "a"}).param == "input"


def test_a_route_and_a_stream_that_the_url_names_win():
    body = b'{"messages": [{"role": "user", "content": "x"}], "stream": true}'
    request = openai.read_request("chat", body, route="named", stream=False)
    assert (request.route, request.stream) == ("named", False)


def part(kind):
    return [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": kind}]}]


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({}, set()),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, set()),
        ({"messages": part("image_url")}, {"image"}),
        ({"messages": part("input_audio") + part("file")}, {"audio", "document"}),
        ({"messages": part("video_url")}, {"video"}),
        ({"messages": part("a kind of tomorrow")}, {"opaque"}),
        ({"messages": [{"role": "user", "content": [{"image_url": {"url": "https://10.0.0.1/"}}]}]}, {"opaque"}),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"tools"}),
        ({"functions": [{"name": "f"}]}, {"tools"}),
        ({"tools": []}, set()),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {"schema"}),
        ({"response_format": {"type": "json_object"}}, {"json"}),
        ({"response_format": {"type": "text"}}, set()),
        ({"response_format": 5}, set()),
        ({"reasoning_effort": "low"}, {"thinking"}),
        ({"reasoning_effort": "none"}, set()),
        ({"reasoning": {"max_tokens": 2000}}, {"thinking"}),
        ({"enable_thinking": False}, set()),
    ],
)
def test_what_a_model_must_be_able_to_do_is_known(fields, needs):
    assert read(**{"messages": HELLO, **fields}).needs == needs


def test_a_bare_completion_is_read_as_a_conversation():
    assert read("complete", prompt="Once").chat().messages[0].role == "user"


def test_the_full_reading_is_done_once():
    request = read(messages=HELLO)
    assert request.chat() is request.chat()


@given(some.binary(max_size=200), some.sampled_from(["chat", "complete", "embed"]))
def test_random_bytes_raise_nothing_but_typed_errors(body, task):
    with pytest.raises(RequestInvalid):
        openai.read_request(task, body)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = ["messages", "n", "max_tokens", "tools", "tool_choice", "response_format", "stop", "stream", "stream_options"]


@given(some.dictionaries(some.sampled_from(NAMES), JSON, max_size=6), some.lists(JSON, max_size=3))
def test_random_values_raise_nothing_but_typed_errors(fields, messages):
    try:
        body = json.dumps({"model": "x", "messages": [*HELLO, *messages], **fields})
        openai.read_request("chat", body.encode()).chat()
    except RequestInvalid as error:
        assert error.message
