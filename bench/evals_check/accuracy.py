"""Accuracies of recorded models: as they were recorded, and graded again from the answers."""

from pathlib import Path

import numpy as np

from evals_check.folder import Folder, header, rows_of_table, stem
from evals_check.goals import Section, near
from fairlead.evals.importing.reading import read
from fairlead.evals.results import ScoreTable
from fairlead.evals.wording import interval
from fairlead.scoring.number import number
from fairlead.scoring.score import Output
from fairlead.stats.means import mean

WITHIN = 0.001  # of a published accuracy
# Accuracies that were published, in percent: goals wherever the rows are there.
PUBLISHED = {
    "gsm8k_solutions": {
        "6B, finetuned_single": 21.7,
        "6B, verifier_best_of_100": 39.0,
        "175B, finetuned_single": 34.7,
        "175B, verifier_best_of_100": 56.3,
    },
    "routellm_gsm8k": {"mixtral-8x7b-instruct": 63.84, "gpt-4-1106-preview": 85.67, "either": 92.87},
    "routellm_mmlu": {"mixtral-8x7b-instruct": 68.08, "gpt-4-1106-preview": 80.58, "either": 85.86},
}


class Graded:
    """A case, as a scorer sees one."""

    def __init__(self, id: str, gold: str) -> None:
        self.id, self.gold, self.vars = id, gold, {}


def check(folder: Folder) -> Section:
    section = Section("Accuracies")
    for path in folder.tables("item", "model"):
        if {"correct", "score"} & set(header(path)):
            _table(section, folder, path, read(path).table)
    for path in folder.tables("item", "model_size", "method", "correct"):
        _table(section, folder, path, _solutions(path))
    for path in folder.tables("item", "model", "runs", "passed"):
        _runs(section, path)
    return section


def _solutions(path: Path) -> ScoreTable:
    rows = list(rows_of_table(path))
    return ScoreTable.of(
        [row["item"] for row in rows],
        [f"{row['model_size']}, {row['method']}" for row in rows],
        {"correct": [float(row["correct"]) for row in rows]},
        said=[row["answer"] for row in rows],
    )


def _table(section: Section, folder: Folder, path: Path, table: ScoreTable) -> None:
    metric = next(iter(table.metrics))
    golds = folder.items(path) if (table.said != "").any() else {}
    published = PUBLISHED.get(stem(path), {})
    rows, worst, differing, graded = [], 0.0, 0, 0
    for name in table.candidates:
        part = table.of_candidate(name)
        scores = part.scores(name, metric)
        found = mean(scores.value, clusters=scores.clusters)
        again = _again(part, golds)
        told = ""
        if again is not None:
            graded += len(part)
            differing += int((again != part.metrics[metric]).sum())
            worst = max(worst, abs(float(again.mean()) - found.value))
            told = f"{100 * again.mean():.2f} %"
        rows.append((name, f"{len(scores):,}", interval(found, scores.is_binary or found.high <= 1), told))
        if name in published:
            goal = f"{published[name]} % within 0.1 point"
            met = near(found.value, published[name] / 100, WITHIN)
            section.check(f"{stem(path)}: {name}", goal, f"{100 * found.value:.2f} %", met)
    section.text += ["", f"**{stem(path)}**, {len(rows)} candidates, {len(table):,} answers:"]
    section.table(("candidate", "-cases", "-mean, 95 %", "-graded again"), sorted(rows, key=lambda row: row[0].lower()))
    _either(section, path, table, metric, published)
    if graded:
        goal = "every accuracy within 0.1 point of the recorded one"
        value = f"{len(rows)} candidates, at most {100 * worst:.2f} points off; {differing} of {graded:,} flags differ"
        section.check(f"{stem(path)}: graded again", goal, value, worst <= WITHIN)


def _again(part: ScoreTable, golds: dict[str, str]) -> np.ndarray | None:
    """The first number of each answer against the gold number."""
    if not golds or not all(item in golds for item in part.item):
        return None
    return np.array(
        [
            number(Output(said), Graded(item, golds[item]), take="first").value
            for item, said in zip(part.item, part.said, strict=True)
        ]
    )


def _either(section: Section, path: Path, table: ScoreTable, metric: str, published: dict[str, float]) -> None:
    """Of two candidates: how many items at least one of them gets right."""
    if len(table.candidates) != 2:
        return
    pairs = table.paired(*table.candidates, metric)
    share = float(np.maximum(pairs.base.value, pairs.candidate.value).mean())
    section.text.append(f"At least one of the two is right: {100 * share:.2f} %.")
    if "either" in published:
        met = near(share, published["either"] / 100, WITHIN)
        section.check(f"{stem(path)}: either", f"{published['either']} %", f"{100 * share:.2f} %", met)


def _runs(section: Section, path: Path) -> None:
    """How many of so many sampled programs passed: an item's score is their share, so its samples are one case."""
    found: dict[str, list[float]] = {}
    for row in rows_of_table(path):
        found.setdefault(row["model"], []).append(float(row["passed"]) / float(row["runs"]))
    section.text += ["", f"**{stem(path)}**, samples of an item counted as one:"]
    rows = [(name, f"{len(shares):,}", interval(mean(shares), True)) for name, shares in sorted(found.items())]
    section.table(("candidate", "-cases", "-mean, 95 %"), rows)
