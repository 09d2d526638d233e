"""Anthropic's language, outwards, for a caller who speaks it too."""

import json

import pytest
from msgspec.structs import replace

from fairlead.chat import Request
from fairlead.dialects import anthropic

BODY = (
    b'{"model": "route", "max_tokens": 100, "messages": [{"role":"user",  "content": "hi"}], "temperature": 0.50,'
    b' "thinking": {"type": "enabled", "budget_tokens": 99, "display": "omitted"}, "tomorrow": [1e2], "stream": false}'
)


def passed(body=BODY, *, limit=100, params=None, quirks=None, **changes) -> bytes:
    request = replace(anthropic.read_request("chat", body), **changes)
    return anthropic.pass_request(
        request, model="claude", max_output_tokens=limit, params=params or {}, quirks=quirks or {}
    )


def test_all_but_the_model_goes_on_byte_for_byte():
    before, after = (anthropic.read_request("chat", body).spoken.fields for body in (BODY, passed()))
    assert list(after) == list(before)
    assert {name for name in before if bytes(before[name]) != bytes(after[name])} == {"model"}
    assert bytes(after["model"]) == b'"claude"'


def test_a_stream_is_asked_for_as_the_request_says():
    assert json.loads(passed(stream=True))["stream"] is True
    assert json.loads(passed(BODY.replace(b"false", b"true"), stream=False))["stream"] is False
    assert "stream" not in json.loads(passed(BODY.replace(b', "stream": false', b"")))


def test_the_limit_is_narrowed_and_the_budget_with_it():
    body = json.loads(passed(BODY.replace(b"99", b"5000").replace(b"100,", b"9000,"), limit=2000))
    assert body["max_tokens"] == 2000
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1999, "display": "omitted"}
    assert "thinking" not in json.loads(passed(limit=50))
    assert json.loads(passed(limit=900))["max_tokens"] == 100
    assert json.loads(passed(params={"max_tokens": 7}))["max_tokens"] == 7


def test_parameters_win_and_settle_what_goes_with_them():
    body = json.loads(passed(params={"thinking": {"type": "adaptive"}, "top_k": 5, "system": "x"}))
    assert body["thinking"] == {"type": "adaptive"}
    assert not {"temperature", "top_k", "system"} & set(body)
    said = BODY.replace(b'"tomorrow": [1e2]', b'"output_config": {"effort": "low"}')
    merged = json.loads(passed(said, params={"output_config": {"task_budget": 1}}))
    assert merged["output_config"] == {"effort": "low", "task_budget": 1}


@pytest.mark.parametrize("value", [b'"hot"', b"null", b"[]"])
def test_values_that_nobody_read_do_no_harm_to_the_parameters(value):
    body = BODY.replace(b"0.50", value).replace(b'"tomorrow"', b'"top_p"')
    assert json.loads(passed(body, params={"thinking": {"type": "adaptive"}}))["thinking"] == {"type": "adaptive"}


def test_quirks_rename_and_drop():
    body = json.loads(passed(quirks={"rename": {"tomorrow": "today"}, "drop": ["temperature"]}))
    assert body["today"] == [100.0]
    assert not {"tomorrow", "temperature"} & set(body)


def test_a_count_is_passed_on_with_parameters_that_count():
    body = b'{"model": "route", "messages": [{"role":"user",  "content": "hi"}]}'
    said = {"model": "claude", "params": {"service_tier": "auto", "thinking": {"type": "adaptive"}}, "quirks": {}}
    passed_on = json.loads(anthropic.pass_count_request(anthropic.read_count_request(body), **said))
    assert set(passed_on) == {"model", "messages", "thinking"}


def test_what_was_said_in_another_language_is_not_passed_on():
    with pytest.raises(TypeError):
        anthropic.pass_request(
            Request(task="chat", route="x"), model="claude", max_output_tokens=1, params={}, quirks={}
        )
