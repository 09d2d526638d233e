"""A judge's scores and a few labels -> what people would say of all answers, with an interval, and of a difference.

The case is the unit: its score is the mean of its repeats, and it is labelled where one of them is, whoever labelled
it. A label says something of an answer under the version of the rubric that it was given under, and of the verdicts of
a judge under the same one; others are counted and told. What is missing is left out and counted. The statistics are in
`stats.ppi`; where rows come from is not known here.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray

from fairlead.errors import NotFound
from fairlead.evals.comparing import Said
from fairlead.evals.judging import Bound, Use, judge_bound, judge_use
from fairlead.evals.labelling.book import HOUSE, JUDGE, details, is_standing
from fairlead.evals.labelling.drawing import WHOLE, answer_hash
from fairlead.stats.intervals import Interval
from fairlead.stats.paired import inner_confidence
from fairlead.stats.ppi import FEWEST, Ppi, more_labels, ppi_difference, ppi_mean
from fairlead.store.evals.answers import AnswerRow, ScoreRow
from fairlead.store.evals.labels import LabelRow
from fairlead.store.evals.runs import ItemRow

MUCH_MISSING = 0.02  # of the cases, from which on it is warned of
Column = NDArray[np.float64]


class Answer(Struct, frozen=True, kw_only=True):
    """One answer, what the judge said of it, and what people did. `judged` None: the score is missing."""

    candidate: str
    item: str
    hash: str
    text: str
    judged: float | None
    scores: Mapping[str, float]
    orders: tuple[float, ...]
    labels: tuple[LabelRow, ...]


class Evidence(Struct, frozen=True, kw_only=True):
    """All that is known of one metric of one or several runs of a suite."""

    metric: str
    rubric: str
    answers: tuple[Answer, ...]
    items: Mapping[str, ItemRow]
    judges: tuple[Bound, ...]
    use: Use
    labellers: Mapping[str, int]
    skipped: int
    warnings: tuple[str, ...]

    @property
    def candidates(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.candidate for one in self.answers))


class Corrected(Struct, frozen=True, kw_only=True):
    """`ppi` None: nothing can be said, and `why` tells. `missing` counts cases that the judge gave no score."""

    candidate: str
    cases: int
    labelled: int
    missing: int
    ppi: Ppi | None
    why: str = ""


def evidence(
    metric: str,
    rubric: str,
    *,
    answers: Iterable[AnswerRow],
    scores: Iterable[ScoreRow],
    items: Iterable[ItemRow],
    labels: Sequence[LabelRow],
    beside: Mapping[str, str] | None = None,
) -> Evidence:
    """`rubric` is the hash of the suite's; `beside` has the answer that stood beside each case's, where pairs are
    judged. Raises NotFound where the metric was not scored."""
    known = {item.id: item for item in items}
    by_place = {
        (one.run, one.candidate, one.item, one.repeat): one
        for one in scores
        if one.metric == metric and one.turn == WHOLE
    }
    if not by_place:
        raise NotFound(f"nothing was scored by {metric!r} here", hint="name another metric of the suite, or run it")
    reasons = {place: msgspec.json.decode(one.reasons, type=dict) for place, one in by_place.items()}
    judges = tuple(dict.fromkeys(bound for said in reasons.values() if (bound := judge_bound(said)) is not None))
    of_hash: dict[str, list[LabelRow]] = {}
    people = [one for one in labels if one.metric == metric and not one.by.startswith(JUDGE) and is_standing(one)]
    for label in people:
        if label.rubric == rubric and label.value is not None:
            of_hash.setdefault(label.answer_hash, []).append(label)
    found = []
    for answer in answers:
        place = (answer.run, answer.candidate, answer.item, answer.repeat)
        if answer.turn != WHOLE or place not in by_place or answer.item not in known:
            continue
        hash = answer_hash(known[answer.item].content_hash, answer, (beside or {}).get(answer.item, ""))
        said, bound = reasons[place], judge_bound(reasons[place])
        is_of_rubric = bound is None or bound.rubric == rubric
        found.append(
            Answer(
                candidate=answer.candidate,
                item=answer.item,
                hash=hash,
                text=answer.text,
                judged=by_place[place].value if is_of_rubric else None,
                scores=said.get("scores", {}),
                orders=tuple(said.get("orders", ())),
                labels=tuple(of_hash.get(hash, ())),
            )
        )
    use = sum((judge_use(said) for said in reasons.values()), Use())
    return assembled(metric, rubric, found, known, people, judges=judges, use=use)


def assembled(
    metric: str,
    rubric: str,
    answers: Sequence[Answer],
    items: Mapping[str, ItemRow],
    labels: Sequence[LabelRow],
    *,
    judges: tuple[Bound, ...],
    use: Use,
) -> Evidence:
    """Of answers that have their labels, and of all labels of the metric, also those that fit none of them."""
    people = [one for one in labels if not one.by.startswith(JUDGE) and is_standing(one)]
    standing = [one for one in people if one.rubric == rubric]
    return Evidence(
        metric=metric,
        rubric=rubric,
        answers=tuple(answers),
        items=items,
        judges=judges,
        use=use,
        labellers=_counted(standing),
        skipped=sum(one.value is None for one in standing),
        warnings=tuple(_warnings(rubric, people, judges, {one.hash for one in answers})),
    )


def corrected(known: Evidence, candidate: str, *, confidence: float = 0.95, seed: int = 0) -> Corrected:
    """What people would say of all of a candidate's answers. Raises NotFound."""
    cases = _cases(known, candidate)
    judged, labels, items = _columns(cases, list(cases))
    seen = np.isfinite(judged)
    ppi, why = None, ""
    try:
        ppi = ppi_mean(
            judged[seen],
            labels[seen],
            clusters=clusters_of(known.items, items, seen),
            weights=weights_of(known.items, items, seen),
            confidence=confidence,
            seed=seed,
        )
    except ValueError as error:
        why = str(error)
    return _told(candidate, seen, labels, ppi, why)


def corrected_difference(
    known: Evidence, base: str, candidate: str, *, confidence: float = 0.95, seed: int = 0
) -> Corrected:
    """By how much people would put the candidate above the base, case by case: the difference is corrected itself, not
    each side. Only cases that both were asked count. Raises NotFound."""
    before, after = _cases(known, base), _cases(known, candidate)
    both = [item for item in before if item in after]
    judged_base, labels_base, items = _columns(before, both)
    judged, labels, _ = _columns(after, both)
    seen = np.isfinite(judged_base) & np.isfinite(judged)
    ppi, why = None, ""
    try:
        ppi = ppi_difference(
            judged_base[seen],
            judged[seen],
            labels_base[seen],
            labels[seen],
            clusters=clusters_of(known.items, items, seen),
            weights=weights_of(known.items, items, seen),
            confidence=confidence,
            seed=seed,
        )
        ppi = structs.replace(ppi, interval=_within(ppi.interval))
    except ValueError as error:
        why = str(error)
    return _told(candidate, seen, labels + labels_base, ppi, why)


def _within(found: Interval) -> Interval:
    """No difference of two scores from 0 to 1 is larger than 1."""
    return Interval(found.value, max(found.low, -1.0), min(found.high, 1.0))


class Decided(Struct, frozen=True, kw_only=True):
    """What a corrected difference lets one say at a margin, and with which confidence; `inner` is the narrower
    interval. Nothing is said, and there is none, where labels are too few. `more`: about so many more labels would
    decide; None where nothing is open, or not even all would."""

    corrected: Corrected
    inner: Interval | None
    margin: float
    said: tuple[Said, ...]
    more: int | None


def decided(
    known: Evidence, base: str, candidate: str, margin: float, *, confidence: float = 0.95, seed: int = 0
) -> Decided:
    """Better or worse where an interval excludes 0, equivalent where the inner one lies within the margin, as
    comparisons without a judge have it. Raises NotFound."""
    outer = corrected_difference(known, base, candidate, confidence=confidence, seed=seed)
    inner_of = inner_confidence(confidence)
    ppi = corrected_difference(known, base, candidate, confidence=inner_of, seed=seed).ppi
    if outer.ppi is None or ppi is None:
        return Decided(corrected=outer, inner=None, margin=margin, said=(), more=None)
    inner, said = ppi.interval, []
    way = "better" if inner.value > 0 else "worse"
    if inner.excludes(0):
        said.append(Said(way, confidence if outer.ppi.interval.excludes(0) else inner_of))
    if -margin < inner.low and inner.high < margin:
        said.append(Said("equivalent", inner_of))
    more = None
    if not said:
        said.append(Said("undecided", inner_of))
        reach, away = inner.high - inner.value, abs(inner.value)
        room = max(away, margin - away)
        more = more_labels(ppi.labels, ppi.judged, ppi.effective, reach / room) if room > 0 else None
    return Decided(corrected=outer, inner=inner, margin=margin, said=tuple(said), more=more)


def _told(candidate: str, seen: NDArray[np.bool_], labels: Column, ppi: Ppi | None, why: str) -> Corrected:
    labelled = int(np.isfinite(labels[seen]).sum())
    if ppi is None and labelled < FEWEST:
        why = f"{labelled} of {len(seen)} cases are labelled: {FEWEST} at least are wanted, from 50 on the judge helps"
    missing = int(len(seen) - seen.sum())
    return Corrected(candidate=candidate, cases=len(seen), labelled=labelled, missing=missing, ppi=ppi, why=why)


def _cases(known: Evidence, candidate: str) -> dict[str, list[Answer]]:
    cases: dict[str, list[Answer]] = {}
    for answer in known.answers:
        if answer.candidate == candidate:
            cases.setdefault(answer.item, []).append(answer)
    if not cases:
        there = ", ".join(known.candidates[:20]) or "nobody"
        raise NotFound(f"there are no answers of {candidate!r}", hint=f"there are those of {there}")
    return cases


def _columns(cases: Mapping[str, list[Answer]], items: list[str]) -> tuple[Column, Column, list[str]]:
    """By case: the judge's mean, people's mean, NaN for neither."""
    judged = [_mean([one.judged for one in cases[item] if one.judged is not None]) for item in items]
    labels = [
        _mean([_mean([float(label.value or 0) for label in one.labels]) for one in cases[item] if one.labels])
        for item in items
    ]
    return np.array(judged, float), np.array(labels, float), items


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def clusters_of(known: Mapping[str, ItemRow], items: list[str], seen: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    """Codes of the clusters of the cases that are `seen`; None where each stands alone."""
    names = [known[item].cluster for item in items]
    if not any(names):
        return None
    codes: dict[tuple[str, str], int] = {}
    found = [
        codes.setdefault(("cluster", name) if name else ("case", item), len(codes))
        for name, item in zip(names, items, strict=True)
    ]
    return np.array(found, np.int64)[seen]


def weights_of(known: Mapping[str, ItemRow], items: list[str], seen: NDArray[np.bool_]) -> Column | None:
    """None where all weigh the same."""
    weights = np.array([known[item].weight for item in items], float)[seen]
    return None if (weights == weights[:1]).all() else weights


def _counted(labels: Iterable[LabelRow]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for label in labels:
        if label.value is not None:
            counts[label.by] = counts.get(label.by, 0) + 1
    return counts


def _warnings(rubric: str, labels: Sequence[LabelRow], judges: Sequence[Bound], hashes: set[str]) -> list[str]:
    found = []
    if stale := sum(label.rubric != rubric for label in labels):
        found.append(f"{stale} labels were given under another version of the rubric: they count for nothing here.")
    if any(bound.rubric != rubric for bound in judges):
        found.append("Some verdicts were given under another version of the rubric: they are missing here.")
    if len(who := {(bound.route, bound.target, bound.model, bound.prompt) for bound in judges}) > 1:
        named = ", ".join(sorted(f"{target or route} ({model})" for route, target, model, _ in who))
        found.append(f"The verdicts are of {len(who)} judges: {named}. Judge all answers by one.")
    mine = [label for label in labels if label.rubric == rubric and label.answer_hash in hashes]
    if len(samples := {label.sample for label in mine if label.by != HOUSE}) > 1:
        found.append(f"The labels are of {len(samples)} drawings: together they are no one random sample.")
    if "" in samples:
        found.append(
            "Some labels were not drawn here: where they are no random sample, what they correct is not right."
        )
    skipped = sum(details(label).skipped for label in mine)
    if skipped and skipped > MUCH_MISSING * len(mine):
        found.append(
            f"{skipped} of {len(mine)} answers were skipped by whoever labelled: the rest is no wholly random sample."
        )
    return found
