"""OpenAI's language: how thinking is asked for, in the words of everybody who speaks it, both ways.

| who | fields |
|---|---|
| OpenAI, Groq, xAI, Gemini, ... | `reasoning_effort` |
| OpenRouter, Vercel | `reasoning`: `effort`, `max_tokens`, `enabled`, `exclude` |
| Qwen (Alibaba) | `enable_thinking`, `thinking_budget` |
| vLLM, SGLang | `chat_template_kwargs`: `enable_thinking` or `thinking`, `thinking_budget`, `reasoning_effort` |
| DeepSeek, Z.ai, Moonshot, LiteLLM | `thinking`: `type`, `budget_tokens` |
| vLLM, Groq, OpenRouter before | `include_reasoning`, `thinking_token_budget`, `reasoning_format` |

All of them are read; which one is written, the quirk `reasoning` says. To be switched on without a measure is an effort
of medium, to be switched off is a budget of 0.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Chat
from fairlead.dialects.effort import EFFORTS, budget_of, effort_of
from fairlead.dialects.losses import Losses
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.reading import UNREADABLE

NAMES = frozenset({
    "chat_template_kwargs", "enable_thinking", "include_reasoning", "reasoning", "reasoning_effort", "reasoning_format",
    "thinking", "thinking_budget", "thinking_token_budget",
})  # fmt: skip
_DEFAULT = "medium"

T = TypeVar("T")


class Asked(Struct):
    """What the fields ask for together. `unread`: those that say more than that."""

    effort: str | None = None
    tokens: int | None = None
    shows: bool | None = None
    on: bool | None = None
    unread: frozenset[str] = frozenset()


class _Reasoning(Struct, forbid_unknown_fields=True):
    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None
    summary: str | None = None


class _Template(Struct, forbid_unknown_fields=True):
    enable_thinking: bool | None = None
    thinking: bool | None = None
    thinking_budget: int | None = None
    reasoning_effort: str | None = None


class _Thinking(Struct, forbid_unknown_fields=True):
    type: str
    budget_tokens: int | None = None


_STRING = msgspec.json.Decoder(str | None)
_COUNT = msgspec.json.Decoder(int | None)
_FLAG = msgspec.json.Decoder(bool | None)
_REASONING = msgspec.json.Decoder(_Reasoning | None)
_TEMPLATE = msgspec.json.Decoder(_Template | None)
_THINKING = msgspec.json.Decoder(_Thinking | None)


# --- inwards ---------------------------------------------------------------------------------------------------------


def is_asked(fields: Mapping[str, Raw]) -> bool:
    """Whether a model must be able to think to do this."""
    if fields.keys().isdisjoint(NAMES):
        return False
    asked = read_asked(fields)
    return asked.effort not in (None, "none") or (asked.tokens or 0) > 0


def read_asked(fields: Mapping[str, Raw]) -> Asked:
    """All of the fields together; an effort or a budget that is named wins over being switched on or off."""
    if fields.keys().isdisjoint(NAMES):
        return Asked()
    unread: set[str] = set()

    def take(name: str, decoder: "msgspec.json.Decoder[T]") -> T | None:
        raw = fields.get(name)
        if raw is None:
            return None
        try:
            return decoder.decode(raw)
        except UNREADABLE:  # it says what nobody here knows
            unread.add(name)
            return None

    asked = Asked()
    _note(asked, take("enable_thinking", _FLAG), None, take("thinking_budget", _COUNT))
    _note(asked, None, None, take("thinking_token_budget", _COUNT))
    if (template := take("chat_template_kwargs", _TEMPLATE)) is not None:
        on = template.enable_thinking if template.enable_thinking is not None else template.thinking
        if not _note(asked, on, template.reasoning_effort, template.thinking_budget):
            unread.add("chat_template_kwargs")
    if (thinking := take("thinking", _THINKING)) is not None:
        _note_thinking(asked, thinking, unread)
    if (reasoning := take("reasoning", _REASONING)) is not None:
        if not _note(asked, reasoning.enabled, reasoning.effort, reasoning.max_tokens):
            unread.add("reasoning")
        if reasoning.exclude is not None or reasoning.summary is not None:
            asked.shows = not reasoning.exclude
    if not _note(asked, None, take("reasoning_effort", _STRING), None):
        unread.add("reasoning_effort")
    _note_shown(asked, take("include_reasoning", _FLAG), take("reasoning_format", _STRING), unread)
    _settle(asked)
    asked.unread = frozenset(unread)
    return asked


def _note(asked: Asked, on: bool | None, effort: str | None, tokens: int | None) -> bool:
    """Whether all of it is known here."""
    if effort is not None and effort not in EFFORTS:
        return False
    if on is not None:
        asked.on = on
    if effort is not None:
        asked.effort = effort
    if tokens is not None and tokens >= 0:  # -1: the model decides, as it does when nobody says
        asked.tokens = tokens
    return True


def _note_thinking(asked: Asked, thinking: _Thinking, unread: set[str]) -> None:
    match thinking.type:
        case "enabled" | "adaptive" | "auto":
            _note(asked, True, None, thinking.budget_tokens)
        case "disabled":
            _note(asked, False, None, None)
        case _:
            unread.add("thinking")


def _note_shown(asked: Asked, included: bool | None, form: str | None, unread: set[str]) -> None:
    if included is not None:
        asked.shows = included
    if form in ("parsed", "hidden"):
        asked.shows = form == "parsed"
    elif form is not None:
        unread.add("reasoning_format")


def _settle(asked: Asked) -> None:
    """On and off become a measure, where none was named."""
    if asked.on is False and asked.effort in (None, "none"):
        asked.tokens = 0 if asked.effort is None else asked.tokens
    elif asked.on and asked.effort is None and asked.tokens is None:
        asked.effort = _DEFAULT


# --- outwards --------------------------------------------------------------------------------------------------------


def write_asked(chat: Chat, limit: int, mode: str, losses: Losses) -> dict[str, Any]:
    """The fields of a request to a target that takes them as its quirk `reasoning` says. `limit`: of the output."""
    if mode == "off":
        return {}
    effort, tokens, shows = chat.effort, chat.thinking_tokens, chat.shows_thinking
    if effort is not None and effort not in EFFORTS:
        losses.lose("reasoning_effort", f"the effort {effort!r}", f"Use one of {', '.join(EFFORTS)}.")
        effort = None
    if mode == "openrouter":
        return _for_openrouter(effort, tokens, shows)
    if mode in ("qwen", "vllm"):
        measure = tokens if tokens is not None or effort is None else budget_of(effort, limit, least=1)
        return _for_qwen(measure) if mode == "qwen" else _for_vllm(effort, measure, tokens, shows)
    if tokens:
        losses.leave("thinking_tokens")
    if effort is None and tokens is not None:
        effort = effort_of(tokens, limit)
    said: dict[str, Any] = {} if effort is None else {"reasoning_effort": effort}
    if shows is not None and chat.dialect == DIALECT:  # who speaks this language and says so means a target that knows
        said["include_reasoning"] = shows
    return said


def _for_openrouter(effort: str | None, tokens: int | None, shows: bool | None) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if tokens == 0:
        said["enabled"] = False
    elif tokens is not None:  # it takes one of both
        said["max_tokens"] = tokens
    elif effort is not None:
        said["effort"] = effort
    if shows is not None:
        said["exclude"] = not shows
    return {"reasoning": said} if said else {}


def _for_qwen(tokens: int | None) -> dict[str, Any]:
    if tokens is None:
        return {}
    return {"enable_thinking": True, "thinking_budget": tokens} if tokens else {"enable_thinking": False}


def _for_vllm(effort: str | None, measure: int | None, tokens: int | None, shows: bool | None) -> dict[str, Any]:
    """All in the template's words: what it doesn't know it leaves unread, where a field of the API would be refused."""
    said: dict[str, Any] = {}
    if measure is not None:
        template: dict[str, Any] = {"enable_thinking": measure > 0}
        if effort is not None:
            template["reasoning_effort"] = effort
        if tokens:
            template["thinking_budget"] = tokens
        said["chat_template_kwargs"] = template
    if shows is not None:
        said["include_reasoning"] = shows
    return said
