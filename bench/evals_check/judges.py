"""Judges against people on recorded pairs: how often they agree, and what a judge adds to a few human labels."""

from pathlib import Path

import numpy as np

from evals_check.folder import Folder, rows_of_json, stem
from evals_check.goals import Section, near
from fairlead.evals.wording import interval
from fairlead.stats.agreement import agreement, kappa
from fairlead.stats.ppi import ppi_mean

LABELS, JUDGED = 100, 400
DRAWS = 8000
PUBLISHED_WORTH, CHANCE = (139, 144), 4  # labels; four is two standard errors of so many draws
# Agreement that was published, in percent.
PUBLISHED = {"mistral-7b-instruct": 75.0, "gpt-3.5-turbo": 75.6, "gpt-4-turbo": 78.4}


def check(folder: Folder) -> Section:
    section = Section("Judges")
    for path in folder.lines("human", "p_output_1", "p_output_2"):
        _pairs(section, path)
    return section


def _pairs(section: Section, path: Path) -> None:
    rows = list(rows_of_json(path))
    people = np.array([float(row["human"] == 1) for row in rows])
    told = []
    for judge in rows[0]["p_output_1"]:
        first, second = (np.array([row[side][judge] for row in rows]) for side in ("p_output_1", "p_output_2"))
        said = np.where(first == second, 0.5, first > second)
        agreed = agreement(said, people)
        worth, said_worth = _worth(first / (first + second), people)
        told.append(
            (judge, interval(agreed, True), interval(kappa(said, people), False), f"{worth:.1f}", f"{said_worth:.1f}")
        )
        if judge in PUBLISHED and len(rows) == 500:
            met = near(agreed.value, PUBLISHED[judge] / 100, 0.001)
            section.check(f"{judge} agrees with people", f"{PUBLISHED[judge]} %", f"{100 * agreed.value:.1f} %", met)
        low, high = PUBLISHED_WORTH
        goal = (
            f"{LABELS} labels and {JUDGED} judged pairs are worth {low} to {high} labels or more, ± {CHANCE} by chance"
        )
        met = worth >= low - CHANCE
        section.check(f"{judge} with human labels", goal, round(worth, 1), met)
    section.text += [
        "",
        f"**{stem(path)}**, {len(rows)} pairs. Worth: {LABELS} labels and the judge's probabilities of {JUDGED} other "
        f"pairs, drawn {DRAWS} times. *Found* is how much smaller the squared error of the estimate is than that of "
        "the same labels alone; *said* is what the intervals say of themselves, in the mean:",
    ]
    section.table(("judge", "-agrees, 95 %", "-kappa, 95 %", "-worth in labels, found", "-said"), told)


def _worth(judged: np.ndarray, people: np.ndarray) -> tuple[float, float]:
    """Found, and said. Drawn with replacement, so that the pairs stand for those that they came from."""
    random, truth = np.random.default_rng(0), people.mean()
    alone, corrected, said = np.empty(DRAWS), np.empty(DRAWS), np.empty(DRAWS)
    for draw in range(DRAWS):
        drawn = random.integers(0, len(people), LABELS + JUDGED)
        labels = people[drawn].copy()
        labels[LABELS:] = np.nan
        found = ppi_mean(judged[drawn], labels)
        alone[draw], corrected[draw] = labels[:LABELS].mean(), found.interval.value
        said[draw] = found.effective
    found_worth = LABELS * np.mean((alone - truth) ** 2) / np.mean((corrected - truth) ** 2)
    return float(found_worth), float(said.mean())
