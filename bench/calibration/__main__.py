"""`make calibration DATA=DIR`: coverage of every interval and errors of every decision; a table, in docs and build too.

DATA is a folder of recorded answers (tables with the columns item, model, and correct or score), whose items are drawn
anew; without one, all is simulated or added up. Exits with 0 where every goal is met, 1 where one is not.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from calibration import clusters, gates, judged, looking, outcomes, recorded, scores, trials
from calibration.report import page, table
from calibration.rows import Goal, Row, Task, set_fraction

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT.parent / "shared" / "data" / "routing"
PARTS = ("shares", "pairs", "gates", "looks", "scores", "clusters", "recorded", "judged")


def main() -> int:
    options = argparse.ArgumentParser(prog="calibration", description=__doc__)
    options.add_argument("data", nargs="?", type=Path, default=DATA, help="a folder of recorded answers")
    options.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="parts that are measured")
    options.add_argument("--processes", type=int, default=min(os.cpu_count() or 1, 8))
    options.add_argument("--runs", type=float, default=1.0, help="a fraction of the usual runs of each simulation")
    options.add_argument("--no-docs", action="store_true", help="leave docs/calibration.md as it is")
    chosen = options.parse_args()
    began = time.monotonic()
    tables = recorded.tables(chosen.data) if chosen.data.is_dir() else []
    if not tables:
        print(f"calibration: no recorded answers in {chosen.data}; all is simulated or added up", file=sys.stderr)
    tasks = [task for task in _tasks(chosen.data if tables else None) if task.part in chosen.only]
    rows = _measured(tasks, chosen.processes, chosen.runs)
    goals = _goals(rows, chosen.only, has_tables=bool(tables))
    took_s = time.monotonic() - began
    print(table(goals))
    met, missed = sum(goal.is_clear for goal in goals), sum(not goal.met for goal in goals)
    print(f"{met} of {len(goals)} goals met, {missed} missed, the rest in error; {took_s:.0f} s")
    if set(chosen.only) == set(PARTS):
        _leave(goals, rows, [path.name for path in tables], docs=not chosen.no_docs)
    return 0 if all(goal.met for goal in goals) else 1


def _tasks(folder: Path | None) -> list[Task]:
    found = [
        *outcomes.tasks(),
        *looking.tasks(),
        *gates.tasks(),
        *scores.tasks(),
        *clusters.tasks(),
        *trials.tasks(),
        *judged.tasks(),
    ]
    return found + (recorded.tasks(folder) if folder else [])


def _goals(rows: list[Row], only: Sequence[str], has_tables: bool) -> list[Goal]:
    found = []
    for part, module in (
        ("shares", trials),
        ("pairs", outcomes),
        ("scores", scores),
        ("clusters", clusters),
        ("gates", gates),
        ("looks", looking),
        ("recorded", recorded),
        ("judged", judged),
    ):
        if part in only and (part != "recorded" or has_tables):
            found += module.goals(rows)
    return found


def _measured(tasks: list[Task], processes: int, fraction: float) -> list[Row]:
    rows: list[Row] = []
    with ProcessPoolExecutor(processes, initializer=set_fraction, initargs=(fraction,)) as pool:
        waiting = {pool.submit(task.run, *task.arguments): task for task in tasks}
        for done, future in enumerate(as_completed(waiting), start=1):
            rows += future.result()
            print(f"\r{done} of {len(tasks)}: {waiting[future].part:<10}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return sorted(rows, key=lambda row: (row.part, row.what))


def _leave(goals: list[Goal], rows: list[Row], tables: list[str], docs: bool) -> None:
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    shown = ("name", "goal", "value", "error", "worst")
    left = {  # what is only within the error of its simulation is not called met here
        "goals": [{name: getattr(goal, name) for name in shown} | {"met": goal.is_clear} for goal in goals],
        "rows": [
            {"part": row.part, "what": row.what, "value": row.value, "error": row.error, "counted": row.counted}
            for row in rows
        ],
        "tables": tables,
    }
    (build / "calibration.json").write_text(json.dumps(left, indent=1) + "\n", encoding="utf-8")
    if docs:
        (ROOT / "docs" / "calibration.md").write_text(page(goals, rows, tables), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
