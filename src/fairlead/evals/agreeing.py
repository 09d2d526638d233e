"""How far the judge and people, and people among themselves, say the same of the same answers; what sways the judge.

Only what was labelled and judged is looked at. Knows no correction: a judge who agrees well may be off all the same.
"""

import itertools
import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from fairlead.evals.correcting import Answer, Evidence
from fairlead.evals.labelling.book import HOUSE, details
from fairlead.stats.agreement import (
    LengthBias,
    PositionBias,
    agreement,
    kappa,
    length_bias,
    length_slope,
    position_bias,
)
from fairlead.stats.intervals import Interval

FEWEST = 10  # answers, below which nothing is said


class Agreed(Struct, frozen=True):
    """Of one dimension, or between two people: the share of answers of which both say the same, and Cohen's kappa,
    where steps of a scale weigh by how far they lie apart."""

    answers: int
    same: Interval
    kappa: Interval


class Agreements(Struct, frozen=True, kw_only=True):
    """`dimensions`: judge and people. `people`: two of them. `longer`: what twice the length adds to what the judge
    gives above people, or for pairs how much oftener it prefers the longer one. None: too few to say."""

    dimensions: Mapping[str, Agreed]
    people: Mapping[str, Agreed]
    longer: Interval | LengthBias | None
    position: PositionBias | None


def agreements(known: Evidence, beside: Mapping[str, str] | None = None) -> Agreements:
    labelled = [one for one in known.answers if one.judged is not None and _by_people(one)]
    return Agreements(
        dimensions=_dimensions(labelled),
        people=_people(known.answers),
        longer=_longer(labelled, beside or {}),
        position=_position(known.answers),
    )


def _by_people(answer: Answer) -> list[Mapping[str, float]]:
    return [details(label).scores for label in answer.labels if label.by != HOUSE]


def _dimensions(answers: Sequence[Answer]) -> dict[str, Agreed]:
    """What several people say is one by one held against the judge; a judge's repeats against their mean, rounded."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for answer in answers:
        for scores in _by_people(answer):
            for name, score in scores.items():
                if name in answer.scores:
                    pairs.setdefault(name, []).append((round(answer.scores[name]), score))
                elif answer.judged is not None and not answer.scores:
                    pairs.setdefault(name, []).append((answer.judged, score))
    return {name: _agreed(both) for name, both in pairs.items() if len(both) >= FEWEST}


def _people(answers: Sequence[Answer]) -> dict[str, Agreed]:
    pairs: dict[str, list[tuple[float, float]]] = {}
    looked: set[str] = set()
    for answer in answers:
        if answer.hash in looked:  # another candidate said the same
            continue
        looked.add(answer.hash)
        given = sorted((label.by, float(label.value or 0)) for label in answer.labels if label.by != HOUSE)
        for (one, first), (other, second) in itertools.combinations(given, 2):
            pairs.setdefault(f"{one}, {other}", []).append((first, second))
    return {names: _agreed(both) for names, both in pairs.items() if len(both) >= FEWEST}


def _agreed(both: Sequence[tuple[float, float]]) -> Agreed:
    first, second = np.array(both, float).T
    return Agreed(len(both), agreement(first, second), kappa(first, second, ordered=True))


def _longer(answers: Sequence[Answer], beside: Mapping[str, str]) -> Interval | LengthBias | None:
    if len(answers) < FEWEST:
        return None
    judged = np.array([one.judged for one in answers], float)
    people = np.array([statistics.fmean(float(label.value or 0) for label in one.labels) for one in answers], float)
    lengths = np.array([len(one.text) for one in answers], float)
    try:
        if beside:
            return length_bias(judged, people, lengths, np.array([len(beside[one.item]) for one in answers], float))
        return length_slope(judged, people, lengths)
    except ValueError:  # all of one length
        return None


def _position(answers: Sequence[Answer]) -> PositionBias | None:
    both = np.array([one.orders for one in answers if len(one.orders) == 2], float)
    return position_bias(both[:, 0], both[:, 1]) if len(both) >= FEWEST else None
