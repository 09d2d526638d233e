"""What people's labels make of the judged metrics of a comparison or a gate, or why they make nothing of them.

A metric is judged where any of its scores is a judge's verdict. Labels correct it on the cases that are compared, and
no others; how is said in `correcting`. Where runs come from is not known here.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct, structs

from fairlead.errors import FairleadError
from fairlead.evals.comparing import Correction, Rules
from fairlead.evals.correcting import Answer, Corrected, Evidence, corrected, decided
from fairlead.evals.material import Material
from fairlead.evals.pairing import Origin
from fairlead.evals.results import PREFERENCE, Pairs, Scores
from fairlead.stats.intervals import Interval
from fairlead.stats.paired import inner_confidence

WHOLE, APART = (0.0, 1.0), (-1.0, 1.0)  # what a label may be, and the difference of two
AS_UTILITY = "labels are from 0 to 1, and its scores are told as what they are worth to a case"


class Known(Struct, frozen=True, kw_only=True):
    """What is known of a metric; `names` are those of its evidence, by the comparison's. Or `why` nothing is."""

    evidence: Evidence | None = None
    names: Mapping[str, str] = {}
    why: str = ""


class Corrections:
    """`origins`: where the candidates of the comparison that are runs' come from. `judged`: the metrics that a judge
    scored. `read` reads all that is known of one of them, and raises FairleadError where it can't."""

    def __init__(
        self, origins: Mapping[str, Origin], judged: Iterable[str], read: Callable[[Mapping[str, Origin], str], Known]
    ) -> None:
        self._origins = origins
        self._judged = frozenset(judged)
        self._read = read
        self._known: dict[str, Known] = {}

    def judged(self, metric: str) -> bool:
        return metric in self._judged

    def of_difference(self, pairs: Pairs, margin: float, rules: Rules) -> Correction | None:
        """By how much people would put the candidate above the base."""
        metric, sides = pairs.base.metric, (pairs.base.candidate, pairs.candidate.candidate)
        if metric not in self._judged:
            return None
        known = self._of(metric, sides)
        if known.evidence is None:
            return self._uncorrected(metric, sides, known.why)
        chosen, (base, candidate) = _chosen(known.evidence, pairs.base), (known.names[side] for side in sides)
        found = decided(chosen, base, candidate, margin, confidence=rules.confidence, seed=rules.seed)
        if found.inner is None:
            return self._uncorrected(metric, sides, found.corrected.why, found.corrected, chosen.warnings)
        return structs.replace(
            _told(found.corrected, found.inner, _missing(chosen, (base, candidate)), APART),
            said=tuple(one for one in found.said if one.word != "equivalent" or margin > 0),
            more=found.more,
            warnings=chosen.warnings,
        )

    def of_mean(self, scores: Scores, rules: Rules) -> Correction | None:
        """What people would say of one candidate's answers."""
        metric, sides = scores.metric, (scores.candidate,)
        if metric not in self._judged:
            return None
        known = self._of(metric, sides)
        if known.evidence is None:
            return self._uncorrected(metric, sides, known.why)
        chosen, name = _chosen(known.evidence, scores), known.names[scores.candidate]
        outer = corrected(chosen, name, confidence=rules.confidence, seed=rules.seed)
        inner = corrected(chosen, name, confidence=inner_confidence(rules.confidence), seed=rules.seed).ppi
        if inner is None:
            return self._uncorrected(metric, sides, outer.why, outer, chosen.warnings)
        told = _told(outer, inner.interval, _missing(chosen, (name,)), WHOLE)
        return structs.replace(told, warnings=chosen.warnings)

    def _of(self, metric: str, sides: Sequence[str]) -> Known:
        if strange := [side for side in sides if side not in self._origins]:
            return Known(why=f'"{strange[0]}" is not of a run that was judged here')
        if metric not in self._known:
            try:
                self._known[metric] = self._read(self._origins, metric)
            except FairleadError as error:
                self._known[metric] = Known(why=error.message)
        return self._known[metric]

    def _uncorrected(
        self,
        metric: str,
        sides: Sequence[str],
        why: str,
        found: Corrected | None = None,
        warnings: tuple[str, ...] = (),
    ) -> Correction:
        origins = [self._origins[side] for side in sides if side in self._origins]
        hints = [f"fairlead eval label {run} --metric {metric}" for run in dict.fromkeys(one.run for one in origins)]
        if metric == PREFERENCE:
            hints = [" ".join(("fairlead eval label", *(shlex.quote(f"{one.run}:{one.name}") for one in origins)))]
        return Correction(
            labels=found.labelled if found else 0,
            judged=found.cases - found.missing if found else 0,
            why=why,
            hint="; ".join(hints),
            warnings=warnings,
        )


def known_of(material: Material, origins: Mapping[str, Origin]) -> Known:
    """Of a metric that a scorer gave."""
    if material.suite.scorers[material.metric].options.get("utility"):
        return Known(why=AS_UTILITY)
    names = {name: material.called(origin.run, origin.name) for name, origin in origins.items()}
    return Known(evidence=material.evidence, names=names)


def _chosen(known: Evidence, scores: Scores) -> Evidence:
    """Of the cases that are compared only."""
    items = set(scores.item.tolist())
    return structs.replace(known, answers=tuple(answer for answer in known.answers if answer.item in items))


class _Missing(Struct, frozen=True):
    """As shares of all cases by their weight: those without any verdict, and what the others lack of theirs."""

    gone: float
    partly: float


def _missing(known: Evidence, names: Sequence[str]) -> _Missing:
    sides = [_gaps(answer for answer in known.answers if answer.candidate == name) for name in names]
    items = [item for item in sides[0] if all(item in side for side in sides)]
    weights = np.array([known.items[item].weight for item in items], float)
    gaps = np.array([[side[item] for item in items] for side in sides], float)
    is_gone, shares = (gaps == 1).any(axis=0), weights / weights.sum()
    return _Missing(float(shares[is_gone].sum()), float((shares * gaps.sum(axis=0))[~is_gone].sum()))


def _gaps(answers: Iterable[Answer]) -> dict[str, float]:
    """By case: the share of its repeats that have no verdict."""
    cases: dict[str, list[bool]] = {}
    for answer in answers:
        cases.setdefault(answer.item, []).append(answer.judged is None)
    return {item: sum(gaps) / len(gaps) for item, gaps in cases.items()}


def _told(found: Corrected, inner: Interval, missing: _Missing, bounds: tuple[float, float]) -> Correction:
    ppi, kept, (least, most) = found.ppi, 1 - missing.gone, bounds
    assert ppi is not None
    low = kept * inner.low + missing.gone * least - missing.partly
    high = kept * inner.high + missing.gone * most + missing.partly
    return Correction(
        labels=ppi.labels,
        judged=ppi.judged,
        outer=ppi.interval,
        inner=inner,
        worst=Interval(inner.value, max(low, least), min(high, most)),
        judge_alone=ppi.judge_alone,
        method=ppi.method,
        effective=ppi.effective,
        p_value=ppi.p_value,
    )
