"""A rubric: what a judge, and a person who labels, looks at, on which scale, and what its steps mean.

It is a Markdown file. What stands before the first `## ` is said to whoever judges; each heading is a dimension:

    ## coverage, 1 to 5, weight 2
    Are the decisions there, and who does what by when?
    - 1: most are missing
    - 5: all are there

The scale is 1 to 5 and the weight 1 unless it says otherwise; a file without headings has one dimension, `quality`.
Labels and verdicts belong to one version of a rubric: its hash. Nothing is known here of who judges.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from fairlead.errors import SuiteInvalid
from fairlead.evals.cases import digest

USUAL = (1, 5)
MOST_STEPS = 101
_HEADING = re.compile(
    r"##\s+(?P<name>[A-Za-z]\w{0,49})(?:,\s*(?P<low>-?\d{1,4})\s+to\s+(?P<high>-?\d{1,4}))?"
    r"(?:,\s*weight\s+(?P<weight>\d{1,4}(?:\.\d{1,4})?))?\s*$"
)
_ANCHOR = re.compile(r"[-*]\s+(-?\d{1,4})\s*:\s*(.*\S)\s*$")


class Dimension(Struct, frozen=True):
    """`anchors` say what a step of the scale means."""

    name: str
    what: str
    low: int = USUAL[0]
    high: int = USUAL[1]
    weight: float = 1.0
    anchors: Mapping[int, str] = {}

    @property
    def steps(self) -> range:
        return range(self.low, self.high + 1)

    def share(self, score: float) -> float:
        """0 to 1 of the scale."""
        return (score - self.low) / (self.high - self.low)


class Rubric(Struct, frozen=True):
    about: str
    dimensions: tuple[Dimension, ...]
    hash: str

    def only(self, names: tuple[str, ...]) -> "Rubric":
        """Some of its dimensions; none named: all. Raises SuiteInvalid."""
        if not names:
            return self
        known = {one.name: one for one in self.dimensions}
        for name in names:
            if name not in known:
                raise SuiteInvalid(f"the rubric has no dimension {name!r}", hint=f"it has {', '.join(known)}")
        return Rubric(self.about, tuple(known[name] for name in names), self.hash)

    def value(self, scores: Mapping[str, float]) -> float:
        """All dimensions as one number from 0 to 1, by their weights."""
        weight = sum(one.weight for one in self.dimensions)
        return sum(one.weight * one.share(scores[one.name]) for one in self.dimensions) / weight

    def problem(self, scores: object) -> str:
        """What is wrong with scores that somebody gave; "" for nothing."""
        if not isinstance(scores, Mapping):
            return "`scores` must be an object"
        names = [one.name for one in self.dimensions]
        if sorted(map(str, scores)) != sorted(names):
            return f"`scores` must have exactly {', '.join(names)}"
        for one in self.dimensions:
            score = scores[one.name]
            if type(score) is not int or score not in one.steps:
                return f"`{one.name}` must be a whole number from {one.low} to {one.high}, not {str(score)[:50]!r}"
        return ""


@lru_cache(maxsize=64)
def read_rubric(text: str, where: str = "the rubric") -> Rubric:
    """Raises SuiteInvalid, with the line."""
    about: list[str] = []
    found: list[Dimension] = []
    what: list[str] = about
    for number, line in enumerate(text.splitlines(), 1):
        place = f"{where}, line {number}"
        if line.startswith("## "):
            what = []
            found.append(_dimension(line, place, found))
        elif found and (anchor := _ANCHOR.match(line.strip())):
            found[-1] = _anchored(found[-1], int(anchor[1]), anchor[2], place)
        else:
            what.append(line)
        if found:
            found[-1] = _described(found[-1], what)
    if not text.strip():
        raise SuiteInvalid(f"{where}: it says nothing", hint="say what a good answer is")
    said = "\n".join(about).strip()
    if not found:
        return Rubric("", (Dimension("quality", said),), digest(text.strip()))
    return Rubric(said, tuple(found), digest(text.strip()))


def _dimension(line: str, place: str, before: list[Dimension]) -> Dimension:
    heading = _HEADING.match(line)
    if heading is None:
        raise SuiteInvalid(
            f"{place}: {line[:80]!r} is no dimension",
            hint="## name, 1 to 5, weight 2 (scale and weight may be left out)",
        )
    low, high = int(heading["low"] or USUAL[0]), int(heading["high"] or USUAL[1])
    weight = float(heading["weight"] or 1)
    if not 1 <= high - low < MOST_STEPS:
        raise SuiteInvalid(f"{place}: a scale from {low} to {high} is none", hint=f"2 to {MOST_STEPS} steps, upwards")
    if not weight:
        raise SuiteInvalid(f"{place}: a dimension of weight 0 counts nothing", hint="leave it out")
    if heading["name"] in {one.name for one in before}:
        raise SuiteInvalid(f"{place}: {heading['name']} is there twice")
    return Dimension(heading["name"], "", low, high, weight)


def _anchored(one: Dimension, step: int, text: str, place: str) -> Dimension:
    if step not in one.steps:
        raise SuiteInvalid(f"{place}: {step} is not on the scale of {one.name}, {one.low} to {one.high}")
    return Dimension(one.name, one.what, one.low, one.high, one.weight, {**one.anchors, step: text})


def _described(one: Dimension, what: list[str]) -> Dimension:
    return Dimension(one.name, "\n".join(what).strip(), one.low, one.high, one.weight, one.anchors)
