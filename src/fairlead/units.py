"""What is billed: the units that a price may name, which of them contains which, and a bill over them.

A unit of tokens is a set of traits: the way they go (input, output), what they are made of (text, audio, image, video)
and what is done with them (read from a cache, written to one, for so long, by a tool, as reasoning, as citations). The
more traits it has the narrower it is: `cache_audio_read_tokens` are among the `input_audio_tokens`, those among the
`input_tokens`. A token is billed once, by the narrowest unit that has a rate. Everything else (searches, requests) is
counted for itself. The names are those of genai-prices. Money is not known here: rates are any integers.
"""

from collections.abc import Mapping
from functools import lru_cache

_MEDIA = ("", "text", "audio", "image", "video")
_CACHE = (("cache", "read"), ("cache", "write"), ("cache", "write", "5m"), ("cache", "write", "1h"))
_DONE = (("input",), ("output",), ("input", "tool"), ("output", "reasoning"), ("output", "citation"))


def _token_units() -> dict[str, frozenset[str]]:
    units: dict[str, frozenset[str]] = {}
    for medium in _MEDIA:
        for first, *rest in (*_DONE, *_CACHE):
            words = [first, *filter(None, [medium]), *rest, "tokens"]
            way = "input" if first == "cache" else first
            units["_".join(words)] = frozenset({way, *words} - {"tokens"})
    return units


TOKENS: Mapping[str, frozenset[str]] = _token_units()  # name -> traits
PLAIN: Mapping[str, str] = {  # the units that prices and usages have fields for
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
}
RERANK_SEARCHES = "rerank_searches"
SEARCHES = frozenset({"web_searches", "storage_searches", "social_searches", RERANK_SEARCHES, "code_executions"})


def is_of(direction: str, unit: str) -> bool:
    """Are these tokens that go that way (input, output)?"""
    return direction in TOKENS.get(unit, ())


def bill(rates: Mapping[str, int], counts: Mapping[str, int]) -> int:
    """The sum of counts times rates, every token billed once.

    `counts` of wide units contain those of narrow ones. A unit without a count is none; one with less than the narrower
    ones in it is billed as nothing beyond them.
    """
    total = 0
    own: dict[str, int] = {}
    for unit, narrower in _narrowest_first(tuple(rates)):
        left = counts.get(unit, 0)
        for inner in narrower:
            left -= own[inner]
        own[unit] = left = max(0, left)
        total += left * rates[unit]
    return total


@lru_cache(maxsize=256)
def _narrowest_first(units: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each unit with those that lie within it, which all stand before it."""
    traits = {unit: TOKENS.get(unit, frozenset({unit})) for unit in units}
    ordered = sorted(units, key=lambda unit: -len(traits[unit]))
    return tuple((unit, tuple(inner for inner in ordered if traits[inner] > traits[unit])) for unit in ordered)
