"""May the candidate take the base's place? One outcome of a primary metric and its guardrails: pass, fail or undecided.

A gate passes only if it would with everything that is missing at its worst, and only if every guardrail does: so each
is tested at the full error, and none needs a correction. Who looks early says how often, so that all looks are right
together. Knows neither files nor terminals.
"""

from functools import partial
from typing import Literal, TypeAlias

import numpy as np
from msgspec import Struct, structs

from fairlead.errors import RequestInvalid
from fairlead.evals.comparing import Correction, People, Role, Rules, paired_cases
from fairlead.evals.results import Pairs, ScoreTable
from fairlead.evals.suite import Metric
from fairlead.stats.betting import guaranteed_mean
from fairlead.stats.decisions import BETTING, Gate, gate
from fairlead.stats.intervals import Interval
from fairlead.stats.looks import Looks
from fairlead.stats.means import mean
from fairlead.stats.paired import inner_confidence
from fairlead.stats.ppi import more_labels

Outcome: TypeAlias = Literal["pass", "fail", "undecided"]
EXIT_CODES: dict[Outcome, int] = {"pass": 0, "fail": 1, "undecided": 3}
ONCE = Looks(1, is_last=True)
PLAN = "Plan how often it is looked at: `--looks 10`."


class Check(Struct, frozen=True):
    """One condition. `kind` is "margin": not worse than the base by the margin or more; or "floor": the candidate's own
    mean is at least `limit`. `measured` has one-sided bounds; `missing` counts answers of both sides. `people` is there
    where a judge gave the scores; where they correct them, `outcome` and `measured` are of what is corrected, and
    `more` counts labels."""

    metric: str
    role: Role
    kind: Literal["margin", "floor"]
    limit: float
    outcome: Outcome
    measured: Interval
    is_share: bool
    cases: int
    missing: int
    wins: int
    losses: int
    more: int | None
    method: str
    people: Correction | None = None


class Decision(Struct, frozen=True):
    """`checks` begins with the primary metric's; all of them must pass. `confidence` is that of each one-sided bound,
    at this look where there are several, and `together` that of all `looks`."""

    base: str
    candidate: str
    outcome: Outcome
    checks: tuple[Check, ...]
    confidence: float
    only_base: int
    only_candidate: int
    changed: int
    holdout_cases: int
    together: float
    looks: Looks


def decide(
    table: ScoreTable, base: str, candidate: str, rules: Rules, people: People | None = None, looks: Looks = ONCE
) -> Decision:
    """Raises as `compare` does, and RequestInvalid where nothing can be said at any time. A metric that has no score at
    all is undecided, not an error: everything is missing."""
    together = rules.confidence
    rules = structs.replace(rules, confidence=looks.confidence(together))
    checks: list[Check] = []
    first: Pairs | None = None
    for metric, role in rules.metrics:
        if role == "descriptive":
            continue
        pairs = paired_cases(table, base, candidate, metric.name, rules)
        first = first or pairs
        if looks.planned is None:
            _check_bets(pairs, metric, rules)
        if metric.margin is not None:
            by_people = people.of_difference(pairs, metric.margin, rules) if people is not None else None
            checks.append(
                _by_people(_margin(pairs, metric, metric.margin, role, rules, looks), by_people, -metric.margin)
            )
        if metric.at_least is not None:
            by_people = people.of_mean(pairs.candidate, rules) if people is not None else None
            checks.append(
                _by_people(_floor(pairs, metric, metric.at_least, role, rules, looks), by_people, metric.at_least)
            )
    assert first is not None
    return Decision(
        base=base,
        candidate=candidate,
        outcome=_together(checks),
        checks=tuple(checks),
        confidence=rules.confidence,
        only_base=first.only_base,
        only_candidate=first.only_candidate,
        changed=first.changed,
        holdout_cases=int(first.base.holdout.sum()),
        together=together,
        looks=looks,
    )


def _together(checks: list[Check]) -> Outcome:
    outcomes = {check.outcome for check in checks}
    if "fail" in outcomes:
        return "fail"
    return "undecided" if "undecided" in outcomes or not outcomes else "pass"


def _check_bets(pairs: Pairs, metric: Metric, rules: Rules) -> None:
    """Raises RequestInvalid for what can't be bet on. The least and the most that was seen are no bounds."""
    if pairs.weights is not None:
        raise RequestInvalid("what holds at any time is known of cases that weigh the same only", hint=PLAN)
    if metric.name not in rules.bounds and pairs.bounds != (0.0, 1.0):
        raise RequestInvalid(f"what holds at any time needs bounds, and {metric.name} has none", hint=PLAN)


def _by_people(check: Check, found: Correction | None, limit: float) -> Check:
    """The same check of what people would say, where their labels tell it. The limit itself holds a floor."""
    if found is None or found.worst is None or found.inner is None:
        return structs.replace(check, people=found)
    if check.method == BETTING:
        raise RequestInvalid(f"people's labels correct {check.metric}: what they say holds once", hint=PLAN)
    measured = found.worst
    holds = measured.low >= limit if check.kind == "floor" else measured.low > limit
    outcome: Outcome = "pass" if holds else "fail" if measured.high < limit else "undecided"
    away, reach = abs(measured.value - limit), (found.inner.high - found.inner.low) / 2
    more = more_labels(found.labels, found.judged, found.effective, reach / away) if away > 0 else None
    return structs.replace(
        check,
        outcome=outcome,
        measured=measured,
        more=more if outcome == "undecided" and more else None,
        method=found.method,
        people=found,
    )


def _margin(pairs: Pairs, metric: Metric, margin: float, role: Role, rules: Rules, looks: Looks) -> Check:
    base, candidate = pairs.base, pairs.candidate
    has_missing = bool(base.missing or candidate.missing)
    found: Gate = gate(
        base.value,
        candidate.value,
        margin,
        clusters=pairs.clusters,
        weights=pairs.weights,
        confidence=rules.confidence,
        bounds=pairs.bounds,
        worst=(base.best, candidate.worst) if has_missing else None,
        best=(base.worst, candidate.best) if has_missing else None,
        at_any_time=looks.planned is None,
        seed=rules.seed,
    )
    return Check(
        metric=metric.name,
        role=role,
        kind="margin",
        limit=margin,
        outcome=found.outcome,
        measured=found.difference,
        is_share=pairs.bounds == (0.0, 1.0),
        cases=len(pairs),
        missing=base.missing + candidate.missing,
        wins=int((candidate.value > base.value).sum()),
        losses=int((candidate.value < base.value).sum()),
        more=None if has_missing else found.more,  # more cases of which as many are missing would not
        method=found.method,
    )


def _floor(pairs: Pairs, metric: Metric, floor: float, role: Role, rules: Rules, looks: Looks) -> Check:
    """The candidate alone: its low bound with what is missing at its worst, its high bound with it at its best."""
    side = pairs.candidate
    measure = partial(mean, weights=pairs.weights, seed=rules.seed) if looks.planned else guaranteed_mean
    measure = partial(
        measure, clusters=pairs.clusters, bounds=pairs.bounds, confidence=inner_confidence(rules.confidence)
    )
    low, high = measure(side.worst), measure(side.best)
    seen = low.value if np.isnan(side.value).all() else measure(side.value).value
    outcome: Outcome = "pass" if low.low >= floor else "fail" if high.high < floor else "undecided"
    return Check(
        metric=metric.name,
        role=role,
        kind="floor",
        limit=floor,
        outcome=outcome,
        measured=Interval(seen, low.low, high.high),
        is_share=pairs.bounds == (0.0, 1.0),
        cases=len(pairs),
        missing=side.missing,
        wins=0,
        losses=0,
        more=None,
        method="mean" if looks.planned else BETTING,
    )
