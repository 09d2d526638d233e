"""How often a gate is wrong where the true difference is the margin exactly, and what looking early costs."""

import numpy as np

from calibration.clusters import pairs
from calibration.rows import Goal, Row, Task, at_most, share, times
from fairlead.stats.decisions import gate
from fairlead.stats.sequences import Sequence
from fairlead.stats.unconditional import Sample, at_least, binomial, exact, least_wins, likely_hits

PLANTED = [
    (count, margin, discordance)
    for count in (100, 300, 1000)
    for margin in (0.02, 0.05)
    for discordance in (margin, 0.06, 0.2)
    if discordance >= margin
]
ERROR = 0.05
Z = 1.6448536269514722
CLUSTERED = [(count, correlation) for count in (20, 50) for correlation in (0.0, 0.5)]
GRADED = [(count, change) for count in (30, 100) for change in (0.1, 0.5)]
LOOKS = 10
LOOKED = [(200, 0.05, 0.1), (500, 0.02, 0.06)]  # cases, margin, discordance
AT = (1.0, 0.0, 0.5, 2.0)  # true differences, in margins downwards
RUNS = 500
RUNS_OF_LOOKS = 300


def tasks() -> list[Task]:
    return [
        *(Task("looks", looks, (*one, margins)) for one in LOOKED for margins in AT),
        *(Task("gates", planted, one) for one in sorted(PLANTED, reverse=True)),
        *(Task("gates", clustered, one) for one in CLUSTERED),
        *(Task("gates", graded, one) for one in GRADED),
    ]


def planted(count: int, margin: float, discordance: float) -> list[Row]:
    """Every outcome added up."""
    discordant = likely_hits(count, discordance, discordance)
    chance, weight = (discordance - margin) / (2 * discordance), binomial(count, discordant, np.array([discordance]))[0]
    where = f"{count} pairs, margin {100 * margin:g} points, {100 * discordance:g} % discordant"
    passes = at_least(_deciding(count, discordant, -margin), discordant, chance)
    fails = at_least(_deciding(count, discordant, margin), discordant, 1 - chance)
    return [
        Row("false passes", where, float((weight * passes).sum())),
        Row("false fails", where, float((weight * fails).sum())),
    ]


def _deciding(count: int, discordant: np.ndarray, difference: float) -> np.ndarray:
    """For each number of discordant pairs, how many of them one side must win for its bound to lie above: about as many
    as Tango's test wants."""

    def is_above(won: int, of: int) -> bool:
        return Sample.of(won, of - won, count, 1 - 2 * ERROR).p_above(difference) <= ERROR

    near = least_wins(count, difference, Z, discordant)
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
    rng, margin, words = np.random.default_rng([count, int(10 * correlation)]), 0.05, []
    for _ in range(times(RUNS)):
        base, candidate, codes = pairs(rng, 0.2, -margin, correlation, count, "uneven")
        words.append(gate(base, candidate, margin, clusters=codes).outcome)
    return _wrong(words, f"{count} uneven clusters, correlation {correlation}, margin 5 points")


def graded(count: int, change: float) -> list[Row]:
    """Scores of which a share `change` moves, down by the margin on average."""
    rng, margin, words = np.random.default_rng([count, int(10 * change)]), 0.05, []
    for _ in range(times(RUNS)):
        base = rng.beta(8, 2, count)
        falls = rng.random(count) < change
        candidate = base * np.where(falls, 1 - 2 * rng.random(count) * margin / change / 0.8, 1)
        words.append(gate(base, candidate, margin).outcome)
    return _wrong(words, f"{count} graded pairs of which {100 * change:g} % fall, margin 5 points")


def _wrong(words: list[str], where: str) -> list[Row]:
    return [share(f"false {word}", where, words.count(word[:4]), len(words)) for word in ("passes", "fails")]


def looks(count: int, margin: float, discordance: float, margins: float) -> list[Row]:
    """Ten looks at growing numbers of cases: with an end that was planned, and without any."""
    rng = np.random.default_rng([count, int(1000 * margin), int(10 * margins)])
    difference = -margins * margin
    spread = max(discordance, abs(difference))
    tally = {"planned": [], "open": [], "exact": []}
    for _ in range(times(RUNS_OF_LOOKS)):
        drawn = rng.random(count)
        won, lost = drawn < (spread + difference) / 2, drawn > 1 - (spread - difference) / 2
        base, candidate = np.where(won, 0.0, 1.0), np.where(lost, 0.0, 1.0)
        tally["planned"].append(_looked(Sequence(planned=count), base, candidate, margin))
        if margins == 1:
            tally["open"].append(_looked(Sequence(), base, candidate, margin))
        interval = exact(int(won.sum()), int(lost.sum()), count, 1 - 2 * ERROR)
        tally["exact"].append({"pass"} if interval.low > -margin else {"fail"} if interval.high < -margin else set())
    where = f"{count} pairs, margin {100 * margin:g} points, true difference {100 * difference:g} points"
    if margins == 1:
        return [
            share(
                f"false {'passes' if word == 'pass' else 'fails'}",
                f"ten looks, {kind} end, {where}",
                hits,
                times(RUNS_OF_LOOKS),
            )
            for kind in ("planned", "open")
            for word in ("pass", "fail")
            for hits in [sum(word in words for words in tally[kind])]
        ]
    undecided = {kind: np.array([not words for words in tally[kind]], float) for kind in ("planned", "exact")}
    oftener = undecided["planned"] - undecided["exact"]
    error = float(oftener.std() / np.sqrt(len(oftener)))
    return [Row("oftener undecided", where, float(oftener.mean()), error)]


def _looked(sequence: Sequence, base: np.ndarray, candidate: np.ndarray, margin: float) -> set[str]:
    """Whatever was said at any look, but undecided."""
    words = set()
    for part in np.array_split(np.arange(len(base)), LOOKS):
        sequence.add(base[part], candidate[part])
        words.add(sequence.outcome(margin))
    return words - {"undecided"}


def goals(rows: list[Row]) -> list[Goal]:
    found = []
    for part in ("false passes", "false fails"):
        of = [row for row in rows if row.part == part]
        early = [row for row in of if row.what.startswith("ten looks")]
        found.append(at_most(f"{part} at the margin", [row for row in of if row not in early], ERROR))
        found.append(at_most(f"{part} at the margin, with ten early looks", early, ERROR))
    undecided = [row for row in rows if row.part == "oftener undecided"]
    found.append(
        at_most("undecided oftener than the exact test, with ten early looks and a planned end", undecided, 0.05)
    )
    return found
