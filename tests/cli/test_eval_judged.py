"""`fairlead eval compare`, `gate` and `report` of runs that a judge scored, with people's labels and without."""

import json
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from evals.test_correcting import HASH, Trial
from fairlead.cli.main import fairlead
from fairlead.evals.beginning import version_of
from fairlead.evals.labelling.book import StoredLabels
from fairlead.evals.plans import Candidate, Plan
from fairlead.store.evals.answers import ScoreRow, write_answers
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.runs import RunRow, new_run, note_suite

CASES = 300


class Judged:
    """A run of `a` and `b`, whose judge finds `b` better; people, of whom so many labels are kept, find `a` better."""

    def __init__(
        self, folder: Path, *, labels: int = 0, missing: int = 0, rubric: str = HASH, tags: bool = False
    ) -> None:
        self.folder = folder
        self.trial = Trial(folder / "suite", cases=CASES)
        suite = self.trial.suite
        if labels:
            self.trial.label(labels, seed=3)
        items = [structs.replace(item, suite=suite.hash) for item in self.trial.items]
        if tags:
            items = [structs.replace(item, tags=_tags(at)) for at, item in enumerate(items)]
        with open_evals(folder / "data") as store, store.begin() as connection:
            note_suite(connection, version_of(suite), items)
            candidates = tuple(Candidate(name=name, route=name, prompt="plain", identity="i") for name in "ab")
            plan = Plan(suite=suite.name, hash=suite.hash, folder=str(suite.folder), candidates=candidates)
            row = RunRow(
                id="run1",
                suite=suite.hash,
                name=suite.name,
                split="all",
                at_us=1,
                planned=2 * CASES,
                plan=msgspec.json.encode(structs.replace(plan, judge="judge", rubric=rubric)).decode(),
                status="done",
            )
            new_run(connection, row)
            write_answers(connection, self.trial.answers, [self._kept(one, missing) for one in self.trial.scores])
        with open_evals(folder / "data") as store:
            labelled = [structs.replace(one, name=suite.name) for one in self.trial.book.read()]
            StoredLabels(store, suite.name, "quality").write(labelled)

    def _kept(self, one: ScoreRow, missing: int) -> ScoreRow:
        is_gone = one.candidate == "b" and int(one.item[1:]) < missing
        return structs.replace(one, value=None, reasons="{}", why="no verdict") if is_gone else one

    def run(self, *args: str) -> Result:
        return CliRunner().invoke(fairlead, ["eval", *args, "--data-dir", str(self.folder / "data")])


def _tags(at: int) -> tuple[str, ...]:
    return ("half", *(["few"] if at < 14 else [])) if at % 2 else ()


def test_a_tag_is_corrected_by_its_own_labels_or_says_that_the_judge_stands_alone(tmp_path: Path) -> None:
    judged = Judged(tmp_path, labels=200, tags=True)
    (found,) = json.loads(judged.run("compare", "run1", "--json").stdout)
    half, few = found["tags"]
    assert (half["tag"], few["tag"]) == ("half", "few")
    assert half["people"]["labels"] > 50 and few["people"]["outer"] is None and few["people"]["why"]
    assert half["paired"]["difference"]["value"] > 0 > half["people"]["outer"]["value"]  # the judge is wrong here too
    assert {"base", "candidate", "tag few"} <= set(found["as_judged"]) and "tag half" not in found["as_judged"]
    told = judged.run("compare", "run1").stdout
    assert "the judge's alone" in told and f"corrected by {half['people']['labels']} labels" in told
    out = [tmp_path / name for name in ("report.html", "report.md")]
    assert judged.run("report", "run1", *(part for path in out for part in ("-o", str(path)))).exit_code == 0
    for path in out:
        text = path.read_text().replace("&#x27;", "'")
        assert "by the judge's own scores, corrected by no labels" in text
        assert "the judge's alone" in text and f"corrected by {half['people']['labels']} labels" in text


def test_compare_says_what_people_would_say_where_the_judge_alone_is_wrong(tmp_path: Path) -> None:
    done = Judged(tmp_path, labels=120).run("compare", "last")
    assert done.exit_code == 0, done.output
    first, second = done.stdout.splitlines()[:2]
    assert first.startswith("b is worse than a (at 95 %): −") and "corrected by 120 labels, 300 cases." in first
    assert second.startswith("quality: a judge's scores, corrected by 120 labels of 300 judged cases")
    assert "the judge alone says +" in second


def test_compare_without_labels_says_that_there_are_none_and_how_there_would_be(tmp_path: Path) -> None:
    done = Judged(tmp_path).run("compare", "run1:a", "run1:b")
    first, second = done.stdout.splitlines()[:2]
    assert first.startswith("b is better than a")
    assert "quality: The scores are a judge's, corrected by no labels (0 of 300 cases are labelled" in second
    assert "`fairlead eval label run1 --metric quality`" in second


def test_a_gate_on_a_corrected_judge_fails_whom_the_judge_would_let_pass(tmp_path: Path) -> None:
    bare = Judged(tmp_path / "bare").run("gate", "last")
    assert bare.exit_code == 0 and bare.stdout.startswith("pass: ")
    assert "The scores are a judge's, corrected by no labels" in bare.stdout and bare.stdout.count("\n") == 1
    file = tmp_path / "gate.xml"
    done = Judged(tmp_path / "labelled", labels=120).run("gate", "last", "--junit", str(file))
    assert done.exit_code == 1, done.output
    assert done.stdout.startswith("fail: b is worse than a") and "corrected by 120 labels." in done.stdout
    told = ElementTree.parse(file).find("testsuite/testcase/failure")
    assert told is not None and "corrected by 120 labels" in told.attrib["message"]


def test_the_gate_as_json_and_as_junit_says_that_nobody_corrected_the_judge(tmp_path: Path) -> None:
    judged, file = Judged(tmp_path), tmp_path / "gate.xml"
    found = json.loads(judged.run("gate", "last", "--json", "--junit", str(file)).stdout)
    people = found["checks"][0]["people"]
    assert (people["labels"], people["inner"]) == (0, None) and people["why"].startswith("0 of 300 cases")
    assert "corrected by no labels" in (ElementTree.parse(file).findtext("testsuite/testcase/system-out") or "")


def test_verdicts_that_are_missing_are_counted_at_their_worst_beside_labels_too(tmp_path: Path) -> None:
    whole = json.loads(Judged(tmp_path / "whole", labels=120).run("gate", "last", "--json").stdout)["checks"][0]
    some = json.loads(Judged(tmp_path / "some", labels=120, missing=30).run("gate", "last", "--json").stdout)
    check = some["checks"][0]
    assert check["missing"] == 30 and check["people"]["judged"] == 270
    low, inner = check["measured"]["low"], check["people"]["inner"]
    assert low == pytest.approx(0.9 * inner["low"] - 0.1)
    assert check["measured"]["high"] == pytest.approx(0.9 * inner["high"] + 0.1)
    assert whole["measured"]["low"] == whole["people"]["inner"]["low"]


def test_with_few_labels_they_stand_alone_and_with_fewer_the_judge_does(tmp_path: Path) -> None:
    few = Judged(tmp_path / "few", labels=30).run("compare", "last").stdout
    assert "by 30 labels alone" in few.splitlines()[0]
    fewer = Judged(tmp_path / "fewer", labels=5).run("compare", "last").stdout
    assert "corrected by no labels (5 of 300 cases are labelled" in fewer


def test_where_the_suite_is_gone_labels_are_too_and_it_is_told(tmp_path: Path) -> None:
    judged = Judged(tmp_path, labels=120)
    judged.trial.suite.folder.rename(tmp_path / "elsewhere")
    done = judged.run("compare", "last")
    assert done.exit_code == 0, done.output
    assert "corrected by no labels (the suite of run run1 lies no more in" in done.stdout


def test_a_report_decides_as_the_gate_does(tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    done = Judged(tmp_path, labels=120).run("report", "last", "-o", str(out))
    assert done.exit_code == 0, done.output
    assert "**FAIL**: b is worse than a" in out.read_text() and "the judge alone says" in out.read_text()


def test_who_names_a_candidate_and_no_run_is_told_how_it_is_named(tmp_path: Path) -> None:
    judged = Judged(tmp_path)
    done = judged.run("compare", "a", "b")
    assert done.exit_code == 1 and "there is no file a; there is no run 'a'" in done.stderr
    assert "`last:a` is that candidate of the last run; `last` alone compares all that it has" in done.stderr
    assert "`last:b` is that candidate" in judged.run("gate", "runs:b").stderr
    other = judged.run("compare", "gpt", "mini").stderr
    assert "`last` compares the candidates of the last run (a, b), RUN:CANDIDATE names one" in other
    assert "There are scores of: a, b." in judged.run("compare", "run1:gpt", "run1:a").stderr
