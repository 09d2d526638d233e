"""What is known of a whole set of scored answers and of none of them alone: macro-F1 and confusions of labels, pass@k.

They describe; what a decision stands on is a mean over cases, whose interval is known. Scores are a store's rows.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import msgspec
from msgspec import Struct

from fairlead.evals.results import WHOLE
from fairlead.scoring.label import NONE, classified
from fairlead.scoring.pass_at_k import pass_at_k
from fairlead.store.evals.answers import ScoreRow


class Confused(Struct, frozen=True):
    gold: str
    label: str
    count: int


class Whole(Struct, frozen=True):
    """Of one candidate and metric. `f1` is by label, with `macro_f1` as their mean, None for what is no classification;
    `confusion` the most frequent first; `pass_at` by k, empty where cases were asked once."""

    macro_f1: float | None = None
    f1: Mapping[str, float] = {}
    confusion: tuple[Confused, ...] = ()
    pass_at: Mapping[int, float] = {}


class _Labelled(Struct):
    label: str | None = None
    gold: str | None = None


def wholes(rows: Sequence[ScoreRow], candidate: str, left_out: Collection[str] = ()) -> dict[str, Whole]:
    """By metric; those of which nothing more is known than a mean are not there. `left_out` are cases that may not be
    shown."""
    by_metric: dict[str, list[ScoreRow]] = defaultdict(list)
    for row in rows:
        if row.turn == WHOLE and row.item not in left_out:
            by_metric[row.metric].append(row)
    found = {metric: _whole(own, candidate) for metric, own in by_metric.items()}
    return {metric: whole for metric, whole in found.items() if whole != Whole()}


def _whole(rows: Sequence[ScoreRow], candidate: str) -> Whole:
    own = [row for row in rows if row.candidate == candidate and row.value is not None]
    labelled = {id(row): msgspec.json.decode(row.reasons, type=_Labelled) for row in rows if '"gold"' in row.reasons}
    golds = {row.item: labelled[id(row)].gold for row in rows if id(row) in labelled}
    pairs = []
    for row in own:
        said = labelled.get(id(row), _Labelled(NONE))  # a target that failed named none
        if (gold := golds.get(row.item)) is not None and said.label is not None:
            pairs.append((gold, said.label))
    whole = Whole(pass_at=_pass_at(own))
    if not pairs:
        return whole
    told = classified(pairs)
    confusion = sorted(told.confusion.items(), key=lambda one: (-one[1], one[0]))
    confused = tuple(Confused(gold, label, count) for (gold, label), count in confusion)
    return Whole(told.macro_f1, told.f1, confused, whole.pass_at)


def _pass_at(rows: Sequence[ScoreRow]) -> dict[int, float]:
    """The mean over cases, for each k up to the fewest answers that a case has; of right and wrong only."""
    answers: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.value not in (0, 1):
            return {}
        answers[row.item].append(row.value)
    fewest = min(map(len, answers.values()), default=0)
    if fewest < 2:
        return {}
    return {
        k: sum(pass_at_k(len(own), round(sum(own)), k) for own in answers.values()) / len(answers)
        for k in range(1, fewest + 1)
    }
