"""Takes out of texts what names people or opens doors: the same thing becomes the same mark wherever it stands.

    Write to ann@example.com or +41 44 668 18 00   ->   Write to [email-1] or [phone-1]

What is found has a form: e-mail addresses, phone numbers, IBANs and card numbers whose check digits are right,
addresses of machines, keys of the kinds that providers give out. Names, places and whatever else only a reader knows
are not found: who shares a collection reads it first, or adds patterns of his own. It knows no cases.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

Place = tuple[str, int, int]  # what it is called by, and where it begins and ends in what was found
Find = Callable[[str], Place | None]  # None: it is no such thing

_GROUP = re.compile(r"[A-Za-z0-9]+")


def _whole(found: str) -> Place:
    return found, 0, len(found)


def _lower(found: str) -> Place:
    return found.lower(), 0, len(found)


def _grouped(check: Callable[[str], bool]) -> Find:
    """Of groups of signs that stand in a row, the longest run that is one: others may stand before and behind it."""

    def find(found: str) -> Place | None:
        groups = [(group.start(), group.end()) for group in _GROUP.finditer(found)]
        runs = [(first, last) for first in range(len(groups)) for last in range(first, len(groups))]
        for first, last in sorted(runs, key=lambda run: run[0] - run[1]):
            start, end = groups[first][0], groups[last][1]
            plain = "".join(_GROUP.findall(found[start:end])).upper()
            if check(plain):
                return plain, start, end
        return None

    return find


def _is_card(digits: str) -> bool:
    """Luhn's check digit."""
    if not digits.isdigit() or not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0


def _is_iban(plain: str) -> bool:
    """ISO 13616: modulus 97."""
    if not 15 <= len(plain) <= 34 or not re.match(r"[A-Z]{2}\d{2}", plain):
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def _machine(found: str) -> Place | None:
    try:
        return str(ipaddress.ip_address(found)), 0, len(found)
    except ValueError:
        return None


def _phone(found: str) -> Place | None:
    digits = re.sub(r"\D", "", found)
    return (digits, 0, len(found)) if 8 <= len(digits) <= 15 else None


# In this order: what is taken first is not looked at again.
PATTERNS: Mapping[str, tuple[str, Find]] = {
    "secret": (
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
        r"|\b(?:sk|pk|rk)[-_][A-Za-z0-9_-]{18,}"  # OpenAI, Anthropic, Stripe and their like
        r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
        r"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}|\bglpat-[A-Za-z0-9_-]{18,}"
        r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bAIza[A-Za-z0-9_-]{30,}|\bhf_[A-Za-z0-9]{30,}|\bfl[-_][A-Za-z0-9_-]{20,}"
        r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
        r"|(?i:(?<=bearer )[A-Za-z0-9._~+/-]{16,}=*)"
        r"|(?i:(?<=password=)[^\s&\"']+|(?<=password: )\S+|(?<=://)[^\s/:@]{1,100}:[^\s/@]{1,200}(?=@))",
        _whole,
    ),
    "email": (
        r"(?<![\w.!#$%&'*+/=?^`{|}~-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b",
        _lower,
    ),
    "iban": (r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{1,4}){3,12}", _grouped(_is_iban)),
    "card": (r"(?<![\w.])\d(?:[ -]?\d){12,40}(?!\w)", _grouped(_is_card)),
    "machine": (
        r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?![\w:]|\.\d)",
        _machine,
    ),
    "phone": (
        r"(?<![\w.,+])(?:(?:\+|00)\d[\d ()./-]{6,18}\d|0\d{1,4}[ /()-]{1,3}\d[\d -]{4,12}\d"
        r"|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4})(?!\w)",
        _phone,
    ),
}


class Scrubber:
    """`counts` are of different things found, by their kind. `more` are patterns of one's own, by name."""

    def __init__(self, more: Mapping[str, re.Pattern[str]] | None = None) -> None:
        own = {name: (pattern, _whole) for name, pattern in (more or {}).items()}
        shipped = {name: (re.compile(text, re.DOTALL), find) for name, (text, find) in PATTERNS.items()}
        self._kinds: dict[str, tuple[re.Pattern[str], Find]] = {**own, **shipped}
        self._known: dict[str, dict[str, str]] = {name: {} for name in self._kinds}

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(known) for name, known in self._known.items() if known}

    def text(self, text: str) -> str:
        for name, (pattern, find) in self._kinds.items():
            text = pattern.sub(lambda found, name=name, find=find: self._marked(name, found[0], find), text)
        return text

    def value(self, value: Any) -> Any:
        """Every text within a JSON value, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value

    def _marked(self, name: str, text: str, find: Find) -> str:
        """What a pattern found, with a mark for each thing in it: there may be several, and others between them."""
        known, marked = self._known[name], ""
        while (place := find(text)) is not None:
            key, start, end = place
            marked += text[:start] + known.setdefault(key, f"[{name}-{len(known) + 1}]")
            text = text[end:]
            if not text:
                break
        return marked + text
