"""What a target is asked with beyond the caller's words: its parameters, and the quirks of the backend's own dialect.

Parameters (`params`) are top-level fields of a request in the target's language; they override what the caller said. A
parameter that names the output limit narrows it and never widens it, since the limit is what money was held for. The
fields in RESERVED belong to the caller or to the house; as parameters they have no effect, and `check_settings` finds
them, and quirks that nobody knows, before anything is started.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from fairlead.errors import ConfigInvalid

RESERVED = frozenset(
    {"model", "messages", "prompt", "input", "system", "stream", "stream_options", "n", "best_of", "query", "documents"}
    | {"contents", "systemInstruction", "requests", "candidateCount"}
    | {"instructions", "previous_response_id", "conversation"}
)
LIMITS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens", "maxOutputTokens"})


class OpenAIQuirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table is in `openai.pass_request`."""

    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    stream_usage: bool = True
    counts_one_sample: bool = False
    reasoning: Literal["effort", "openrouter", "qwen", "vllm", "off"] = "effort"
    returns_reasoning: bool = True
    system_role: Literal["system", "developer"] = "system"
    tool_ids: Literal["any", "mistral9"] = "any"
    media_from: Literal["any", "user"] = "any"
    cache_control: bool = False
    prefill: Literal["last", "vllm", "prefix"] | None = None
    rename: dict[str, str] = {}
    drop: tuple[str, ...] = ()


class AnthropicQuirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table is in `anthropic.write_request`. Where `thinking` is not set, it follows from the model's name."""

    thinking: Literal["adaptive", "budget", "off"] | None = None
    system: Literal["top", "inline"] = "top"
    ignore: tuple[str, ...] = ()
    rename: dict[str, str] = {}
    drop: tuple[str, ...] = ()


class ResponsesQuirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table is in `responses.write_request`. Where `encrypted_reasoning` is not set, it follows from the name."""

    encrypted_reasoning: bool | None = None
    plain_reasoning: bool = False
    cache_breakpoints: bool = False
    rename: dict[str, str] = {}
    drop: tuple[str, ...] = ()


class GeminiQuirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table is in `gemini.write_request`. Where `levels` are not set, they follow from the model's name."""

    thinking: Literal["auto", "level", "budget", "off"] = "auto"
    levels: tuple[Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"], ...] | None = None
    schema: Literal["json", "openapi"] = "json"
    unsigned_calls: Literal["auto", "excused", "bare"] = "auto"
    call_ids: bool = True
    vertex: bool = False
    embed: Literal["batch", "single", "predict"] = "batch"
    rename: dict[str, str] = {}
    drop: tuple[str, ...] = ()


class BedrockQuirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table is in `bedrock/ask.py`. What is not set follows from the model's id."""

    thinking: Literal["anthropic", "budget", "nova", "openai", "responses", "deepseek", "qwen", "off"] | None = None
    cache: Literal["all", "messages", "off"] | None = None
    system: Literal["top", "inline"] = "top"
    rename: dict[str, str] = {}
    drop: tuple[str, ...] = ()


class RerankQuirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table is in `rerank.pass_request`."""

    top_name: Literal["top_n", "top_k"] = "top_n"
    documents_as: Literal["text", "object"] = "text"
    return_name: Literal["return_documents", "return_text", ""] = "return_documents"
    rename: dict[str, str] = {}
    drop: tuple[str, ...] = ()


_TYPES: dict[str, Any] = {
    "openai": OpenAIQuirks,
    "anthropic": AnthropicQuirks,
    "responses": ResponsesQuirks,
    "gemini": GeminiQuirks,
    "bedrock": BedrockQuirks,
    "rerank": RerankQuirks,
}


def check_settings(dialect: str, *, params: Mapping[str, Any], quirks: Mapping[str, Any]) -> None:
    """Raises ConfigInvalid (`details["path"]`: `params.NAME` or `quirks...`) where a setting would have no effect."""
    for name, value in params.items():
        if name in RESERVED:
            raise ConfigInvalid(
                f"The parameter `{name}` can't be set by a target: it belongs to the caller's request.",
                hint=f"Remove `params.{name}`.",
                path=f"params.{name}",
            )
        if name in LIMITS and not (type(value) is int and value > 0):
            raise ConfigInvalid(
                f"The parameter `{name}` must be a whole number of tokens, got {value!r}.",
                hint="Write a positive number.",
                path=f"params.{name}",
            )
    try:
        msgspec.convert(dict(quirks), _TYPES[dialect])
    except msgspec.ValidationError as error:
        raise ConfigInvalid(
            f"A quirk is wrong: {error}.",
            hint=f"The quirks of this wire format are: {', '.join(_TYPES[dialect].__struct_fields__)}.",
            path="quirks",
        ) from None


def narrowed(limit: int, params: Mapping[str, Any]) -> int:
    """The output limit in tokens, narrowed by the target's own parameters."""
    return min([limit, *(params[name] for name in LIMITS if name in params)]) if params else limit


def override(fields: dict[str, Any], params: Mapping[str, Any]) -> None:
    """Let the target's parameters win, but for those that are not theirs to set."""
    for name, value in params.items():
        if name not in RESERVED and name not in LIMITS:
            fields[name] = value


def rename_and_drop(fields: dict[str, Any], quirks: Mapping[str, Any]) -> None:
    """The two quirks that every dialect has: `rename = {ours = "theirs"}`, then `drop = ["theirs"]`."""
    for ours, theirs in quirks.get("rename", {}).items():
        if ours in fields:
            fields[theirs] = fields.pop(ours)
    for name in quirks.get("drop", ()):
        fields.pop(name, None)
