"""Answers are scored field by field, strictly, and nothing that a model writes breaks the scorer."""

import json

import pytest

from fairlead.scoring.json_fields import Score, score

GOLD = {"vendor": "Zéla GmbH", "date": "2024-03-05", "total": 1234.5}


def reason(found: str, wanted: object) -> str:
    return score(f'{{"it": {found}}}', {"it": wanted}).reasons["it"]


def test_a_right_answer_scores_one_with_a_reason_for_every_field() -> None:
    scored = score(json.dumps(GOLD), GOLD)
    assert scored == Score(1.0, {"vendor": "right", "date": "right", "total": "right"}, True)
    assert scored.is_exact


def test_wrong_and_missing_fields_are_told_apart_and_cost_the_same() -> None:
    scored = score('{"vendor": "Zela GmbH", "total": 1234.5}', GOLD)
    assert scored.reasons == {"vendor": "wrong", "date": "missing", "total": "right"}
    assert scored.value == pytest.approx(1 / 3)


def test_an_extra_field_gains_nothing_costs_nothing_and_is_named() -> None:
    scored = score('{"it": 1, "iban": "DE00"}', {"it": 1})
    assert (scored.value, scored.extra, scored.is_exact) == (1.0, ("iban",), False)


NOT_JSON = (
    "",
    "no",
    '{"it": 1',
    '```json\n{"it": 1}\n```',
    '{"it": 1} done',
    "[1]",
    "null",
    '{"it": NaN}',
    "[" * 100_000,
    '{"it": 1e9999999999999999999999}',
)


@pytest.mark.parametrize("answer", NOT_JSON)
def test_what_is_not_one_json_object_scores_nothing(answer: str) -> None:
    scored = score(answer, {"it": 1})
    assert (scored.value, scored.reasons, scored.is_json) == (0.0, {"it": "missing"}, False)


@pytest.mark.parametrize("found", ["1234.5", "1234.50", "1.2345e3"])
def test_numbers_are_the_same_if_their_values_are(found: str) -> None:
    assert reason(found, 1234.5) == "right"


@pytest.mark.parametrize("found", ["1234.51", "1234.4999999999999999999", '"1234.50"', '"1.234,50"', "true", "null"])
def test_another_value_is_wrong_and_so_is_a_number_written_as_text(found: str) -> None:
    assert reason(found, 1234.5) == "wrong"


def test_truth_is_no_number() -> None:
    assert reason("1", True) == "wrong"
    assert reason("true", 1) == "wrong"
    assert reason("true", True) == "right"


@pytest.mark.parametrize("found", ["2024-03-05", "20240305", "2024-W10-2"])
def test_dates_are_the_same_day_in_any_form_of_iso_8601(found: str) -> None:
    assert reason(json.dumps(found), "2024-03-05") == "right"


@pytest.mark.parametrize("found", ["2024-03-06", "05.03.2024", "03/05/2024", "2024-03-05T00:00:00", "2024-3-5"])
def test_another_day_or_another_way_to_write_it_is_wrong(found: str) -> None:
    assert reason(json.dumps(found), "2024-03-05") == "wrong"


def test_a_number_on_an_invoice_is_not_mistaken_for_a_day() -> None:
    assert reason('"2024-03-05"', "20240305") == "wrong"


def test_text_compares_in_its_composed_form_with_spaces_and_capitals() -> None:
    assert reason(json.dumps("Ze\u0301la"), "Z\u00e9la") == "right"
    assert reason('"zéla"', "Zéla") == "wrong"
    assert reason('"Zéla "', "Zéla") == "wrong"


def test_lists_and_objects_are_right_as_a_whole() -> None:
    wanted = {"lines": [{"net": 10.0}, {"net": 2}]}
    assert reason('{"lines": [{"net": 10}, {"net": 2.0}]}', wanted) == "right"
    assert reason('{"lines": [{"net": 10}]}', wanted) == "wrong"
    assert reason('{"lines": [{"net": 10, "tax": 1}, {"net": 2}]}', wanted) == "wrong"


def test_a_gold_without_fields_is_a_mistake_of_whoever_wrote_it() -> None:
    with pytest.raises(ValueError, match="no fields"):
        score("{}", {})


@pytest.mark.parametrize(
    ("answer", "complete"),
    [('{"a":1}', False), ('{"a":1,"b":0}', True), ('{"a":1,"b":0,"c":0}', False), ("[1]", False), ("", False)],
)
def test_complete_is_every_field_and_no_other_right_or_wrong(answer: str, complete: bool) -> None:
    assert score(answer, {"a": 1, "b": 2}).is_complete == complete
