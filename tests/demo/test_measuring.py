"""What the demonstration says of its answers is what they are worth."""

from collections import Counter

import pytest

from fairlead.demo.asking import Answered, Question, questions
from fairlead.demo.measuring import Measured, compare, measure
from fairlead.samples.sample import TRAIN
from fairlead.store.calls import Summary

BOOKS = Summary({"target": "nano"})


def answered(asked: list[Question], text: str | None = None) -> list[Answered]:
    return [Answered(one, one.sample.answer if text is None else text) for one in asked]


def of(answers: list[Answered]) -> Measured:
    return measure("nano", answers, BOOKS)


@pytest.mark.parametrize("count", [8, 9, 10, 200])
def test_the_documents_are_held_out_mixed_and_as_many_as_asked_for(count: int) -> None:
    plain = [one.sample for one in questions(count) if not one.with_schema]
    groups = Counter((sample.task, sample.split) for sample in plain)
    assert len(plain) == count
    assert len({sample.id for sample in plain}) == count
    assert len(groups) == 4
    assert max(groups.values()) - min(groups.values()) <= 1
    assert all(sample.split != TRAIN for sample in plain)


def test_some_are_asked_again_with_a_schema() -> None:
    asked = questions(20)
    assert [one.sample for one in asked if one.with_schema] == [one.sample for one in asked[:20:5]]


def test_the_same_documents_are_drawn_every_time() -> None:
    assert questions(12) == questions(12)


def test_right_answers_are_all_right() -> None:
    measured = of(answered(questions(20)))
    assert measured.documents == 20
    assert all(share is not None and share.value == 1 for share in measured.fields.values())
    assert measured.valid_json is not None
    assert measured.valid_json.value == 1
    assert measured.failed == 0


def test_an_answer_that_never_came_is_wrong_and_counted_as_failed() -> None:
    asked = questions(20)
    measured = of([*answered(asked[:10]), *(Answered(one, error="gone") for one in asked[10:])])
    assert measured.failed == len(asked) - 10
    assert sum(measured.all_fields) == 10
    assert measured.valid_json_with_schema is not None
    assert measured.valid_json_with_schema.value == 0


def test_json_that_is_valid_may_still_be_wrong() -> None:
    measured = of(answered(questions(8), "{}"))
    assert measured.valid_json is not None
    assert (measured.valid_json.value, sum(measured.all_fields)) == (1, 0)


def test_the_difference_is_taken_document_by_document() -> None:
    asked = questions(20)
    half = [*answered(asked[:10]), *answered(asked[10:], "{}")]
    gap = compare(of(half), of(answered(asked)))
    assert gap.value == 0.5
    assert gap.excludes(0)
    assert not compare(of(half), of(half)).excludes(0)
