"""The tools that an answer calls, and with which arguments, against those that are right."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fairlead.chat import ToolCall
from fairlead.scoring.json_fields import is_same, read_object
from fairlead.scoring.score import GoldUnfit, Item, Output, Score


def tool_calls(
    output: Output,
    case: Item,
    *,
    arguments: Literal["same", "at_least", "ignored"] = "same",
    in_order: bool = False,
    text_allowed: bool = True,
) -> Score:
    """Gold: a list of {"name", "arguments"}; an empty one where no tool is to be called.

    1 if each wanted call was made, once, and no other; else the share: right calls over all that were wanted or made.
    `arguments` "at_least": more than the wanted ones is no fault. They are compared strictly, as JSON.
    """
    wanted = _wanted(case)
    made = output.tool_calls
    pairs = _in_order(made, wanted, arguments) if in_order else _any_order(made, wanted, arguments)
    total = max(len(wanted), len(made))
    value = pairs / total if total else 1.0
    if not text_allowed and output.text.strip():
        value = 0.0
    return Score(value, {"right": pairs, "wanted": len(wanted), "made": [call.name for call in made]})


def _wanted(case: Item) -> Sequence[Mapping[str, Any]]:
    gold = case.gold
    fits = isinstance(gold, list | tuple) and all(
        isinstance(one, Mapping) and isinstance(one.get("name"), str) and isinstance(one.get("arguments", {}), Mapping)
        for one in gold
    )
    if not fits:
        raise GoldUnfit('the gold must be a list of {"name": ..., "arguments": {...}}')
    return gold


def _any_order(made: Sequence[ToolCall], wanted: Sequence[Mapping[str, Any]], arguments: str) -> int:
    """As many pairs as can be: a call may fit several wanted ones, so it is an assignment."""
    if not made or not wanted:
        return 0
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    fits = np.array([[_is_right(call, one, arguments) for call in made] for one in wanted], dtype=float)
    return int(fits[linear_sum_assignment(fits, maximize=True)].sum())


def _in_order(made: Sequence[ToolCall], wanted: Sequence[Mapping[str, Any]], arguments: str) -> int:
    return sum(_is_right(call, one, arguments) for call, one in zip(made, wanted, strict=False))


def _is_right(call: ToolCall, wanted: Mapping[str, Any], arguments: str) -> bool:
    if call.name != wanted["name"]:
        return False
    if arguments == "ignored":
        return True
    found = read_object(call.arguments or "{}")
    there = wanted.get("arguments", {})
    if found is None:
        return False
    if arguments == "at_least":
        found = {name: value for name, value in found.items() if name in there}
    return is_same(found, there)
