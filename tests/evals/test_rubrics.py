"""A rubric is read strictly: what is no dimension, scale or anchor is told with its line."""

import pytest

from evals.judges import RUBRIC
from fairlead.errors import SuiteInvalid
from fairlead.evals.rubrics import read_rubric


def test_a_rubric_has_dimensions_scales_weights_and_anchors() -> None:
    rubric = read_rubric(RUBRIC)
    coverage, faithfulness = rubric.dimensions
    assert rubric.about == "Judge the summary for somebody who was not there."
    assert (coverage.name, coverage.low, coverage.high, coverage.weight) == ("coverage", 1, 5, 3.0)
    assert coverage.what == "Are the decisions there?"
    assert coverage.anchors == {1: "most are missing", 5: "all are there"}
    assert (faithfulness.low, faithfulness.high, faithfulness.weight) == (0, 1, 1.0)


def test_a_text_without_headings_is_one_dimension() -> None:
    (only,) = read_rubric("A good answer is short.").dimensions
    assert (only.name, only.what, only.low, only.high) == ("quality", "A good answer is short.", 1, 5)


def test_all_dimensions_make_one_number_by_their_weights() -> None:
    assert read_rubric(RUBRIC).value({"coverage": 3, "faithfulness": 1}) == pytest.approx((3 * 0.5 + 1) / 4)


def test_another_text_is_another_version() -> None:
    assert read_rubric(RUBRIC).hash == read_rubric(RUBRIC + "\n").hash != read_rubric(RUBRIC + "more").hash


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("## coverage from 1 to 5", "line 1.*no dimension"),
        ("## a, 5 to 1", "no|is none"),
        ("## a\n- 7: too much", "line 2.*not on the scale"),
        ("## a\n## a", "line 2.*twice"),
        ("## a, weight 0", "weight 0"),
        ("  \n", "says nothing"),
    ],
)
def test_what_is_no_rubric_is_refused(text: str, said: str) -> None:
    with pytest.raises(SuiteInvalid, match=said):
        read_rubric(text)


@pytest.mark.parametrize(
    "scores",
    [
        {"coverage": 6, "faithfulness": 1},
        {"coverage": 4.5, "faithfulness": 1},
        {"coverage": True, "faithfulness": 1},
        {"coverage": "5", "faithfulness": 1},
        {"coverage": 5},
        {"coverage": 5, "faithfulness": 1, "style": 5},
        [5, 1],
    ],
)
def test_scores_outside_of_the_rubric_are_none(scores: object) -> None:
    assert read_rubric(RUBRIC).problem(scores)
