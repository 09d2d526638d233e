"""Fields of a request that don't change what is answered: where it is billed, kept, traced or cached, and how soon.

Each language has its own. A target that speaks another language is asked without them, on every route and without a
word; all other fields that the house has no word for are losses. What bears on safety or on where data go is not in
here, however little it may change: a guardrail, a stricter filter, a region.

| what for | |
|---|---|
| billing | who pays, by which tier; which labels stand on the bill |
| storage | whether the provider keeps the call, and with which notes |
| tracing | names by which a call is found again |
| safety ids | who it is that asks, for the provider's own watch against misuse |
| caching | hints to the provider's prompt cache, which change its price and speed alone |
| latency | how soon it is answered |
| telling | what is told beside the answer |

It knows names and values; what becomes of them is each writer's own knowledge.
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from fairlead.dialects.reading import UNREADABLE

Purpose = Literal["billing", "storage", "tracing", "safety ids", "caching", "latency", "telling"]

_OPENAIS: Mapping[str, Purpose] = {  # those that both of its APIs have
    "metadata": "tracing",
    "prompt_cache_key": "caching",
    "prompt_cache_options": "caching",
    "prompt_cache_retention": "caching",
    "safety_identifier": "safety ids",
    "service_tier": "billing",
    "session_id": "tracing",  # OpenRouter
    "store": "storage",
    "stream_options": "telling",
    "trace": "tracing",  # OpenRouter
    "user": "safety ids",
}
FIELDS: Mapping[str, Mapping[str, Purpose]] = {
    "openai": {
        **_OPENAIS,
        "cache_control": "caching",  # OpenRouter: a mark on the request as a whole
        "cache_salt": "caching",  # vLLM
        "prediction": "latency",
        "priority": "latency",  # vLLM
        "request_id": "tracing",  # vLLM
        "usage": "telling",  # OpenRouter
        "user_security_context": "safety ids",  # Azure
    },
    "responses": _OPENAIS,
    "anthropic": {
        "anthropic_beta": "telling",
        "anthropic_version": "telling",
        "betas": "telling",
        "billing_policy": "billing",
        "diagnostics": "tracing",
        "fallback_credit_token": "billing",
        "metadata": "tracing",
        "service_tier": "billing",
        "speed": "latency",
        "user_profile_id": "safety ids",
        "workspace_id": "billing",
    },
    "gemini": {
        "labels": "billing",
        "serviceTier": "billing",
        "store": "storage",
    },
    "bedrock": {
        "additionalModelResponseFieldPaths": "telling",
        "performanceConfig": "latency",
        "requestMetadata": "tracing",
        "serviceTier": "billing",
    },
}
# What a tool gives back is described beside what it takes; its results show it soon enough, and Google's client says it
# of every function that it is handed.
_RESULT_OF_A_TOOL = re.compile(r"tools\[\d+]\.functionDeclarations(?:\[\d+])?\.response(?:JsonSchema)?\Z")
# Thresholds that ask for no filter, or for what is there by default.
_UNFILTERED = frozenset({"", "OFF", "BLOCK_NONE", "HARM_BLOCK_THRESHOLD_UNSPECIFIED"})


class _Setting(Struct):
    threshold: str = ""


_SETTINGS = msgspec.json.Decoder(list[_Setting])


def is_harmless(path: str, raw: Raw, dialect: str) -> bool:
    """Whether a field at `path` of a caller who speaks `dialect` may be left out without a word.

    Google's filters are harmless where they are switched off, and so is what it is told of the results of a tool:
    nobody else has the like.
    """
    if path in FIELDS.get(dialect, ()):
        return True
    if path == "safetySettings":
        return _filters_nothing(raw)
    return dialect == "gemini" and _RESULT_OF_A_TOOL.match(path) is not None


def _filters_nothing(raw: Raw) -> bool:
    try:
        return all(setting.threshold.upper() in _UNFILTERED for setting in _SETTINGS.decode(raw))
    except UNREADABLE:
        return False
