"""The answer is a number, or holds one, and it is the right one."""

from typing import Literal

from fairlead.scoring.numbers import Sign, is_close, numbers_in, read_number
from fairlead.scoring.score import GoldUnfit, Item, Output, Score


def number(
    output: Output,
    case: Item,
    *,
    take: Literal["whole", "last", "first"] = "whole",
    mark: str = "",
    decimal: Sign = "either",
    percent: bool = False,
    tolerance: float = 0.0,
    relative: float = 0.0,
) -> Score:
    """`take`: the whole answer is the number, or which of those in it is; after the last `mark`, if it has one.

    Right is what lies within `tolerance`, or within the share `relative` of the gold.
    """
    wanted = read_number(case.gold, decimal, percent=percent)
    if wanted is None:
        raise GoldUnfit(f"the gold is no number: {str(case.gold)[:100]!r}")
    text = output.text.rpartition(mark)[2] if mark else output.text
    if take == "whole":
        chosen = text
    else:
        there = numbers_in(text)
        chosen = (there[-1] if take == "last" else there[0]) if there else ""
    found = read_number(chosen, decimal, percent=percent)
    if found is None:
        return Score(0.0, {"found": None})
    return Score(float(is_close(found, wanted, tolerance, relative)), {"found": str(found), "wanted": str(wanted)})
