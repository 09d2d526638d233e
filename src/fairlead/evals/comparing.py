"""Two candidates on the same cases -> better, worse, equivalent or undecided, and what that rests on.

One metric decides: the primary one, with its margin. Guardrails are told beside it, everything else is descriptive.
What is missing is counted apart, never averaged away. Where the scores come from is not known here, nor what is done
about the word. Where a judge gave the scores, whoever knows people's labels (`People`) tells what these make of them.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from msgspec import Struct, structs

from fairlead.errors import RequestInvalid
from fairlead.evals.results import PREFERENCE, UNKNOWN, Counts, Numbers, Pairs, Scores, ScoreTable
from fairlead.evals.suite import Metric
from fairlead.stats.decisions import Verdict, Word, compared
from fairlead.stats.flips import Flips, differing, differing_again, flips
from fairlead.stats.intervals import Interval
from fairlead.stats.means import mean
from fairlead.stats.paired import Paired, inner_confidence, paired
from fairlead.stats.several import holm

Role = Literal["primary", "guardrail", "descriptive"]

FEWEST_OF_TAG = 5  # cases, below which a tag is not told
MARGIN = 0.02  # where nobody declared one


class Rules(Struct, frozen=True, kw_only=True):
    """What a comparison looks at. `common`: cases that only one side has are left out; without it they are an error.

    `bounds` has the least and the most that a metric can be, where that is not 0 and 1."""

    primary: Metric
    guardrails: tuple[Metric, ...] = ()
    also: tuple[str, ...] = ()
    bounds: Mapping[str, tuple[float, float]] = {}
    confidence: float = 0.95
    seed: int = 0
    common: bool = False
    most_tags: int = 40

    @property
    def metrics(self) -> tuple[tuple[Metric, Role], ...]:
        """Each once, in its most important role."""
        named: dict[str, tuple[Metric, Role]] = {self.primary.name: (self.primary, "primary")}
        for metric in self.guardrails:
            named.setdefault(metric.name, (metric, "guardrail"))
        for name in self.also:
            named.setdefault(name, (Metric(name=name), "descriptive"))
        return tuple(named.values())


class Standing(Struct, frozen=True):
    """One side alone, on the cases that are compared. `missing` counts answers that have no score."""

    mean: Interval
    missing: int
    cost_nusd: int | None
    latency_us: int | None


class Said(Struct, frozen=True):
    """A word, and the confidence with which it is said: of an interval that excludes or includes so much."""

    word: Word
    confidence: float


class Correction(Struct, frozen=True, kw_only=True):
    """What people's labels make of a judge's scores: of a difference, or of one side's mean.

    Where labels are too few, or fit none of the answers, there are no intervals: `why` tells it, the scores stand as
    the judge gave them, and `hint` says how they are labelled. `judged` counts cases with verdicts; `worst` is `inner`
    with the verdicts that are missing at their worst and best; `method` is "labels" where the judge was left out;
    `more`: about so many more labels would decide."""

    labels: int
    judged: int
    outer: Interval | None = None
    inner: Interval | None = None
    worst: Interval | None = None
    judge_alone: float | None = None
    method: str = ""
    effective: float = 0.0
    p_value: float | None = None
    said: tuple[Said, ...] = ()
    more: int | None = None
    why: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()


class People(Protocol):
    """What people's labels say of metrics that a judge scores; None of any other."""

    def judged(self, metric: str) -> bool: ...
    def of_difference(self, pairs: Pairs, margin: float, rules: "Rules") -> Correction | None: ...
    def of_mean(self, scores: Scores, rules: "Rules") -> Correction | None: ...


class Measured(Struct, frozen=True):
    """One metric of both. `is_share`: from 0 to 1, so that it is told in percent and points. `p_adjusted` is the
    p-value beside those of the other candidates. `verdict` is None where no case has a score of both.

    `people` is there where a judge gave the scores. Where they correct them, `said` is of the corrected difference, and
    `verdict` of what the judge alone says."""

    metric: str
    role: Role
    margin: float | None
    is_share: bool
    cases: int
    base: Standing | None
    candidate: Standing | None
    verdict: Verdict | None
    said: tuple[Said, ...]
    p_adjusted: float | None = None
    people: Correction | None = None

    @property
    def outer(self) -> Interval | None:
        """The difference that is said something of, with its wider interval."""
        if self.people is not None and self.people.outer is not None:
            return self.people.outer
        return self.verdict.paired.difference if self.verdict else None

    @property
    def inner(self) -> Interval | None:
        if self.people is not None and self.people.inner is not None:
            return self.people.inner
        return self.verdict.paired.inner if self.verdict else None

    @property
    def p_value(self) -> float:
        """Beside the other candidates', where there are some."""
        if self.p_adjusted is not None:
            return self.p_adjusted
        if self.people is not None and self.people.p_value is not None:
            return self.people.p_value
        return self.verdict.paired.p_value if self.verdict else 1.0


class Tagged(Struct, frozen=True):
    """The primary metric within a tag. `p_adjusted` takes all tags into account. `people` is there where a judge gave
    the scores; `paired`, `base` and `candidate` are of what the judge alone says."""

    tag: str
    cases: int
    base: float
    candidate: float
    paired: Paired
    p_adjusted: float
    people: Correction | None = None

    @property
    def is_corrected(self) -> bool:
        return self.people is not None and self.people.outer is not None

    @property
    def difference(self) -> Interval:
        """As people's labels correct it, where they do."""
        if self.people is not None and self.people.outer is not None:
            return self.people.outer
        return self.paired.difference


class Comparison(Struct, frozen=True):
    """`primary` decides. Counts are of what could not be paired; `notes` are words for people. `as_judged` names what
    stands here as a judge gave it, corrected by no labels."""

    base: str
    candidate: str
    primary: Measured
    others: tuple[Measured, ...]
    tags: tuple[Tagged, ...]
    flips: Flips | None
    only_base: int
    only_candidate: int
    changed: int
    by_id: int
    holdout_cases: int
    notes: tuple[str, ...]
    as_judged: tuple[str, ...] = ()


def compare(
    table: ScoreTable, base: str, candidates: Sequence[str], rules: Rules, people: People | None = None
) -> tuple[Comparison, ...]:
    """Each candidate against the base; with several, a difference is only called one after Holm's correction.

    Raises NotFound for candidates and metrics that are not there, RequestInvalid for case sets that differ where the
    rules do not say `common`, and where nothing can be paired.
    """
    found = [_compare(table, base, candidate, rules, people) for candidate in candidates]
    if len(found) < 2:
        return tuple(found)
    adjusted = holm([one.primary.p_value for one in found]).tolist()
    return tuple(
        structs.replace(one, primary=_adjusted(one.primary, p, rules)) for one, p in zip(found, adjusted, strict=True)
    )


def paired_cases(table: ScoreTable, base: str, candidate: str, metric: str, rules: Rules) -> Pairs:
    """The cases that both were asked. Raises as `compare` does."""
    pairs = table.paired(base, candidate, metric, rules.bounds.get(metric))
    if not pairs.is_whole and not rules.common:
        raise RequestInvalid(
            f'"{base}" and "{candidate}" were not asked the same cases: {_unpaired(pairs)}',
            hint="`--common` compares them on what both were asked, and says so.",
        )
    if not len(pairs):
        raise RequestInvalid(f'"{base}" and "{candidate}" have no case in common: {_unpaired(pairs)}')
    return pairs


def flipped(pairs: Pairs, again: Scores | None = None) -> Flips | None:
    """How many verdicts changed. `again`: the base, asked once more; else its repeats tell what noise is, where all
    cases have some. None where answers are not right or wrong, or no case has both."""
    if not (pairs.base.is_binary and pairs.candidate.is_binary):
        return None
    low, high = pairs.bounds
    before, after = ((side.value - low) / (high - low) for side in (pairs.base, pairs.candidate))
    changed, noise = differing(before, after), None
    if np.isnan(changed).all():
        return None
    if again is not None:
        at = {item: (value - low) / (high - low) for item, value in zip(again.item, again.value, strict=True)}
        noise = differing(before, [at.get(item, np.nan) for item in pairs.base.item])
    elif (pairs.base.answers > 1).all():
        noise = differing_again(before, pairs.base.answers)
    return flips(changed, noise, clusters=pairs.clusters, weights=pairs.weights)


def _compare(table: ScoreTable, base: str, candidate: str, rules: Rules, people: People | None) -> Comparison:
    pairs = {metric.name: paired_cases(table, base, candidate, metric.name, rules) for metric, _ in rules.metrics}
    measured = [_measured(table, pairs[metric.name], metric, role, rules, people) for metric, role in rules.metrics]
    of_primary = pairs[rules.primary.name]
    if measured[0].verdict is None:
        scored = (table.of_candidate(name).metrics for name in (base, candidate))
        known = [{metric for metric, values in found.items() if not np.isnan(values).all()} for found in scored]
        raise RequestInvalid(
            f'no case has a score of {rules.primary.name} by both "{base}" and "{candidate}"',
            hint=f"--metric names another; both have scores of: {', '.join(sorted(known[0] & known[1])) or 'none'}.",
        )
    tags = _by_tag(of_primary, rules, people)
    # of a preference one side is the rest of the other
    flips = None if rules.primary.name == PREFERENCE else flipped(of_primary)
    return Comparison(
        base=base,
        candidate=candidate,
        primary=measured[0],
        others=tuple(measured[1:]),
        tags=tags,
        flips=flips,
        only_base=of_primary.only_base,
        only_candidate=of_primary.only_candidate,
        changed=of_primary.changed,
        by_id=of_primary.by_id,
        holdout_cases=int(of_primary.base.holdout.sum()),
        notes=(*_notes(of_primary), *_of_people(measured)),
        as_judged=_as_judged(measured[0], tags, flips),
    )


def _measured(
    table: ScoreTable, pairs: Pairs, metric: Metric, role: Role, rules: Rules, people: People | None
) -> Measured:
    shared = (pairs.clusters, pairs.weights, pairs.bounds, rules)
    base, candidate = (standing(table, side, *shared) for side in (pairs.base, pairs.candidate))
    verdict = None
    if not np.isnan(pairs.base.value + pairs.candidate.value).all():
        verdict = compared(
            pairs.base.value,
            pairs.candidate.value,
            metric.margin or 0.0,
            clusters=pairs.clusters,
            weights=pairs.weights,
            confidence=rules.confidence,
            bounds=pairs.bounds,
            seed=rules.seed,
        )
    by_people = people.of_difference(pairs, metric.margin or 0.0, rules) if people is not None else None
    said = by_people.said if by_people is not None else ()
    return Measured(
        metric=metric.name,
        role=role,
        margin=metric.margin,
        is_share=pairs.bounds == (0.0, 1.0),
        cases=len(pairs),
        base=base,
        candidate=candidate,
        verdict=verdict,
        said=said or (_said(verdict, rules) if verdict else ()),
        people=by_people,
    )


def _said(verdict: Verdict, rules: Rules) -> tuple[Said, ...]:
    inner = inner_confidence(rules.confidence)
    return tuple(
        Said(word, rules.confidence if verdict.is_sure and word in ("better", "worse") else inner)
        for word in verdict.words
        if not (word == "equivalent" and verdict.margin == 0)
    )


def _adjusted(measured: Measured, p_value: float, rules: Rules) -> Measured:
    """Better and worse are said as surely as the corrected p-value allows, or not at all."""
    inner = inner_confidence(rules.confidence)
    said = []
    for one in measured.said:
        if one.word not in ("better", "worse"):
            said.append(one)
        elif p_value <= 1 - inner:
            said.append(
                Said(one.word, min(one.confidence, rules.confidence if p_value <= 1 - rules.confidence else inner))
            )
    return structs.replace(measured, said=tuple(said) or (Said("undecided", inner),), p_adjusted=p_value)


def standing(
    table: ScoreTable,
    side: Scores,
    clusters: Counts | None,
    weights: Numbers | None,
    bounds: tuple[float, float],
    rules: Rules,
) -> Standing | None:
    """One side alone, with what its answers cost and how long they took; None where it has no score."""
    if np.isnan(side.value).all():
        return None
    rows = table.candidate == side.candidate
    if len(side) < len(set(table.item[rows])):
        there = set(side.item)
        rows &= np.fromiter((item in there for item in table.item), np.bool_, len(table))
    cost, took = table.cost_nusd[rows], table.latency_us[rows]
    return Standing(
        mean=mean(
            side.value,
            clusters=clusters,
            weights=weights,
            confidence=rules.confidence,
            bounds=bounds,
            seed=rules.seed,
        ),
        missing=side.missing,
        cost_nusd=None if (cost == UNKNOWN).any() else round(float(cost.mean())),
        latency_us=None if (took == UNKNOWN).all() else round(float(np.median(took[took != UNKNOWN]))),
    )


def _as_judged(primary: Measured, tags: Sequence[Tagged], flips: Flips | None) -> tuple[str, ...]:
    if primary.people is None:
        return ()
    named = ["base", "candidate", *(["flips"] if flips is not None else [])]
    return (*named, *(f"tag {one.tag}" for one in tags if not one.is_corrected))


def _by_tag(pairs: Pairs, rules: Rules, people: People | None) -> tuple[Tagged, ...]:
    """The tags that most cases have; a tag of all cases, or of hardly any, tells nothing."""
    sizes: dict[str, int] = {}
    for tags in pairs.base.tags:
        for tag in tags:
            sizes[tag] = sizes.get(tag, 0) + 1
    there = ~np.isnan(pairs.base.value + pairs.candidate.value)
    chosen = [tag for tag, size in sorted(sizes.items(), key=lambda of: -of[1]) if FEWEST_OF_TAG <= size < len(pairs)]
    found = []
    for tag in chosen[: rules.most_tags]:
        rows = np.fromiter((tag in tags for tags in pairs.base.tags), np.bool_, len(pairs)) & there
        if rows.sum() < FEWEST_OF_TAG:
            continue
        part = pairs.where(rows)
        result = paired(
            part.base.value,
            part.candidate.value,
            clusters=part.clusters,
            weights=part.weights,
            confidence=rules.confidence,
            bounds=pairs.bounds,
            seed=rules.seed,
        )
        by_people = people.of_difference(part, 0.0, rules) if people is not None else None
        base, candidate = (float(side.value.mean()) for side in (part.base, part.candidate))
        p_value = by_people.p_value if by_people is not None and by_people.p_value is not None else result.p_value
        found.append(Tagged(tag, len(part), base, candidate, result, p_value, by_people))
    adjusted = holm([one.p_adjusted for one in found]).tolist() if found else []
    return tuple(structs.replace(one, p_adjusted=p_value) for one, p_value in zip(found, adjusted, strict=True))


def _notes(pairs: Pairs) -> tuple[str, ...]:
    notes = []
    if not pairs.is_whole:
        notes.append(f"compared on the {len(pairs)} cases that both were asked: {_unpaired(pairs)}")
    if pairs.by_id:
        notes.append(f"{pairs.by_id} cases were joined by their id: one of the two does not know what was asked")
    for side in (pairs.base, pairs.candidate):
        if side.missing:
            notes.append(f'"{side.candidate}" has no score of {side.missing} of {int(side.answers.sum())} answers')
    repeats = max(int(side.answers.max()) for side in (pairs.base, pairs.candidate))
    if repeats > 1:
        notes.append(f"cases were asked up to {repeats} times: the repeats of a case count as one, their mean")
    return tuple(notes)


def _of_people(measured: Sequence[Measured]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for one in measured if one.people is not None for text in one.people.warnings))


def _unpaired(pairs: Pairs) -> str:
    told = {
        f'only by "{pairs.base.candidate}"': pairs.only_base,
        f'only by "{pairs.candidate.candidate}"': pairs.only_candidate,
        "with another content or gold answer": pairs.changed,
    }
    return ", ".join(f"{count} {what}" for what, count in told.items() if count)
