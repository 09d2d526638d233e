"""Answers that rest on documents: what they cite is there, and says what they say.

Sources are a variable of the case, `{"d1": "text", ...}`, or a list of texts that are called 1, 2, 3. Whether a source
supports a sentence is seen in its words and numbers only: a share of the sentence's content words must stand in what it
cites, and each of its numbers. That finds what was made up, not what was twisted; a judge reads for the latter.
"""

import re
from collections.abc import Mapping
from typing import Any

from fairlead.scoring.score import GoldUnfit, Item, Output, Score
from fairlead.scoring.text import tidy

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\[\s])|\n+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
SHORTEST_WORD = 4  # letters: shorter ones hold sentences together
LONGEST = 50_000


def citations(
    output: Output,
    case: Item,
    *,
    sources: str = "sources",
    pattern: str = r"\[(\w[\w.-]*)\]",
    overlap: float = 0.5,
    uncited: float = 0.0,
) -> Score:
    """The mean over the answer's sentences: 1 if all that one cites is there and supports it, `uncited` without any.

    Gold, where there is one: {"cites": [...]}, the sources that a right answer rests on; the score is then multiplied
    by the share of them that are cited.
    """
    there = _sources(case, sources)
    cite = re.compile(pattern)
    sentences = [part.strip() for part in _SENTENCE.split(output.text[:LONGEST]) if cite.sub("", part).strip(" .\n")]
    if not sentences:
        return Score(0.0, {"sentences": 0})
    unknown, unsupported, values, cited = set[str](), [], [], set[str]()
    for sentence in sentences:
        names = set(cite.findall(sentence))
        cited |= names
        unknown |= names - there.keys()
        if not names:
            values.append(uncited)
        elif names <= there.keys() and _is_supported(
            cite.sub("", sentence), " ".join(there[name] for name in names), overlap
        ):
            values.append(1.0)
        else:
            values.append(0.0)
            unsupported.append(sentence[:200])
    value = sum(values) / len(values)
    reasons: dict[str, Any] = {
        "sentences": len(sentences),
        "cited": sorted(cited),
        "unknown": sorted(unknown),
        "unsupported": unsupported[:10],
    }
    wanted = _wanted(case)
    if wanted:
        reasons["left_out"] = sorted(wanted - cited)
        value *= len(wanted & cited) / len(wanted)
    return Score(value, reasons)


def _sources(case: Item, name: str) -> dict[str, str]:
    found = case.vars.get(name)
    if isinstance(found, list) and found:
        found = {str(number): text for number, text in enumerate(found, 1)}
    if not isinstance(found, Mapping) or not all(isinstance(text, str) for text in found.values()):
        raise GoldUnfit(f"the case has no sources: its variable `{name}` must be an object or a list of texts")
    return dict(found)


def _wanted(case: Item) -> set[str]:
    gold = case.gold.get("cites") if isinstance(case.gold, Mapping) else None
    if gold is None:
        return set()
    if not isinstance(gold, list | tuple):
        raise GoldUnfit('the gold\'s "cites" must be a list of names of sources')
    return {str(name) for name in gold}


def _is_supported(sentence: str, source: str, overlap: float) -> bool:
    if set(_NUMBER.findall(sentence)) - set(_NUMBER.findall(source)):
        return False
    words = _content(sentence)
    return not words or len(words & _content(source)) / len(words) >= overlap


def _content(text: str) -> set[str]:
    plain = tidy(text, case=False, spaces=False, punctuation=False)
    return {word for word in plain.split() if len(word) >= SHORTEST_WORD and not word.isdigit()}
