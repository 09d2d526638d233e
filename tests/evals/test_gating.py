"""The gate: what passes, what fails, what is open, and who is told how."""

from xml.etree import ElementTree

import pytest

from evals.scored import NAN, answers, discordant, rules
from fairlead.errors import RequestInvalid
from fairlead.evals.announcing import annotations, junit
from fairlead.evals.gating import Decision, decide
from fairlead.evals.results import ScoreTable, joined
from fairlead.evals.suite import Metric
from fairlead.evals.wording import decision_sentence
from fairlead.stats.looks import Looks


def of(table: ScoreTable, **more: object) -> Decision:
    return decide(table, "old", "new", rules(**more))


def test_it_passes_if_the_low_bound_lies_above_the_margin() -> None:
    found = of(discordant(1319, 22, 11))
    assert found.outcome == "pass" and found.checks[0].measured.low > -0.02
    assert decision_sentence(found).startswith("pass: new is not worse than old by 2 points or more in right: +0.83")


def test_it_fails_if_the_high_bound_lies_below_the_margin() -> None:
    found = of(discordant(1000, 10, 100))
    assert found.outcome == "fail" and found.checks[0].measured.high < -0.02
    assert decision_sentence(found).startswith("fail: new is worse than old by more than 2 points in right: −9.00")


def test_else_it_is_undecided_and_says_how_many_more_cases() -> None:
    found = of(discordant(1319, 29, 59))
    assert found.outcome == "undecided"
    assert "it is open whether new is worse" in decision_sentence(found)
    assert "more cases would decide" in decision_sentence(found)


def test_what_is_missing_may_keep_it_from_passing() -> None:
    whole = discordant(1000, 20, 20)
    assert of(whole).outcome == "pass"
    lost = joined([answers("old", [1] * 1000), answers("new", [1] * 940 + [NAN] * 60)])
    found = of(lost)
    assert found.outcome == "undecided" and found.checks[0].missing == 60
    assert "60 scores missing and counted at their worst" in decision_sentence(found)
    assert found.checks[0].more is None and "The scores that are missing may decide." in decision_sentence(found)


def test_what_is_missing_does_not_make_it_fail() -> None:
    lost = joined([answers("old", [1] * 100), answers("new", [0] * 3 + [NAN] * 97)])
    assert of(lost).outcome == "undecided"


def test_a_missing_repeat_counts_at_its_worst_by_its_share() -> None:
    two = {"item": [f"c{number // 2}" for number in range(400)], "repeat": [0, 1] * 200}
    found = of(joined([answers("old", [1] * 400, **two), answers("new", [1, NAN] * 200, **two)]))
    assert found.outcome == "undecided" and found.checks[0].missing == 200
    assert found.checks[0].measured.low == pytest.approx(-0.5, abs=0.1)


def test_everything_missing_is_undecided() -> None:
    found = of(joined([answers("old", [1] * 50), answers("new", [NAN] * 50)]))
    assert found.outcome == "undecided"
    assert decision_sentence(found).startswith("undecided")


def two_metrics(other: list[float], count: int = 300) -> ScoreTable:
    items = [f"c{number}" for number in range(count)]
    return joined(
        [
            ScoreTable.of(items, ["old"] * count, {"right": [1.0] * count, "tone": [1.0] * count}),
            ScoreTable.of(items, ["new"] * count, {"right": [1.0] * count, "tone": other}),
        ]
    )


def test_every_guardrail_must_hold() -> None:
    guarded = {"guardrails": (Metric(name="tone", margin=0.05),)}
    kept, broken = of(two_metrics([1.0] * 300), **guarded), of(two_metrics([1.0] * 150 + [0.0] * 150), **guarded)
    assert kept.outcome == "pass" and decision_sentence(kept).endswith("1 guardrail held.")
    assert broken.outcome == "fail" and "new is worse than old by more than 5 points in tone" in decision_sentence(
        broken
    )


def test_a_floor_is_held_by_the_candidate_alone() -> None:
    floor = {"guardrails": (Metric(name="tone", at_least=0.9),)}
    assert of(two_metrics([1.0] * 300), **floor).outcome == "pass"
    below = of(two_metrics([1.0] * 150 + [0.0] * 150), **floor)
    assert below.outcome == "fail" and "tone of new is below 90.0 %" in decision_sentence(below)
    missing = of(two_metrics([1.0] * 200 + [NAN] * 100), **floor)
    assert missing.outcome == "undecided"


def test_junit_has_a_test_for_each_condition_and_what_is_open_is_a_failure() -> None:
    found = of(two_metrics([0.0] * 300), guardrails=(Metric(name="tone", margin=0.05),))
    suite = ElementTree.fromstring(junit(found, 1.5)).find("testsuite")
    assert suite is not None and (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.find("failure") is not None for case in suite.findall("testcase")] == [False, True]
    undecided = ElementTree.fromstring(junit(of(discordant(1319, 29, 59)), 0.1)).find("testsuite/testcase/failure")
    assert undecided is not None and undecided.get("type") == "undecided" and "is open" in (undecided.text or "")


def test_a_workflow_is_told_each_condition_once() -> None:
    open_, *others = annotations(of(two_metrics([0.0] * 300), guardrails=(Metric(name="tone", margin=0.05),)))
    assert "in tone" in open_ and not others
    worse = annotations(of(two_metrics([0.0] * 300), guardrails=(Metric(name="right", at_least=0.999),)))
    assert len(worse) == len(set(worse))


def test_a_candidates_name_does_no_harm_in_xml_or_in_a_workflow() -> None:
    bad = 'x\n::error::boo%<"&\x00\ud800'
    table = joined([answers("old", [1] * 100), answers(bad, [1] * 100)])
    found = decide(table, "old", bad, rules())
    assert ElementTree.fromstring(junit(found, 0.1)) is not None
    (line,) = annotations(found)
    assert line.startswith(("::notice title=fairlead eval gate::", "::warning title=fairlead eval gate::"))
    assert "\n" not in line and "%0A::error::boo%25" in line


def test_looks_before_the_end_are_very_sure_and_the_last_is_nearly_as_sure_as_one() -> None:
    table = discordant(1319, 22, 11)
    once = of(table)
    early, last = (decide(table, "old", "new", rules(), looks=Looks(10, is_last=end)) for end in (False, True))
    assert early.checks[0].measured.low < last.checks[0].measured.low <= once.checks[0].measured.low
    assert (early.confidence, last.confidence) == (pytest.approx(1 - 0.05 * 0.05 / 9), pytest.approx(0.9525))
    assert decision_sentence(early).endswith("One of 10 planned looks, which are right together with 95 %.")
    assert decision_sentence(last).endswith("The last of 10 planned looks, which are right together with 95 %.")


def test_at_any_time_bets_hold_margins_and_floors() -> None:
    guarded = {"guardrails": (Metric(name="tone", at_least=0.9),)}
    found = decide(two_metrics([1.0] * 500, 500), "old", "new", rules(**guarded), looks=Looks(None))
    assert found.outcome == "pass" and [check.method for check in found.checks] == ["betting", "betting"]
    assert decision_sentence(found).endswith("at any time: all looks together are right with 95 %.")
    below = decide(two_metrics([1.0] * 150 + [0.0] * 150), "old", "new", rules(**guarded), looks=Looks(None))
    assert below.outcome == "fail"


def test_what_has_no_bounds_can_not_be_looked_at_at_any_time() -> None:
    table = joined([answers("old", [1.0, 7.5] * 20), answers("new", [2.0, 7.0] * 20)])
    with pytest.raises(RequestInvalid, match="needs bounds"):
        decide(table, "old", "new", rules(), looks=Looks(None))
