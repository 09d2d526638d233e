"""Fields compared by what they mean, where a suite declares it: numbers and dates in other forms, lists in any order,
and what lies within objects counted one by one.

A list whose order says nothing is aligned: each wanted entry is held against the found one with which, taken together,
most is right (an assignment, by scipy). An entry that nobody asked for counts as one that is wrong, so that answering
with everything gains nothing. What is the same, strictly, is known in the module `json_fields`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from fairlead.scoring.dates import read_day
from fairlead.scoring.json_fields import MISSING, Reason, Score, is_same, read_object, score, unfenced
from fairlead.scoring.numbers import Sign, is_close, read_number
from fairlead.scoring.score import GoldUnfit, Item, Output
from fairlead.scoring.text import plain_words

Verdicts = dict[str, Reason]
EXTRA = "+"  # after the path of a list: an entry too many
MOST_ENTRIES = 1000  # of a list that was found: what lies beyond is not looked at


def json_fields(
    output: Output,
    case: Item,
    *,
    fields: dict[str, Literal["strict", "number", "date", "text"]] | None = None,
    dates: tuple[str, ...] = (),
    decimal: Literal[".", ",", "either"] = "either",
    tolerance: float = 0.0,
    leaves: bool = False,
    lists: Literal["in_order", "any_order"] = "in_order",
    fenced: bool = False,
) -> Score:
    """The scorer. Without options it is `score`; `fenced` also takes the object from a code block around it.

    `fields` says which are compared by what they mean, such as `{"total": "number", "items.price": "number"}`: numbers
    also as text, dates also in the declared forms, text whatever its spaces and capitals. `leaves` counts what lies
    within objects and lists one by one; lists are aligned so that most is right, where their order says nothing.
    """
    if not isinstance(case.gold, Mapping) or not case.gold:
        raise GoldUnfit("json_fields wants an object of fields as gold")
    text = unfenced(output.text) if fenced else output.text
    if not fields and not leaves and lists == "in_order":
        return score(text, case.gold)
    rules = Rules(fields or {}, dates, decimal, tolerance, leaves, lists)
    found = read_object(text)
    return compare(found, case.gold, rules)


class Rules(Struct, frozen=True):
    """See `json_fields`. `kinds` are by path, `items.price` for that of any entry."""

    kinds: Mapping[str, str]
    dates: tuple[str, ...] = ()
    decimal: Sign = "either"
    tolerance: float = 0.0
    leaves: bool = False
    lists: Literal["in_order", "any_order"] = "in_order"


def compare(found: Mapping[str, Any] | None, wanted: Mapping[str, Any], rules: Rules) -> Score:
    """`found` None: the answer was no object, and every field is missing."""
    verdicts: Verdicts = {}
    for name, value in wanted.items():
        here = found[name] if found is not None and name in found else _NOTHING
        below = _verdicts(here, value, name, name, rules)
        if rules.leaves or len(below) == 1:
            verdicts |= below
        else:
            verdicts[name] = _whole(below)
    right = sum(verdict == "right" for verdict in verdicts.values())
    extra = () if found is None else tuple(name for name in found if name not in wanted)
    return Score(right / len(verdicts), verdicts, found is not None, extra)


def _whole(verdicts: Verdicts) -> Reason:
    said = set(verdicts.values())
    return said.pop() if len(said) == 1 else "wrong"


class _Nothing:
    """Where a field is not there at all."""


_NOTHING = _Nothing()


def _verdicts(found: Any, wanted: Any, path: str, kind_path: str, rules: Rules) -> Verdicts:
    """By the path of each value that lies within what is wanted. Empty objects and lists are values."""
    if isinstance(wanted, Mapping) and wanted:
        there = found if isinstance(found, Mapping) else {}
        verdicts: Verdicts = {}
        for name, value in wanted.items():
            here = there.get(name, _NOTHING)
            verdicts |= _verdicts(here, value, f"{path}.{name}", f"{kind_path}.{name}", rules)
        return verdicts
    if isinstance(wanted, list | tuple) and wanted:
        there = found[:MOST_ENTRIES] if isinstance(found, list) else []
        return _listed(there, wanted, path, kind_path, rules)
    if isinstance(found, _Nothing):
        return {path: MISSING}
    return {path: "right" if _means(found, wanted, rules.kinds.get(kind_path, "strict"), rules) else "wrong"}


def _listed(found: list[Any], wanted: Sequence[Any], path: str, kind_path: str, rules: Rules) -> Verdicts:
    place = _aligned(found, wanted, kind_path, rules) if rules.lists == "any_order" else range(len(found))
    verdicts: Verdicts = {}
    there = dict(enumerate(place))
    for position, value in enumerate(wanted):
        here = found[there[position]] if position in there and 0 <= there[position] < len(found) else _NOTHING
        verdicts |= _verdicts(here, value, f"{path}[{position}]", kind_path, rules)
    for spare in range(len(found) - len(wanted)):
        verdicts[f"{path}[{EXTRA}{spare}]"] = "wrong"
    return verdicts


def _aligned(found: list[Any], wanted: Sequence[Any], kind_path: str, rules: Rules) -> list[int]:
    """For each wanted entry the place of the found one that it is held against, -1 for none."""
    if not found:
        return []
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    gain = np.array([[_share(one, value, kind_path, rules) for one in found] for value in wanted])
    rows, columns = linear_sum_assignment(gain, maximize=True)
    place = [-1] * len(wanted)
    for row, column in zip(rows, columns, strict=True):
        place[row] = int(column)
    return place


def _share(found: Any, wanted: Any, kind_path: str, rules: Rules) -> float:
    verdicts = _verdicts(found, wanted, "", kind_path, rules)
    return sum(verdict == "right" for verdict in verdicts.values()) / len(verdicts)


def _means(found: Any, wanted: Any, kind: str, rules: Rules) -> bool:
    if is_same(found, wanted):
        return True
    if kind == "number":
        here, there = read_number(found, rules.decimal), read_number(wanted, rules.decimal)
        return here is not None and there is not None and is_close(here, there, rules.tolerance)
    if kind == "date":
        day = read_day(found, rules.dates)
        return day is not None and day == read_day(wanted, rules.dates)
    if kind == "text":
        return isinstance(found, str) and isinstance(wanted, str) and plain_words(found) == plain_words(wanted)
    return False
