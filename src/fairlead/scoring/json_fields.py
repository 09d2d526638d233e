"""Scores an answer that should be a JSON object, field by field, against the right one.

Strict where leniency would hide what breaks an application. Two numbers are the same if their values are (1234.5 and
1234.50), to the last digit; a number written as text ("1.234,50") is not a number. Two dates are the same if both are
written after ISO 8601 and name the same day (2024-03-05 and 20240305); 05.03.2024 is wrong. Other text is the same if
its characters are (in Unicode's composed form), spaces and capitals included. A field that holds an object or a list is
right as a whole or wrong as a whole. What else counts as right is declared, field by field (`Rules`, in `field_rules`).
Knows nothing of where an answer came from.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Literal, NoReturn

from fairlead.scoring import score as scores

Reason = Literal["right", "wrong", "missing"]
MISSING: Reason = "missing"
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)


class Score(scores.Score, frozen=True):
    """`value` is the share of the wanted fields that are right, 0 to 1; `reasons` has one entry for each of them.

    `is_json`: the whole answer is one JSON object. `extra` names the fields that nobody asked for: they cost nothing
    and gain nothing.
    """

    is_json: bool = False
    extra: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """An object with every wanted field, right or wrong, and no other."""
        return self.is_json and not self.extra and MISSING not in self.reasons.values()

    @property
    def is_exact(self) -> bool:
        """Every wanted field is right, and there is no other."""
        return self.value == 1 and not self.extra


def score(answer: str, gold: Mapping[str, Any]) -> Score:
    """Score one answer's text. Never raises for what the answer holds; ValueError where `gold` has no fields."""
    if not gold:
        raise ValueError("there is nothing to compare with: no fields")
    found = read_object(answer)
    if found is None:
        return Score(0.0, dict.fromkeys(gold, MISSING))
    reasons: dict[str, Reason] = {name: _reason(found, name, wanted) for name, wanted in gold.items()}
    right = sum(reason == "right" for reason in reasons.values())
    return Score(right / len(gold), reasons, True, tuple(name for name in found if name not in gold))


def unfenced(answer: str) -> str:
    """The only code block of an answer, or the answer."""
    blocks = _FENCED.findall(answer)
    return blocks[0] if len(blocks) == 1 else answer


def read_object(answer: str) -> dict[str, Any] | None:
    """Numbers come as decimals, so that none is rounded before it is compared."""
    try:
        found = _DECODER.decode(answer)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)


def _reason(found: Mapping[str, Any], name: str, wanted: Any) -> Reason:
    if name not in found:
        return MISSING
    return "right" if is_same(found[name], wanted) else "wrong"


def is_same(found: Any, wanted: Any) -> bool:
    """Strictly; what was found has decimals for numbers."""
    if isinstance(wanted, bool) or wanted is None:
        return found is wanted
    if isinstance(wanted, int | float | Decimal):
        return isinstance(found, Decimal) and found == Decimal(str(wanted))
    if isinstance(wanted, str):
        return isinstance(found, str) and _is_same_text(found, wanted)
    if isinstance(wanted, Mapping):
        same_keys = isinstance(found, dict) and found.keys() == wanted.keys()
        return same_keys and all(is_same(found[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list | tuple):
        same_length = isinstance(found, list) and len(found) == len(wanted)
        return same_length and all(map(is_same, found, wanted))
    raise TypeError(f"{type(wanted).__name__} is no JSON value")


def _is_same_text(found: str, wanted: str) -> bool:
    """Days are compared only where a day is wanted: 20240305 may well be a number on an invoice."""
    if found == wanted or unicodedata.normalize("NFC", found) == unicodedata.normalize("NFC", wanted):
        return True
    if not ISO_DATE.fullmatch(wanted):
        return False
    try:
        return date.fromisoformat(found) == date.fromisoformat(wanted)
    except ValueError:
        return False
