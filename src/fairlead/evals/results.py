"""Scores of cases, as columns: the one currency between runs, imported files, comparisons and reports.

A row is one answer: of a candidate (a model, a target, a variant of a prompt) to a case, in one repeat, at one turn. A
case is its id, the hash of what was asked and the version of what is right; where a table does not know the last two,
they are blank, and a join rests on the id alone and says so. Where scores come from and what they decide is not known
here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from msgspec import Struct, structs
from numpy.typing import ArrayLike, NDArray

from fairlead.errors import NotFound, RequestInvalid

Numbers: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Objects: TypeAlias = NDArray[np.object_]  # of str, or of tuples of str

UNKNOWN = -1  # a cost or a time that nobody measured
WHOLE = 0  # the turn of a row that is about the whole case
# What the target did wrong scores 0. What we did wrong is `missing`: NaN, and counted apart.
STATUSES = ("ok", "invalid", "refused", "timeout", "failed", "missing")
PREFERENCE = "preference"  # the metric of what a judge prefers of two
TOLD = 5  # ids in an error

_TEXT, _COUNT, _NUMBER, _FLAG = np.object_, np.int64, np.float64, np.bool_
_COLUMNS: dict[str, tuple[type, Any]] = {
    "repeat": (_COUNT, 0),
    "turn": (_COUNT, WHOLE),
    "cluster": (_TEXT, ""),
    "tags": (_TEXT, ()),
    "weight": (_NUMBER, 1.0),
    "content_hash": (_TEXT, ""),
    "gold_version": (_TEXT, ""),
    "holdout": (_FLAG, False),
    "status": (_TEXT, "ok"),
    "cost_nusd": (_COUNT, UNKNOWN),
    "latency_us": (_COUNT, UNKNOWN),
    "asked": (_TEXT, ""),
    "wanted": (_TEXT, ""),
    "said": (_TEXT, ""),
}


class ScoreTable(Struct, frozen=True, eq=False):
    """Columns of one length. `metrics` has the scores by metric, NaN where one is missing; `cluster` is blank for a
    case that stands alone; `asked`, `wanted` and `said` are texts for people, blank where they are not known or may
    not be shown."""

    item: Objects
    candidate: Objects
    metrics: Mapping[str, Numbers]
    repeat: Counts
    turn: Counts
    cluster: Objects
    tags: Objects
    weight: Numbers
    content_hash: Objects
    gold_version: Objects
    holdout: Flags
    status: Objects
    cost_nusd: Counts
    latency_us: Counts
    asked: Objects
    wanted: Objects
    said: Objects

    @classmethod
    def of(
        cls,
        item: Sequence[str] | Objects,
        candidate: Sequence[str] | Objects,
        metrics: Mapping[str, ArrayLike],
        **columns: Sequence[Any] | NDArray[Any] | None,
    ) -> Self:
        """A table of the columns that are there; the others get what is usual.

        Raises RequestInvalid for columns of different lengths, for scores that are infinite, and for rows that are
        there twice, with their ids.
        """
        length = len(item)
        full = {name: _column(columns.get(name), length, *kind) for name, kind in _COLUMNS.items()}
        scores = {name: _column(values, length, _NUMBER, np.nan) for name, values in metrics.items()}
        given = {"item": _column(item, length, _TEXT, ""), "candidate": _column(candidate, length, _TEXT, "")}
        table = cls(metrics=scores, **given, **full)
        _check_lengths(table)
        _check_values(table)
        _check_rows(table)
        return table

    def __len__(self) -> int:
        return len(self.item)

    @property
    def candidates(self) -> tuple[str, ...]:
        """In the order in which they come."""
        return tuple(dict.fromkeys(self.candidate.tolist()))

    def where(self, rows: Flags) -> Self:
        """The rows that are marked."""
        kept = {name: getattr(self, name)[rows] for name in ("item", "candidate", *_COLUMNS)}
        return structs.replace(self, metrics={name: scores[rows] for name, scores in self.metrics.items()}, **kept)

    def of_candidate(self, name: str) -> Self:
        """Raises NotFound, which names those that are there."""
        rows = self.candidate == name
        if not rows.any():
            there = ", ".join(self.candidates[:20])
            raise NotFound(f'there are no scores of "{name}"', hint=f"There are scores of: {there}.")
        return self.where(rows)

    def named(self, name: str) -> Self:
        """The same rows, as one candidate's."""
        return structs.replace(self, candidate=np.full(len(self), name, _TEXT))

    def tagged(self, tag: str) -> Self:
        return self.where(np.fromiter((tag in tags for tags in self.tags), _FLAG, len(self)))

    def scores(self, candidate: str, metric: str, bounds: tuple[float, float] | None = None) -> "Scores":
        """One candidate's score of each of its cases. `bounds`: the least and the most that the metric can be."""
        return _scores(self.of_candidate(candidate), metric, bounds or self.bounds(metric))

    def paired(self, base: str, candidate: str, metric: str, bounds: tuple[float, float] | None = None) -> "Pairs":
        """Two candidates on the cases that both were asked."""
        bounds = bounds or self.bounds(metric)
        return _paired(self.scores(base, metric, bounds), self.scores(candidate, metric, bounds), bounds)

    def bounds(self, metric: str) -> tuple[float, float]:
        """0 and 1, or where scores lie outside of that the least and the most of them."""
        known = self.of_metric(metric)
        known = known[~np.isnan(known)]
        if not len(known):
            return 0.0, 1.0
        low, high = float(known.min()), float(known.max())
        return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)

    def of_metric(self, name: str) -> Numbers:
        """Raises NotFound, which names those that are there."""
        if name not in self.metrics:
            there = ", ".join(self.metrics) or "none"
            raise NotFound(f'there is no metric "{name}"', hint=f"Metrics that are there: {there}.")
        return self.metrics[name]


class Scores(Struct, frozen=True, eq=False):
    """One entry per case, in the order in which the cases came: the mean of its repeats, NaN where all are missing.

    `worst` and `best` have the least and the most that it may be, whatever is missing. `missing` counts answers, not
    cases. `is_binary`: an answer is right or wrong, nothing between.
    """

    candidate: str
    metric: str
    item: Objects
    value: Numbers
    worst: Numbers
    best: Numbers
    answers: Counts
    missing: int
    is_binary: bool
    cluster: Objects
    tags: Objects
    weight: Numbers
    content_hash: Objects
    gold_version: Objects
    holdout: Flags

    def __len__(self) -> int:
        return len(self.item)

    @property
    def clusters(self) -> Counts | None:
        """Codes of the clusters; None where each case stands alone."""
        return _clusters(self.item, self.cluster)

    @property
    def weights(self) -> Numbers | None:
        """None where all weigh the same."""
        return None if (self.weight == self.weight[:1]).all() else self.weight

    def where(self, rows: Flags | Counts) -> Self:
        kept = {name: value[rows] for name, value in structs.asdict(self).items() if isinstance(value, np.ndarray)}
        return structs.replace(self, **kept)


class Pairs(Struct, frozen=True, eq=False):
    """Two candidates' scores of the same cases, entry by entry, and what could not be paired.

    `only_base` and `only_candidate` count cases that the other one was not asked, `changed` those of one id that were
    asked or are judged differently, `by_id` those that were joined by their id alone, as one side does not know what
    was asked.
    """

    base: Scores
    candidate: Scores
    bounds: tuple[float, float]
    only_base: int
    only_candidate: int
    changed: int
    by_id: int

    def __len__(self) -> int:
        return len(self.base)

    @property
    def is_whole(self) -> bool:
        """Both were asked the same cases."""
        return not (self.only_base or self.only_candidate or self.changed)

    @property
    def clusters(self) -> Counts | None:
        return self.base.clusters

    @property
    def weights(self) -> Numbers | None:
        return self.base.weights

    def where(self, rows: Flags) -> Self:
        return structs.replace(self, base=self.base.where(rows), candidate=self.candidate.where(rows))


def joined(tables: Iterable[ScoreTable]) -> ScoreTable:
    """The rows of all; a metric that one of them lacks is NaN there. Raises RequestInvalid for a row that two have."""
    parts = list(tables)
    names = dict.fromkeys(name for part in parts for name in part.metrics)
    metrics = {
        name: np.concatenate([part.metrics.get(name, np.full(len(part), np.nan)) for part in parts]) for name in names
    }
    rest = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ("item", "candidate", *_COLUMNS)}
    return ScoreTable.of(metrics=metrics, **rest)


def codes(values: Iterable[Any]) -> tuple[Counts, list[Any]]:
    """A number for each distinct value, in the order in which they come first, and the values of the numbers."""
    values = list(values)
    known = {value: code for code, value in enumerate(dict.fromkeys(values))}
    return np.fromiter(map(known.__getitem__, values), _COUNT, len(values)), list(known)


def _column(values: Any, length: int, kind: type, usual: Any) -> NDArray[Any]:
    if values is None:
        values = [usual] * length if kind is _TEXT else np.full(length, usual, kind)
    if kind is not _TEXT or isinstance(values, np.ndarray):
        return np.asarray(values, kind)
    return np.fromiter(values, _TEXT, len(values))


def _check_lengths(table: ScoreTable) -> None:
    found = {name: getattr(table, name) for name in ("candidate", *_COLUMNS)} | dict(table.metrics)
    for name, column in found.items():
        if column.shape != table.item.shape:
            raise RequestInvalid(f"{len(table)} rows, but {len(column)} of {name}")


def _check_values(table: ScoreTable) -> None:
    for name, scores in table.metrics.items():
        if np.isinf(scores).any():
            raise RequestInvalid(f"{name}: a score is infinite, of case {table.item[np.isinf(scores)][0]}")
    if not np.isfinite(table.weight).all() or (table.weight < 0).any():
        raise RequestInvalid("a weight is no number from 0 up")
    unknown = set(table.status.tolist()) - set(STATUSES)
    if unknown:
        raise RequestInvalid(f"unknown status: {', '.join(sorted(map(str, unknown))[:TOLD])}")


def _check_rows(table: ScoreTable) -> None:
    """An answer is there once, and a candidate was asked one content of a case."""
    asked = _numbered(table.candidate, table.item)
    rows = _numbered(asked, table.repeat, table.turn)
    first = np.unique(rows, return_index=True)[1]
    if len(first) < len(rows):
        again = np.ones(len(rows), _FLAG)
        again[first] = False
        twice = list(dict.fromkeys(table.item[again].tolist()))
        told = ", ".join(map(str, twice[:TOLD])) + (", …" if len(twice) > TOLD else "")
        raise RequestInvalid(
            f"{len(twice)} cases are there twice for one candidate: {told}",
            hint="Give repeats of a case different numbers in the column `repeat`.",
        )
    contents = _numbered(table.content_hash, table.gold_version)
    _, first, which = np.unique(asked, return_index=True, return_inverse=True)
    other = contents != contents[first][which]
    if other.any():
        at = int(other.argmax())
        raise RequestInvalid(
            f'case {table.item[at]} of "{table.candidate[at]}" stands for two contents',
            hint="An id names one case: repeats of it have the same content and gold version.",
        )


def _numbered(*columns: NDArray[Any]) -> Counts:
    """A number for each distinct combination of values."""
    found = np.zeros(len(columns[0]), _COUNT)
    for column in columns:
        if not len(column) or (column == column[0]).all():
            continue
        if column.dtype == _TEXT:
            numbers, known = codes(column.tolist())
            size = len(known)
        else:
            values, numbers = np.unique(column, return_inverse=True)
            size = len(values)
        found = np.unique(found * size + numbers, return_inverse=True)[1].astype(_COUNT)
    return found


def _scores(rows: ScoreTable, metric: str, bounds: tuple[float, float]) -> Scores:
    """`rows` are of one candidate. Where the metric has scores of whole cases these count, else the mean of their
    turns."""
    of_whole = rows.turn == WHOLE
    if of_whole.any() and (of_whole.all() or not np.isnan(rows.of_metric(metric)[of_whole]).all()):
        rows = rows.where(of_whole)
    elif not of_whole.all():
        rows = rows.where(~of_whole)
    scores = rows.of_metric(metric)
    which, items = codes(rows.item.tolist())
    first = np.full(len(items), -1, _COUNT)
    first[which[::-1]] = np.arange(len(rows))[::-1]
    is_known = ~np.isnan(scores)
    answers = np.bincount(which, minlength=len(items))
    known = np.bincount(which, is_known, minlength=len(items))
    total = np.bincount(which, np.nan_to_num(scores), minlength=len(items))
    value = np.where(known > 0, total / np.maximum(known, 1), np.nan)
    same = ("item", "cluster", "tags", "weight", "content_hash", "gold_version", "holdout")
    return Scores(
        candidate=str(rows.candidate[0]) if len(rows) else "",
        metric=metric,
        value=value,
        worst=np.where(known == answers, value, (total + bounds[0] * (answers - known)) / answers),
        best=np.where(known == answers, value, (total + bounds[1] * (answers - known)) / answers),
        answers=answers.astype(_COUNT),
        missing=int(len(rows) - is_known.sum()),
        is_binary=bool(np.isin(scores[is_known], bounds).all()),
        **{name: getattr(rows, name)[first] for name in same},
    )


def _paired(base: Scores, candidate: Scores, bounds: tuple[float, float]) -> Pairs:
    at_candidate = {item: at for at, item in enumerate(candidate.item.tolist())}
    both = [(at, at_candidate[item]) for at, item in enumerate(base.item.tolist()) if item in at_candidate]
    left, right = (np.array([pair[side] for pair in both], _COUNT) for side in (0, 1))
    is_same, by_id = np.ones(len(both), _FLAG), np.zeros(len(both), _FLAG)
    for name in ("content_hash", "gold_version"):
        ours, theirs = getattr(base, name)[left], getattr(candidate, name)[right]
        is_blank = (ours == "") | (theirs == "")
        is_same &= is_blank | (ours == theirs)
        by_id |= (ours == "") != (theirs == "")
    before, after = base.where(left[is_same]), candidate.where(right[is_same])
    cluster = np.where(before.cluster == "", after.cluster, before.cluster)
    return Pairs(
        base=structs.replace(before, cluster=cluster),
        candidate=structs.replace(after, cluster=cluster),
        bounds=bounds,
        only_base=len(base) - len(both),
        only_candidate=len(candidate) - len(both),
        changed=int((~is_same).sum()),
        by_id=int((by_id & is_same).sum()),
    )


def _clusters(items: Objects, names: Objects) -> Counts | None:
    if not (names != "").any():
        return None
    found, known = codes(
        ("cluster", cluster) if cluster else ("case", item) for item, cluster in zip(items, names, strict=True)
    )
    return None if len(known) == len(items) else found
