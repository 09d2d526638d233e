"""The answer matches a regular expression: the case's gold, or the one that the suite declares.

Expressions are the suite's author's; answers are cut at `LONGEST`, since one that backtracks could take for ever.
"""

import re
from functools import lru_cache

from fairlead.scoring.score import GoldUnfit, Item, Output, Score

LONGEST = 100_000


def regex(output: Output, case: Item, *, pattern: str = "", whole: bool = False, case_counts: bool = True) -> Score:
    """`whole`: it must match all of the answer, but for spaces around it."""
    wanted = pattern or case.gold
    if not isinstance(wanted, str) or not wanted:
        raise GoldUnfit("the gold must be a regular expression, or `pattern` be declared")
    compiled = _compiled(wanted, case_counts)
    text = output.text[:LONGEST]
    found = compiled.fullmatch(text.strip()) if whole else compiled.search(text)
    return Score(float(found is not None), {"found": found[0][:200]} if found else {})


@lru_cache(maxsize=256)
def _compiled(pattern: str, case_counts: bool) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.DOTALL if case_counts else re.DOTALL | re.IGNORECASE)
    except re.error as error:
        raise GoldUnfit(f"not a regular expression: {error}") from None
