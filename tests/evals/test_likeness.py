"""All pairs of texts that are nearly the same are found, and no other."""

import random
from itertools import combinations

import pytest

from fairlead.evals.likeness import near_pairs
from fairlead.scoring.text import sequences, words


def test_words_are_the_same_whatever_their_capitals_and_punctuation() -> None:
    assert words("The CAT, sat. Straße ①") == ["the", "cat", "sat", "strasse", "1"]
    assert words("東京 tower") == ["東", "京", "tower"]


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_the_pairs_are_those_that_comparing_all_with_all_finds(threshold: float) -> None:
    rng = random.Random(7)
    texts = [" ".join(rng.choices("abcdef", k=rng.randrange(1, 40))) for _ in range(60)]
    for _ in range(60):
        copied = rng.choice(texts).split()
        copied[rng.randrange(len(copied))] = rng.choice("abcxyz")
        texts.append(" ".join(copied))

    def runs(text: str) -> frozenset[tuple[str, ...]]:
        return frozenset(sequences(words(text), 3))

    texts = list({runs(text): text for text in texts}.values())

    def likeness(one: str, other: str) -> float:
        return len(runs(one) & runs(other)) / len(runs(one) | runs(other))

    wanted = [(a, b) for a, b in combinations(range(len(texts)), 2) if likeness(texts[a], texts[b]) >= threshold]
    assert near_pairs(texts, threshold) == wanted
    assert wanted


def test_texts_that_are_the_same_are_paired_with_the_first_of_them() -> None:
    assert near_pairs(["a b c d", "x y z", "A b, c d!", "a b c d"], 1.0) == [(0, 2), (0, 3)]


def test_texts_without_words_are_alike() -> None:
    assert near_pairs(["?!", "...", "a"], 0.8) == [(0, 1)]
