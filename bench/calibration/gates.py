"""How often a gate is wrong where the true difference is the margin exactly."""

import numpy as np

from calibration.clusters import pairs
from calibration.rows import Goal, Row, Task, at_most, share, times
from fairlead.stats.clustered import normal
from fairlead.stats.decisions import gate
from fairlead.stats.unconditional import Sample, at_least, binomial, least_wins, likely_hits

PLANTED = [
    (count, margin, discordance)
    for count in (100, 300, 1000)
    for margin in (0.02, 0.05)
    for discordance in (margin, 0.06, 0.2)
    if discordance >= margin
]
ERROR = 0.05
CLUSTERED = [(count, correlation) for count in (20, 50) for correlation in (0.0, 0.5)]
GRADED = [(count, change) for count in (30, 100) for change in (0.2, 0.5, 1.0)]
APART = (30, 100)  # graded pairs of which nothing is the same
RUNS = 4000
MARGIN = 0.05


def tasks() -> list[Task]:
    return [
        *(Task("gates", planted, one) for one in sorted(PLANTED, reverse=True)),
        *(Task("gates", clustered, one) for one in CLUSTERED),
        *(Task("gates", graded, one) for one in GRADED),
        *(Task("gates", apart, (count,)) for count in APART),
    ]


def planted(count: int, margin: float, discordance: float) -> list[Row]:
    """Every outcome added up."""
    discordant = likely_hits(count, discordance, discordance)
    chance, weight = (discordance - margin) / (2 * discordance), binomial(count, discordant, np.array([discordance]))[0]
    where = f"{count} pairs, margin {100 * margin:g} points, {100 * discordance:g} % discordant"
    passes = at_least(deciding(count, discordant, -margin, ERROR), discordant, chance)
    fails = at_least(deciding(count, discordant, margin, ERROR), discordant, 1 - chance)
    return [
        Row("false passes", where, float((weight * passes).sum())),
        Row("false fails", where, float((weight * fails).sum())),
    ]


def deciding(count: int, discordant: np.ndarray, difference: float, error: float) -> np.ndarray:
    """For each number of discordant pairs, how many of them one side must win for its exact bound, wrong in at most
    `error`, to lie above: about as many as Tango's test wants. One more than there are where none is enough."""

    def is_above(won: int, of: int) -> bool:
        return Sample.of(won, of - won, count, 1 - 2 * error).p_above(difference) <= error

    near = least_wins(count, difference, normal(1 - 2 * error), discordant)
    found = []
    for least, of in zip(near.astype(int), discordant.astype(int), strict=True):
        won = min(int(least), int(of))
        while won > 0 and is_above(won - 1, of):
            won -= 1
        while won <= of and not is_above(won, of):
            won += 1
        found.append(won)
    return np.array(found, float)


def clustered(count: int, correlation: float) -> list[Row]:
    rng, words = np.random.default_rng([count, int(10 * correlation)]), []
    for _ in range(times(RUNS)):
        base, candidate, codes = pairs(rng, 0.2, -MARGIN, correlation, count, "uneven")
        words.append(gate(base, candidate, MARGIN, clusters=codes).outcome)
    return _wrong(words, f"{count} uneven clusters, correlation {correlation}, margin 5 points")


def graded(count: int, change: float) -> list[Row]:
    """Scores of which a share `change` falls, down by the margin on average."""
    rng, words = np.random.default_rng([count, int(10 * change)]), []
    for _ in range(times(RUNS)):
        base = rng.beta(8, 2, count)
        falls = rng.random(count) < change
        candidate = base * np.where(falls, 1 - 2 * rng.random(count) * MARGIN / change / 0.8, 1)
        words.append(gate(base, candidate, MARGIN).outcome)
    return _wrong(words, f"{count} graded pairs of which {100 * change:g} % fall, margin 5 points")


def apart(count: int) -> list[Row]:
    """Scores that have nothing to do with each other."""
    rng, words, scale = np.random.default_rng([count, 5]), [], 10
    for _ in range(times(RUNS)):
        base, candidate = (rng.beta(scale * mean, scale * (1 - mean), count) for mean in (0.8, 0.8 - MARGIN))
        words.append(gate(base, candidate, MARGIN).outcome)
    return _wrong(words, f"{count} graded pairs of other scores, margin 5 points")


def _wrong(words: list[str], where: str) -> list[Row]:
    return [share(f"false {word}", where, words.count(word[:4]), len(words)) for word in ("passes", "fails")]


def goals(rows: list[Row]) -> list[Goal]:
    return [
        at_most(f"{part} at the margin", [row for row in rows if row.part == part], ERROR)
        for part in ("false passes", "false fails")
    ]
