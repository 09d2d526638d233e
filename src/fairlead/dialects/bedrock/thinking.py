"""Bedrock's language: how each family of models is asked to think, and what else only some families understand.

Converse has no word for it: it stands in `additionalModelRequestFields`, in the words of whoever made the model. Which
family a model is of says its id, or the quirk `thinking` where the id is the name of a profile of one's own.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from fairlead.dialects.claude import Claude, claude_of
from fairlead.dialects.effort import EFFORTS, budget_of, effort_of
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import is_null, take
from fairlead.errors import RequestInvalid

Family = Literal["anthropic", "nova", "open", "closed", "unknown"]
Way = Literal["anthropic", "budget", "nova", "openai", "responses", "deepseek", "qwen", "off"]

ADDITIONAL = "additionalModelRequestFields"
LEAST_BUDGET_TOKENS = 1024
_ALWAYS_THINKS = "The model always thinks; ask for a low effort."
_WAYS_OF_CLAUDE: Mapping[str, Way | None] = {
    "none": None, "budget": "budget", "either": "anthropic", "adaptive": "anthropic",
}  # fmt: skip
# The first row that is found in an id decides. `open`: takes reasoning back that nobody signed.
_MODELS: tuple[tuple[str, Family, Way | None], ...] = (
    ("amazon.nova-2", "nova", "nova"),
    ("amazon.nova", "nova", None),
    ("openai.gpt-oss", "open", "openai"),
    ("openai.", "closed", "responses"),
    ("xai.", "closed", "responses"),
    ("deepseek.r1", "closed", None),
    ("deepseek.", "open", "deepseek"),
    ("qwen.qwen3-coder", "closed", None),
    ("qwen.", "closed", "qwen"),
    ("moonshot.", "open", "openai"),
    ("moonshotai.", "open", "openai"),
    ("zai.glm-5.", "closed", "openai"),
    ("zai.", "closed", "deepseek"),
    ("minimax.", "open", None),
    ("amazon.titan", "closed", None),
    ("ai21.", "closed", None),
    ("cohere.", "closed", None),
    ("google.", "closed", None),
    ("meta.", "closed", None),
    ("mistral.", "closed", None),
    ("nvidia.", "closed", None),
    ("writer.", "closed", None),
)
_FAMILIES: Mapping[Way, Family] = {
    "anthropic": "anthropic",
    "budget": "anthropic",
    "nova": "nova",
    "openai": "open",
    "responses": "closed",
    "deepseek": "open",
    "qwen": "closed",
}
# The nearest that a family knows.
_LEVELS: Mapping[Way, Mapping[str, str]] = {
    "anthropic": {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"},
    "nova": {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"},
    "openai": {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"},
    "responses": {"none": "none", "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh",
                  "max": "xhigh"},
    "deepseek": dict.fromkeys(EFFORTS, "high") | {"none": "none"},
    "qwen": dict.fromkeys(EFFORTS, "high") | {"none": "none"},
}  # fmt: skip


class Model(Struct, frozen=True):
    """What must be known of a model to speak to it. `way` is how it is asked to think, None: it can't be asked."""

    family: Family
    way: Way | None
    claude: Claude | None = None


def model_of(model: str, way: Way | None = None) -> Model:
    """`way` is the quirk: it decides, where it is set."""
    found = _of_id(model)
    if way is None:
        return found
    return Model(_FAMILIES.get(way, found.family), way, found.claude)


@lru_cache(maxsize=1024)
def _of_id(model: str) -> Model:
    """From an id (`anthropic.claude-...`, `us.amazon.nova-...`) or an ARN that ends in one."""
    id = model.rpartition("/")[2].lower()
    if "anthropic." in id:
        claude = claude_of(id)
        return Model("anthropic", "anthropic" if claude is None else _WAYS_OF_CLAUDE[claude.thinking], claude)
    for beginning, family, way in _MODELS:
        if id.startswith(beginning) or f".{beginning}" in id:
            return Model(family, way)
    return Model("unknown", None)


# --- outwards --------------------------------------------------------------------------------------------------------


class Wish(Struct, frozen=True):
    """What is asked of thinking, and what stands in its way. `limit` is the output limit in tokens.

    `forced`: a tool is forced, and Claude does not think then. `amid`: the last turn is a tool's result to a turn
    without signed thinking, and Claude takes no budget then. `own`: the caller speaks this language, and knows why.
    """

    effort: str | None
    tokens: int | None
    shown: bool | None
    limit: int
    forced: bool = False
    amid: bool = False
    own: bool = False

    @property
    def name(self) -> str:
        return "thinking_tokens" if self.effort is None else "reasoning_effort"


def write_thinking(fields: dict[str, Any], wish: Wish, model: Model, losses: Losses) -> None:
    """Say in `fields` (the additional ones) how much shall be thought, by the nearest level that the family knows."""
    effort = wish.effort
    if model.way == "off":
        if effort not in (None, "none") or wish.tokens:
            losses.leave(wish.name)
        return
    if effort is not None and effort not in EFFORTS:
        hint = f"Use one of {', '.join(EFFORTS)}."
        raise RequestInvalid(f"`reasoning_effort`: {effort!r} is not known.", param="reasoning_effort", hint=hint)
    if effort == "none" or (effort is None and wish.tokens == 0):
        _write_none(fields, wish, model, losses)
    elif model.way is None:
        losses.lose(wish.name, "thinking", "If the model can think, set the backend's quirk `thinking`.")
    elif model.way in ("anthropic", "budget"):
        _write_claude(fields, wish, model.way, model.claude, losses)
    else:
        _write_level(fields, model.way, wish, losses)


def _write_none(fields: dict[str, Any], wish: Wish, model: Model, losses: Losses) -> None:
    match model.way:
        case "anthropic" | "budget" if model.claude is not None and not model.claude.off:
            losses.lose(wish.name, "no thinking", _ALWAYS_THINKS)
            fields["output_config"] = {"effort": "low"}
        case "anthropic" | "budget":
            fields["thinking"] = {"type": "disabled" if model.claude is None else model.claude.off}
        case "nova":
            fields["reasoningConfig"] = {"type": "disabled"}
        case "responses" | "deepseek" | "qwen":
            _write_word(fields, model.way, "none")
        case "openai":
            losses.lose(wish.name, "no thinking", _ALWAYS_THINKS)
        case _:
            pass  # what can't be asked to think does not


def _write_claude(fields: dict[str, Any], wish: Wish, way: Way, claude: Claude | None, losses: Losses) -> None:
    adaptive = claude is not None and claude.thinking == "adaptive"
    if way == "budget" or (wish.own and wish.tokens and not adaptive):
        thinking = _budget(wish, losses)
    else:
        thinking = None if wish.forced else {"type": "adaptive"}
        if wish.forced:
            losses.leave("thinking")
    if thinking is not None:
        if wish.shown is not None:
            thinking["display"] = "summarized" if wish.shown else "omitted"
        fields["thinking"] = thinking
    if way == "anthropic" and (wish.effort is not None or thinking is None or thinking["type"] == "adaptive"):
        fields["output_config"] = {"effort": _level(way, wish, losses, claude)}


def _budget(wish: Wish, losses: Losses) -> dict[str, Any] | None:
    """A budget has 1,024 tokens at least and leaves some of the limit to the answer, or there is none."""
    asked = wish.tokens or 0
    if asked <= 0:
        asked = budget_of(wish.effort or "medium", wish.limit, least=LEAST_BUDGET_TOKENS)
    budget = max(min(asked, wish.limit - 1), LEAST_BUDGET_TOKENS)
    possible = budget < wish.limit and not wish.forced and (wish.own or not wish.amid)
    if not possible or (wish.tokens and budget != wish.tokens):
        losses.leave(wish.name)
    return {"type": "enabled", "budget_tokens": budget} if possible else None


def _write_level(fields: dict[str, Any], way: Way, wish: Wish, losses: Losses) -> None:
    level = _level(way, wish, losses)
    if way == "nova":
        if level == "high":  # then the API takes no output limit, which is never left out
            losses.lose(wish.name, "a high effort beside an output limit", "Ask for a medium one.")
            level = "medium"
        fields["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": level}
    else:
        _write_word(fields, way, level)


def _level(way: Way, wish: Wish, losses: Losses, claude: Claude | None = None) -> str:
    effort = wish.effort or _effort_of(wish)
    level = _LEVELS[way][effort]
    if claude is not None and claude.efforts:
        level = claude.level(level)
    if level != wish.effort and (wish.effort is not None or wish.tokens):
        losses.leave(wish.name)
    return level


def _effort_of(wish: Wish) -> str:
    """A budget below 0 leaves it to the model, as Gemini's callers say it."""
    tokens = wish.tokens or 0
    return "medium" if tokens < 0 else effort_of(tokens, wish.limit)


def _write_word(fields: dict[str, Any], way: Way, level: str) -> None:
    match way:
        case "responses":
            fields["reasoning"] = {"effort": level}
        case "qwen":
            fields["reasoning_config"] = level
        case _:
            fields["reasoning_effort"] = level


# --- inwards ---------------------------------------------------------------------------------------------------------


class _Thinking(Struct):
    type: str = ""
    budget_tokens: int | None = None
    display: str | None = None


class _Nova(Struct, rename="camel"):
    type: str = ""
    max_reasoning_effort: str | None = None


class _Effort(Struct):
    effort: str | None = None


class ThinkingSaid(Struct):
    """What a caller said of thinking."""

    effort: str | None = None
    tokens: int | None = None
    shown: bool | None = None


_THINKING = msgspec.json.Decoder(_Thinking)
_NOVA = msgspec.json.Decoder(_Nova)
_EFFORT = msgspec.json.Decoder(_Effort)
_WORD = msgspec.json.Decoder(str)
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


def read_thinking(fields: dict[str, Raw], effort: str | None) -> ThinkingSaid:
    """From the additional fields, in whichever family's words; `effort` is what `outputConfig` says.

    What is understood is taken out of `fields`; of a field that is only understood in part, the rest stays as
    `NAME.KEY`.
    """
    said = ThinkingSaid(effort)
    for name, read in _READERS.items():
        raw = fields.get(name)
        if raw is None or is_null(raw):
            continue
        understood = read(said, raw, f"{ADDITIONAL}.{name}")
        if understood is None:
            continue
        del fields[name]
        if understood:
            left = {key: value for key, value in _OBJECT.decode(raw).items() if key not in understood}
            fields.update((f"{name}.{key}", value) for key, value in left.items())
    return said


# Each gives the keys of an object that it understood, none for a word; None where it did not understand at all.
_Keys = tuple[str, ...] | None


def _read_effort(said: ThinkingSaid, raw: Raw, path: str) -> _Keys:
    if bytes(raw)[:1] == b'"':
        said.effort = take(_WORD, raw, path)
        return ()
    said.effort = take(_EFFORT, raw, path).effort or said.effort
    return ("effort",)


def _read_nova(said: ThinkingSaid, raw: Raw, path: str) -> _Keys:
    nova = take(_NOVA, raw, path)
    if nova.type == "disabled":
        said.effort = "none"
    elif nova.max_reasoning_effort is not None:
        said.effort = nova.max_reasoning_effort
    else:
        return None
    return ("type", "maxReasoningEffort")


def _read_claude(said: ThinkingSaid, raw: Raw, path: str) -> _Keys:
    if bytes(raw)[:1] == b'"':  # Qwen's word has the name that Claude's once had
        return _read_effort(said, raw, path)
    thinking = take(_THINKING, raw, path)
    match thinking.type:
        case "disabled" | "between_tools":
            said.effort = "none"
        case "adaptive":
            said.effort = said.effort or "high"  # what the API takes where nothing is said
        case "enabled" if thinking.budget_tokens is not None:
            said.tokens = thinking.budget_tokens
        case _:
            return None
    if thinking.display is not None:
        said.shown = thinking.display != "omitted"
    return ("type", "budget_tokens", "display")


# Claude's effort comes before its thinking, which may be off whatever the effort.
_READERS: Mapping[str, Callable[[ThinkingSaid, Raw, str], _Keys]] = {
    "reasoning_effort": _read_effort,
    "reasoning": _read_effort,
    "reasoningConfig": _read_nova,
    "output_config": _read_effort,
    "reasoning_config": _read_claude,
    "thinking": _read_claude,
}
