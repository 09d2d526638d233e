"""A judge's scores and a few labels become what people would say: by case, with an interval, or not at all."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import structs

from evals.judges import RUBRIC, answered, suite_folder
from fairlead.errors import NotFound
from fairlead.evals.agreeing import agreements
from fairlead.evals.correcting import Evidence, corrected, corrected_difference, decided, evidence
from fairlead.evals.labelling.book import HeldLabels
from fairlead.evals.labelling.desk import Desk, Setting
from fairlead.evals.labelling.drawing import draw
from fairlead.evals.rubrics import read_rubric
from fairlead.evals.suite import Suite, read_suite
from fairlead.store.evals.answers import ScoreRow
from fairlead.store.evals.runs import ItemRow

HASH = read_rubric(RUBRIC).hash


class Trial:
    """400 cases; people find `a` right in 80 % and `b` in 60 %, the judge is 20 points too kind to `b` alone."""

    def __init__(self, folder: Path, *, cases: int = 400, **more: Any) -> None:
        self.suite: Suite = read_suite(suite_folder(folder, cases))
        rng = np.random.default_rng(1)
        self.right = {name: rng.random(cases) < share for name, share in (("a", 0.8), ("b", 0.6))}
        self.answers = answered(self.suite, **more)
        self.items = [
            ItemRow(suite="h", id=case.id, content_hash=case.content_hash, gold_version=case.gold_version)
            for case in self.suite.cases
        ]
        self.scores = [self.judged(row.candidate, row.item, row.repeat, rng) for row in self.answers]
        self.book = HeldLabels()

    def truth(self, candidate: str, item: str) -> bool:
        return bool(self.right[candidate][int(item[1:])])

    def judged(self, candidate: str, item: str, repeat: int, rng: np.random.Generator) -> ScoreRow:
        share = {True: 0.9, False: 0.1}[self.truth(candidate, item)]
        coverage = 5 if rng.random() < share or (candidate == "b" and rng.random() < 0.6) else 1
        reasons = {
            "scores": {"coverage": coverage, "faithfulness": coverage // 5},
            "judge": {"route": "judge", "target": "big", "model": "m1", "rubric": HASH, "prompt": "1"},
            "use": {"questions": 1, "again": 0, "input": 10, "output": 1, "cost_nusd": 5},
        }
        value = (coverage - 1) / 4
        text = msgspec.json.encode(reasons).decode()
        return ScoreRow(
            run="run1", candidate=candidate, item=item, repeat=repeat, metric="quality", value=value, reasons=text
        )

    def label(self, goal: int, by: str = "ada", *, seed: int = 1, again: bool = False, rubric: str = RUBRIC) -> None:
        drawn = draw(self.suite, self.answers, {}, seed=seed)
        of = {shown.answer_hash: shown for shown in drawn.shown}
        setting = Setting(
            suite="s", metric="quality", rubric=read_rubric(rubric), by=by, seed=seed, goal=goal, again=again
        )
        desk = Desk(setting, drawn, self.book)
        while (shown := desk.next()) is not None:
            right = self.truth(of[shown.answer_hash].candidate, shown.item)
            desk.give(shown.answer_hash, {"coverage": 5 if right else 1, "faithfulness": int(right)})

    def known(self) -> Evidence:
        return evidence(
            "quality", HASH, answers=self.answers, scores=self.scores, items=self.items, labels=self.book.read()
        )


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    found = Trial(tmp_path_factory.mktemp("suite"))
    found.label(120, seed=3)
    return found


def test_the_judge_is_corrected_for_each_candidate(trial: Trial) -> None:
    known = trial.known()
    for candidate, off in (("a", -0.05), ("b", 0.1)):
        found = corrected(known, candidate)
        assert found.ppi is not None
        assert (found.cases, found.labelled, found.ppi.method) == (400, 120, "ppi")
        truth = trial.right[candidate].mean()
        assert found.ppi.interval.low <= truth <= found.ppi.interval.high
        assert (found.ppi.judge_alone - truth > 0) == (off > 0)
        assert found.ppi.effective > 125


def test_the_difference_is_corrected_where_the_judge_alone_names_the_wrong_one(trial: Trial) -> None:
    found = corrected_difference(trial.known(), "a", "b")
    assert found.ppi is not None
    truth = trial.right["b"].mean() - trial.right["a"].mean()
    assert found.ppi.judge_alone > 0 > found.ppi.interval.high
    assert found.ppi.interval.low <= truth


def test_a_corrected_difference_becomes_a_word_or_says_how_many_more_labels_would(trial: Trial) -> None:
    sure = decided(trial.known(), "a", "b", 0.02)
    assert [(one.word, one.confidence) for one in sure.said] == [("worse", 0.95)]
    same = decided(trial.known(), "b", "b", 0.02)
    assert [one.word for one in same.said] == ["equivalent"]
    wide = decided(trial.known(), "b", "a", 0.5)
    assert [one.word for one in wide.said] == ["better", "equivalent"]


def test_what_is_open_is_undecided_and_what_is_unlabelled_is_not_said(tmp_path: Path) -> None:
    trial = Trial(tmp_path, cases=300)
    assert decided(trial.known(), "a", "b", 0.02).said == ()
    trial.right["b"][:] = trial.right["a"]
    trial.right["b"][::12] = ~trial.right["b"][::12]
    trial.label(60)
    found = decided(trial.known(), "a", "b", 0.02)
    assert [one.word for one in found.said] == ["undecided"]
    assert found.inner is not None and found.inner.low < -0.02


def test_what_the_judge_cost_and_who_labelled_is_told(trial: Trial) -> None:
    known = trial.known()
    assert (known.use.questions, known.use.cost_nusd) == (800, 4000)
    assert known.labellers == {"ada": 240}
    assert [bound.model for bound in known.judges] == ["m1"]
    assert known.warnings == ()


def test_how_far_judge_and_people_agree_is_told_by_dimension(trial: Trial) -> None:
    found = agreements(trial.known())
    assert set(found.dimensions) == {"coverage", "faithfulness"}
    assert found.dimensions["coverage"].answers == 240
    assert 0.2 < found.dimensions["coverage"].kappa.value < 0.8
    assert found.people == {} and found.position is None


def test_several_people_agree_or_not(tmp_path: Path) -> None:
    trial = Trial(tmp_path, cases=30)
    trial.label(30)
    trial.label(20, "ben", again=True)
    found = agreements(trial.known()).people
    assert list(found) == ["ada, ben"]
    assert (found["ada, ben"].answers, found["ada, ben"].same.value) == (40, 1)


def test_with_few_labels_nothing_is_said_and_with_some_more_the_judge_is_left_out(tmp_path: Path) -> None:
    trial = Trial(tmp_path, cases=100)
    assert corrected(trial.known(), "a").why.startswith("0 of 100 cases are labelled")
    trial.label(30)
    found = corrected(trial.known(), "a").ppi
    assert found is not None and found.method == "labels"


def test_labels_under_another_rubric_count_for_nothing_and_it_is_told(tmp_path: Path) -> None:
    trial = Trial(tmp_path, cases=80)
    trial.label(60, rubric=RUBRIC + "\nBe strict.")
    known = trial.known()
    assert corrected(known, "a").ppi is None
    assert "120 labels were given under another version" in known.warnings[0]


def test_verdicts_under_another_rubric_are_missing(tmp_path: Path) -> None:
    trial = Trial(tmp_path, cases=80)
    trial.label(60)
    old = [structs.replace(row, reasons=row.reasons.replace(HASH, "0" * 16)) for row in trial.scores]
    trial.scores = old[:40] + trial.scores[40:]
    found = corrected(trial.known(), "a")
    assert found.missing == 40
    assert "Some verdicts" in trial.known().warnings[0]


def test_verdicts_of_two_judges_are_warned_of(tmp_path: Path) -> None:
    trial = Trial(tmp_path, cases=20)
    other = [structs.replace(row, reasons=row.reasons.replace('"m1"', '"m2"')) for row in trial.scores[:5]]
    trial.scores[:5] = other
    assert "of 2 judges: big (m1), big (m2)" in trial.known().warnings[0]


def test_two_drawings_are_no_one_sample(tmp_path: Path) -> None:
    trial = Trial(tmp_path, cases=20)
    trial.label(5)
    trial.label(10, "ben", seed=2)
    assert "2 drawings" in trial.known().warnings[0]


def test_a_missing_score_is_counted_and_an_answer_that_failed_is_a_nought_for_both(tmp_path: Path) -> None:
    trial = Trial(tmp_path, cases=60)
    trial.scores[0] = structs.replace(trial.scores[0], value=None)
    trial.answers[1] = structs.replace(trial.answers[1], status="timeout", text="")
    trial.scores[1] = structs.replace(trial.scores[1], value=0.0, reasons='{"status":"timeout"}')
    trial.label(60)
    known = trial.known()
    assert corrected(known, "a").missing == 1
    (failed,) = [one for one in known.answers if (one.candidate, one.item) == ("a", "m1")]
    assert [label.value for label in failed.labels] == [0.0]


def test_repeats_of_a_case_are_one_case(tmp_path: Path) -> None:
    trial = Trial(tmp_path, cases=80, repeats=3)
    trial.label(60)
    found = corrected(trial.known(), "a")
    assert (found.cases, found.labelled) == (80, 60)
    assert len(trial.book.read()) == 120  # one repeat of each case, of both candidates


def test_a_metric_or_a_candidate_that_is_not_there_is_told(trial: Trial) -> None:
    with pytest.raises(NotFound, match="c"):
        corrected(trial.known(), "c")
    with pytest.raises(NotFound, match="nothing was scored"):
        evidence("other", HASH, answers=trial.answers, scores=trial.scores, items=trial.items, labels=[])
