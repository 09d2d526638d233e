"""Anthropic's language, outwards: how much shall be thought, in the words that the model takes.

Which words those are says its name (`dialects/claude.py`), or the quirk `thinking`; a name that tells nothing is taken
to be that of a model which thinks adaptively.
"""

from typing import Any

from msgspec import Struct

from fairlead.chat import Chat
from fairlead.dialects.anthropic.signing import DIALECT
from fairlead.dialects.anthropic.turns import is_amid_tools
from fairlead.dialects.claude import Claude
from fairlead.dialects.effort import budget_of, effort_of
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid

LEAST_BUDGET_TOKENS = 1024
ALWAYS_THINKS = "The model always thinks; ask for a low effort."
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}


class Wish(Struct, frozen=True):
    """What is asked of thinking. `limit` is the output limit in tokens; `quirk` decides over the model's name."""

    chat: Chat
    claude: Claude | None
    quirk: str | None
    limit: int
    losses: Losses

    def write(self, body: dict[str, Any]) -> None:
        """Into a body that has its turns and its choice of tools."""
        chat, mode = self.chat, self._mode
        if mode == "off" or (chat.effort is None and chat.thinking_tokens is None):
            if chat.effort not in (None, "none") or chat.thinking_tokens:
                self.losses.leave(self._name)
            if chat.shows_thinking:
                self.losses.leave("shows_thinking")
            return
        if chat.effort == "none" or chat.thinking_tokens == 0:
            self._write_none(body)
            return
        if mode == "none":
            self.losses.lose(self._name, "thinking", "The model does not think; ask for one that does.")
            return
        forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
        if mode == "budget" or (mode == "either" and chat.thinking_tokens is not None):
            self._write_budget(body, forced)
        elif not forced or chat.dialect == DIALECT:  # else there is no thinking; who speaks this language knows
            body["thinking"] = {"type": "adaptive"}
        if mode != "budget" or self._has_both:
            self._write_effort(body, mode)
        if mode == "adaptive" and chat.thinking_tokens is not None:
            self.losses.leave("thinking_tokens")
        if chat.shows_thinking is not None and "thinking" in body:
            body["thinking"]["display"] = "summarized" if chat.shows_thinking else "omitted"

    @property
    def _mode(self) -> str:
        """How this model is asked to think; `either`: as the caller said it."""
        own = self.chat.dialect == DIALECT
        if self.quirk or self.claude is None:
            return self.quirk or ("either" if own else "adaptive")
        return "adaptive" if self.claude.thinking == "either" and not own else self.claude.thinking

    @property
    def _name(self) -> str:
        return "thinking_tokens" if self.chat.effort is None else "reasoning_effort"

    @property
    def _has_both(self) -> bool:
        """Whether a caller of this language said a budget and an effort to a model that takes both."""
        both = self.chat.dialect == DIALECT and self.chat.thinking_tokens is not None
        return both and self.claude is not None and bool(self.claude.efforts)

    def _write_none(self, body: dict[str, Any]) -> None:
        off = "disabled" if self.claude is None else self.claude.off
        if not off:
            self.losses.lose(self._name, "no thinking", ALWAYS_THINKS)
            body["output_config"] = {"effort": "low"}
            return
        if self.claude is None or self.claude.thinking != "none":
            body["thinking"] = {"type": off}
            self._write_effort(body, self._mode)

    def _write_effort(self, body: dict[str, Any], mode: str) -> None:
        effort = self.chat.effort
        if effort is None and mode == "adaptive" and (self.chat.thinking_tokens or 0) > 0:
            effort = effort_of(self.chat.thinking_tokens or 0, self.limit)
        if effort is None or effort == "none" or (mode == "budget" and not self._has_both):
            return
        said = effort if self.chat.dialect == DIALECT and effort not in _EFFORTS else self._level(effort)
        if said != effort:
            self.losses.leave("reasoning_effort")
        body["output_config"] = {"effort": said}

    def _level(self, effort: str) -> str:
        """The nearest that the model has."""
        said = _EFFORTS.get(effort)
        if said is None:
            raise unknown_effort(effort)
        if self.chat.dialect == DIALECT and self.claude is None:
            return effort
        return said if self.claude is None or not self.claude.efforts else self.claude.level(said)

    def _write_budget(self, body: dict[str, Any], forced: bool) -> None:
        """A budget has 1,024 tokens at least and leaves some of the limit to the answer, or there is no thinking."""
        chat, limit = self.chat, self.limit
        name = "reasoning_effort" if chat.thinking_tokens is None else "thinking_tokens"
        wanted = chat.thinking_tokens
        if wanted is None or wanted < 0:
            if chat.effort is not None and chat.effort not in _EFFORTS:
                raise unknown_effort(chat.effort)
            wanted = budget_of(chat.effort or "medium", limit, least=LEAST_BUDGET_TOKENS)
        budget = max(min(wanted, limit - 1), LEAST_BUDGET_TOKENS)
        knows = chat.dialect == DIALECT and chat.thinking_tokens is not None
        if budget >= limit or (not knows and (forced or is_amid_tools(body["messages"]))):
            self.losses.leave(name)
            return
        if chat.thinking_tokens is not None and budget != chat.thinking_tokens:
            self.losses.leave(name)
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def unknown_effort(effort: str) -> RequestInvalid:
    return RequestInvalid(
        f"`reasoning_effort`: {effort!r} is not known.",
        param="reasoning_effort",
        hint=f"Use one of none, {', '.join(_EFFORTS)}.",
    )
