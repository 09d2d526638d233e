"""The sealed part of a suite: which cases nobody looks at while prompts are written, and what they could show.

The side of a case is a hash of the suite's seed and of its cluster, so it is the same on every machine and stays when
cases are added. A near-duplicate of an earlier case goes to that one's side, else an open case would tell a sealed one;
sides that are taken never change: a case that is like two of them on different sides goes with the first, and is told.

How often the sealed part was looked at is counted in the store, by who looks.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct

from fairlead.evals.cases import Case
from fairlead.evals.likeness import near_pairs
from fairlead.evals.suite import Suite

ENOUGH = 0.8
DISCORDANCE = 0.06  # which share of cases two good candidates decide differently, where nothing is known yet
WITHIN_CLUSTER = 0.3  # intra-class correlation that is assumed of cases of one cluster


class Split(Struct, frozen=True):
    """Ids in the suite's order. `near` are near-duplicates (earlier, later) by id; `across` those of them whose sides
    differ."""

    open: tuple[str, ...]
    sealed: tuple[str, ...]
    near: tuple[tuple[str, str], ...]
    across: tuple[tuple[str, str], ...]

    def side(self, side: str) -> frozenset[str]:
        """`open`, `sealed` or `all`."""
        return frozenset({"open": self.open, "sealed": self.sealed, "all": self.open + self.sealed}[side])


class Strength(Struct, frozen=True):
    """What the sealed part could show: how probably it passes a candidate that is as good as the base, at the margin.

    `formula` is the same by the normal distribution, as it is usually planned; `needed`: sealed cases for `ENOUGH`,
    None where ten millions would not do.
    """

    cases: int
    clusters: int
    margin: float
    discordance: float
    power: float
    formula: float
    needed: int | None

    @property
    def is_enough(self) -> bool:
        return self.power >= ENOUGH


def split(suite: Suite) -> Split:
    return split_cases(suite.cases, suite.holdout.share, suite.holdout.near, suite.seed)


def sealed(suite: Suite) -> frozenset[str]:
    """Ids. Which cases are alike need not be known where none is sealed."""
    return frozenset(split(suite).sealed) if suite.holdout.share else frozenset()


def split_cases(cases: Sequence[Case], share: float, near: float, seed: int) -> Split:
    pairs = near_pairs([case.text for case in cases], near)
    first: dict[int, int] = {}
    for earlier, later in pairs:
        first[later] = min(earlier, first.get(later, earlier))
    side: dict[str, bool] = {}
    for position, case in enumerate(cases):
        if case.group not in side:
            like = first.get(position)
            side[case.group] = side[cases[like].group] if like is not None else _is_sealed(case.group, share, seed)
    named = tuple((cases[earlier].id, cases[later].id) for earlier, later in pairs)
    across = tuple(
        (cases[earlier].id, cases[later].id)
        for earlier, later in pairs
        if side[cases[earlier].group] is not side[cases[later].group]
    )
    return Split(
        tuple(case.id for case in cases if not side[case.group]),
        tuple(case.id for case in cases if side[case.group]),
        named,
        across,
    )


def _is_sealed(group: str, share: float, seed: int) -> bool:
    drawn = hashlib.sha256(f"{seed}\0{group}".encode(errors="replace")).digest()[:8]
    return int.from_bytes(drawn) < share * 2**64


def strength(suite: Suite, parts: Split, discordance: float = DISCORDANCE) -> Strength | None:
    """None where nothing is sealed."""
    from fairlead.stats.power import Design, cases_needed, power

    sealed = parts.side("sealed")
    if not sealed or suite.primary.margin is None:
        return None
    chosen = [case for case in suite.cases if case.id in sealed]
    effect = _design_effect(Counter(case.group for case in chosen))
    design = Design(n=len(chosen), margin=suite.primary.margin, discordance=discordance, design_effect=effect)
    found = power(design)
    clusters = len({case.group for case in chosen})
    needed = cases_needed(design)
    return Strength(len(chosen), clusters, suite.primary.margin, discordance, found.value, found.formula, needed)


def _design_effect(sizes: Mapping[str, int]) -> float:
    """Kish's, where clusters are not of one size: with the mean size of the cluster that a case is in."""
    total = sum(sizes.values())
    mean_size = sum(size * size for size in sizes.values()) / total
    return 1 + (mean_size - 1) * WITHIN_CLUSTER
