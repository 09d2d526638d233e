"""Coverage where items come in clusters: shares, graded means and paired differences, by intra-class correlation."""

import numpy as np

from calibration.rows import Goal, Row, Task, at_least, share, times
from fairlead.stats.means import mean
from fairlead.stats.paired import difference as apart

CLUSTERS = (20, 50)
CORRELATIONS = (0.0, 0.1, 0.5)
SIZES = ("even", "uneven")
MEANS = (0.5, 0.9, 0.98)
DIFFERENCES = ((0.06, 0.0), (0.06, -0.02), (0.3, -0.1))  # discordance, difference
RUNS = 1500


def tasks() -> list[Task]:
    return [
        Task("clusters", measure, (count, sizes, correlation))
        for count in CLUSTERS
        for sizes in SIZES
        for correlation in CORRELATIONS
    ]


def measure(count: int, sizes: str, correlation: float) -> list[Row]:
    rng, runs = np.random.default_rng([count, len(sizes), int(10 * correlation)]), times(RUNS)
    where = f"{count} {sizes} clusters, correlation {correlation}"
    rows = []
    for middle in MEANS:
        held = graded = 0
        for _ in range(runs):
            codes = clustered(rng, count, sizes)
            ease = _eases(rng, middle, correlation, count)[codes]
            held += not mean((rng.random(len(codes)) < ease).astype(float), clusters=codes).excludes(middle)
            halves = (rng.random((2, len(codes))) < ease).mean(axis=0)
            graded += not mean(halves, clusters=codes).excludes(middle)
        rows.append(share("clustered", f"right or wrong, {middle}, {where}", held, runs))
        rows.append(share("clustered", f"graded, {middle}, {where}", graded, runs))
    for discordance, difference in DIFFERENCES:
        held = 0
        for _ in range(runs):
            base, candidate, codes = pairs(rng, discordance, difference, correlation, count, sizes)
            held += not apart(base, candidate, (0.95,), clusters=codes).intervals[0].excludes(difference)
        what = f"difference {100 * difference:g} points, {100 * discordance:g} % discordant, {where}"
        rows.append(share("clustered", what, held, runs))
    return rows


def goals(rows: list[Row]) -> list[Goal]:
    return [at_least("a clustered 95 % interval covers", [row for row in rows if row.part == "clustered"], 0.92)]


def clustered(rng: np.random.Generator, count: int, sizes: str) -> np.ndarray:
    """Codes, one per item: five items each, or one to dozens."""
    if sizes == "even":
        return np.repeat(np.arange(count), 5)
    return np.repeat(np.arange(count), np.maximum(1, np.round(rng.lognormal(1.3, 0.8, count))).astype(int))


def pairs(
    rng: np.random.Generator, discordance: float, difference: float, correlation: float, count: int, sizes: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Base, candidate and clusters: clusters differ in how often they are won, lost and tied."""
    codes = clustered(rng, count, sizes)
    shares = np.array([(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance])
    if correlation:
        shares = rng.dirichlet(shares * (1 / correlation - 1), count)[codes]
    else:
        shares = np.broadcast_to(shares, (len(codes), 3))
    drawn = rng.random(len(codes))
    moved = np.where(drawn < shares[:, 0], 1.0, np.where(drawn < shares[:, 0] + shares[:, 1], -1.0, 0.0))
    base = np.where(moved > 0, 0.0, 1.0)
    return base, base + moved, codes


def _eases(rng: np.random.Generator, middle: float, correlation: float, count: int) -> np.ndarray:
    if not correlation:
        return np.full(count, middle)
    scale = 1 / correlation - 1
    return rng.beta(middle * scale, (1 - middle) * scale, count)
