"""Scores of conversations, turn by turn, and how fast they fall."""

from pathlib import Path

import numpy as np

from evals_check.folder import Folder, rows_of_table, stem
from evals_check.goals import Section, near
from fairlead.evals.results import ScoreTable
from fairlead.evals.turns import by_turn
from fairlead.evals.wording import amount, between

BOUNDS = (1.0, 10.0)
# Means at the first and second turn that were published.
PUBLISHED = {
    "gpt-4-1106-preview": (9.41, 9.05),
    "Mixtral-8x7B-Instruct-v0.1": (8.69, 7.99),
    "llama2_chat_7b": (6.71, 5.67),
}


def check(folder: Folder) -> Section:
    section = Section("Turns")
    for path in folder.tables("model", "question", "turn", "score"):
        _table(section, path)
    return section


def _table(section: Section, path: Path) -> None:
    rows = list(rows_of_table(path))
    table = ScoreTable.of(
        [row["question"] for row in rows],
        [row["model"] for row in rows],
        {"score": [float(row["score"]) if row["score"] else np.nan for row in rows]},
        turn=[int(row["turn"]) for row in rows],
        tags=[(f"category:{row['category']}",) if row.get("category") else () for row in rows],
    )
    told = []
    for name in table.candidates:
        found = by_turn(table, name, "score", bounds=BOUNDS)
        if found is None or found.slope is None:
            continue
        means = [at.mean for at in found.turns]
        at_turns = " -> ".join(amount(mean.value, False) for mean in means)
        told.append((name, found.cases, at_turns, amount(found.slope.value, False), between(found.slope, False)))
        known = next((of for key, of in PUBLISHED.items() if _plain(key) == _plain(name)), None)
        if known and len(means) == len(known):
            met = all(near(mean.value, wanted, 0.0051) for mean, wanted in zip(means, known, strict=True))
            section.check(f"{name}: means of its turns", " -> ".join(map(str, known)), at_turns, met)
    section.text += ["", f"**{stem(path)}**, {len(table):,} scores from {BOUNDS[0]:g} to {BOUNDS[1]:g}:"]
    columns = ("candidate", "-conversations", "-mean by turn", "-slope per turn", "-95 % interval")
    section.table(columns, sorted(told, key=lambda row: row[0].lower()))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
