"""`fairlead eval compare` and `gate`, as they are typed."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli.running import run

ROWS = [("old", [1] * 300), ("new", [1] * 298 + [0] * 2), ("bad", [1] * 200 + [0] * 100)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = [f"{item},{name},{score}" for name, scores in ROWS for item, score in enumerate(scores)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["item,model,score", *lines]))
    return path


@pytest.mark.parametrize(("candidate", "margin", "code"), [("new", "0.03", 0), ("bad", "0.03", 1), ("new", "0.005", 3)])
def test_the_gate_says_one_sentence_and_ends_with_its_code(table: Path, candidate: str, margin: str, code: int) -> None:
    done = run("eval", "gate", "--from", str(table), "old", candidate, "--margin", margin)
    outcome = {0: "pass: ", 1: "fail: ", 3: "undecided: "}[code]
    assert done.exit_code == code and done.stdout.startswith(outcome) and done.stdout.count("\n") == 1


def test_the_gate_writes_junit_and_annotations(table: Path, tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    done = run("eval", "gate", "--from", str(table), "old", "bad", "--junit", str(file), "--github")
    assert done.exit_code == 1 and done.stdout.startswith("::error title=fairlead eval gate::fail: bad is worse")
    assert ElementTree.parse(file).find("testsuite/testcase/failure") is not None


def test_the_gate_as_json(table: Path) -> None:
    done = run("eval", "gate", "--from", str(table), "old", "new", "--margin", "0.03", "--json")
    found = json.loads(done.stdout)
    assert (found["outcome"], found["checks"][0]["wins"], found["checks"][0]["losses"]) == ("pass", 0, 2)


def test_a_gate_is_for_one_candidate(table: Path) -> None:
    assert run("eval", "gate", "--from", str(table)).exit_code == 2


def test_a_gate_that_is_looked_at_early_says_so(table: Path) -> None:
    gate = ("eval", "gate", "--from", str(table), "old", "new", "--margin", "0.03")
    for planned, which in (("300", "The last"), ("600", "One")):
        done = run(*gate, "--looks", "10", "--planned", planned)
        assert done.stdout.endswith(f" {which} of 10 planned looks, which are right together with 95 %.\n")
    assert "may be looked at at any time" in run(*gate, "--looks", "any").stdout
    unplanned = run(*gate, "--looks", "10")
    assert unplanned.exit_code == 1 and "--planned" in unplanned.output
    assert run(*gate, "--looks", "often").exit_code == 2


def test_compare_tells_the_sentence_and_the_numbers(table: Path) -> None:
    done = run("eval", "compare", "--from", str(table), "old", "new", "--margin", "0.03")
    assert done.exit_code == 0
    assert done.stdout.startswith("new is equivalent to old within 3 points: −0.67 points in score")
    assert "2 of 300 verdicts flipped" in done.stdout


def test_compare_of_all_candidates_of_a_table(table: Path) -> None:
    found = json.loads(run("eval", "compare", "--from", str(table), "--json").stdout)
    assert [(one["base"], one["candidate"]) for one in found] == [("old", "new"), ("old", "bad")]
    assert found[1]["primary"]["p_adjusted"] < 0.001


def test_compare_of_two_files_of_the_same_model(tmp_path: Path) -> None:
    for name, score in (("monday.csv", 1), ("tuesday.csv", 0)):
        (tmp_path / name).write_text("item,model,score\n" + "".join(f"{item},m,{score}\n" for item in range(30)))
    files = [str(tmp_path / name) for name in ("monday.csv", "tuesday.csv")]
    done = run("eval", "compare", *files)
    assert done.stdout.startswith("tuesday.csv is worse than monday.csv (at 95 %)")
    again = run("eval", "compare", "--from", files[0], "--from", files[1])
    assert again.stdout.splitlines()[0] == done.stdout.splitlines()[0]


def test_noise_is_measured_by_the_base_asked_again(table: Path) -> None:
    done = run("eval", "compare", "--from", str(table), "old", "bad", "--again", "new")
    assert "the base asked twice flips 0.7 %: more than noise" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nothing.csv", "b.csv"), "there is no file nothing.csv"),
        (("--from", "TABLE", "old", "other"), 'no scores of "other"'),
        (("--from", "TABLE", "old", "old"), "named twice"),
        (("--from", "TABLE", "old", "new", "--metric", "taste"), 'no metric "taste"'),
        (("--from", "TABLE", "old", "new", "--tag", "x"), 'no case has the tag "x"'),
        (("TABLE", "TABLE"), "has 3 candidates"),
    ],
)
def test_what_can_not_be_compared_is_told_with_a_hint(table: Path, arguments: tuple[str, ...], problem: str) -> None:
    done = run("eval", "compare", *(str(table) if part == "TABLE" else part for part in arguments))
    assert done.exit_code == 1 and problem in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["tone", "tone=", "=1", "tone=-1", "tone=x", "tone>=nan"])
def test_a_guardrail_that_guards_nothing_is_typed_wrongly(table: Path, text: str) -> None:
    done = run("eval", "gate", "--from", str(table), "old", "new", "--guardrail", text)
    assert done.exit_code == 2 and "METRIC=MARGIN" in done.stderr


def test_a_report_is_written_in_every_form_that_is_asked_for(table: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"report.{kind}" for kind in ("html", "md", "png")]
    named = [part for out in outs for part in ("-o", str(out))]
    done = run("eval", "report", "--from", str(table), "old", "new", "--margin", "0.03", *named)
    assert done.exit_code == 0 and all(out.stat().st_size > 500 for out in outs)
    assert "**PASS**: new is not worse than old by 3 points or more" in outs[1].read_text()


def test_a_report_of_another_form_is_typed_wrongly(table: Path) -> None:
    assert run("eval", "report", "--from", str(table), "-o", "report.docx").exit_code == 2


def test_an_installation_without_the_extra_is_told_which(table: Path) -> None:
    without = "import sys; sys.modules['numpy'] = None; from fairlead.cli.main import main; main()"
    typed = [sys.executable, "-c", without, "eval", "gate", "--from", str(table), "old", "new"]
    done = subprocess.run(typed, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "needs the package numpy" in done.stderr and "fairlead[evals]" in done.stderr
