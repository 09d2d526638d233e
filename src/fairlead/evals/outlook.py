"""What a comparison could show before it is made: how probably it decides, how many cases it would take, what it could
see."""

import numpy as np
from msgspec import Struct, structs

from fairlead.evals.results import Pairs
from fairlead.stats.clustered import estimate
from fairlead.stats.columns import column
from fairlead.stats.power import Design, cases_needed, detectable, power

WITHIN_CLUSTER = 0.3  # intra-class correlation that is assumed where nothing was measured


class Outlook(Struct, frozen=True):
    """`power`: how probably the goal is reached at the design's margin, `formula`: the same as it is usually planned.
    `needed`: pairs that reach it with 80 %. `margin`: the smallest that these pairs would hold with 80 %;
    `difference`: the smallest true one that they would show with 80 %. None where nothing within reach would do."""

    design: Design
    power: float
    formula: float
    needed: int | None
    margin: float | None
    difference: float | None


def outlook(design: Design) -> Outlook:
    """Raises ValueError for a design that can't be."""
    seen, found = structs.replace(design, goal="better", difference=0.0), power(design)
    return Outlook(
        design=design,
        power=found.value,
        formula=found.formula,
        needed=cases_needed(design),
        margin=detectable(design) if design.goal != "better" else None,
        difference=detectable(seen),
    )


def measured(pairs: Pairs, margin: float, confidence: float) -> Design:
    """A design like a comparison that was made: as many pairs, as often apart, as much alike within clusters."""
    change = pairs.candidate.value - pairs.base.value
    there = ~np.isnan(change)
    clusters = None if pairs.clusters is None else pairs.clusters[there]
    weights = None if pairs.weights is None else pairs.weights[there]
    change, unit = change[there], pairs.bounds[1] - pairs.bounds[0]
    alone, together = estimate(column(change)).variance, estimate(column(change, clusters, weights)).variance
    effect = max(together / alone, 1.0) if alone > 0 else 1.0
    if np.isin(np.abs(change), (0.0, unit)).all():
        apart = max(float((change != 0).mean()), 1 / (len(change) + 1))
        return Design(
            n=len(change), margin=margin / unit, discordance=apart, confidence=confidence, design_effect=effect
        )
    spread = float(change.std(ddof=1))
    return Design(n=len(change), margin=margin, sd=spread, confidence=confidence, design_effect=effect)


def planned(cases: int, flips: float, margin: float, confidence: float, clusters: int | None = None) -> Design:
    """Of cases that nobody was asked yet; with clusters, cases within one are taken to be somewhat alike."""
    effect = 1 + (cases / clusters - 1) * WITHIN_CLUSTER if clusters else 1.0
    return Design(n=cases, margin=margin, discordance=flips, confidence=confidence, design_effect=max(effect, 1.0))
