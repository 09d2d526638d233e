"""Scores of a column as programs, spreadsheets and people write them: `0.87`, `0,87`, `87 %`, TRUE, pass; and what says
that there is none. A column is read in one way: what could mean two things is refused."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from fairlead.evals.importing.imported import is_score
from fairlead.scoring.numbers import read_number

WORDS = dict.fromkeys(("true", "yes", "pass", "passed", "correct", "right"), 1.0) | dict.fromkeys(
    ("false", "no", "fail", "failed", "incorrect", "wrong"), 0.0
)
NOTHING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "–", "missing"})
NO_PERCENT = "has no percent sign, as others have"
Sign = Literal[".", ","]  # of decimals
SIGNS: tuple[Sign, ...] = (".", ",")
GROUPED: dict[Sign, re.Pattern[str]] = {
    ".": re.compile(r"\D*0,\d{3}"),
    ",": re.compile(r"\D*0\.\d{3}"),
}  # no number begins with a group of 0


class Unclear(ValueError):
    """The cell `at` (from 0) says nothing that is a score."""

    def __init__(self, at: int, problem: str) -> None:
        super().__init__(problem)
        self.at, self.problem = at, problem


def scores(cells: Sequence[Any]) -> np.ndarray:
    """NaN where there is none. Raises Unclear."""
    try:
        return np.array([np.nan if cell is None or cell == "" else float(cell) for cell in cells])
    except (TypeError, ValueError, OverflowError):
        return _spelled(cells)


def _spelled(cells: Sequence[Any]) -> np.ndarray:
    """Each spelling is read once: columns repeat theirs."""
    written: dict[str, int] = {}  # and where it stands first
    for at, cell in enumerate(cells):
        if isinstance(cell, str):
            written.setdefault(cell, at)
        elif cell is not None and not is_score(cell):
            raise Unclear(at, "is no number" if not isinstance(cell, int) else "is too large")
    plain = {cell: cell.strip().lower() for cell in written}
    numbers = {word: at for cell, at in written.items() if (word := plain[cell]) not in WORDS and word not in NOTHING}
    if len({word.endswith("%") for word in numbers}) > 1:
        raise Unclear(min(at for word, at in numbers.items() if not word.endswith("%")), NO_PERCENT)
    sign = _sign(numbers)
    read = WORDS | dict.fromkeys(NOTHING, np.nan) | {word: _number(word, sign) for word in numbers}
    known: dict[Any, float] = {cell: read[word] for cell, word in plain.items()}
    return np.array(
        [known[cell] if isinstance(cell, str) else np.nan if cell is None else cell for cell in cells], float
    )


def _sign(written: dict[str, int]) -> Sign:
    """Of all that is written, each with where it stands. Raises Unclear where it could be either, or neither."""
    could: list[Sign] = [*SIGNS]
    for word, at in written.items():
        left: list[Sign] = [sign for sign in could if _fits(word, sign)]
        if not left:
            is_number = any(_fits(word, sign) for sign in SIGNS)
            raise Unclear(at, "is not written as others are" if is_number else "is no number")
        could = left
    if len(could) > 1 and (at := next((at for word, at in written.items() if "," in word), None)) is not None:
        raise Unclear(at, "may have decimals or thousands")
    return could[0]


def _fits(word: str, sign: Sign) -> bool:
    try:
        float(word)
    except ValueError:
        return not GROUPED[sign].match(word) and read_number(word, sign) is not None
    return sign == "." or "." not in word


def _number(word: str, sign: Sign) -> float:
    read = read_number(word, sign, percent=True)
    return float(word) if read is None else float(read)
