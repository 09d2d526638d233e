"""`fairlead eval import`, and what is done with runs of the store: compare, gate, report, power and noise, as they are
typed."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from cli.running import run
from evals.importing.files_of_others import inspect_log, sample
from fairlead.store.evals import runs as stored
from fairlead.store.evals.opening import open_evals

REAL = Path(__file__).parents[1] / "evals" / "importing" / "real"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A data directory, and two tables of answers to the same cases."""
    for name, wrong in (("old", 4), ("new", 10)):
        rows = [f"{item},{name},{int(item >= wrong)},cat{item % 2}" for item in range(200)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["item,model,score,category", *rows]))
    return tmp_path


def typed(here: Path, *arguments: str) -> Result:
    return run("eval", *arguments, "--data-dir", str(here / "data"))


def imported(here: Path, name: str) -> str:
    done = typed(here, "import", str(here / f"{name}.csv"), "--as", "sums")
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def test_an_import_is_a_run_that_is_listed_and_compared(here: Path) -> None:
    old, new = imported(here, "old"), imported(here, "new")
    assert [one["run"]["id"] for one in json.loads(typed(here, "list", "--json").stdout)] == [new, old]
    done = typed(here, "compare", old, f"{new[:20]}:new")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("new is worse than old (at 95 %): −3.00 points in score")
    assert "category:cat0" in done.stdout


def test_the_base_is_the_candidate_that_was_asked_first(here: Path) -> None:
    both = here / "both.csv"
    both.write_text("item,model,score\n" + "".join(f"{item},{name},1\n" for name in ("z", "a") for item in range(9)))
    assert typed(here, "import", str(both)).exit_code == 0
    (found,) = json.loads(typed(here, "compare", "last", "--json").stdout)
    assert (found["base"], found["candidate"]) == ("z", "a")


def test_a_gate_on_runs_goes_by_what_their_suite_declares(here: Path) -> None:
    old, new = imported(here, "old"), imported(here, "new")
    done = typed(here, "gate", old, new, "--json")
    assert json.loads(done.stdout)["checks"][0]["limit"] == 0.02 and done.exit_code == 3


def test_runs_and_files_are_compared_with_each_other(here: Path) -> None:
    done = typed(here, "compare", imported(here, "old"), str(here / "new.csv"))
    assert done.exit_code == 0 and "new is worse than old" in done.stdout


def test_a_report_on_runs_tells_how_they_were_run(here: Path) -> None:
    old, new = imported(here, "old"), imported(here, "new")
    out = here / "report.md"
    assert typed(here, "report", old, new, "-o", str(out)).exit_code == 0
    assert f"| {old} | run | {old} |" in out.read_text() and "imported from table" in out.read_text()


def test_what_is_sealed_is_looked_at_only_when_it_is_counted(here: Path) -> None:
    old, new = imported(here, "old"), imported(here, "new")
    with open_evals(here / "data") as store, store.begin() as connection:
        connection.exec_driver_sql("UPDATE item SET holdout = 1 WHERE id IN ('1', '2', '150', '151')")
    without = typed(here, "compare", old, new, "--split", "dev")
    assert "look number" not in without.stderr and "196 cases" in without.stdout
    for number in (1, 2):
        assert f"this is look number {number} at the sealed hold-out of sums" in typed(here, "gate", old, new).stderr
    with open_evals(here / "data") as store, store.read() as connection:
        assert [one.what for one in stored.looks_at(connection, "sums")] == ["gate", "gate"]


def test_a_run_that_is_not_finished_passes_no_gate(here: Path) -> None:
    old, new = imported(here, "old"), imported(here, "new")
    with open_evals(here / "data") as store, store.begin() as connection:
        stored.end_run(connection, new, status="stopped", why="it cost too much")
    done = typed(here, "gate", old, new)
    assert done.exit_code == 1 and "is not finished" in done.stderr and done.stdout == ""
    assert "is not finished: resume it" in typed(here, "compare", old, new).stderr


def test_a_log_of_inspect_is_imported_under_its_task(here: Path) -> None:
    log = inspect_log(here / "log.eval", sample(0, "C"), sample(1, "I"), zstd=True)
    assert typed(here, "import", str(log)).exit_code == 0
    found = json.loads(typed(here, "show", "last", "--json").stdout)
    assert (found["suite"], found["answers"]) == ("adding", 2)
    assert found["candidates"][0]["metrics"]["match"]["mean"]["value"] == 0.5


OF_OTHERS = {
    "inspect": ["inspect-0.3.285.eval", "inspect-0.3.40.json.gz"],
    "lm-eval": ["lm-eval-0.4.13/someone__sums-1b/samples_sums_choice_2026-11-22T14-40-02.330770.jsonl"] * 2,
    "promptfoo": ["promptfoo-0.121.20.json.gz", "promptfoo-0.121.20.jsonl"],
}


@pytest.mark.parametrize("harness", OF_OTHERS)
def test_what_another_harness_wrote_is_imported_compared_gated_and_reported(here: Path, harness: str) -> None:
    names = ("old", "new") if harness != "promptfoo" else ("good, add", "bad, add")
    runs = []
    for file, name in zip(OF_OTHERS[harness], names, strict=True):
        renamed = () if harness == "promptfoo" else ("--model", name)
        done = typed(here, "import", str(REAL / file), "--as", "sums", *renamed)
        assert done.exit_code == 0, done.output
        runs.append(f"{done.stdout.strip()}:{name}")
    (compared,) = json.loads(typed(here, "compare", *runs, "--json").stdout)
    assert (compared["only_base"], compared["only_candidate"], compared["changed"]) == (0, 0, 0)
    assert typed(here, "gate", *runs).exit_code == 3, "so few cases decide nothing"
    out = here / "report.md"
    assert typed(here, "report", *runs, "-o", str(out)).exit_code == 0
    told = out.read_text().replace("\\", "")
    assert all(f"| imported file | {Path(file).name} |" in told for file in OF_OTHERS[harness])
    assert f"| imported format | {harness} |" in told


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "jsonl", "parquet"])
def test_an_import_may_be_written_as_a_table_that_says_the_same(here: Path, ending: str) -> None:
    out = here / f"table.{ending}"
    done = typed(here, "import", str(here / "old.csv"), "--model", "renamed", "--out", str(out))
    assert done.exit_code == 0, done.output
    again = typed(here, "compare", "--from", str(here / "old.csv"), "--from", str(out))
    assert again.exit_code == 0 and "0 of 200 verdicts flipped" in again.stdout
    assert not (here / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("import", "nothing.csv"), "there is no such file"),
        (("import", "OLD", "--out", "table.xls"), "no such kind of file"),
        (("compare", "0197", "0198"), "there is no file 0197"),
    ],
)
def test_what_can_not_be_imported_or_found_is_told(here: Path, arguments: tuple[str, ...], problem: str) -> None:
    done = typed(here, *(str(here / "old.csv") if part == "OLD" else part for part in arguments))
    assert (done.exit_code == 1 and problem in done.stderr and "hint:" in done.stderr) or "nothing.csv" in done.stderr


def test_power_of_a_plan_is_what_the_formula_and_the_exact_test_say() -> None:
    done = run("eval", "power", "--cases", "200", "--flips", "0.06", "--margin", "0.02", "--json")
    found = json.loads(done.stdout)
    assert 0.25 < found["power"] < 0.37 and 800 < found["needed"] < 1100
    assert "80 % takes about" in run("eval", "power", "--cases", "200").stdout


def test_power_of_what_was_measured(here: Path) -> None:
    done = run("eval", "power", "--from", str(here / "old.csv"), "--from", str(here / "new.csv"), "--json")
    assert json.loads(done.stdout)["design"]["discordance"] == pytest.approx(0.03)


def test_power_without_a_number_of_cases_is_typed_wrongly() -> None:
    assert run("eval", "power").exit_code == 2
    assert run("eval", "power", "--cases", "100", "--flips", "0.01", "--difference", "0.5").exit_code == 1


def test_noise_is_what_changes_between_two_runs_of_one_target(here: Path) -> None:
    done = run("eval", "noise", str(here / "old.csv"), str(here / "new.csv"))
    assert "another verdict on 3.0 %" in done.stdout and "differ by −3.00 points" in done.stdout


def test_noise_is_seen_in_the_repeats_of_one_run(here: Path) -> None:
    rows = [f"{item},m,{int(item % 4 > repeat)},{repeat}" for item in range(40) for repeat in (0, 1)]
    (here / "twice.csv").write_text("\n".join(["item,model,score,repeat", *rows]))
    done = run("eval", "noise", str(here / "twice.csv"))
    assert done.exit_code == 0 and "another verdict on 25.0 %" in done.stdout
    assert run("eval", "noise", str(here / "old.csv")).exit_code == 1
