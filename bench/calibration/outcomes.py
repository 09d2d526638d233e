"""Coverage of paired differences that are won, lost or tied: every likely outcome added up.

Both bounds of the exact interval are each wrong in 2.5 % of samples at most. What becomes of that as outcomes are whole
numbers is told beside it: the least coverage that any such interval could have which orders outcomes by Tango's score,
even if it knew the share of discordant pairs. Where that is above the ceiling, the exact one is not held to it.
"""

from functools import cache

import numpy as np
from scipy import stats

from calibration.rows import Goal, Row, Task, at_least, at_most
from fairlead.stats.discordant import score, tango_bounds
from fairlead.stats.unconditional import Sample

COUNTS = (30, 100, 300)
SHARES = (0.5, 0.9, 0.98)
AROUND = 0.02
POINTS = 5
DIFFERENCES = (0.0, -0.05)
LOST_AND_WON = 0.2  # of the items that the base gets wrong, the candidate gets so many right
RARE = 5e-4  # of outcomes is left out, and taken as not covered
FEW = 3  # discordant pairs: with fewer expected, no outcome can be left out at 95 %
Z = 1.959963984540054
TAIL = 0.025
CEILING = 0.97
LATTICE = "pairs lattice"


def tasks() -> list[Task]:
    cases = [(count, share, difference) for count in COUNTS for share in SHARES for difference in DIFFERENCES]
    return [Task("pairs", measure, case) for case in sorted(cases, reverse=True)]


def measure(count: int, share: float, difference: float) -> list[Row]:
    found: dict[str, list[float]] = {"exact": [], "Tango": [], LATTICE: []}
    for point in (share, *np.linspace(share - AROUND, min(share + AROUND, 0.999), POINTS)):
        won = LOST_AND_WON * (1 - point)
        wins, losses, chance = likely(count, won, won - difference)
        low, high = tango_bounds(wins, losses, count, Z)
        is_inside = [covers(int(one), int(two), count, difference) for one, two in zip(wins, losses, strict=True)]
        found["exact"].append(float(chance[is_inside].sum()))
        found["Tango"].append(float(chance[(low <= difference + 1e-9) & (difference - 1e-9 <= high)].sum()))
        found[LATTICE].append(_least(score(wins, losses, count, difference), chance))
    where = f"n = {count}, p = {share}, difference {100 * difference:g} points"
    expected = count * (2 * LOST_AND_WON * (1 - share) - difference)
    least = float(np.mean(found.pop(LATTICE)[1:]))
    rows = [Row(LATTICE, where, least, counted=False)]
    for method, covered in found.items():
        is_free = expected >= FEW and not (method == "exact" and least > CEILING)
        rows.append(Row("pairs", f"{method}, {where}", covered[0]))
        rows.append(Row("pairs around", f"{method}, {where}", float(np.mean(covered[1:])), counted=is_free))
    return rows


def _least(scores: np.ndarray, chance: np.ndarray) -> float:
    """What is left when each tail has as many of the furthest outcomes as may be wrong; equal ones go together."""
    left = float(chance.sum())
    for side in (scores, -scores):
        values, code = np.unique(-np.round(side, 9), return_inverse=True)
        tails = np.cumsum(np.bincount(code, chance, len(values)))
        left -= float(tails[tails <= TAIL].max(initial=0.0))
    return left


@cache
def covers(wins: int, losses: int, count: int, difference: float, confidence: float = 0.95) -> bool:
    """Whether the exact interval holds a difference: both tests that make its bounds, without looking for these."""
    tail = (1 - confidence) / 2
    sides = ((wins, losses, difference), (losses, wins, -difference))
    return all(
        two == count or Sample.of(one, two, count, confidence).p_above(supposed) > tail for one, two, supposed in sides
    )


def goals(rows: list[Row]) -> list[Goal]:
    """Both methods stand under the same ceiling, the exact one where the lattice allows it to be so right."""
    exact, near = ([row for row in rows if row.what.startswith(method)] for method in ("exact", "Tango"))
    both = {"exact": exact, "Tango": near}
    around = {method: [row for row in of if row.part == "pairs around"] for method, of in both.items()}
    where = f"averaged over p ± .02, from {FEW} discordant pairs up and where the lattice allows, it covers"
    return [
        at_least(
            "a paired difference's exact 95 % interval covers", [row for row in exact if row.part == "pairs"], 0.95
        ),
        at_least("a paired difference's interval by Tango covers", [row for row in near if row.part == "pairs"], 0.93),
        *(at_most(f"{method}: {where}", of, CEILING) for method, of in around.items()),
    ]


def likely(count: int, won: float, lost: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wins, losses and the probabilities of all outcomes but RARE ones."""
    reach = np.arange(count + 1)
    wins, losses = (part.ravel() for part in np.meshgrid(reach, reach, indexing="ij"))
    is_one = wins + losses <= count
    wins, losses = wins[is_one], losses[is_one]
    counts = np.stack([wins, losses, count - wins - losses], axis=1)
    chance = stats.multinomial.pmf(counts, count, [won, lost, 1 - won - lost])
    order = np.argsort(-chance)
    kept = order[: int(np.searchsorted(np.cumsum(chance[order]), 1 - RARE)) + 1]
    return wins[kept], losses[kept], chance[kept]
