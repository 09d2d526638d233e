"""Texts made alike before they are compared: composed characters, and what a suite declares to say nothing; the words
in them, and runs of these. Knows no languages beyond what Unicode says of letters."""

import re
import unicodedata
from collections.abc import Iterator, Sequence

_SPACE = re.compile(r"\s+")


def tidy(text: str, *, case: bool = True, spaces: bool = True, punctuation: bool = True) -> str:
    """In composed form; what is False here says nothing, and is taken out."""
    text = unicodedata.normalize("NFC", text)
    if not case:
        text = unicodedata.normalize("NFC", text.casefold())
    if not punctuation:
        text = "".join(" " if unicodedata.category(sign)[0] == "P" else sign for sign in text)
    return text if spaces else _SPACE.sub(" ", text).strip()


def plain_words(text: str) -> str:
    """Whatever its spaces and capitals."""
    return tidy(text, case=False, spaces=False)


# Scripts that put no spaces between words: each sign is one.
_WORD = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|\w+")


def words(text: str) -> list[str]:
    """Whatever their capitals, without punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def sequences(found: Sequence[str], length: int) -> Iterator[tuple[str, ...]]:
    """All runs of so many words; a shorter text is one run."""
    if len(found) <= length:
        yield tuple(found)
        return
    for start in range(len(found) - length + 1):
        yield tuple(found[start : start + length])
