"""OpenAI's language: embeddings, both ways."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead.chat import Answer, Embed, Usage
from fairlead.dialects import openai
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid, TargetUnclear


def read(**fields):
    return openai.read_embed(read_fields(json.dumps({"model": "x", **fields}).encode()))


def written(embed, *, lossy=False, **rest):
    losses = Losses(openai.LANGUAGE, lossy=lossy)
    said = {"params": {}, "quirks": {}, **rest}
    return openai.write_embed(embed, model="m", losses=losses, **said)


@pytest.mark.parametrize(
    ("said", "inputs"),
    [
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
    ],
)
def test_texts_and_tokens_are_inputs(said, inputs):
    assert read(input=said).inputs == inputs


def test_the_fields_are_read():
    embed = read(input="a", dimensions=5, encoding_format="base64", user="u", input_type="passage", truncate="END")
    assert (embed.dimensions, embed.encoding, embed.user, embed.purpose) == (5, "base64", "u", "document")
    assert (list(embed.others), embed.dialect) == (["truncate"], "openai")
    assert list(read(input="a", input_type="poem").others) == ["input_type"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_a_mistake_is_named(fields, param):
    with pytest.raises(RequestInvalid) as caught:
        read(**fields)
    assert caught.value.param == param


@given(
    some.builds(
        Embed,
        inputs=some.lists(some.text(), min_size=1).map(tuple)
        | some.lists(some.lists(some.integers(0, 9), min_size=1).map(tuple), min_size=1).map(tuple),
        dimensions=some.none() | some.integers(1, 9),
        encoding=some.sampled_from(["float", "base64"]),
        purpose=some.sampled_from([None, "query", "document"]),
        user=some.none() | some.text(),
        dialect=some.just("openai"),
    )
)
def test_what_is_written_reads_back_the_same(embed):
    assert openai.read_embed(read_fields(written(embed))) == embed


def test_what_it_has_no_word_for_is_a_loss():
    foreign = Embed(inputs=("a",), purpose="clustering", others={"title": msgspec.Raw(b'"t"')}, dialect="gemini")
    with pytest.raises(RequestInvalid) as caught:
        written(foreign)
    assert caught.value.code == "unsupported_feature"
    assert json.loads(written(foreign, lossy=True)) == {"model": "m", "input": ["a"]}


def test_parameters_and_quirks_have_their_say():
    body = written(Embed(inputs=("a",), dimensions=5), params={"truncate": True}, quirks={"drop": ["dimensions"]})
    assert json.loads(body) == {"model": "m", "input": ["a"], "truncate": True}


def answer(*embeddings):
    data = [{"object": "embedding", "index": index, "embedding": said} for index, said in embeddings]
    return json.dumps({"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": 3}}).encode()


def test_vectors_are_numbers_or_base64_in_the_order_of_what_was_sent():
    body = answer((1, [0.5, -2]), (0, "AACAPwAAAMA="))
    assert openai.read_answer(body, task="embed", full=True).vectors == ((1.0, -2.0), (0.5, -2.0))
    assert openai.read_answer(body, task="embed").vectors is None


@pytest.mark.parametrize("said", [5, "AAAAAAA=", "?", "é", [["0.5"]]])
def test_what_is_no_vector_is_unclear(said):
    with pytest.raises(TargetUnclear):
        openai.read_answer(answer((0, said)), task="embed", full=True)


@given(some.lists(some.lists(some.floats(width=32, allow_nan=False, allow_infinity=False)), max_size=3))
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors_survive_in_either_encoding(encoding, vectors):
    told = Answer(model="e", vectors=tuple(map(tuple, vectors)), usage=Usage(input=7))
    body = openai.write_answer(told, created=0, task="embed", encoding=encoding)
    read = openai.read_answer(body, task="embed", full=True)
    assert (read.vectors, read.usage, read.model) == (told.vectors, told.usage, "e")
