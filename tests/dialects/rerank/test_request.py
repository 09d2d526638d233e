"""Reading what a caller asks of a reranker: the road's slim reading, and the full one."""

import json

import pytest
from msgspec import Raw

from fairlead.chat import Media, Opaque
from fairlead.dialects import rerank
from fairlead.errors import RequestInvalid

PIXEL = "iVBORw0KGgo="


def ask(**fields):
    return json.dumps({"model": "finder", "query": "which bear?", "documents": ["a panda", "a boat"]} | fields).encode()


def test_a_request_names_its_route_and_is_bounded_by_the_query_with_every_document():
    request = rerank.read_request("rerank", ask(documents=["a"] * 50))
    assert (request.task, request.route, request.stream, request.samples) == ("rerank", "finder", False, 1)
    assert request.needs == frozenset()
    assert request.input_bound is not None
    assert request.input_bound > 50 * len("which bear?") + len(ask(documents=["a"] * 50))


def test_the_url_may_name_the_route():
    assert rerank.read_request("rerank", b'{"query":"q","documents":["d"]}', route="other").route == "other"


def test_an_image_has_no_bound_and_needs_a_model_that_sees():
    request = rerank.read_request("rerank", ask(documents=["a panda", {"image": PIXEL}]))
    assert request.input_bound is None
    assert request.needs == {"image"}
    assert rerank.read_request("rerank", ask(query={"image": PIXEL})).needs == {"image"}
    parts = {"content": [{"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}]}
    assert rerank.read_request("rerank", ask(documents=[parts])).input_bound is None
    for name in ("image_url", "video", "audio_url", "pdf"):
        request = rerank.read_request("rerank", ask(documents=[{name: "https://10.0.0.1/"}]))
        assert (request.input_bound, request.needs) == (None, {"image"})


def test_searches_are_bounded_by_the_documents_and_their_length():
    def searches(*documents, **fields):
        return rerank.read_request("rerank", ask(documents=documents, **fields)).searches

    assert searches("a") == 1
    assert searches(*["a"] * 101) >= 2
    assert searches("a" * 500 * 300) >= 3
    assert searches(*["a"] * 60, query="q" * 2000) >= 3


def test_an_object_with_fields_of_text_and_numbers_has_a_bound():
    assert rerank.read_request("rerank", ask(documents=[{"title": "Bears", "year": 1999}])).input_bound is not None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"query":"q","documents":["d"]}', "model"),
        (b'{"model":"","query":"q","documents":["d"]}', "model"),
        (b'{"model":"m","documents":["d"]}', "query"),
        (b'{"model":"m","query":"q"}', "documents"),
        (b'{"model":"m","query":"q","documents":null}', "documents"),
        (b'{"model":"m","query":"q","documents":[]}', "documents"),
        (b'{"model":"m","query":"q","documents":"d"}', "documents"),
    ],
)
def test_what_is_missing_or_empty_is_named(body, param):
    with pytest.raises(RequestInvalid) as caught:
        rerank.read_request("rerank", body)
    assert caught.value.param == param


def read(**fields):
    return rerank.read_request("rerank", ask(**fields)).rerank()


def test_the_full_reading_knows_every_spelling():
    cohere = read(top_n=2, return_documents=True, max_tokens_per_doc=512)
    assert (cohere.query, cohere.documents, cohere.top) == ("which bear?", ("a panda", "a boat"), 2)
    assert cohere.returns_documents
    assert cohere.others == {"max_tokens_per_doc": Raw(b"512")}
    assert read(top_k=3).top == 3
    assert read(top_n=0).top is None
    assert read(return_text=True).returns_documents
    texts = json.dumps({"model": "m", "query": "q", "texts": ["one", "two"], "truncate": True}).encode()
    assert rerank.read_request("rerank", texts).rerank().documents == ("one", "two")


def test_documents_are_texts_images_and_objects_of_their_own():
    said = read(
        documents=[
            "plain",
            {"text": "wrapped"},
            {"image": PIXEL},
            {"image": f"data:image/png;base64,{PIXEL}"},
            {"image": "https://example.com/x.png"},
            {"title": "Bears", "text": "about them"},
        ]
    ).documents
    assert said[:2] == ("plain", "wrapped")
    assert said[2] == Media(kind="image", data=PIXEL)
    assert said[3] == Media(kind="image", media_type="image/png", data=PIXEL)
    assert said[4] == Media(kind="image", url="https://example.com/x.png")
    assert isinstance(said[5], Opaque)
    assert json.loads(bytes(said[5].raw)) == {"title": "Bears", "text": "about them"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"documents": ["a", 5]}, "documents[1]"),
        ({"documents": ["a", {}]}, "documents[1]"),
        ({"documents": [{"image": "not base64!"}]}, "documents[0].image"),
        ({"documents": [{"text": 5}]}, "documents[0].text"),
        ({"query": 5}, "query"),
        ({"top_n": -1}, "top_n"),
        ({"top_k": "two"}, "top_k"),
        ({"return_documents": "yes"}, "return_documents"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(fields, param):
    with pytest.raises(RequestInvalid) as caught:
        read(**fields)
    assert caught.value.param == param
