"""How sure a mean is where items come in clusters, or weigh differently. Knows nothing of what was measured."""

import math

import numpy as np
from msgspec import Struct
from scipy import special

from fairlead.stats.columns import Column, Numbers
from fairlead.stats.intervals import Interval

ROUNDING = 1e-13  # of the largest sum


class Estimate(Struct, frozen=True):
    """A mean, the variance of it (NaN for a single unit), and the degrees of freedom that this variance has.
    `differing`: how many units this variance is made of, in effect: all that differ if they lie equally far off, one if
    one lies further off than all the others together."""

    mean: float
    variance: float
    freedom: float
    differing: float = 0.0

    def cautious(self, most: float) -> float:
        """The variance, drawn towards the `most` that it could be, so much as a kind of unit may be unseen.

        If half of the units that differ were quite wrong, none of those that are seen would be so with the probability
        2 to the power of minus how many there are (Good 1953, Biometrika 40, on what samples do not show). So a few
        answers that are nearly right do not tell that none is quite wrong, and what varies in many units counts as it
        is.
        """
        return self.variance + max(0.0, most - self.variance) * 0.5**self.differing

    def interval(self, confidence: float) -> Interval:
        """Student's."""
        reach = student(confidence, self.freedom) * math.sqrt(self.variance) if self.variance else 0.0
        return Interval(self.mean, self.mean - reach, self.mean + reach)


def estimate(column: Column) -> Estimate:
    """The (weighted) mean with its cluster-robust variance.

    CR2, the bias-reduced linearisation of Bell and McCaffrey (2002, Survey Methodology 28), whose adjustment is a
    division by 1 - leverage where only a mean is estimated, with their Satterthwaite degrees of freedom (Imbens and
    Kolesar 2016, Review of Economics and Statistics 98, equation 9). Clusters of one item of equal weight have n - 1.
    """
    sums, sizes = column.sums()
    total = sizes.sum()
    mean = float(sums.sum() / total)
    if len(sizes) < 2:
        return Estimate(mean, math.nan, 0.0)
    leverage = sizes / total
    residuals = sums - mean * sizes
    residuals[np.abs(residuals) < ROUNDING * np.abs(sums).max()] = 0.0  # scores that are all the same do not vary
    parts = residuals**2 / (1 - leverage) / total**2
    variance = float(parts.sum())
    differing = 1 / float(((parts / variance) ** 2).sum()) if variance else 0.0
    return Estimate(mean, variance, _freedom(column, sizes, leverage), differing)


def _freedom(column: Column, sizes: Numbers, leverage: Numbers) -> float:
    """As if clusters were of one mind, so that the variance of their sums grows as the square of their sizes: the worst
    case. It is n - 1 for equal sizes."""
    if (sizes == sizes[0]).all():
        return len(sizes) - 1.0
    own = leverage**2  # of each unit's sum, relative
    spread = own.sum()
    # Covariances of the adjusted residuals: (I - h1')D(I - 1h') over the roots of 1 - leverage.
    root = np.sqrt(1 - leverage)
    diagonal = (own * (1 - 2 * leverage) + leverage**2 * spread) / root**2
    first, second = leverage / root, own / root
    # Off the diagonal: (h_g h_h spread - h_g own_h - own_g h_h) / (root_g root_h); squares of it, summed.
    a, b, c = first @ first, first @ second, second @ second
    everything = spread**2 * a * a + 2 * c * a + 2 * b * b - 4 * spread * a * b
    on_diagonal = ((spread * first**2 - 2 * first * second) ** 2).sum()
    squares = everything - on_diagonal + (diagonal**2).sum()
    return float(np.clip(diagonal.sum() ** 2 / squares, 1.0, len(sizes) - 1.0))


def effective_size(column: Column) -> float:
    """How many independent units of equal weight would be as many (Kish 1965, section 8.2)."""
    _, sizes = column.sums()
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def trials(measured: Estimate, variance: float, most: float, confidence: float) -> float:
    """How many independent trials of the variance `most` have a mean of this `variance`, made fewer for the units being
    few (Korn and Graubard 1998, Survey Methodology 24)."""
    return most / variance * (normal(confidence) / student(confidence, measured.freedom)) ** 2


def student(confidence: float, freedom: float) -> float:
    """Student's quantile of a two-sided confidence; `freedom` need not be whole."""
    return float(special.stdtrit(freedom, (1 + confidence) / 2))


def normal(confidence: float) -> float:
    return float(special.ndtri((1 + confidence) / 2))
