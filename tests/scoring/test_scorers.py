"""What the small scorers count as right."""

import math
from itertools import combinations
from typing import Any

import pytest

from fairlead.scoring.citations import citations
from fairlead.scoring.exact import exact
from fairlead.scoring.json_valid import json_valid
from fairlead.scoring.label import NONE, classified, label
from fairlead.scoring.overlap import chrf, rouge
from fairlead.scoring.pass_at_k import pass_at_k
from fairlead.scoring.regex import regex
from fairlead.scoring.score import FileText, GoldUnfit
from fairlead.scoring.terms import terms
from fairlead.scoring.tool_calls import tool_calls
from scoring.items import Case, said


def test_exact_is_to_the_letter_but_for_spaces_unless_declared_otherwise() -> None:
    assert exact(said(" Paris\n"), Case("Paris")).value == 1
    assert exact(said("paris"), Case("Paris")).value == 0
    assert exact(said("paris"), Case("Paris"), case_counts=False).value == 1
    assert exact(said("Paris."), Case("Paris"), punctuation_counts=False).value == 1
    assert exact(said(" Paris"), Case("Paris"), spaces_count=True).value == 0
    assert exact(said("e\u0301"), Case("\u00e9")).value == 1
    assert exact(said("b"), Case(["a", "b"])).value == 1
    assert exact(said("7"), Case(7)).value == 1


@pytest.mark.parametrize("gold", [None, [], {"a": 1}, True, [["a"]], [True]])
def test_a_gold_that_is_no_text_is_the_cases_fault(gold: Any) -> None:
    with pytest.raises(GoldUnfit):
        exact(said("a"), Case(gold))


def test_json_is_valid_under_a_schema_or_at_all() -> None:
    schema = FileText("s.json", '{"type": "object", "required": ["a"]}')
    assert json_valid(said('{"a": 1}'), Case(), schema=schema).value == 1
    assert json_valid(said("{}"), Case(), schema=schema).reasons["rule"] == "required"
    assert json_valid(said("[1]"), Case()).value == 1
    assert json_valid(said("no"), Case()).value == 0
    assert json_valid(said("```json\n[1]\n```"), Case(), fenced=True).value == 1


def test_an_expression_is_the_cases_or_the_suites() -> None:
    assert regex(said("order A-17 is late"), Case(r"A-\d+")).reasons == {"found": "A-17"}
    assert regex(said("order A-17"), Case(), pattern=r"a-\d+", case_counts=False).value == 1
    assert regex(said("order A-17"), Case(r"A-\d+"), whole=True).value == 0
    with pytest.raises(GoldUnfit, match="not a regular expression"):
        regex(said("x"), Case("("))
    with pytest.raises(GoldUnfit):
        regex(said("x"), Case())


def test_terms_are_whole_words_and_may_be_said_in_several_ways() -> None:
    found = terms(said("The Tenant must give NOTICE."), Case(["tenant", "lease", "notice|notification"]))
    assert found.value == pytest.approx(2 / 3)
    assert found.reasons == {"left_out": ["lease"]}
    assert terms(said("tenants"), Case(["tenant"])).value == 0
    assert terms(said("the rent"), Case(["deposit", "rent"]), absent=True).reasons == {"said": ["rent"]}


def test_rouge_and_chrf_are_one_for_the_same_text_and_take_the_best_gold() -> None:
    assert rouge(said("the cat sat"), Case("the cat sat")).value == 1
    assert rouge(said("the cat sat"), Case(["dogs", "the cat"])).value == pytest.approx(0.8)
    assert chrf(said("die Katze saß"), Case(["x", "die Katze saß"])).value == pytest.approx(1)
    assert chrf(said(""), Case("die Katze")).value == 0
    assert 0 < chrf(said("die Katze"), Case("die Katzen"), words=2).value < 1


CALLS = [{"name": "find", "arguments": {"city": "Bern", "days": 2}}, {"name": "book", "arguments": {"id": 7}}]


def test_right_calls_in_any_order_score_one() -> None:
    made = (("book", '{"id": 7.0}'), ("find", '{"days": 2, "city": "Bern"}'))
    assert tool_calls(said("", *made), Case(CALLS)).value == 1
    assert tool_calls(said("", *made), Case(CALLS), in_order=True).value == 0


def test_missing_wrong_and_spare_calls_cost() -> None:
    find = ("find", '{"city": "Bern", "days": 2}')
    assert tool_calls(said("", find), Case(CALLS)).value == 0.5
    assert tool_calls(said("", find, find, find, ("book", '{"id": 7}')), Case(CALLS)).value == 0.5
    assert tool_calls(said("", find, ("book", '{"id": "7"}')), Case(CALLS)).value == 0.5
    assert tool_calls(said("", find, ("book", "no json")), Case(CALLS)).value == 0.5
    assert tool_calls(said("", find, ("book", "{}")), Case(CALLS), arguments="ignored").value == 1
    spare = ("book", '{"id": 7, "note": "x"}')
    assert tool_calls(said("", find, spare), Case(CALLS)).value == 0.5
    assert tool_calls(said("", find, spare), Case(CALLS), arguments="at_least").value == 1


def test_where_no_tool_is_to_be_called_none_is_right() -> None:
    assert tool_calls(said("Hello"), Case([])).value == 1
    assert tool_calls(said("", ("find", "{}")), Case([])).value == 0
    assert tool_calls(said("Hello"), Case([]), text_allowed=False).value == 0
    with pytest.raises(GoldUnfit):
        tool_calls(said(""), Case({"name": "find"}))


LABELS = ("card", "card lost", "rate")


@pytest.mark.parametrize(
    ("text", "options", "named"),
    [
        ("Card lost.", {"labels": LABELS}, "card lost"),
        ("It is `rate`", {"labels": LABELS}, NONE),
        ("I think: card lost", {"labels": LABELS, "take": "only"}, "card lost"),
        ("rate or card", {"labels": LABELS, "take": "only"}, NONE),
        ("rated", {"labels": LABELS, "take": "only"}, NONE),
        ('{"label": "rate"}', {"labels": LABELS, "take": "field"}, "rate"),
        ('{"queue": "rate"}', {"labels": LABELS, "take": "field", "field": "queue"}, "rate"),
        ('{"label": 3}', {"labels": LABELS, "take": "field"}, NONE),
        ("other", {"labels": LABELS}, NONE),
        ("", {}, NONE),
        ("anything", {}, "anything"),
    ],
)
def test_the_label_that_an_answer_names(text: str, options: dict[str, Any], named: str) -> None:
    found = label(said(text), Case("card lost"), **options)
    assert found.reasons["label"] == named
    assert found.value == float(named == "card lost")


def test_a_label_that_nobody_named_is_not_right_even_where_the_gold_is_called_so() -> None:
    assert label(said(""), Case(NONE)).value == 0


def test_a_confusion_has_accuracy_and_macro_f1() -> None:
    pairs = [("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("c", NONE)]
    found = classified(pairs)
    assert found.accuracy == pytest.approx(3 / 5)
    assert found.f1 == {"a": pytest.approx(0.8), "b": pytest.approx(2 / 3), "c": 0}
    assert found.macro_f1 == pytest.approx((0.8 + 2 / 3) / 3)
    assert found.confusion["a", "b"] == 1
    with pytest.raises(ValueError, match="no cases"):
        classified([])


SOURCES = {"d1": "The reservoir was opened in 1932 by the county.", "d2": "Fishing there needs a permit."}


def cited(text: str, gold: Any = None, **options: Any) -> Any:
    return citations(said(text), Case(gold, {"sources": SOURCES}), **options)


def test_a_sentence_stands_on_what_it_cites() -> None:
    assert cited("The reservoir was opened in 1932 [d1]. Fishing needs a permit [d2].").value == 1
    assert cited("The reservoir was opened in 1933 [d1].").value == 0
    assert cited("The reservoir was opened in 1932 [d2].").value == 0
    assert cited("The reservoir was opened in 1932 [d9].").reasons["unknown"] == ["d9"]
    assert cited("The reservoir was opened in 1932 [d1]. It is lovely.").value == 0.5
    assert cited("The reservoir was opened in 1932 [d1]. It is lovely.", uncited=1.0).value == 1
    assert cited("").value == 0
    assert cited("[d1]").value == 0


def test_sources_that_should_be_cited_and_are_not_cost() -> None:
    found = cited("The reservoir was opened in 1932 [d1].", {"cites": ["d1", "d2"]})
    assert (found.value, found.reasons["left_out"]) == (0.5, ["d2"])


def test_sources_may_be_a_list() -> None:
    case = Case(None, {"docs": list(SOURCES.values())})
    assert citations(said("Fishing there needs a permit [2]."), case, sources="docs").value == 1
    with pytest.raises(GoldUnfit, match="variable `sources`"):
        citations(said("x"), case)


def test_pass_at_k_is_the_share_of_draws_that_hold_a_right_answer() -> None:
    for right in range(6):
        flags = [True] * right + [False] * (5 - right)
        for k in range(1, 6):
            draws = list(combinations(flags, k))
            assert math.isclose(pass_at_k(5, right, k), sum(map(any, draws)) / len(draws))
    with pytest.raises(ValueError, match="pass@3"):
        pass_at_k(2, 1, 3)
