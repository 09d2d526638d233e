"""Numbers as people write them -> decimals: thousands, decimal commas, currencies, percent, minus signs of all kinds.

`1,234.50`, `1.234,50 €`, `CHF 1'234.50`, `(1 234,50)`, `12 %`. Where a text could mean two numbers (`1,234`), the
declared decimal sign decides; with "either" a lone sign before exactly three digits parts thousands if it is a comma,
and decimals if it is a point. Knows no languages: `twelve` is no number.
"""

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

Sign = Literal[".", ",", "either"]

_SPACES = re.compile(r"[\s'’_]+(?=\d{3}(?!\d))")
# Currencies as letters: before the number any three at most (CHF, RM, Rs.), behind it codes and those that stand there.
_CODE = re.compile(r"\A[A-Z][A-Za-z]{0,2}\.?(?=[\s\d.+-])|(?<=[\s\d.])(?:[A-Z]{3}|kr\.?|zł|Kč|Ft|lei|Rs\.?)\Z")
_PLAIN = re.compile(r"[+-]?\d*\.?\d+\.?(?:[eE][+-]?\d+)?")
_ANYWHERE = re.compile(
    r"[-−–+]?[$€£¥₹]?(?:\d{1,3}(?:[.,'’\u00a0\u202f ]\d{3}(?!\d))+|\d+)(?:[.,]\d+)?(?:[eE][+-]?\d+)?(?:\s?%)?"
)
LONGEST = 100
_DIGIT = re.compile(r"\d")
BEFORE = 2  # signs that may stand before the first digit of a number
_SIMPLE = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")


def read_number(value: Any, decimal: Sign = "either", *, percent: bool = False) -> Decimal | None:
    """None where it is no number. `percent`: a percent sign divides by a hundred; else it says nothing."""
    if not isinstance(value, str):
        return _decimal(value)
    if not value or len(value) > LONGEST:
        return None
    if value.isascii():  # as nearly all are, which can be read in one way only
        if value.isdecimal():
            return Decimal(value)
        if decimal != "," and _SIMPLE.fullmatch(value):
            return Decimal(value)
        if decimal != "," and _GROUPED.fullmatch(value):
            return Decimal(value.replace(",", ""))
    return _read(value, decimal, percent=percent)


def _decimal(value: Any) -> Decimal | None:
    if type(value) is int:
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    found = Decimal(str(value))
    return found if found.is_finite() else None


def numbers_in(text: str) -> list[str]:
    """What looks like a number in running text, in its order."""
    digit = _DIGIT.search(text)
    if digit is None:
        return []
    return [match[0].strip() for match in _ANYWHERE.finditer(text, max(0, digit.start() - BEFORE))]


def _read(text: str, decimal: Sign, *, percent: bool) -> Decimal | None:
    text = unicodedata.normalize("NFKC", text).strip()
    for dash in "−–":
        text = text.replace(dash, "-")
    negative = text.startswith("(") and text.endswith(")")
    text = text[1:-1].strip() if negative else text
    text = "".join(sign for sign in text if unicodedata.category(sign) != "Sc").strip()
    text = _CODE.sub("", text).strip()
    is_percent = text.endswith("%")
    text = _SPACES.sub("", text.removesuffix("%").strip())
    plain = _with_point(text, decimal)
    if plain is None or not _PLAIN.fullmatch(plain):
        return None
    try:
        found = Decimal(plain)
    except InvalidOperation:
        return None
    if not found.is_finite():
        return None
    found = -found if negative else found
    return found / 100 if percent and is_percent else found


def _with_point(text: str, decimal: Sign) -> str | None:
    """The same with a decimal point and nothing between thousands; None where it is written in neither way."""
    point = _decimal_sign(text) if decimal == "either" else decimal
    groups = "," if point == "." else "."
    whole, mark, part = text.partition(point)
    if groups in part or point in part:
        return None
    if groups in whole:
        first, *others = whole.lstrip("+-").split(groups)
        if not 1 <= len(first) <= 3 or any(len(group) != 3 for group in others):
            return None
        whole = whole.replace(groups, "")
    return f"{whole}.{part}" if mark else whole


def _decimal_sign(text: str) -> Literal[".", ","]:
    if "," in text and "." in text:
        return "," if text.rindex(",") > text.rindex(".") else "."
    if text.count(",") == 1:
        before, _, after = text.partition(",")
        return "." if len(after) == 3 and before.lstrip("+-").lstrip("0") else ","
    return "," if text.count(".") > 1 else "."


def is_close(found: Decimal, wanted: Decimal, tolerance: float = 0, relative: float = 0) -> bool:
    """Within `tolerance`, or within the share `relative` of what is wanted."""
    if found == wanted:
        return True
    allowed = max(Decimal(str(tolerance)), abs(wanted) * Decimal(str(relative)))
    return abs(found - wanted) <= allowed
