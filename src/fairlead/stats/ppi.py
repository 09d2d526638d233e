"""Prediction-powered inference: a mean of people's labels, made sharper by a judge who saw every item.

People label a random sample, the judge judges all. The estimate is `mean(label - lam * judged)` of the labelled plus
`lam * mean(judged)` of the others: unbiased whatever the judge is worth, and the narrower the better he agrees. `lam`
is tuned for power (PPI++: Angelopoulos, Duchi and Zrnic 2023). Tuned on the labels that it is applied to, it would bias
small samples; so every fold of the labels gets the `lam` of the others (cross-fitting), and intervals are Student's.

Arrays have one entry for each item: what the judge said, and the label, NaN where nobody labelled. Nothing is known
here of who drew the labels; that they are a random sample, blind to the judge, is what all of it stands on.
"""

import math

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray
from scipy import special

from fairlead.stats.intervals import Interval

FEWEST = 10  # labels; below, no interval says anything
ENOUGH = 50  # labels from which on the judge is used at all
ENOUGH_CLUSTERS = 20  # of labelled items
FOLDS = 10
WORSE = 1.2  # times as much variance as labels alone, and the judge is left out
TINY = 1e-18  # a variance that only rounding made

Array = NDArray[np.float64]
Codes = NDArray[np.int64]


class Ppi(Struct, frozen=True):
    """`method` is "ppi", or "labels" where the judge was left out because labels or other items are too few.

    `effective` is how many labels alone would give as narrow an interval, `more` how many more labels of these items
    would halve it (None: not even all would). `p_value` is of a difference that is 0 in truth, two-sided;
    None of a mean.
    """

    interval: Interval
    method: str
    lam: float
    labels: int
    judged: int
    effective: float
    judge_alone: float
    more: int | None
    p_value: float | None = None

    @property
    def correction(self) -> float:
        """What people's labels add to what the judge said of all items."""
        return self.interval.value - self.judge_alone


def ppi_mean(
    judged: Array,
    labels: Array,
    *,
    clusters: Codes | None = None,
    weights: Array | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    confidence: float = 0.95,
    lam: float | None = None,
    seed: int = 0,
) -> Ppi:
    """The mean that people would give to all items.

    `bounds` are those of a label; the interval stays within, and keeps its width near them. Items of one cluster are
    not taken for independent. `lam` fixes what is tuned otherwise; `seed` says who is in which fold. Raises ValueError
    for fewer than 10 labels (clusters of them, where there are clusters), or an item that nobody judged.
    """
    items = _Items.of(judged, labels, clusters, weights)
    low, high = bounds
    if not (low <= items.labels.min() and items.labels.max() <= high):
        raise ValueError(f"labels lie between {low} and {high}")
    chosen = _chosen(items, lam, seed)
    return _told(items, chosen, _within(chosen.best, items.units, bounds, confidence))


def ppi_difference(
    judged_base: Array,
    judged_candidate: Array,
    labels_base: Array,
    labels_candidate: Array,
    *,
    clusters: Codes | None = None,
    weights: Array | None = None,
    bounds: tuple[float, float] = (0.0, 1.0),
    confidence: float = 0.95,
    lam: float | None = None,
    seed: int = 0,
) -> Ppi:
    """By how much people would put the candidate above the base, item by item. An item counts as labelled where both
    answers are. The difference itself is corrected, so that what both answers of an item share goes out of it.

    Few items may differ at all, so one that does is added to what was seen, half each way (Agresti and Min 2005): the
    interval never says more than so few can.
    """
    base, candidate = np.asarray(labels_base, float), np.asarray(labels_candidate, float)
    items = _Items.of(np.asarray(judged_candidate, float) - judged_base, candidate - base, clusters, weights)
    both = np.concatenate([base[items.labelled], candidate[items.labelled]])
    low, high = bounds
    if not (low <= both.min() and both.max() <= high):
        raise ValueError(f"labels lie between {low} and {high}")
    chosen = _chosen(items, lam, seed)
    differing = items.labels[items.labels != 0]
    unseen = (float(np.mean(differing**2)) if len(differing) else (high - low) ** 2) / items.units**2
    return structs.replace(
        _told(items, chosen, _around(chosen.best, unseen, confidence)), p_value=_p_value(chosen.best, unseen)
    )


def worth(labels: int, others: int, correlation: float) -> float:
    """How many labels alone `labels` of them and a judge of so many other items are worth, where the judge's verdicts
    correlate so with people's: what can be said before anybody labels."""
    return labels / (1 - correlation**2 * others / (labels + others))


def more_labels(labels: int, judged: int, effective: float, times: float) -> int | None:
    """How many more labels of these items would make the interval so many times narrower; None: not even all would.

    The variance with m of T items labelled is s (1 - r (T - m) / T) / m, r being how well the judge explains labels.
    """
    r = min(max((1 - labels / effective) * judged / (judged - labels), 0.0), 1.0) if judged > labels else 0.0
    room = 1 / (times**2 * effective) - r / judged
    if room <= 0:
        return None
    wanted = math.ceil((1 - r) / room)
    return max(wanted - labels, 0) if wanted <= judged else None


class _Items(Struct, frozen=True):
    judged: Array
    labels: Array  # of the labelled only
    labelled: NDArray[np.bool_]
    clusters: Codes | None
    weights: Array

    @classmethod
    def of(cls, judged: Array, labels: Array, clusters: Codes | None, weights: Array | None) -> "_Items":
        judged, labels = np.asarray(judged, float), np.asarray(labels, float)
        if judged.shape != labels.shape or judged.ndim != 1:
            raise ValueError(f"one verdict and one label (or NaN) an item are wanted: {judged.shape}, {labels.shape}")
        if not np.isfinite(judged).all():
            raise ValueError("an item without a verdict can't be corrected: leave it out, and count it")
        labelled = np.isfinite(labels)
        heavy = np.ones(len(judged)) if weights is None else np.asarray(weights, float)
        if heavy.shape != judged.shape or (heavy < 0).any() or not heavy[labelled].any():
            raise ValueError("one weight an item is wanted, none below 0, and some of the labelled above")
        codes = None if clusters is None else np.unique(clusters, return_inverse=True)[1].astype(np.int64)
        items = cls(judged, labels[labelled], labelled, codes, heavy)
        if items.units < FEWEST:
            raise ValueError(f"{items.units} labels say nothing: {FEWEST} at least are wanted")
        return items

    @property
    def count(self) -> int:
        return len(self.labels)

    @property
    def units(self) -> int:
        """Labelled items that may be taken for independent."""
        return self.count if self.clusters is None else len(np.unique(self.clusters[self.labelled]))

    @property
    def others(self) -> int:
        return len(self.judged) - self.count

    @property
    def is_too_small(self) -> bool:
        enough = ENOUGH if self.clusters is None else ENOUGH_CLUSTERS
        others = int(np.count_nonzero(self.weights[~self.labelled]))
        return self.count < ENOUGH or self.units < enough or others < FOLDS


class _Estimate(Struct, frozen=True):
    value: float
    variance: float
    freedom: float

    @classmethod
    def of(cls, items: _Items, lam: Array | float, average: float) -> "_Estimate":
        """`lam` for each labelled item, and for all others together."""
        heavy, others = items.weights[items.labelled], items.weights[~items.labelled]
        left = items.labels - lam * items.judged[items.labelled]
        middle = float(np.average(left, weights=heavy))
        pulls = np.zeros(len(items.judged))  # of each item on the estimate
        pulls[items.labelled] = heavy / heavy.sum() * (left - middle)
        value = middle
        if average:
            unlabelled = items.judged[~items.labelled]
            mean = float(np.average(unlabelled, weights=others))
            pulls[~items.labelled] = average * others / others.sum() * (unlabelled - mean)
            value += average * mean
        return cls(value, *_variance(items, pulls))


class _Chosen(Struct, frozen=True):
    plain: _Estimate  # labels alone
    best: _Estimate
    lam: float
    method: str


def _chosen(items: _Items, lam: float | None, seed: int) -> _Chosen:
    plain = _Estimate.of(items, 0.0, 0.0)
    if items.is_too_small:
        return _Chosen(plain, plain, 0.0, "labels")
    tuned = _crossfitted(items, seed) if lam is None else np.full(items.count, lam)
    average = float(np.average(tuned, weights=items.weights[items.labelled]))
    best = _Estimate.of(items, tuned, average)
    if lam is None and best.variance > WORSE * plain.variance:  # he only adds noise
        return _Chosen(plain, plain, 0.0, "labels")
    return _Chosen(plain, best, average, "ppi")


def _variance(items: _Items, pulls: Array) -> tuple[float, float]:
    """And its degrees of freedom: Welch's (1947) of two samples. With clusters, each is set off against the others by
    its share of the labels (Bell and McCaffrey 2002), and they count as so many of equal size."""
    if items.clusters is not None:
        sums = np.bincount(items.clusters, weights=pulls)
        share = np.bincount(items.clusters, weights=items.weights * items.labelled)
        share /= share.sum()
        return float(np.sum(sums**2 / (1 - share))), 1 / float(share @ share) - 1
    n, others = items.count, items.others
    mine = float(np.sum(pulls[items.labelled] ** 2)) * n / (n - 1)
    theirs = float(np.sum(pulls[~items.labelled] ** 2)) * others / (others - 1) if others > 1 else 0.0
    if not theirs:
        return mine, n - 1
    return mine + theirs, (mine + theirs) ** 2 / (mine**2 / (n - 1) + theirs**2 / (others - 1))


def _crossfitted(items: _Items, seed: int) -> Array:
    """For each labelled item, the `lam` that the labels of the other folds ask for. Clusters stay together."""
    folds = _folds(items, seed)
    mine, theirs = folds[items.labelled], folds[~items.labelled]
    y, f = items.labels - items.labels.mean(), items.judged[items.labelled] - items.judged[items.labelled].mean()
    n, covariance = _apart(mine, y, f)
    spread = _apart(mine, f, f)[1]
    g = items.judged[~items.labelled] - items.judged[~items.labelled].mean()
    others, spread_of_others = _apart(theirs, g, g)
    wanted = spread / n + spread_of_others / others
    return np.divide(covariance / n, wanted, out=np.zeros(FOLDS), where=wanted > TINY)[mine]


def _apart(folds: Codes, a: Array, b: Array) -> tuple[Array, Array]:
    """How many there are outside of each fold, and the covariance of two columns there."""
    n, of_a, of_b, of_ab = (
        column.sum() - np.bincount(folds, weights=column, minlength=FOLDS) for column in (np.ones(len(a)), a, b, a * b)
    )
    n = np.maximum(n, 2)
    return n, (of_ab - of_a * of_b / n) / (n - 1)


def _folds(items: _Items, seed: int) -> Codes:
    rng = np.random.default_rng(seed)
    if items.clusters is None:
        folds = np.empty(len(items.judged), np.int64)
        folds[items.labelled] = rng.permutation(items.count) % FOLDS
        folds[~items.labelled] = rng.permutation(items.others) % FOLDS
        return folds
    labelled = np.bincount(items.clusters[items.labelled], minlength=int(items.clusters.max()) + 1) > 0
    of = np.empty(len(labelled), np.int64)
    of[labelled] = rng.permutation(int(labelled.sum())) % FOLDS
    of[~labelled] = rng.permutation(int((~labelled).sum())) % FOLDS
    return of[items.clusters]


def _told(items: _Items, chosen: _Chosen, interval: Interval) -> Ppi:
    plain, best = chosen.plain.variance, chosen.best.variance
    effective = items.count * plain / best if plain and best else float(items.count)
    return Ppi(
        interval=interval,
        method=chosen.method,
        lam=chosen.lam,
        labels=items.count,
        judged=len(items.judged),
        effective=effective,
        judge_alone=float(np.average(items.judged, weights=items.weights)),
        more=more_labels(items.count, len(items.judged), effective, 2.0),
    )


def _around(best: _Estimate, unseen: float, confidence: float) -> Interval:
    reach = _student(best, confidence) * math.sqrt(best.variance + unseen)
    return Interval(best.value, best.value - reach, best.value + reach)


def _p_value(best: _Estimate, unseen: float) -> float:
    """At which the interval of so much confidence ends at 0."""
    return 2 * float(special.stdtr(best.freedom, -abs(best.value) / math.sqrt(best.variance + unseen)))


def _within(best: _Estimate, units: int, bounds: tuple[float, float], confidence: float) -> Interval:
    """Wilson's interval of as many trials as would vary like the estimate, with Student's quantile (Korn and Graubard
    1998). Where nothing varied, each unit is one trial."""
    low, high = bounds
    share, t = min(max((best.value - low) / (high - low), 0.0), 1.0), _student(best, confidence)
    variance = best.variance / (high - low) ** 2
    trials = share * (1 - share) / variance if variance > TINY and 0 < share < 1 else float(units)
    middle = (share + t * t / (2 * trials)) / (1 + t * t / trials)
    reach = t / (1 + t * t / trials) * math.sqrt(share * (1 - share) / trials + t * t / (4 * trials * trials))
    inside = max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))
    return Interval(low + share * (high - low), *(low + one * (high - low) for one in inside))


def _student(best: _Estimate, confidence: float) -> float:
    return float(special.stdtrit(best.freedom, (1 + confidence) / 2))
