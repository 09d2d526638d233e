"""Fields mean the same where a suite declares how; by default they are compared strictly."""

import json
from typing import Any

import pytest

from fairlead.scoring.field_rules import json_fields
from fairlead.scoring.json_fields import score
from fairlead.scoring.score import GoldUnfit
from scoring.items import Case, said

GOLD = {"company": "Zéla GmbH", "date": "2018-12-25", "total": 1234.5}
LENIENT: dict[str, Any] = {
    "fields": {"company": "text", "date": "date", "total": "number"},
    "dates": ("%d/%m/%Y", "%d %b %Y"),
}


def scored(answer: Any, gold: Any, **options: Any) -> dict[str, Any]:
    return dict(json_fields(said(json.dumps(answer)), Case(gold), **options).reasons)


def test_without_options_it_is_strict() -> None:
    answer = json.dumps({"company": "zéla gmbh", "date": "25/12/2018", "total": "1,234.50"})
    assert json_fields(said(answer), Case(GOLD)) == score(answer, GOLD)
    assert json_fields(said(answer), Case(GOLD)).value == 0


def test_declared_fields_are_compared_by_what_they_mean() -> None:
    answer = {"company": " ZÉLA  GmbH", "date": "25/12/2018", "total": "€ 1.234,50"}
    assert set(scored(answer, GOLD, **LENIENT).values()) == {"right"}
    assert scored(answer | {"date": "12/25/2018"}, GOLD, **LENIENT)["date"] == "wrong"
    assert scored(answer | {"total": "1234.51"}, GOLD, **LENIENT)["total"] == "wrong"
    assert scored(answer | {"total": "1234.51"}, GOLD, **LENIENT, tolerance=0.01)["total"] == "right"


def test_a_field_without_a_declared_kind_stays_strict() -> None:
    assert scored({"number": "0012"}, {"number": "12"}, fields={"total": "number"}) == {"number": "wrong"}


def test_a_gold_may_be_in_another_form_too() -> None:
    rules = {"fields": {"total": "number", "date": "date"}, "dates": ("%d/%m/%Y",)}
    assert set(
        scored({"total": 9, "date": "2018-12-25"}, {"total": "9.00", "date": "25/12/2018"}, **rules).values()
    ) == {"right"}


def test_leaves_are_counted_one_by_one_or_the_field_as_a_whole() -> None:
    gold = {"buyer": {"name": "A", "city": "B"}, "total": 1}
    answer = {"buyer": {"name": "A", "city": "C"}, "total": 1}
    assert scored(answer, gold, leaves=True) == {"buyer.name": "right", "buyer.city": "wrong", "total": "right"}
    assert scored(answer, gold, fields={"total": "number"}) == {"buyer": "wrong", "total": "right"}
    assert scored({"total": 1}, gold, leaves=True)["buyer.name"] == "missing"


def test_lists_are_aligned_where_their_order_says_nothing() -> None:
    gold = {"items": [{"name": "a", "price": 1}, {"name": "b", "price": 2}, {"name": "c", "price": 3}]}
    answer = {"items": [{"name": "c", "price": 3}, {"name": "a", "price": 9}]}
    verdicts = scored(answer, gold, leaves=True, lists="any_order")
    assert verdicts == {
        "items[0].name": "right",
        "items[0].price": "wrong",
        "items[1].name": "missing",
        "items[1].price": "missing",
        "items[2].name": "right",
        "items[2].price": "right",
    }
    assert "right" not in scored(answer, gold, leaves=True).values()


def test_the_alignment_is_the_best_one_not_the_first() -> None:
    gold = {"items": [{"a": 1, "b": 1}, {"a": 1, "b": 2}]}
    answer = {"items": [{"a": 1, "b": 2}, {"a": 1, "b": 1}]}
    assert json_fields(said(json.dumps(answer)), Case(gold), leaves=True, lists="any_order").value == 1


def test_entries_too_many_cost_so_that_answering_with_everything_gains_nothing() -> None:
    verdicts = json_fields(
        said('{"tags": ["a", "b", "c", "d"]}'), Case({"tags": ["b"]}), leaves=True, lists="any_order"
    )
    assert verdicts.value == 0.25
    huge = json.dumps({"tags": ["b"] * 100_000})
    assert json_fields(said(huge), Case({"tags": ["b"]}), leaves=True, lists="any_order").value < 0.01


def test_kinds_reach_into_lists() -> None:
    gold = {"items": [{"price": 10}]}
    assert scored({"items": [{"price": "10.00"}]}, gold, leaves=True, fields={"items.price": "number"}) == {
        "items[0].price": "right"
    }


def test_an_object_in_a_code_block_counts_where_that_is_declared() -> None:
    answer = said('Here:\n```json\n{"total": 1}\n```\nDone.')
    assert json_fields(answer, Case({"total": 1})).value == 0
    assert json_fields(answer, Case({"total": 1}), fenced=True).value == 1


@pytest.mark.parametrize("answer", ["", "no", "[1]", "{", '{"a": NaN}', "[" * 100_000])
def test_what_is_no_object_has_every_field_missing(answer: str) -> None:
    found = json_fields(said(answer), Case({"a": 1, "b": {"c": 2}}), leaves=True)
    assert (found.value, set(found.reasons.values()), found.is_json) == (0, {"missing"}, False)


@pytest.mark.parametrize("gold", [None, {}, "text", [1]])
def test_a_gold_without_fields_is_the_cases_fault(gold: Any) -> None:
    with pytest.raises(GoldUnfit):
        json_fields(said("{}"), Case(gold))
