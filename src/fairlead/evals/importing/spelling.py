"""Scores of a column as programs, spreadsheets and people write them: `0.87`, `0,87`, `87 %`, TRUE, pass; and what says
that there is none. A column is read in one way: what could mean two things is refused."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from fairlead.scoring.numbers import read_number

WORDS = dict.fromkeys(("true", "yes", "pass", "passed", "correct", "right"), 1.0) | dict.fromkeys(
    ("false", "no", "fail", "failed", "incorrect", "wrong"), 0.0
)
NOTHING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "–", "missing"})
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
    found = np.full(len(cells), np.nan)
    written: dict[int, str] = {}
    for at, cell in enumerate(cells):
        if isinstance(cell, bool | int | float):
            found[at] = float(cell)
            continue
        if cell is not None and not isinstance(cell, str):
            raise Unclear(at, "is no number")
        word = (cell or "").strip().lower()
        if word in WORDS:
            found[at] = WORDS[word]
        elif word not in NOTHING:
            written[at] = word
    if len({word.endswith("%") for word in written.values()}) > 1:
        at = next(at for at, word in written.items() if not word.endswith("%"))
        raise Unclear(at, "has no percent sign, as others have")
    sign = _sign(written)
    for at, word in written.items():
        found[at] = _number(word, sign)
    return found


def _sign(written: dict[int, str]) -> Sign:
    """Raises Unclear where it could be either, or neither."""
    could: list[Sign] = [*SIGNS]
    for at, word in written.items():
        left: list[Sign] = [sign for sign in could if _fits(word, sign)]
        if not left:
            is_number = any(_fits(word, sign) for sign in SIGNS)
            raise Unclear(at, "is not written as others are" if is_number else "is no number")
        could = left
    if len(could) > 1 and (at := next((at for at, word in written.items() if "," in word), None)) is not None:
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
