"""Texts made alike before they are compared: composed characters, and what a suite declares to say nothing. Knows no
languages beyond what Unicode says of letters."""

import re
import unicodedata

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
