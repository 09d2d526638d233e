"""Labels correct the judged metrics of comparisons and gates, on the cases compared; without any it is told."""

from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from evals.test_correcting import RUBRIC, Trial
from fairlead.errors import NotFound
from fairlead.evals.comparing import Rules, compare
from fairlead.evals.corrections import Corrections, known_of
from fairlead.evals.gating import decide
from fairlead.evals.material import Material
from fairlead.evals.pairing import Origin
from fairlead.evals.results import ScoreTable, joined
from fairlead.evals.rubrics import read_rubric
from fairlead.evals.suite import Metric
from fairlead.stats.ppi import ppi_difference

ORIGINS = {name: Origin("run1", name) for name in "ab"}


def table(trial: Trial) -> ScoreTable:
    rows = trial.scores
    values = np.array([np.nan if row.value is None else row.value for row in rows])
    hashes = {item.id: item.content_hash for item in trial.items}
    return ScoreTable.of(
        [row.item for row in rows],
        [row.candidate for row in rows],
        {"quality": values},
        content_hash=[hashes[row.item] for row in rows],
    )


def material(trial: Trial) -> Material:
    return Material(
        suite=trial.suite,
        metric="quality",
        rubric=read_rubric(RUBRIC),
        pairs=False,
        runs=(),
        answers=tuple(trial.answers),
        scores=tuple(trial.scores),
        items=tuple(trial.items),
        book=trial.book,
    )


def people(trial: Trial) -> Corrections:
    return Corrections(ORIGINS, ["quality"], lambda origins, metric: known_of(material(trial), origins))


def rules(margin: float = 0.02, at_least: float | None = None) -> Rules:
    return Rules(primary=Metric(name="quality", margin=margin, at_least=at_least))


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    found = Trial(tmp_path_factory.mktemp("suite"))
    found.label(120, seed=3)
    return found


def test_what_is_said_is_of_the_corrected_difference_and_the_judges_own_is_kept(trial: Trial) -> None:
    (found,) = compare(table(trial), "a", ["b"], rules(), people(trial))
    primary = found.primary
    assert primary.verdict is not None and primary.verdict.words == ("better",)
    assert [one.word for one in primary.said] == ["worse"]
    assert primary.outer is not None and primary.outer.high < 0
    assert primary.people is not None and (primary.people.labels, primary.people.judged) == (120, 400)
    assert trial.right["b"].mean() - trial.right["a"].mean() >= primary.outer.low


def test_only_labels_of_the_cases_that_are_compared_count(trial: Trial) -> None:
    every = table(trial)
    half = every.where(np.array([int(item[1:]) < 200 for item in every.item]))
    (found,) = compare(half, "a", ["b"], rules(), people(trial))
    assert found.primary.people is not None
    assert found.primary.people.judged == 200 and 30 < found.primary.people.labels < 90


def test_a_floor_is_held_against_what_people_would_say(trial: Trial) -> None:
    kind = decide(table(trial), "a", "b", rules(0.9, 0.72)).checks[1]
    found = decide(table(trial), "a", "b", rules(0.9, 0.72), people(trial)).checks[1]
    assert (kind.outcome, found.outcome) == ("pass", "fail")
    assert found.measured.low < trial.right["b"].mean() < found.measured.high < 0.72


def test_several_candidates_are_corrected_by_holm_with_the_p_values_of_labels(trial: Trial) -> None:
    both = table(trial)
    third = both.of_candidate("b").named("c")
    origins = {**ORIGINS, "c": Origin("run1", "b")}
    known = Corrections(origins, ["quality"], lambda origins, metric: known_of(material(trial), origins))
    one, two = compare(joined([both, third]), "a", ["b", "c"], rules(), known)
    assert one.primary.people is not None and one.primary.people.p_value is not None
    assert one.primary.p_adjusted == pytest.approx(2 * one.primary.people.p_value)
    assert two.primary.said == one.primary.said


def test_a_metric_that_no_judge_scored_is_left_as_it_is(trial: Trial) -> None:
    known = Corrections(ORIGINS, [], lambda origins, metric: known_of(material(trial), origins))
    assert compare(table(trial), "a", ["b"], rules(), known)[0].primary.people is None


def test_whose_run_is_not_known_or_gone_is_told_and_nothing_is_corrected(trial: Trial) -> None:
    def gone(runs: object, metric: str) -> Material:
        raise NotFound("the suite lies no more there")

    strange = Corrections({"a": ORIGINS["a"]}, ["quality"], lambda origins, metric: known_of(material(trial), origins))
    for known, why in ((strange, '"b" is not of a run'), (Corrections(ORIGINS, ["quality"], gone), "no more there")):
        found = compare(table(trial), "a", ["b"], rules(), known)[0].primary
        assert found.people is not None and why in found.people.why
        assert [one.word for one in found.said] == ["better"] and found.people.inner is None


def test_labels_under_another_rubric_correct_nothing_and_it_is_warned_of(tmp_path: Path) -> None:
    other = Trial(tmp_path, cases=60)
    other.label(20, rubric=RUBRIC.replace("Are the decisions there?", "Is it short?"))
    (found,) = compare(table(other), "a", ["b"], rules(), people(other))
    assert found.primary.people is not None and found.primary.people.inner is None
    assert any("another version of the rubric" in note for note in found.notes)


def test_a_score_that_is_a_utility_is_not_held_against_labels_from_0_to_1(trial: Trial) -> None:
    suite = trial.suite
    worth = structs.replace(suite.scorers["quality"], options={"utility": True})
    changed = structs.replace(material(trial), suite=structs.replace(suite, scorers={"quality": worth}))
    known = Corrections(ORIGINS, ["quality"], lambda origins, metric: known_of(changed, origins))
    found = compare(table(trial), "a", ["b"], rules(), known)[0].primary.people
    assert found is not None and "worth to a case" in found.why


def test_the_p_value_of_a_corrected_difference_is_where_its_interval_ends_at_0() -> None:
    rng = np.random.default_rng(4)
    judged, labels = rng.random((2, 200)), np.round(rng.random((2, 200)) * 0.9 + [[0], [0.1]])
    labels[:, 80:] = np.nan
    p_value = ppi_difference(*judged, *labels).p_value
    assert p_value is not None and 0.001 < p_value < 0.999
    at = ppi_difference(*judged, *labels, confidence=1 - p_value).interval
    assert min(abs(at.low), abs(at.high)) == pytest.approx(0, abs=1e-6)
