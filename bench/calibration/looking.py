"""What looking early costs a gate of pairs that are right or wrong: how often it is wrong, and how often undecided.

Every course that wins and losses can take from look to look is added up, so nothing is left to chance.
"""

import numpy as np
from scipy import signal, stats

from calibration.gates import ERROR, deciding
from calibration.rows import Goal, Row, Task, at_most
from fairlead.stats.betting import lower_bound
from fairlead.stats.decisions import gate
from fairlead.stats.looks import Looks

LOOKS = 10
LOOKED = [(200, 0.05, 0.1), (300, 0.05, 0.2), (500, 0.02, 0.06)]  # cases, margin, discordance
AT = (0.0, 0.5, 1.0, 2.0)  # true differences, in margins downwards
CHECKED = 10  # outcomes, of which the gate itself is asked
MOST = 1e-6  # of the probability may lie beyond what is added up


def tasks() -> list[Task]:
    return [Task("looks", looked, one) for one in sorted(LOOKED, reverse=True)]


def looked(count: int, margin: float, discordance: float) -> list[Row]:
    most = int(stats.binom.isf(MOST, count, max(discordance, AT[-1] * margin)))
    ends = [round(count * look / LOOKS) for look in range(1, LOOKS + 1)]
    planned = [
        _tested(1 - Looks(LOOKS, is_last=end == count).confidence(1 - ERROR), end, margin, min(most, end))
        for end in ends
    ]
    at_any_time = [_bet(end, margin, min(most, end)) for end in ends]
    once = [_tested(ERROR, count, margin, most)]
    for at in (0, LOOKS // 2, LOOKS - 1):
        _check(planned[at], ends[at], margin, Looks(LOOKS, is_last=at == LOOKS - 1))
        _check(at_any_time[at], ends[at], margin, Looks(None))
    rows = []
    for margins in AT:
        difference = -margins * margin
        spread = max(discordance, abs(difference))
        chances = ((spread + difference) / 2, (spread - difference) / 2)
        where = f"{count} pairs, margin {100 * margin:g} points, true difference {100 * difference:g} points"
        said = {
            kind: _said(chances, at, regions, most)
            for kind, at, regions in (
                ("planned", ends, planned),
                ("any", ends, at_any_time),
                ("once", [count], once),
            )
        }
        if margins == 1:
            for kind, name in (("planned", "planned"), ("any", "at any time")):
                for word, value in zip(("passes", "fails"), said[kind], strict=True):
                    rows.append(Row(f"false {word} of looks", f"ten looks, {name}, {where}", value))
        undecided = {kind: 1 - sum(said[kind]) for kind in said}
        rows.append(Row("oftener undecided", where, undecided["planned"] - undecided["once"]))
        rows.append(Row("undecided at any time", where, undecided["any"] - undecided["once"], counted=False))
    return rows


def goals(rows: list[Row]) -> list[Goal]:
    found = [
        at_most(
            f"false {word} at the margin, with ten early looks",
            [row for row in rows if row.part == f"false {word} of looks"],
            ERROR,
        )
        for word in ("passes", "fails")
    ]
    oftener = [row for row in rows if row.part == "oftener undecided"]
    return [*found, at_most("undecided oftener than the exact test alone, with ten planned looks", oftener, 0.05)]


Region = tuple[np.ndarray, np.ndarray]  # for each number of discordant pairs: wins that pass, losses that fail


def _tested(error: float, count: int, margin: float, most: int) -> Region:
    """As the gate tests: exactly."""
    discordant = np.arange(most + 1.0)
    return deciding(count, discordant, -margin, error), deciding(count, discordant, margin, error)


def _bet(count: int, margin: float, most: int) -> Region:
    """As the gate bets: its bounds are those of a mean of differences that were moved to 0 to 1."""

    def bound(won: int, lost: int) -> float:
        unit = np.repeat([1.0, 0.0, 0.5], [won, lost, count - won - lost])
        return 2 * lower_bound(unit, np.ones(count), ERROR) - 1

    def fewest(of: int, difference: float) -> int:
        """One more than there are where none is enough."""
        low, high = 0, of + 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if bound(middle, of - middle) > difference else (middle + 1, high)
        return low

    return tuple(np.array([fewest(of, difference) for of in range(most + 1)]) for difference in (-margin, margin))


def _check(region: Region, count: int, margin: float, looks: Looks) -> None:
    """That the gate says what is added up here, at outcomes around the bounds."""
    discordant = np.random.default_rng(count).integers(0, len(region[0]), CHECKED)
    for of, off in zip(discordant, np.tile((-1, 0), CHECKED // 2), strict=True):
        for is_lost, enough in enumerate(region):
            more = int(enough[of]) + off
            if not 0 <= more <= of:
                continue
            won, lost = (of - more, more) if is_lost else (more, of - more)
            base = np.repeat([0.0, 1.0, 1.0], [won, lost, count - of])
            candidate = np.repeat([1.0, 0.0, 1.0], [won, lost, count - of])
            is_any, confidence = looks.planned is None, looks.confidence(1 - ERROR)
            said = gate(base, candidate, margin, confidence=confidence, at_any_time=is_any).outcome
            decided = "pass" if won >= region[0][of] else "fail" if lost >= region[1][of] else "undecided"
            if said != decided:
                raise AssertionError(f"{won} won, {lost} lost of {count}: the gate says {said}, here it is {decided}")


def _said(chances: tuple[float, float], ends: list[int], regions: list[Region], most: int) -> tuple[float, float]:
    """How probably it passes, and fails, at some look: whoever is answered looks no more."""
    wins, losses = np.meshgrid(np.arange(most + 1), np.arange(most + 1), indexing="ij")
    open_ = np.zeros(wins.shape)
    open_[0, 0] = 1.0
    passed = failed = 0.0
    for before, end, (enough_wins, enough_losses) in zip([0, *ends[:-1]], ends, regions, strict=True):
        open_ = signal.convolve(open_, _arriving(end - before, chances, most), method="direct")[: most + 1, : most + 1]
        of = np.minimum(wins + losses, len(enough_wins) - 1)
        passes, fails = wins >= enough_wins[of], losses >= enough_losses[of]
        passed, failed = passed + float(open_[passes].sum()), failed + float(open_[fails].sum())
        open_[passes | fails] = 0.0
    return passed, failed


def _arriving(count: int, chances: tuple[float, float], most: int) -> np.ndarray:
    """The probability of so many wins and losses among so many pairs."""
    size = min(count, most)
    wins, losses = np.meshgrid(np.arange(size + 1), np.arange(size + 1), indexing="ij")
    counts = np.stack([wins, losses, count - wins - losses], axis=-1)
    of = [*chances, 1 - sum(chances)]
    return np.where(wins + losses <= count, stats.multinomial.pmf(np.maximum(counts, 0), count, of), 0.0)
