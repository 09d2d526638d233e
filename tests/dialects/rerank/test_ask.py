"""Asking a reranker: passing on what was said, and writing it anew in the words that the target wants."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from fairlead.chat import Media, Opaque, Rerank
from fairlead.dialects import rerank
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid

BODY = b'{"model":"finder","query":"q","documents":["a", {"text" : "b"}],"top_n":  2,"return_documents":true,"x":1.50}'


def passed(body=BODY, params=None, **quirks):
    request = rerank.read_request("rerank", body)
    return rerank.pass_request(request, model="theirs", max_output_tokens=9, params=params or {}, quirks=quirks)


def test_a_request_in_the_same_words_changes_nothing_but_the_model():
    assert passed() == BODY.replace(b'"finder"', b'"theirs"').replace(b'":  2', b'":2').replace(b", {", b", {")


def test_a_target_gets_the_words_that_it_wants():
    said = json.loads(passed(top_name="top_k", documents_as="text", return_name=""))
    assert said == {"model": "theirs", "query": "q", "documents": ["a", "b"], "top_k": 2, "x": 1.5}
    tei = json.loads(passed(return_name="return_text", rename={"documents": "texts"}, drop=["model", "top_n", "x"]))
    assert tei == {"query": "q", "texts": ["a", {"text": "b"}], "return_text": True}
    objects = json.loads(passed(documents_as="object"))["documents"]
    assert objects == [{"text": "a"}, {"text": "b"}]


def test_documents_that_are_no_text_stand_as_they_are():
    body = b'{"model":"m","query":"q","documents":[{"image":"aGk="},{"title":"t"}]}'
    assert json.loads(passed(body, documents_as="text"))["documents"] == [{"image": "aGk="}, {"title": "t"}]


def test_parameters_win_but_not_over_what_is_the_callers():
    said = json.loads(passed(params={"truncation": False, "query": "mine", "documents": []}))
    assert said["truncation"] is False
    assert said["query"] == "q"
    assert said["documents"]


def test_only_what_was_said_in_this_language_is_passed_on():
    request = rerank.read_request("rerank", BODY)
    with pytest.raises(TypeError):
        rerank.pass_request(
            type(request)(task="rerank", route="r"), model="m", max_output_tokens=1, params={}, quirks={}
        )


def written(said, *, lossy=False, **quirks):
    losses = Losses(rerank.LANGUAGE, lossy=lossy)
    body = rerank.write_rerank(said, model="theirs", params={}, quirks=quirks, losses=losses)
    return json.loads(body), losses.told


def test_written_anew_it_says_the_same():
    said, _ = written(Rerank(query="q", documents=("a", "b"), top=1, returns_documents=True))
    assert said == {"model": "theirs", "query": "q", "documents": ["a", "b"], "top_n": 1, "return_documents": True}


def test_written_anew_it_uses_the_targets_words():
    asked = Rerank(query="q", documents=("a",), top=1)
    assert written(asked, top_name="top_k", documents_as="object")[0] == {
        "model": "theirs",
        "query": "q",
        "documents": [{"text": "a"}],
        "top_k": 1,
    }


def test_what_cannot_be_said_is_refused_or_told():
    film = Rerank(query="q", documents=("a", Media(kind="video", data="aGk=")))
    with pytest.raises(RequestInvalid) as caught:
        written(film)
    assert (caught.value.param, caught.value.code) == ("documents[1]", "unsupported_feature")
    said, told = written(film, lossy=True)
    assert len(said["documents"]) == 2, "answers count by place"
    assert told == ("documents[1]",)
    _, told = written(Rerank(query="q", documents=("a",), returns_documents=True), lossy=True, return_name="")
    assert told == ("return_documents",)
    foreign = Rerank(query="q", documents=("a",), others={"depth": Raw(b"5")}, dialect="elsewhere")
    assert written(foreign, lossy=True)[1] == ("depth",)


texts = st.text(max_size=20)
images = st.one_of(
    st.binary(max_size=8).map(lambda data: Media(kind="image", data=base64.b64encode(data).decode())),
    st.just(Media(kind="image", media_type="image/png", data="aGk=")),
    st.just(Media(kind="image", url="https://example.com/x.png")),
)
opaque = st.dictionaries(st.sampled_from(["title", "text", "year"]), texts, min_size=2, max_size=3).map(
    lambda fields: Opaque("fields", Raw(json.dumps(fields).encode()), "rerank")
)
documents = st.one_of(texts, images, opaque)
requests = st.builds(
    Rerank,
    query=st.one_of(texts, images),
    documents=st.lists(documents, min_size=1, max_size=5).map(tuple),
    top=st.none() | st.integers(1, 100),
    returns_documents=st.booleans(),
    others=st.just({}) | st.just({"max_tokens_per_doc": Raw(b"512")}),
    dialect=st.just("rerank"),
)


@given(
    requests, st.sampled_from([{}, {"top_name": "top_k"}, {"documents_as": "object"}, {"return_name": "return_text"}])
)
def test_what_is_written_reads_as_what_was_meant(said, quirks):
    losses = Losses(rerank.LANGUAGE)
    body = rerank.write_rerank(said, model="m", params={}, quirks=quirks, losses=losses)
    assert plain(rerank.read_request("rerank", body).rerank()) == plain(said)


def plain(said):
    """Comparable: raw values by their bytes."""
    raws = [bytes(document.raw) if isinstance(document, Opaque) else document for document in said.documents]
    others = {path: bytes(raw) for path, raw in said.others.items()}
    return said.query, raws, said.top, said.returns_documents, others
