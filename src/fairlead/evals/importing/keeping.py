"""Imported results as a run of the evaluation store, and score tables as files that anybody reads.

What is kept is a run like any other: its suite has the name that it is given, its version is a hash of the cases. A
file knows less than a run, and what it does not know stays blank.
"""

import csv
import gzip
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fairlead.errors import RequestInvalid
from fairlead.evals.importing.imported import Imported, digest
from fairlead.evals.plans import Candidate, Plan
from fairlead.evals.results import UNKNOWN, WHOLE, ScoreTable
from fairlead.evals.spending import ANSWER
from fairlead.ids import new_id, now_us
from fairlead.money import NUSD
from fairlead.store.evals.answers import AnswerRow, ScoreRow, write_answers
from fairlead.store.evals.runs import ItemRow, RunRow, SuiteRow, new_run, note_suite
from fairlead.store.evals.spending import SpentRow, write_spent
from fairlead.store.opening import Store

MARGIN = 0.02  # of the primary metric: no file declares one
AT_ONCE = 5000  # answers in a transaction
ENDINGS = (".csv", ".csv.gz", ".jsonl", ".parquet")
HINT = f"a table is {', '.join(ENDINGS)}"


def keep(store: Store, imported: Imported, name: str, source: str) -> str:
    """Writes a run of the suite `name` and gives its id. Raises RequestInvalid where its candidates were not asked the
    same content of a case: each is a run of its own then."""
    table = imported.table
    items = _items(table)
    hash = digest([name, imported.primary, sorted(imported.table.metrics), sorted(map(_identity, items.values()))])
    versioned = [msgspec.structs.replace(item, suite=hash) for item in items.values()]
    declared = {
        "task": "other",
        "about": f"imported from {imported.format}",
        "primary": {"name": imported.primary, "margin": MARGIN},
        "guardrails": [],
        "metrics": [imported.primary, *(metric for metric in table.metrics if metric != imported.primary)],
        "show_text": True,
    }
    plan = Plan(
        suite=name,
        hash=hash,
        folder="",
        split="all",
        candidates=tuple(Candidate(name=one, route="", identity=imported.format) for one in table.candidates),
        repeats=int(table.repeat.max()) + 1,
        scorers=dict.fromkeys(table.metrics, f"imported from {imported.format}"),
        imported={"file": source, "format": imported.format, **imported.facts},
    )
    at_us, id = now_us(), new_id()
    row = RunRow(id=id, suite=hash, name=name, split="all", at_us=at_us, planned=len(table), plan=_json(plan))
    suite = SuiteRow(hash=hash, name=name, at_us=at_us, zone="private", declared=_json(declared))
    with store.begin() as connection:
        note_suite(connection, suite, versioned)
        new_run(connection, msgspec.structs.replace(row, ended_us=at_us, status="done"))
        for start in range(0, len(table), AT_ONCE):
            write_answers(connection, *_rows(table, id, at_us, range(start, min(start + AT_ONCE, len(table)))))
        write_spent(connection, [_spent(table, id)])
    return id


def write_table(table: ScoreTable, path: Path) -> None:
    """As a table that `read` reads again. Raises RequestInvalid for an ending that is none, ExtraMissing."""
    rows = list(_records(table))
    ending = next((ending for ending in ENDINGS if path.name.lower().endswith(ending)), None)
    if ending is None:
        raise RequestInvalid(f"{path}: no such kind of file", hint=HINT)
    if ending == ".parquet":
        import pyarrow
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif ending == ".jsonl":
        path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    else:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        content = text.getvalue().encode()
        path.write_bytes(gzip.compress(content) if ending == ".csv.gz" else content)


def _items(table: ScoreTable) -> dict[str, ItemRow]:
    found: dict[str, ItemRow] = {}
    columns = ("item", "content_hash", "gold_version", "cluster", "tags", "weight", "holdout", "asked", "wanted")
    for item, *rest in zip(*(getattr(table, name).tolist() for name in columns), strict=True):
        row = ItemRow(**dict(zip(columns[1:], rest, strict=True)), suite="", id=item)
        known = found.setdefault(item, row)
        if (known.content_hash, known.gold_version) != (row.content_hash, row.gold_version):
            raise RequestInvalid(
                f"case {item} does not ask the same of all candidates",
                hint="Import each candidate's results as a run of its own.",
            )
    return found


def _identity(item: ItemRow) -> tuple[Any, ...]:
    return item.id, item.content_hash, item.gold_version, item.cluster, item.tags, item.weight


def _rows(table: ScoreTable, run: str, at_us: int, places: range) -> tuple[list[AnswerRow], list[ScoreRow]]:
    answers, scores = [], []
    for at in places:
        key = {
            "run": run,
            "candidate": str(table.candidate[at]),
            "item": str(table.item[at]),
            "repeat": int(table.repeat[at]),
            "turn": int(table.turn[at]),
        }
        cost, took = int(table.cost_nusd[at]), int(table.latency_us[at])
        answers.append(
            AnswerRow(
                **key,
                at_us=at_us,
                status=str(table.status[at]),
                text=str(table.said[at]),
                model=key["candidate"],
                cost_nusd=None if cost == UNKNOWN else cost,
                took_us=max(took, 0),
            )
        )
        for metric, values in table.metrics.items():
            value = float(values[at])
            is_missing = math.isnan(value)
            why = "the file has no score" if is_missing else ""
            scores.append(
                ScoreRow(**key, metric=metric, value=None if is_missing else value, why=why, version="imported")
            )
    return answers, scores


def _spent(table: ScoreTable, run: str) -> SpentRow:
    costs = table.cost_nusd[table.turn == WHOLE]
    known = costs != UNKNOWN
    return SpentRow(run, "", ANSWER, len(costs), int(costs[known].sum()), int((~known).sum()))


def _records(table: ScoreTable) -> Iterator[dict[str, Any]]:
    for at in range(len(table)):
        scores = {name: None if np.isnan(values[at]) else float(values[at]) for name, values in table.metrics.items()}
        cost, took = int(table.cost_nusd[at]), int(table.latency_us[at])
        yield {
            "item": table.item[at],
            "model": table.candidate[at],
            **scores,
            "repeat": int(table.repeat[at]),
            "turn": int(table.turn[at]),
            "cluster": table.cluster[at],
            "tags": ",".join(table.tags[at]),
            "weight": float(table.weight[at]),
            "content_hash": table.content_hash[at],
            "gold_version": table.gold_version[at],
            "status": table.status[at],
            "cost_usd": None if cost == UNKNOWN else cost / NUSD,
            "latency_s": None if took == UNKNOWN else took / 1_000_000,
            "answer": table.said[at],
            "gold": table.wanted[at],
        }


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
