"""Coverage when the items of recorded tables are drawn anew: real candidates, real differences between items.

A table is long: `item`, `model`, and `correct` (0 or 1) or `score` (0 to 1), as CSV, gzipped or not. Files without
these columns are passed over.
"""

import csv
import gzip
import io
from collections import Counter
from pathlib import Path

import numpy as np

from calibration.outcomes import covers
from calibration.rows import Goal, Row, Task, at_least, share, times
from fairlead.stats.means import mean
from fairlead.stats.paired import difference as apart
from fairlead.stats.shares import proportion

COUNTS = (30, 100, 300)
CLUSTERS = (20, 50)
IN_A_CLUSTER = 5
PAIRS = 2  # of models, from each table
RUNS = 2000
FEWEST = 100  # items that a table must have to be drawn from


def tasks(folder: Path) -> list[Task]:
    return [Task("recorded", measure, (path, number)) for path in tables(folder) for number in range(PAIRS)]


def tables(folder: Path) -> list[Path]:
    found = sorted([*folder.glob("*.csv"), *folder.glob("*.csv.gz")])
    headers = {path: set(_header(path)) for path in found}
    return [path for path, names in headers.items() if {"item", "model"} <= names and names & {"correct", "score"}]


def measure(path: Path, number: int) -> list[Row]:
    """One pair of models of a table; the items that both have are all there is."""
    models, scores = read(path)
    rng = np.random.default_rng([number, len(models)])
    if len(models) < 2:
        return []
    first, second = rng.choice(len(models), 2, replace=False)
    both = ~np.isnan(scores[:, [first, second]]).any(axis=1)
    base, candidate = scores[both, first], scores[both, second]
    if len(base) < FEWEST:
        return []
    where = f"{path.name.split('.')[0]}: {models[first]}, {models[second]}"
    ease = np.nanmean(scores, axis=1)[both]
    is_whole = bool(np.isin([base, candidate], (0, 1)).all())
    drawn = _whole(rng, base, candidate) if is_whole else _graded(rng, base, candidate)
    rows = [share("recorded", f"{what}, {where}", hits, times(RUNS)) for what, hits in drawn.items()]
    together = _clustered(rng, base, candidate, np.argsort(ease, kind="stable"))
    return rows + [share("recorded clusters", f"{what}, {where}", hits, times(RUNS)) for what, hits in together.items()]


def read(path: Path) -> tuple[list[str], np.ndarray]:
    """Models, and the scores: a row per item, a column per model, NaN where there is none."""
    cells: dict[tuple[str, str], float] = {}
    with _opened(path) as file:
        for row in csv.DictReader(file):
            text = row.get("correct") or row.get("score") or ""
            if text:
                cells[row["item"], row["model"]] = float(text)
    items = {item: at for at, item in enumerate(dict.fromkeys(item for item, _ in cells))}
    models = {model: at for at, model in enumerate(dict.fromkeys(model for _, model in cells))}
    scores = np.full((len(items), len(models)), np.nan)
    for (item, model), score in cells.items():
        scores[items[item], models[model]] = score
    return list(models), scores


def goals(rows: list[Row]) -> list[Goal]:
    apart, together = _of(rows, "recorded"), _of(rows, "recorded clusters")
    return [
        at_least("on recorded answers, drawn anew, a 95 % interval covers", apart, 0.93),
        at_least("on recorded answers, clusters drawn whole, a 95 % interval covers", together, 0.92),
    ]


def _of(rows: list[Row], part: str) -> list[Row]:
    return [row for row in rows if row.part == part]


def _whole(rng: np.random.Generator, base: np.ndarray, candidate: np.ndarray) -> dict[str, int]:
    """Equal outcomes have equal intervals, so each is looked at once."""
    found = {}
    won, lost = float((candidate > base).mean()), float((candidate < base).mean())
    for count in COUNTS:
        outcomes = Counter(map(tuple, rng.multinomial(count, [won, lost, 1 - won - lost], times(RUNS))[:, :2].tolist()))
        difference = won - lost
        found[f"difference, n = {count}"] = sum(
            times for outcome, times in outcomes.items() if covers(*outcome, count, difference)
        )
        hits = rng.binomial(count, base.mean(), times(RUNS))
        found[f"share, n = {count}"] = sum(not proportion(int(hit), count).excludes(base.mean()) for hit in hits)
    return found


def _graded(rng: np.random.Generator, base: np.ndarray, candidate: np.ndarray) -> dict[str, int]:
    found = Counter()
    for count in COUNTS:
        for _ in range(times(RUNS)):
            at = rng.integers(0, len(base), count)
            (interval,) = apart(base[at], candidate[at], (0.95,)).intervals
            found[f"difference, n = {count}"] += not interval.excludes(float((candidate - base).mean()))
            found[f"mean, n = {count}"] += not mean(base[at]).excludes(float(base.mean()))
    return found


def _clustered(rng: np.random.Generator, base: np.ndarray, candidate: np.ndarray, order: np.ndarray) -> dict[str, int]:
    """Clusters of items that are about as hard, so that they are right or wrong together."""
    whole = len(order) // IN_A_CLUSTER
    blocks = order[: whole * IN_A_CLUSTER].reshape(whole, IN_A_CLUSTER)
    middle = float(base[blocks].mean())
    difference = float((candidate - base)[blocks].mean())
    found = Counter()
    for count in CLUSTERS:
        codes = np.repeat(np.arange(count), IN_A_CLUSTER)
        for _ in range(times(RUNS)):
            at = blocks[rng.integers(0, whole, count)].ravel()
            (interval,) = apart(base[at], candidate[at], (0.95,), clusters=codes).intervals
            found[f"difference, {count} clusters"] += not interval.excludes(difference)
            found[f"mean, {count} clusters"] += not mean(base[at], clusters=codes).excludes(middle)
    return found


def _header(path: Path) -> list[str]:
    with _opened(path) as file:
        return next(csv.reader(file), [])


def _opened(path: Path) -> io.TextIOBase:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
