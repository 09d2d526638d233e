"""What each of OpenAI's models takes, by its name; in both of its languages."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from fairlead.chat import Chat, Message, Text
from fairlead.dialects import openai, responses
from fairlead.dialects.gpt import gpt_of
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid

HELLO = Chat(messages=(Message("user", (Text("hello"),)),), dialect="anthropic")
BOTH = pytest.mark.parametrize("language", [openai, responses])
Asked = dict[str, Any]


def write(language: Any, model: str, losses: Losses | None = None, *, limit: int = 400, **changes: Any) -> Asked:
    body = language.write_request(
        replace(HELLO, **changes),
        model=model,
        max_output_tokens=limit,
        stream=False,
        params={},
        quirks={},
        losses=losses or Losses(language.LANGUAGE),
    )
    return json.loads(body)


@pytest.mark.parametrize(
    ("names", "efforts", "always"),
    [
        (("gpt-3.5-turbo", "gpt-4o-mini-2024-07-18", "gpt-4.1", "gpt-4"), (), False),
        (("o1", "o3-mini-2025-01-31", "o4-mini"), ("low", "medium", "high"), True),
        (("gpt-5", "gpt-5-mini-2025-08-07", "GPT-5-nano"), ("minimal", "low", "medium", "high"), True),
        (("gpt-5.1", "gpt-5.1-codex"), ("none", "low", "medium", "high"), False),
        (("gpt-5.2", "gpt-5.4-mini", "gpt-5.1-codex-max"), ("none", "low", "medium", "high", "xhigh"), False),
        (("gpt-5.6-luna", "gpt-6-sol"), None, False),
    ],
)
def test_a_name_tells_how_a_model_thinks(names, efforts, always):
    for name in names:
        known = gpt_of(name)
        assert known is not None
        assert (known.efforts, known.always) == (efforts, always), name


def test_names_of_others_tell_nothing():
    for name in ("openai/gpt-5", "gpt-oss-20b", "gpt-5-chat-latest", "my-gpt-5", "claude-opus-5", "omni", "o"):
        assert gpt_of(name) is None


@BOTH
@pytest.mark.parametrize(
    ("model", "effort", "said"),
    [
        ("gpt-5", "max", "high"),
        ("gpt-5", "none", "minimal"),
        ("o3", "minimal", "low"),
        ("gpt-5.1", "minimal", "low"),
        ("gpt-5.1", "none", "none"),
        ("gpt-5.2", "max", "xhigh"),
        ("gpt-6-sol", "max", "max"),
        ("gpt-4o", "low", "low"),
        ("other", "minimal", "minimal"),
    ],
)
def test_an_effort_is_the_nearest_that_the_model_has_and_told(language, model, effort, said):
    losses = Losses("it")
    body = write(language, model, losses, effort=effort)
    assert (body.get("reasoning_effort") or body["reasoning"]["effort"]) == said
    assert losses.told == (() if effort == said else ("reasoning_effort",))


@BOTH
@pytest.mark.parametrize(
    ("model", "changes", "param"),
    [
        ("o3", {"temperature": 0.5}, "temperature"),
        ("gpt-5-mini", {"top_p": 0.5}, "top_p"),
        ("gpt-5", {"logprobs": 2}, "logprobs"),
        ("gpt-5", {"stop": ("END",)}, "stop"),
        ("gpt-5.2", {"temperature": 0.5, "effort": "low"}, "temperature"),
        ("gpt-5.2", {"temperature": 0.5, "thinking_tokens": 200}, "temperature"),
    ],
)
def test_what_a_model_that_thinks_refuses_is_refused_or_left_out_and_told(language, model, changes, param):
    with pytest.raises(RequestInvalid) as caught:
        write(language, model, **changes)
    assert (caught.value.code, caught.value.param) == ("unsupported_feature", param)
    losses = Losses("it", lossy=True)
    body = write(language, model, losses, **changes)
    assert param in losses.told
    assert body.keys().isdisjoint({"temperature", "top_p", "stop", "logprobs", "top_logprobs"})
    assert "logprobs" not in json.dumps(body)


@BOTH
def test_what_it_takes_is_said(language):
    assert write(language, "gpt-5", temperature=1.0).keys().isdisjoint({"temperature"})
    for model, effort in (("gpt-4o", None), ("gpt-5.2", None), ("gpt-5.1", "none"), ("other", None)):
        assert write(language, model, temperature=0.5, effort=effort)["temperature"] == 0.5
    own = write(language, "gpt-5", temperature=0.5, dialect=language.DIALECT)
    assert own["temperature"] == 0.5


@BOTH
def test_a_long_name_of_the_end_user_is_a_digest_that_stays_the_same(language):
    long = "user_" + 120 * "7"
    first, again = (write(language, "m", user=long)["user"] for _ in range(2))
    assert first == again != write(language, "m", user=long + "8")["user"]
    assert len(first) == 64
    assert write(language, "m", user="u1")["user"] == "u1"
    assert write(language, "m", user=long, dialect=language.DIALECT)["user"] == long


def test_reasoning_is_asked_for_encrypted_where_there_is_any():
    assert "include" not in write(responses, "gpt-4o")
    assert (
        write(responses, "gpt-5")["include"] == write(responses, "other")["include"] == ["reasoning.encrypted_content"]
    )


def test_a_limit_below_what_a_response_takes_is_lost():
    with pytest.raises(RequestInvalid) as caught:
        write(responses, "gpt-5", limit=1)
    assert caught.value.param == "max_output_tokens"
    losses = Losses("it", lossy=True)
    assert write(responses, "gpt-5", losses, limit=1)["max_output_tokens"] == 16
    assert losses.told == ("max_output_tokens",)
    assert write(responses, "other", limit=1)["max_output_tokens"] == 1
