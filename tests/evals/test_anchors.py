"""Anchors are judged again in every run, and a judge that has changed is found out."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from evals.judges import ScriptedJudge, scored, suite_folder
from fairlead.errors import SuiteInvalid
from fairlead.evals.anchors import FILE, advice, drift, judge_anchors, read_anchors
from fairlead.evals.judging import Judge
from fairlead.evals.labelling.book import HeldLabels
from fairlead.evals.suite import Suite, read_suite


def anchored(folder: Path, anchors: int = 6) -> Suite:
    suite_folder(folder, anchors)
    lines = [msgspec.json.encode({"case": f"m{at}", "answer": f"We ship {at}."}) for at in range(anchors)]
    (folder / FILE).write_bytes(b"\n".join(lines))
    return read_suite(folder)


def judged(suite: Suite, book: HeldLabels, run: str, coverage: list[int], model: str = "m1") -> tuple[str, ...]:
    asker = ScriptedJudge(lambda shown, before: scored(coverage[before]), model=model)
    return asyncio.run(judge_anchors(suite, asker, lambda metric: book, run=run))


def test_a_judge_that_stays_the_same_has_not_drifted(tmp_path: Path) -> None:
    suite, book = anchored(tmp_path), HeldLabels()
    rubric = Judge.of(suite, ScriptedJudge(lambda shown, before: "")).rubric.hash
    assert judged(suite, book, "r1", [1, 2, 3, 4, 5, 3]) == (f"quality: {advice(read_anchors(suite))}",)
    assert len(book.read()) == 6
    assert drift(book.read(), rubric) is None
    judged(suite, book, "r2", [1, 3, 3, 4, 4, 3])
    found = drift(book.read(), rubric)
    assert found is not None
    assert (found.anchors, found.warning) == (6, "")


def test_a_judge_that_has_become_kinder_is_told_with_its_models(tmp_path: Path) -> None:
    suite, book = anchored(tmp_path), HeldLabels()
    rubric = Judge.of(suite, ScriptedJudge(lambda shown, before: "")).rubric.hash
    judged(suite, book, "r1", [1, 2, 3, 2, 1, 3])
    judged(suite, book, "r2", [1, 2, 3, 2, 1, 3])
    warned = judged(suite, book, "r3", [3, 4, 5, 3, 3, 5], model="m2")
    found = drift(book.read(), rubric)
    assert found is not None
    assert found.difference.low > 0
    assert "kinder" in found.warning and "m1; now m2" in found.warning
    assert f"quality: {found.warning}" in warned
    before = drift(book.read(), rubric, run="r2")
    assert before is not None and before.difference.value == 0


def test_an_anchor_without_verdict_is_left_out_and_told(tmp_path: Path) -> None:
    suite, book = anchored(tmp_path), HeldLabels()
    asker = ScriptedJudge(lambda shown, before: scored(9 if "We ship 0" in shown else 3))
    warned = asyncio.run(judge_anchors(suite, asker, lambda metric: book, run="r1"))
    assert "quality: 1 of 6 anchors got no verdict." in warned
    assert len(book.read()) == 5


def test_where_there_are_no_anchors_nobody_is_asked(tmp_path: Path) -> None:
    asker = ScriptedJudge(lambda shown, before: scored(3))
    suite = read_suite(suite_folder(tmp_path))
    assert asyncio.run(judge_anchors(suite, asker, lambda metric: HeldLabels(), run="r1")) == ()
    assert asker.asked == []


def test_an_anchor_of_no_case_is_refused_with_its_line(tmp_path: Path) -> None:
    suite = anchored(tmp_path)
    (tmp_path / FILE).write_text('{"case": "m0", "answer": "x"}\n{"case": "none", "answer": "x"}\n')
    with pytest.raises(SuiteInvalid, match="line 2: the suite has no case 'none'"):
        read_anchors(suite)


def test_a_suite_without_anchors_has_none_and_few_are_told_to_be_few(tmp_path: Path) -> None:
    assert read_anchors(read_suite(suite_folder(tmp_path / "bare"))) == ()
    assert advice(()) == ""
    assert "6 anchors" in advice(read_anchors(anchored(tmp_path / "few")))
