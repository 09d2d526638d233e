"""Two texts side by side: which words of the one are not in the other. Knows nothing of how it is shown."""

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from msgspec import Struct

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
MOST_WORDS = 1500  # of a text: comparing takes the square of it at worst


class Piece(Struct, frozen=True):
    """`is_other`: the other text has not got it here."""

    text: str
    is_other: bool


def pieces(first: str, second: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts in pieces, together as long as they were. Texts that are too long to compare come in one piece."""
    ours, theirs = WORDS.findall(first), WORDS.findall(second)
    if len(ours) > MOST_WORDS or len(theirs) > MOST_WORDS or not first or not second:
        return tuple(_whole(first)), tuple(_whole(second))
    left: list[Piece] = []
    right: list[Piece] = []
    for what, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if b > a:
            left.append(Piece("".join(ours[a:b]), what != "equal"))
        if d > c:
            right.append(Piece("".join(theirs[c:d]), what != "equal"))
    return tuple(left), tuple(right)


def _whole(text: str) -> Iterator[Piece]:
    if text:
        yield Piece(text, False)
