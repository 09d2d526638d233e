"""What verdicts on pairs come to: by pair, by case, as a share with its interval, and as people's labels correct it.

Only verdicts of one judge under one rubric are put together, those that were given last. A pair counts one half where
the judge sees no difference, or changes its mind with the order; one that has no verdict is missing. Who gave them, and
how they are shown, is not known here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct, structs

from fairlead.evals.correcting import Answer, Corrected, Evidence, assembled, clusters_of, corrected, weights_of
from fairlead.evals.judging import PLACES, Bound, Use, judge_bound, settle
from fairlead.evals.labelling import book
from fairlead.evals.pairing import Origin, Pair
from fairlead.evals.preferring import details
from fairlead.evals.results import PREFERENCE
from fairlead.stats.agreement import PositionBias, position_bias
from fairlead.stats.intervals import Interval
from fairlead.stats.preferences import preference
from fairlead.store.evals.labels import LabelRow
from fairlead.store.evals.preferences import PreferenceRow
from fairlead.store.evals.runs import ItemRow


class Said(Struct, frozen=True, kw_only=True):
    """Of one pair: how far the candidate is preferred to the base; None: there is no verdict. `orders` has the mean of
    each order for the answer that the pair speaks for, which is the base's where it is `mirrored`."""

    item: str
    repeat: int
    hash: str
    value: float | None
    orders: tuple[float, ...]
    consistent: bool
    mirrored: bool
    settled: str


class Preferred(Struct, frozen=True, kw_only=True):
    """All that a judge said of two candidates. `rubric` is the hash of what it, and people, go by; `older` counts
    verdicts of another judge or another rubric, which are left out."""

    base: Origin
    candidate: Origin
    rubric: str
    pairs: tuple[Said, ...]
    judges: tuple[Bound, ...]
    use: Use
    older: int

    @property
    def missing(self) -> int:
        return sum(one.value is None for one in self.pairs)

    @property
    def settled(self) -> dict[str, int]:
        return dict(Counter(one.settled for one in self.pairs if one.settled))

    @property
    def position(self) -> PositionBias | None:
        both = np.array([one.orders for one in self.pairs if len(one.orders) == len(PLACES)], float)
        return position_bias(both[:, 0], both[:, 1]) if len(both) else None

    @property
    def warnings(self) -> tuple[str, ...]:
        older = f"{self.older} verdicts are of another judge or another rubric: they are left out."
        return (older,) if self.older else ()


class Summary(Struct, frozen=True, kw_only=True):
    """`share` is how often the candidate is preferred, ties and changed minds as one half, over `cases`; None where no
    case has a verdict. `missing` counts pairs without one; `settled` those of which nobody was asked, by why;
    `consistent` is None where pairs were asked in one order only. `people` is what labels make of it."""

    base: str
    candidate: str
    cases: int
    pairs: int
    share: Interval | None
    inner: Interval | None
    p_value: float | None
    wins: int
    losses: int
    ties: int
    missing: int
    settled: Mapping[str, int]
    position: PositionBias | None
    people: Corrected | None
    judges: tuple[Bound, ...]
    use: Use
    warnings: tuple[str, ...]


def preferred(rows: Sequence[PreferenceRow], base: Origin, candidate: Origin) -> Preferred | None:
    """None: nothing was said of the two."""
    if not rows:
        return None
    version = max(rows, key=lambda row: (row.at_us, row.id)).judge
    of_pair: dict[tuple[str, int], list[PreferenceRow]] = {}
    for row in rows:
        if row.judge == version:
            of_pair.setdefault((row.item, row.repeat), []).append(row)
    mine = [row for of_one in of_pair.values() for row in of_one]
    said = [details(row) for row in mine]
    bounds = (judge_bound({"judge": one.judge}) for one in said if one.judge)
    judges = tuple(dict.fromkeys(bound for bound in bounds if bound is not None))
    return Preferred(
        base=base,
        candidate=candidate,
        rubric=judges[-1].rubric if judges else "",
        pairs=tuple(_said(of_one, candidate) for of_one in of_pair.values()),
        judges=judges,
        use=sum((one.use for one in said), Use()),
        older=len(rows) - len(mine),
    )


def unjudged(pairs: Iterable[Pair], base: Origin, candidate: Origin, rubric: str) -> Preferred:
    """What is known of pairs that no judge was asked about, but for the rubric that people label them under."""
    said = []
    for pair in pairs:
        mirrored = pair.one != candidate
        same = {"item": pair.item, "repeat": pair.repeat, "hash": pair.hash, "mirrored": mirrored}
        said.append(Said(**same, value=_turned(pair.settled, mirrored), orders=(), consistent=True, settled=pair.why))
    return Preferred(base=base, candidate=candidate, rubric=rubric, pairs=tuple(said), judges=(), use=Use(), older=0)


def _said(rows: Sequence[PreferenceRow], candidate: Origin) -> Said:
    first = rows[0]
    mirrored = Origin(first.run, first.candidate) != candidate
    same = {"item": first.item, "repeat": first.repeat, "hash": first.pair_hash, "mirrored": mirrored}
    if not first.place:
        value = _turned(first.value, mirrored)
        return Said(**same, value=value, orders=(), consistent=True, settled=details(first).settled)
    found: dict[str, list[float]] = {place: [] for place in (PLACES if first.both else PLACES[:1])}
    for row in rows:
        if row.value is not None and row.place in found:
            found[row.place].append(row.value)
    settled = settle(found)
    if settled is None:
        return Said(**same, value=None, orders=(), consistent=False, settled="")
    value = _turned(settled.value, mirrored)
    return Said(**same, value=value, orders=settled.orders, consistent=settled.consistent, settled="")


def columns(found: Preferred) -> dict[tuple[str, int], float]:
    """How far the candidate is preferred, by case and repeat; without those that have no verdict."""
    return {(one.item, one.repeat): one.value for one in found.pairs if one.value is not None}


def evidence(
    found: Preferred,
    items: Mapping[str, ItemRow],
    labels: Sequence[LabelRow],
    pairs: Iterable[Pair] = (),
    names: tuple[str, str] | None = None,
) -> Evidence:
    """What labels of pairs correct: the candidate's score of a pair is how far it is preferred, the base's the rest of
    1. `pairs` have the texts, where they matter; `names` are what the two are called here."""
    base, candidate = names or (found.base.name, found.candidate.name)
    people = [label for label in labels if label.metric == PREFERENCE]
    given: dict[str, list[LabelRow]] = {}
    for label in people:
        if label.rubric == found.rubric and label.value is not None:
            given.setdefault(label.answer_hash, []).append(label)
    texts = {pair.hash: pair.texts for pair in pairs}
    answers = []
    for one in found.pairs:
        first, second = texts.get(one.hash, ("", ""))
        mine = {"item": one.item, "hash": one.hash, "scores": {}}
        for name, is_mirrored in ((candidate, one.mirrored), (base, not one.mirrored)):
            value = one.value if name == candidate else _turned(one.value, True)
            orders = one.orders if name == candidate else ()
            labelled = tuple(_of_side(label, is_mirrored) for label in given.get(one.hash, ()))
            text = second if is_mirrored else first
            answers.append(Answer(**mine, candidate=name, judged=value, orders=orders, labels=labelled, text=text))
    return assembled(PREFERENCE, found.rubric, answers, items, people, judges=found.judges, use=found.use)


def summary(
    found: Preferred,
    items: Mapping[str, ItemRow],
    labels: Sequence[LabelRow],
    *,
    names: tuple[str, str] | None = None,
    confidence: float = 0.95,
) -> Summary:
    known = evidence(found, items, labels, names=names)
    base, candidate = names or (found.base.name, found.candidate.name)
    cases: dict[str, list[float]] = {}
    for one in found.pairs:
        if one.value is not None:
            cases.setdefault(one.item, []).append(one.value)
    order, share = list(cases), None
    if order:
        there = np.ones(len(order), np.bool_)
        share = preference(
            [sum(cases[item]) / len(cases[item]) for item in order],
            clusters=clusters_of(items, order, there),
            weights=weights_of(items, order, there),
            confidence=confidence,
        )
    by_people = corrected(known, candidate, confidence=confidence)
    return Summary(
        base=base,
        candidate=candidate,
        cases=len(order),
        pairs=len(found.pairs),
        share=share.share if share else None,
        inner=share.inner if share else None,
        p_value=share.paired.p_value if share else None,
        wins=share.paired.wins if share else 0,
        losses=share.paired.losses if share else 0,
        ties=share.paired.ties if share else 0,
        missing=found.missing,
        settled=found.settled,
        position=found.position,
        people=by_people if by_people.labelled else None,
        judges=found.judges,
        use=found.use,
        warnings=(*known.warnings, *found.warnings),
    )


def _turned(value: float | None, mirrored: bool) -> float | None:
    return value if value is None or not mirrored else 1 - value


def _of_side(label: LabelRow, mirrored: bool) -> LabelRow:
    """A label of a pair as it speaks for one of the two answers."""
    if not mirrored:
        return label
    said = book.details(label)
    turned = structs.replace(said, scores={name: 1 - score for name, score in said.scores.items()})
    return structs.replace(label, value=_turned(label.value, True), details=book.encoded(turned))
