"""A run of many answers, as it lies in the evaluation store: scored again after a scorer has changed, and compared, by
the commands that a user gives. All that they take counts, from the start of Python on.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from fairlead.evals import beginning
from fairlead.evals.plans import Candidate, Plan
from fairlead.evals.suite import Suite, read_suite
from fairlead.ids import new_id
from fairlead.store.evals.answers import AnswerRow, write_answers
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.runs import end_run
from fairlead.store.opening import Store

GOAL_S = 10.0
SUITE = """
name = "numbers"
[cases]
file = "cases.jsonl"
[scorers.right]
kind = "number"
take = "last"
[primary]
metric = "right"
margin = 0.02
[holdout]
share = 0.0
"""
MENDED = SUITE.replace('take = "last"', 'take = "last"\ntolerance = 0.1')


def measure(folder: Path, cases: int) -> dict[str, Any]:
    """Seconds of CPU: on the clock a busy machine takes longer."""
    suite = folder / "suite"
    suite.mkdir(parents=True)
    (folder / "fairlead.toml").write_text('data_dir = "data"\n', encoding="utf-8")
    with open_evals(folder / "data") as store:
        _recorded(store, _suite(suite, cases))
    (suite / "suite.toml").write_text(MENDED, encoding="utf-8")
    _command(folder, "compare", "--help")  # what Python compiles once is compiled then
    scored, compared = _command(folder, "score", "last"), _command(folder, "compare", "last", "--json")
    (found,) = json.loads(compared[1])
    return {
        "cases": cases,
        "seconds": scored[0] + compared[0],
        "steps": {"scored": scored[0], "compared": compared[0]},
        "answers": 2 * cases,
        "n": found["primary"]["cases"],
    }


def _command(folder: Path, *words: str) -> tuple[float, str]:
    """`fairlead eval …`: its seconds of CPU, and what it said."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = os.times()
    command = [sys.executable, "-m", "fairlead", "eval", *words]
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"fairlead eval {' '.join(words)}: {done.stderr[-2000:]}")
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent, done.stdout


def _suite(folder: Path, cases: int) -> Suite:
    (folder / "suite.toml").write_text(SUITE, encoding="utf-8")
    with (folder / "cases.jsonl").open("w", encoding="utf-8") as file:
        for number in range(cases):
            row = {"id": f"c{number}", "messages": [{"role": "user", "content": f"{number}?"}], "gold": number}
            file.write(json.dumps(row) + "\n")
    return read_suite(folder)


def _recorded(store: Store, suite: Suite) -> None:
    """A run in which both candidates were asked everything; one is right a little oftener."""
    drawn = random.Random(0)
    run = new_id()
    plan = Plan(
        suite=suite.name,
        hash=suite.hash,
        folder=str(suite.folder),
        split="all",
        candidates=(Candidate(name="base", route="target:a"), Candidate(name="candidate", route="target:b")),
    )
    beginning.begin(store, run, suite, plan, 2 * len(suite.cases), ())
    rows = []
    for name, share in (("base", 0.2), ("candidate", 0.19)):
        for case in suite.cases:
            said = f"So the answer is {case.gold + (drawn.random() < share):,}."
            rows.append(AnswerRow(run=run, candidate=name, item=case.id, at_us=1, text=said, cost_nusd=1, took_us=1))
    with store.begin() as connection:
        write_answers(connection, rows, [])
        end_run(connection, run, status="done")
