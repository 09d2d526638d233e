"""What would lead a server past its route, or past the price that money was held for, in every language."""

import json
from typing import Any

import pytest

from fairlead.chat import Request
from fairlead.dialects import anthropic, gemini, openai, rerank, responses
from fairlead.dialects.steering import OTHER_LIMITS
from fairlead.errors import RequestInvalid

ASKED: dict[str, tuple[Any, dict[str, Any]]] = {
    "chat": (openai, {"messages": [{"role": "user", "content": "hi"}]}),
    "complete": (openai, {"prompt": "hi"}),
    "embed": (openai, {"input": "hi"}),
    "anthropic": (anthropic, {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}),
    "responses": (responses, {"input": "hi"}),
    "rerank": (rerank, {"query": "a", "documents": ["b"]}),
}


def read(what: str, **fields: Any) -> Request:
    language, body = ASKED[what]
    task = what if what in ("complete", "embed", "rerank") else "chat"
    return language.read_request(task, json.dumps({"model": "r", **body, **fields}).encode())


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize(
    "name", ["MODEL", "Model", "Stream", "MAX_TOKENS", "N", "meſſages", "Tools", "toolſ", "max_toKens"]
)
def test_a_name_in_another_case_is_not_taken_for_an_unknown_field(what: str, name: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        read(what, **{name: "other"})
    assert caught.value.param == name


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize("name", ["models", "fallbacks", "preset"])
def test_no_request_says_who_else_is_asked(what: str, name: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        read(what, **{name: ["dear"]})
    assert (caught.value.param, caught.value.code) == (name, "unsupported_feature")
    read(what, **{name: None})


@pytest.mark.parametrize("what", ["chat", "complete"])
@pytest.mark.parametrize("name", sorted(OTHER_LIMITS))
def test_the_output_limit_has_no_other_names(what: str, name: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        read(what, **{name: 99_999})
    assert caught.value.param == name
    assert read(what, **{name: None}).input_bound is not None


def test_an_embedding_has_a_length_that_is_none_of_its_output() -> None:
    assert read("embed", max_length=512).input_bound is not None


def test_what_is_unknown_and_steers_nothing_is_left_alone() -> None:
    assert read("chat", guidedChoice=["a"], minP=0.1, Ünknown=1).input_bound is not None


@pytest.mark.parametrize("what", ["chat", "complete"])
@pytest.mark.parametrize("name", ["n", "best_of", "n_cmpl"])
def test_every_word_for_samples_is_counted(what: str, name: str) -> None:
    assert read(what, **{"n": 2, name: 7}).samples == 7


@pytest.mark.parametrize("what", ["chat", "anthropic", "responses"])
def test_a_dearer_tier_has_no_bound(what: str) -> None:
    for said in ("priority", "tier of tomorrow", 5):
        assert read(what, service_tier=said).input_bound is None
    for said in ("auto", "default", "flex", "standard_only", None):
        assert read(what, service_tier=said).input_bound is not None
    assert read("anthropic", speed="fast").input_bound is None
    assert read("anthropic", inference_geo="us").input_bound is None


def test_geminis_tiers_are_known_in_both_spellings() -> None:
    for name in ("serviceTier", "service_tier"):
        for said, bounded in (("SERVICE_TIER_PRIORITY", False), ("priority", False), ("SERVICE_TIER_FLEX", True)):
            body = json.dumps({"contents": [{"parts": [{"text": "a"}]}], name: said}).encode()
            assert (gemini.read_request("chat", body, route="r").input_bound is not None) == bounded


def test_a_search_that_is_switched_off_leaves_a_bound() -> None:
    assert read("chat", enable_search=True).input_bound is None
    assert read("chat", enable_search=False).input_bound is not None


def test_a_conversation_beside_what_is_to_be_embedded_is_refused() -> None:
    with pytest.raises(RequestInvalid) as caught:
        read("embed", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}])
    assert caught.value.param == "messages"
