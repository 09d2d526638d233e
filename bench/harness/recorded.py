"""A run of many answers, as it lies in the evaluation store: read, scored by a scorer of the product, and compared."""

import json
import random
import time
from pathlib import Path
from typing import Any

from fairlead.evals import beginning
from fairlead.evals.comparing import Rules, compare
from fairlead.evals.plans import Candidate, Plan
from fairlead.evals.recorded import table_of
from fairlead.evals.running import score_row
from fairlead.evals.scorers import load
from fairlead.evals.suite import Metric, Suite, read_suite
from fairlead.evals.written import output_of
from fairlead.ids import new_id
from fairlead.store.evals.answers import AnswerRow, answers_of, write_answers
from fairlead.store.evals.opening import open_evals
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


def measure(folder: Path, cases: int) -> dict[str, Any]:
    """Seconds of one core from the store's rows to a word: on the clock a busy machine takes longer."""
    folder.mkdir()
    suite = _suite(folder, cases)
    scorers = load(suite)
    by_id = {case.id: case for case in suite.cases}
    with open_evals(folder) as store:
        run = _recorded(store, suite)
        began = time.process_time()
        with store.read() as connection:
            rows = answers_of(connection, run)
        read = time.process_time()
        scores = [
            score_row(row, name, ready.version, ready.plain(output_of(row), by_id[row.item]))
            for row in rows
            for name, ready in scorers.items()
        ]
        scored = time.process_time()
        with store.begin() as connection:
            write_answers(connection, [], scores)
        written = time.process_time()
        table = table_of(store, run)
        tabled = time.process_time()
        (found,) = compare(table, "base", ["candidate"], Rules(primary=Metric(name="right", margin=0.02)))
        ended = time.process_time()
    steps = {"read": read - began, "scored": scored - read, "written": written - scored}
    steps |= {"table": tabled - written, "compared": ended - tabled}
    return {
        "cases": cases,
        "seconds": ended - began,
        "steps": steps,
        "answers": len(rows),
        "n": found.primary.cases,
    }


def _suite(folder: Path, cases: int) -> Suite:
    (folder / "suite.toml").write_text(SUITE, encoding="utf-8")
    with (folder / "cases.jsonl").open("w", encoding="utf-8") as file:
        for number in range(cases):
            row = {"id": f"c{number}", "messages": [{"role": "user", "content": f"{number}?"}], "gold": number}
            file.write(json.dumps(row) + "\n")
    return read_suite(folder)


def _recorded(store: Store, suite: Suite) -> str:
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
    return run
