"""Texts that are nearly the same: by the sequences of words that they share. Knows no cases.

Likeness is Jaccard's, of the sets of word triples. All pairs at or above a threshold are found, and no other: two such
sets must share one of their rarest few members (prefix filter: Chaudhuri, Ganti and Kaushik, "A primitive operator for
similarity joins in data cleaning", ICDE 2006), so only texts that do are compared. That is exact, gives the same pairs
on every machine, and is faster than hashing for texts as short as cases are.
"""

import math
from collections import Counter
from collections.abc import Sequence

from fairlead.scoring.text import sequences, words

WORDS_TOGETHER = 3


def near_pairs(texts: Sequence[str], threshold: float) -> list[tuple[int, int]]:
    """The positions (earlier, later) of texts that are alike by `threshold` or more. Those that are the same are each
    paired with the first of them, which alone is compared with others."""
    first: dict[frozenset[int], int] = {}
    same = []
    for position, text in enumerate(texts):
        if (earlier := first.setdefault(_numbered(text), position)) != position:
            same.append((earlier, position))
    at = list(first.values())
    return sorted([*same, *((at[one], at[other]) for one, other in _near(list(first), threshold))])


class Known:
    """Texts that came one by one, and whether a new one is nearly the same as one of them."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._sizes: list[int] = []
        self._holders: dict[int, list[int]] = {}

    def add(self, text: str) -> bool:
        """False: it is known, and is not added."""
        found = _numbered(text)
        shared = Counter(one for member in found for one in self._holders.get(member, ()))
        for one, count in shared.items():
            if count / (len(found) + self._sizes[one] - count) >= self._threshold:
                return False
        for member in found:
            self._holders.setdefault(member, []).append(len(self._sizes))
        self._sizes.append(len(found))
        return True


def _near(sets: Sequence[frozenset[int]], threshold: float) -> list[tuple[int, int]]:
    counts = Counter(member for found in sets for member in found)
    holders: dict[int, list[int]] = {}
    pairs = []
    for later in sorted(range(len(sets)), key=lambda position: (len(sets[position]), position)):
        found = sets[later]
        rare_first = sorted(found, key=lambda member: (counts[member], member))
        prefix = rare_first[: len(found) - math.ceil(threshold * len(found)) + 1]
        shared = [member for member in prefix if counts[member] > 1]
        for other in {one for member in shared for one in holders.get(member, ())}:
            if len(sets[other]) >= threshold * len(found) and _jaccard(sets[other], found) >= threshold:
                pairs.append((min(other, later), max(other, later)))
        for member in shared:
            holders.setdefault(member, []).append(later)
    return pairs


def _numbered(text: str) -> frozenset[int]:
    return frozenset(hash(run) for run in sequences(words(text), WORDS_TOGETHER))


def _jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if a or b else 1.0
