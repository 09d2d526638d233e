"""Gemini's language: embeddings, both ways."""

import json
from typing import Any

import pytest

from fairlead.chat import Answer, Embed, Usage
from fairlead.dialects import gemini
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid, TargetUnclear


def one(text: str, **rest: Any) -> dict:
    return {"content": {"parts": [{"text": text}]}, **rest}


def request(body: Any) -> Any:
    return gemini.read_request("embed", json.dumps(body).encode(), route="r")


def write(said: Embed, *, params: Any = None, losses: Losses | None = None, **quirks: Any) -> Any:
    losses = losses or Losses("Gemini's API")
    return json.loads(gemini.write_embed(said, model="m", params=params or {}, quirks=quirks, losses=losses))


def answered(body: Any, **more: Any) -> Answer:
    return gemini.read_answer(json.dumps(body).encode(), task="embed", **more)


def test_a_batch():
    entries = [one(text, model="models/x", taskType="RETRIEVAL_QUERY", output_dimensionality=8) for text in ("a", "b")]
    asked = request({"requests": entries})
    assert asked.embed() == Embed(inputs=("a", "b"), dimensions=8, purpose="query", dialect="gemini")
    assert asked.spoken is not None
    assert asked.input_bound is not None


def test_a_single_text_and_vertexs_form_of_it():
    asked = request(one("a", embedContentConfig={"taskType": "CLUSTERING", "autoTruncate": True}))
    embed = asked.embed()
    assert (embed.inputs, embed.purpose, set(embed.others)) == (("a",), "clustering", {"autoTruncate"})
    assert asked.spoken is None


def test_what_differs_between_texts_is_kept_by_its_path_and_goes_back_there():
    entries = [one("a", taskType="FACT_VERIFICATION"), one("b", taskType="RETRIEVAL_QUERY", title="t")]
    embed = request({"requests": entries}).embed()
    assert set(embed.others) == {"requests[0].taskType", "requests[1].taskType", "requests[1].title"}
    assert write(embed)["requests"] == [{"model": "models/m", **entry} for entry in entries]


def test_a_batch_is_passed_on_under_the_name_of_the_target():
    body = {"requests": [one("a", model="models/x", title="t")], "unheard": 1}
    said = gemini.pass_request(
        request(body), model="m", max_output_tokens=0, params={"autoTruncate": True}, quirks={"drop": ["title"]}
    )
    assert json.loads(said) == {"requests": [one("a", model="models/m", autoTruncate=True)], "unheard": 1}


def test_only_text_is_read():
    picture = {"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]}}
    asked = request({"requests": [picture]})
    assert (asked.input_bound, asked.needs) == (None, {"image"})
    with pytest.raises(RequestInvalid) as caught:
        asked.embed()
    assert caught.value.param == "requests[0].content.parts[0]"


@pytest.mark.parametrize(
    ("body", "param"), [({}, "content"), ({"requests": []}, "requests"), ({"requests": [{}]}, "requests[0].content")]
)
def test_an_error_names_its_place(body: Any, param: str):
    with pytest.raises(RequestInvalid) as caught:
        request(body).embed()
    assert (caught.value.param or "").startswith(param.partition("[")[0])


def test_texts_of_another_language():
    embed = Embed(inputs=("a", "b"), dimensions=8, purpose="document")
    said = {"taskType": "RETRIEVAL_DOCUMENT", "outputDimensionality": 8}
    assert write(embed)["requests"] == [{"model": "models/m", **one(text), **said} for text in ("a", "b")]
    assert write(embed, vertex=True)["requests"][0] == {"model": "models/m", **one("a"), "embedContentConfig": said}


def test_the_forms_that_vertex_takes():
    embed = Embed(inputs=("a",), dimensions=8, purpose="query")
    assert write(embed, embed="single", vertex=True) == one(
        "a", embedContentConfig={"taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8}
    )
    assert write(embed, embed="predict", params={"autoTruncate": False}) == {
        "instances": [{"content": "a", "task_type": "RETRIEVAL_QUERY"}],
        "parameters": {"outputDimensionality": 8, "autoTruncate": False},
    }


@pytest.mark.parametrize(
    ("embed", "quirks", "param"),
    [
        (Embed(inputs=((1, 2),)), {}, "input[0]"),
        (Embed(inputs=("a", "b")), {"embed": "single"}, "input"),
        (Embed(inputs=("a",), purpose="divination"), {}, "purpose"),
        (Embed(inputs=("a",), others=read_fields(b'{"truncate":"END"}'), dialect="openai"), {}, "truncate"),
    ],
)
def test_what_has_no_word_is_refused(embed: Embed, quirks: Any, param: str):
    with pytest.raises(RequestInvalid) as caught:
        write(embed, **quirks)
    assert caught.value.param == param


def test_embeddings_come_back_as_they_went():
    for embed in (
        Embed(inputs=("a", "b"), dimensions=8, purpose="classification", dialect="gemini"),
        Embed(inputs=("",), dialect="gemini"),
    ):
        body = gemini.write_embed(embed, model="m", params={}, quirks={}, losses=Losses("Gemini's API"))
        assert gemini.read_embed(read_fields(body)) == embed


@pytest.mark.parametrize(
    ("body", "usage"),
    [
        ({"embeddings": [{"values": [1, 2]}], "usageMetadata": {"promptTokenCount": 3}}, Usage(input=3)),
        ({"embedding": {"values": [1, 2]}}, None),
        ({"predictions": [{"embeddings": {"values": [1, 2], "statistics": {"token_count": 4}}}]}, Usage(input=4)),
    ],
)
def test_answers_in_every_form(body: Any, usage: Usage | None):
    full = answered(body, full=True)
    assert (full.vectors, full.usage, full.spoken) == (((1.0, 2.0),), usage, None)
    slim = answered(body)
    assert (slim.vectors, slim.usage) == (None, usage)
    assert slim.spoken is not None
    assert gemini.write_answer(slim, created=0, task="embed") == slim.spoken


def test_vectors_are_written_for_many_texts_and_for_one():
    answer = Answer(vectors=((1.0, 2.0),), usage=Usage(input=3))
    usage = {"promptTokenCount": 3, "totalTokenCount": 3}
    many = {"embeddings": [{"values": [1.0, 2.0]}], "usageMetadata": usage}
    assert json.loads(gemini.write_answer(answer, created=0, task="embed")) == many
    assert json.loads(gemini.write_embedding(answer)) == {"embedding": {"values": [1.0, 2.0]}, "usageMetadata": usage}


def test_an_answer_without_vectors_is_none():
    for body in ({}, {"embeddings": "none"}):
        with pytest.raises(TargetUnclear):
            answered(body)
