"""Gemini's language: what it is called, and its two spellings.

Google's servers take every field as `generationConfig` and as `generation_config`, at every level, mixed as you like.
Everything is read in both spellings and written in the first, which is the one that answers come in.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from msgspec import Raw

from fairlead.chat import Task
from fairlead.dialects.reading import take
from fairlead.errors import RequestInvalid

DIALECT = "gemini"
LANGUAGE = "Gemini's API"
TASKS: frozenset[Task] = frozenset({"chat", "embed"})

NULL = Raw(b"null")
_IDLE = frozenset({b"null", b"false", b"{}", b"[]", b'""'})

RAWS = msgspec.json.Decoder(dict[str, Raw])
_HUMP = re.compile(r"_+(\w)")


@lru_cache(maxsize=512)
def camel(name: str) -> str:
    """`top_k` and `_topK` as `topK`."""
    return _HUMP.sub(lambda found: found[1].upper(), name.lstrip("_"))


def camelled(fields: Mapping[str, Raw]) -> dict[str, Raw]:
    """The same fields in Google's own spelling, without those that are null. Raises RequestInvalid where both spellings
    of a field are there: which of them counts would be the server's guess."""
    said = {camel(name) if "_" in name else name: raw for name, raw in fields.items() if raw != NULL}
    if len(said) != len(fields):
        _check_twice(fields)
    return said


def _check_twice(fields: Mapping[str, Raw]) -> None:
    seen: set[str] = set()
    for name, raw in fields.items():
        spelt = camel(name)
        if spelt in seen:
            raise RequestInvalid(f"`{spelt[:100]}` comes twice, in two spellings.", param=spelt[:100], hint="Send one.")
        if raw != NULL:
            seen.add(spelt)


def take_object(raw: Raw | None, path: str) -> dict[str, Raw]:
    """The fields of an object, empty where there is none. Raises RequestInvalid."""
    return {} if raw is None else camelled(take(RAWS, raw, path))


def is_idle(raw: Raw) -> bool:
    """Whether a field with this value asks for nothing."""
    return len(raw) <= 5 and bytes(raw) in _IDLE


def model_name(model: str) -> str:
    """A model as bodies name it (`models/...`), where its own name does not say of what kind it is."""
    return model if "/" in model else f"models/{model}"
