"""Reading and writing the order of documents, and what it cost."""

import json

import pytest

from fairlead.chat import Answer, Ranked, Usage
from fairlead.dialects import rerank
from fairlead.errors import TargetError, TargetFailed, TargetUnclear

COHERE = {
    "id": "r-1",
    "results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}],
    "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 2}},
}
JINA = {
    "model": "ranker",
    "object": "list",
    "usage": {"total_tokens": 37},
    "results": [{"index": 1, "relevance_score": 0.5, "document": {"text": "two"}}],
}
VOYAGE = {
    "object": "list",
    "model": "ranker",
    "data": [{"index": 1, "relevance_score": 0.5, "document": "two"}, {"index": 0, "relevance_score": 0.25}],
    "usage": {"total_tokens": 12},
}


def read(body):
    return rerank.read_answer(json.dumps(body).encode())


def test_searches_are_counted_where_they_are_billed():
    answer = read(COHERE)
    assert answer.ranking == (Ranked(2, 0.9), Ranked(0, 0.1))
    assert answer.usage == Usage(details={"rerank_searches": 2})


def test_tokens_are_input():
    answer = read(JINA)
    assert (answer.model, answer.usage) == ("ranker", Usage(input=37))
    assert answer.ranking == (Ranked(1, 0.5, "two"),)
    both = read({"results": [], "meta": {"tokens": {"input_tokens": 20.0, "output_tokens": 0}}})
    assert both.usage == Usage(input=20)


def test_a_server_that_counts_nothing_did_not_count():
    assert read({"results": [{"index": 0, "relevance_score": 1}], "usage": {"total_tokens": 0}}).usage is None


def test_the_common_form_goes_back_as_it_came():
    body = json.dumps(COHERE, indent=1).encode()
    assert rerank.write_answer(rerank.read_answer(body), created=0) == body


def test_other_forms_are_written_in_the_common_one():
    answer = read(VOYAGE)
    assert answer.spoken is None
    assert json.loads(rerank.write_answer(answer, created=0)) == {
        "id": "",
        "object": "list",
        "model": "ranker",
        "results": [
            {"index": 1, "relevance_score": 0.5, "document": {"text": "two"}},
            {"index": 0, "relevance_score": 0.25},
        ],
        "usage": {"prompt_tokens": 12, "total_tokens": 12},
    }
    tei = read([{"index": 1, "score": 0.99, "text": "two"}, {"index": 0, "score": -4.5}])
    assert tei.ranking == (Ranked(1, 0.99, "two"), Ranked(0, -4.5))
    assert tei.usage is None


def test_what_is_written_reads_as_what_was_meant():
    answer = Answer(
        id="x",
        model="m",
        ranking=(Ranked(3, 1.5, "d"), Ranked(1, -2.0)),
        usage=Usage(input=5, details={"rerank_searches": 1}),
    )
    again = rerank.read_answer(rerank.write_answer(answer, created=0))
    assert (again.id, again.model, again.ranking, again.usage) == ("x", "m", answer.ranking, answer.usage)


def test_a_document_that_is_no_text_has_none():
    answer = read({"results": [{"index": 0, "relevance_score": 1, "document": {"title": "t"}}]})
    assert answer.ranking == (Ranked(0, 1.0, None),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"results":5}',
        b'{"results":[{"index":0}]}',
        b'{"results":[{"relevance_score":1}]}',
        b"\xff",
    ],
)
def test_what_is_no_answer_is_unclear(body):
    with pytest.raises(TargetUnclear):
        rerank.read_answer(body)


def test_an_error_in_an_answers_clothes_is_an_error():
    with pytest.raises(TargetError) as caught:
        read({"error": {"code": 501, "message": "not with this model", "type": "not_supported_error"}})
    assert isinstance(caught.value, TargetFailed)
    assert "not with this model" in caught.value.message


def test_errors_are_read_in_every_shape_and_written_in_one():
    assert rerank.read_error(401, b'{"message": "invalid api token"}')[0] == "invalid api token"
    assert rerank.read_error(400, b'{"detail": "too many documents"}')[0] == "too many documents"
    body = rerank.error_body(
        status=400, message="no", type="invalid_request_error", code="invalid_request", param="query"
    )
    assert json.loads(body)["error"]["param"] == "query"
