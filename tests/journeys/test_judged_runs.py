"""A judged suite through the door: run, judged through the gateway, its anchors too, labelled, corrected."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cli.running import fairlead
from fairlead.store.evals.answers import scores_of
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.runs import end_run, find_run

CONFIG = """\
data_dir = "data"
[server]
listen = "127.0.0.1:0"
admin = "off"
[backends.script]
kind = "script"
zone = "private"
script = "script.toml"
[targets.writer]
backend = "script"
model = "writer-1"
price = { input = 1.0, output = 2.0 }
[targets.critic]
backend = "script"
model = "critic-1"
price = { input = 3.0, output = 4.0 }
[routes.judge]
targets = ["critic"]
"""
# The judge is swayed by nothing that stands in an answer; of `m3` it says what is outside of the rubric.
SCRIPT = """\
[[lines]]
when = "(?s)m3:.*<answer-"
text = '{"reasons": "r", "scores": {"coverage": 10}}'
[[lines]]
when = "(?s)m[12]:.*<answer-"
text = '{"reasons": "r", "scores": {"coverage": 2}}'
[[lines]]
when = "<answer-"
text = '{"reasons": "r", "scores": {"coverage": KIND}}'
[[lines]]
text = "We ship."
"""
SUITE = """
name = "meetings"
zone = "private"
[prompts]
plain = "plain.md"
[params]
max_tokens = 20
[scorers.quality]
kind = "rubric"
[primary]
metric = "quality"
margin = 0.05
[judge]
route = "judge"
rubric = "rubric.md"
params = { max_tokens = 200 }
[holdout]
share = 0.0
"""
CASES = 15


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    suite = tmp_path / "suite"
    suite.mkdir()
    (tmp_path / "fairlead.toml").write_text(CONFIG)
    (tmp_path / "script.toml").write_text(SCRIPT.replace("KIND", "4"))
    (suite / "suite.toml").write_text(SUITE)
    (suite / "plain.md").write_text("Sum up: {text}")
    (suite / "rubric.md").write_text("## coverage, 1 to 5\nIs all there?\n")
    rows = [{"id": f"m{at}", "vars": {"text": f"Meeting m{at}:"}} for at in range(CASES)]
    (suite / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    anchors = [{"case": f"m{at}", "answer": f"We ship {at}."} for at in range(4, 10)]
    (suite / "anchors.jsonl").write_text("".join(json.dumps(row) + "\n" for row in anchors))
    return tmp_path


def run(folder: Path) -> Any:
    done = fairlead(folder, "eval", "run", str(folder / "suite"), "--on", "writer", "--no-cache", "--json")
    assert done.exit_code == 0, done.output
    return done


def test_a_run_is_judged_labelled_and_corrected(folder: Path) -> None:
    told = json.loads(run(folder).stdout)
    calls = json.loads(fairlead(folder, "call", "list", "--json").stdout)
    assert {call["route"] for call in calls} >= {"judge"}
    judged = json.loads(fairlead(folder, "eval", "judge", "last", "--json").stdout)
    (writer,) = judged["candidates"]
    assert (writer["cases"], writer["missing"]) == (CASES, 1)
    assert judged["use"]["questions"] == CASES + 1  # of m3 it was asked twice, and said nothing
    assert judged["use"]["cost_nusd"] > 0
    assert judged["judges"][0]["target"] == "critic"
    assert told["run"]
    labelled = fairlead(folder, "eval", "label", "last", "--by", "ada", "--cases", str(CASES), keys="4" * CASES)
    assert labelled.exit_code == 0, labelled.output
    judged = json.loads(fairlead(folder, "eval", "judge", "last", "--json").stdout)
    assert judged["candidates"][0]["ppi"]["interval"]["value"] == pytest.approx(0.75)
    assert judged["labellers"] == {"ada": CASES}


def test_a_judge_that_changes_is_told_at_the_end_of_the_next_run(folder: Path) -> None:
    assert "kinder" not in run(folder).stderr
    (folder / "script.toml").write_text(SCRIPT.replace("KIND", "5"))
    assert "The judge has become kinder: +0.250 on 6 anchors" in run(folder).stderr
    assert "kinder" in fairlead(folder, "eval", "judge", "last").stderr


def scores(folder: Path) -> dict[str, float | None]:
    with open_evals(folder / "data") as store, store.read() as connection:
        return {row.item: row.value for row in scores_of(connection, find_run(connection, "last").id)}


def asked(folder: Path, route: str) -> int:
    calls = json.loads(fairlead(folder, "call", "list", "--limit", "1000", "--json").stdout)
    return sum(call["route"] == route and call["status"] == "ok" for call in calls)


def in_the_books(folder: Path) -> list[dict[str, Any]]:
    return json.loads(fairlead(folder, "call", "list", "--limit", "1000", "--json").stdout)


def test_what_a_run_cost_is_what_its_calls_cost_in_the_books_whatever_became_of_them(folder: Path) -> None:
    """Verdicts that were none, anchors, a cap that is hit in the middle, a second sitting, scores that are given anew:
    all of it is the run's."""
    order = ["eval", "run", str(folder / "suite"), "--on", "writer", "--concurrency", "2", "--max-cost"]
    capped = fairlead(folder, *order, "0.012usd")
    assert capped.exit_code == 1, capped.output
    (one,) = json.loads(fairlead(folder, "eval", "list", "--json").stdout)
    run = one["run"]["id"]
    spent = sum(call["cost_nusd"] or 0 for call in in_the_books(folder))
    assert one["tally"]["cost_nusd"] == spent > 0
    assert spent <= 12_000_000

    assert fairlead(folder, "eval", "run", "--resume", run, "--max-cost", "1usd").exit_code == 0
    assert fairlead(folder, "eval", "score", run).exit_code == 0
    calls = in_the_books(folder)
    shown = json.loads(fairlead(folder, "eval", "show", run, "--json").stdout)
    assert sum(one["cost_nusd"] for one in shown["spent"].values()) == sum(call["cost_nusd"] or 0 for call in calls)
    by_judge = [call for call in calls if call["route"] == "judge" and call["cost_nusd"]]
    assert shown["spent"]["judge"]["cost_nusd"] == sum(call["cost_nusd"] for call in by_judge)
    assert shown["spent"]["judge"]["questions"] == len(by_judge)
    assert {call["session"] for call in calls} == {run}
    assert "judge" in fairlead(folder, "eval", "show", run).stderr


@pytest.mark.parametrize("how", ["--resume", "score"])
def test_a_judge_whose_budget_is_spent_stops_the_run_and_owes_no_score_for_ever(folder: Path, how: str) -> None:
    (folder / "suite" / "anchors.jsonl").unlink()
    (folder / "fairlead.toml").write_text(CONFIG + 'budget = "0.008usd/total"\n')
    stopped = fairlead(folder, "eval", "run", str(folder / "suite"), "--on", "writer", "--concurrency", "2")
    assert stopped.exit_code == 1 and "judge, which scores, can't be asked" in stopped.stderr, stopped.output
    before, judged = scores(folder), asked(folder, "judge")
    assert 0 < len(before) < CASES and None not in (value for item, value in before.items() if item != "m3")

    (folder / "fairlead.toml").write_text(CONFIG)
    if how == "score":
        assert fairlead(folder, "eval", "score", "last").exit_code == 0
        assert len(scores(folder)) == asked(folder, "target:writer")
    done = fairlead(folder, "eval", "run", "--resume", "last")
    assert done.exit_code == 0, done.output
    found = scores(folder)
    assert len(found) == CASES and None not in (value for item, value in found.items() if item != "m3")
    assert asked(folder, "target:writer") == CASES
    # What was judged before is not judged again; of m3 it says nothing at first.
    assert asked(folder, "judge") - judged in range(CASES - len(before) - 1, CASES - len(before) + 2)


def test_show_tells_why_scores_are_missing_and_answers_are_none(folder: Path) -> None:
    (folder / "script.toml").write_text(SCRIPT.replace("KIND", "9") + '[[lines]]\nwhen = "m5:$"\ntimeout = "total"\n')
    run(folder)
    shown = fairlead(folder, "eval", "show", "last")
    assert "writer: 1 timeout, such as: writer was late: total took over" in shown.stderr
    assert "writer: 12 missing in quality, such as: scorer quality" in shown.stderr
    (writer,) = json.loads(fairlead(folder, "eval", "show", "last", "--json").stdout)["candidates"]
    assert sum(writer["metrics"]["quality"]["why"].values()) == writer["metrics"]["quality"]["missing"] == 12


def test_a_scoring_that_was_killed_goes_on_and_what_was_judged_is_not_judged_again(folder: Path) -> None:
    run(folder)
    rubric = folder / "suite" / "rubric.md"
    rubric.write_text(rubric.read_text() + "- 5: all of it\n")
    assert json.loads(fairlead(folder, "eval", "score", "last", "--json").stdout)["before"] == 0
    with open_evals(folder / "data") as store, store.begin() as connection:  # as it stands where it was killed
        id = find_run(connection, "last").id
        connection.execute(text("DELETE FROM score WHERE run = :run AND item IN ('m7', 'm8')"), {"run": id})
        end_run(connection, id, status="open")
    judged = asked(folder, "judge")
    again = fairlead(folder, "eval", "score", "last")
    assert "2 answers were scored again; 13 had their scores already" in again.stderr
    assert asked(folder, "judge") == judged + 2 and len(scores(folder)) == CASES
    assert json.loads(fairlead(folder, "eval", "list", "--json").stdout)[0]["run"]["status"] == "done"
