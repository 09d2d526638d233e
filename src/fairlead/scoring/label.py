"""Classification: the label that an answer names, and what a set of labelled cases says of a classifier."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from fairlead.scoring.exact import accepted
from fairlead.scoring.json_fields import read_object, unfenced
from fairlead.scoring.score import Item, Output, Score
from fairlead.scoring.text import plain_words

NONE = "(none)"  # an answer that names no label


def label(
    output: Output,
    case: Item,
    *,
    labels: tuple[str, ...] = (),
    take: Literal["whole", "only", "field"] = "whole",
    field: str = "label",
) -> Score:
    """Gold: the right label, or a list of those that are right. Capitals and spaces around say nothing.

    `take`: the whole answer is the label; or the answer names one of the declared `labels` and no other; or it is the
    `field` of a JSON object. Outside of the declared labels nothing is one.
    """
    wanted = [plain_words(one) for one in accepted(case)]
    found = _found(output.text, labels, take, field)
    known = {plain_words(one): one for one in labels}
    named = known.get(found, NONE) if labels else found or NONE
    return Score(float(found in wanted and named != NONE), {"label": named, "gold": accepted(case)[0]})


def _found(text: str, labels: tuple[str, ...], take: str, field: str) -> str:
    if take == "field":
        told = (read_object(unfenced(text)) or {}).get(field)
        return plain_words(told) if isinstance(told, str) else ""
    plain = plain_words(text)
    if take == "whole":
        return plain.strip(" .\"'`*")
    there = {plain_words(one) for one in labels if re.search(rf"(?<!\w){re.escape(plain_words(one))}(?!\w)", plain)}
    longest = {one for one in there if not any(one != other and one in other for other in there)}
    return longest.pop() if len(longest) == 1 else ""


class Classified(Struct, frozen=True):
    """Shares 0 to 1. `confusion` counts by (gold, label); `macro_f1` is the mean over the gold's labels, each as
    important as any other."""

    accuracy: float
    macro_f1: float
    f1: Mapping[str, float]
    confusion: Mapping[tuple[str, str], int]


def classified(pairs: Iterable[tuple[str, str]]) -> Classified:
    """Of (gold, label) of each case; a failed answer's label is NONE. Raises ValueError where there are none."""
    confusion = Counter(pairs)
    total = confusion.total()
    if not total:
        raise ValueError("there is nothing to count: no cases")
    golds, labels = Counter[str](), Counter[str]()
    for (gold, named), count in confusion.items():
        golds[gold] += count
        labels[named] += count
    f1 = {gold: 2 * confusion[gold, gold] / (golds[gold] + labels[gold]) for gold in sorted(golds)}
    right = sum(count for (gold, named), count in confusion.items() if gold == named)
    return Classified(right / total, sum(f1.values()) / len(f1), f1, dict(confusion))
