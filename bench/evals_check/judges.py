"""Judges against people on recorded pairs: how often they agree, and what a judge adds to a few human labels."""

from pathlib import Path

import numpy as np

from evals_check.folder import Folder, rows_of_json, stem
from evals_check.goals import Section, near
from fairlead.evals.wording import interval
from fairlead.stats.agreement import agreement, kappa
from fairlead.stats.ppi import ppi_mean

LABELS, JUDGED = 100, 400
DRAWS = 200
LEAST_WORTH = 139  # labels
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
        worth = _worth(first / (first + second), people)
        told.append((judge, interval(agreed, True), interval(kappa(said, people), False), f"{worth:.1f}"))
        if judge in PUBLISHED and len(rows) == 500:
            met = near(agreed.value, PUBLISHED[judge] / 100, 0.001)
            section.check(f"{judge} agrees with people", f"{PUBLISHED[judge]} %", f"{100 * agreed.value:.1f} %", met)
        goal = f"{LABELS} labels and {JUDGED} judged pairs are worth {LEAST_WORTH} labels or more"
        section.check(f"{judge} with human labels", goal, round(worth, 1), worth >= LEAST_WORTH)
    section.text += [
        "",
        f"**{stem(path)}**, {len(rows)} pairs. Worth: how many labels alone would give as narrow an interval as "
        f"{LABELS} labels and the judge's probabilities of {JUDGED} other pairs, the mean of {DRAWS} draws of pairs:",
    ]
    section.table(("judge", "-agrees, 95 %", "-kappa, 95 %", "-worth in labels"), told)


def _worth(judged: np.ndarray, people: np.ndarray) -> float:
    """Drawn with replacement, so that the pairs stand for those that they came from."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(DRAWS):
        drawn = random.integers(0, len(people), LABELS + JUDGED)
        labels = people[drawn].copy()
        labels[LABELS:] = np.nan
        found.append(ppi_mean(judged[drawn], labels).effective)
    return float(np.mean(found))
