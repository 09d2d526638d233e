"""Gemini's language, outwards: how much shall be thought, in the words and within the bounds of the model.

| models | words | bounds |
|---|---|---|
| 2.5 Pro | a budget | 128 to 32,768 tokens; it always thinks |
| 2.5 Flash | a budget | up to 24,576 tokens, 0 for none |
| 2.5 Flash-Lite | a budget | 512 to 24,576 tokens, 0 for none |
| 3 Pro | a level | LOW, HIGH; it always thinks |
| 3.1 Pro and later; 3.7 Flash and later | a level | LOW, MEDIUM, HIGH; they always think |
| 3 to 3.6 Flash, Flash-Lite | a level | MINIMAL to HIGH; MINIMAL is as good as none |
| whose name tells nothing | a level, or the budget that was asked for | MINIMAL to HIGH, 0 for none |

Sources: https://ai.google.dev/gemini-api/docs/thinking and
https://docs.cloud.google.com/gemini-enterprise-agent-platform/models/thinking, read 2026-11.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from fairlead.chat import Chat
from fairlead.dialects.effort import EFFORTS, SHARES, budget_of, effort_of
from fairlead.dialects.gemini.names import DIALECT
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid

MOST_BUDGET_TOKENS = 24_576
_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_NAME = re.compile(r"gemini-(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:-(?P<kind>pro|flash-lite|flash))?")


class Bounds(Struct, frozen=True):
    """What a model takes. `known`: its name tells it; else what every one takes. `levels`: none before Gemini 3."""

    known: bool = False
    levels: tuple[str, ...] = _LEVELS
    least: int = 512
    most: int = MOST_BUDGET_TOKENS
    always: bool = False  # it can't be switched off


def is_old(model: str) -> bool:
    """Whether it is of before Gemini 3: it wants no signature on a call, and gives no JSON beside tools."""
    return not bounds_of(model).levels


@lru_cache(maxsize=512)
def bounds_of(model: str) -> Bounds:
    """By its name (`gemini-2.5-flash`, `models/gemini-3-pro-preview`)."""
    found = _NAME.match(model.rpartition("/")[2].lower())
    if found is None:
        return Bounds()
    kind, version = found["kind"], (int(found["major"]), int(found["minor"] or 0))
    if version < (3, 0):
        least, most = {"pro": (128, 32_768), "flash": (0, MOST_BUDGET_TOKENS)}.get(kind, (512, MOST_BUDGET_TOKENS))
        return Bounds(True, (), least, most, kind == "pro")
    if kind == "pro":
        return Bounds(True, ("LOW", "HIGH") if version == (3, 0) else _LEVELS[1:], always=True)
    if kind == "flash" and version >= (3, 7):
        return Bounds(True, _LEVELS[1:], always=True)
    return Bounds(kind is not None)


def write_thinking(chat: Chat, model: str, limit: int, quirks: Mapping[str, Any], losses: Losses) -> dict[str, Any]:
    """The `thinkingConfig`, empty where nothing is asked for."""
    effort, tokens = chat.effort, chat.thinking_tokens
    mode = quirks.get("thinking", "auto")
    if mode == "off":
        if effort is not None or tokens is not None:
            losses.leave("thinking_tokens" if effort is None else "reasoning_effort")
        return {}
    said: dict[str, Any] = {}
    if chat.shows_thinking is not None:
        said["includeThoughts"] = chat.shows_thinking
    if effort is None and tokens is None:
        return said
    if effort is not None and effort not in EFFORTS:
        raise _unknown(effort)
    bounds = bounds_of(model)
    if quirks.get("levels"):
        bounds = Bounds(True, tuple(quirks["levels"]))
    if mode == "budget" or (mode == "auto" and not bounds.levels):
        said["thinkingBudget"] = _budget(chat, limit, bounds, losses)
    elif tokens is not None and effort is None and (chat.dialect == DIALECT or not bounds.known):
        said["thinkingBudget"] = tokens
    elif (effort or "none") == "none" and not tokens and not bounds.known:
        said["thinkingBudget"] = 0
    else:
        said["thinkingLevel"] = _level(chat, limit, bounds.levels or _LEVELS, losses)
    return said


def _budget(chat: Chat, limit: int, bounds: Bounds, losses: Losses) -> int:
    """Within the model's bounds; -1 leaves it to the model. Who speaks this language knows them."""
    wanted = chat.thinking_tokens
    if wanted is not None and (wanted < 0 or chat.dialect == DIALECT):
        return wanted
    asked = wanted is not None
    if wanted is None:
        wanted = budget_of(chat.effort or "none", limit, least=min(max(bounds.least, 512), limit))
    if wanted == 0:
        if bounds.always:
            losses.leave("thinking_tokens" if asked else "reasoning_effort")
            return bounds.least
        return 0
    budget = min(max(wanted, bounds.least), bounds.most if asked else MOST_BUDGET_TOKENS)
    if asked and budget != wanted:
        losses.leave("thinking_tokens")
    return budget


def _level(chat: Chat, limit: int, levels: Sequence[str], losses: Losses) -> str:
    """The level that the model has and that is nearest to what was asked for."""
    effort = chat.effort
    if chat.thinking_tokens is not None:
        losses.leave("thinking_tokens")
    if effort is None:
        effort = effort_of(chat.thinking_tokens or 0, limit)
    wanted = effort.upper()
    if wanted in levels:
        return wanted
    if chat.effort is not None:
        losses.leave("reasoning_effort")
    return min(levels, key=lambda level: abs(SHARES.get(level.lower(), 0.5) - SHARES.get(effort, 0.0)))


def _unknown(effort: str) -> RequestInvalid:
    return RequestInvalid(
        f"`reasoning_effort`: {effort!r} is not known.",
        param="reasoning_effort",
        hint=f"Use one of {', '.join(EFFORTS)}.",
    )
