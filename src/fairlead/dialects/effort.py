"""Thinking by effort and thinking by budget, each said in the other's words.

Providers who take a budget take tokens out of the output limit, so an effort is a share of it.
"""

SHARES = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.9, "max": 0.95}
EFFORTS = ("none", *SHARES)


def budget_of(effort: str, limit: int, *, least: int = 0) -> int:
    """Tokens for thinking, of an output limit in tokens, at least `least`. 0 for none. Raises KeyError if unknown."""
    return 0 if effort == "none" else max(int(limit * SHARES[effort]), least)


def effort_of(budget: int, limit: int) -> str:
    """The effort whose share of the limit is nearest to the budget (both in tokens)."""
    if budget <= 0:
        return "none"
    share = budget / max(limit, 1)
    return min(("low", "medium", "high"), key=lambda effort: abs(SHARES[effort] - share))
