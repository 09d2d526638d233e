"""OpenAI's language: what an answer used, in the words of everybody who speaks it, both ways."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Usage
from fairlead.dialects.reading import UNREADABLE, is_null


class _CachedDetails(Struct):
    audio_tokens: int | None = None


class _PromptDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None
    video_tokens: int | None = None
    cached_tokens_details: _CachedDetails | None = None


class _CompletionDetails(Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _Written(Struct):
    """Cache writes by how long they are kept, in Anthropic's words (LiteLLM and others)."""

    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _Searches(Struct):
    web_search_requests: int | None = None


class UsageSaid(Struct):
    """A `usage` object, with the names that providers have for cached tokens and searches."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None
    cached_tokens: int | None = None
    num_cached_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Written | None = None
    server_tool_use: _Searches | None = None
    server_tool_use_details: _Searches | None = None
    num_search_queries: int | None = None


class _Plain(Struct):
    """Of an odd one, the counts that every one has."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None


_USAGE = msgspec.json.Decoder(UsageSaid)
_PLAIN = msgspec.json.Decoder(_Plain)


def take_usage(raw: Raw) -> Usage | None:
    """The usage in an answer, None where the provider did not say. What is odd in it makes no answer unreadable."""
    if is_null(raw):
        return None
    try:
        return read_usage(_USAGE.decode(raw))
    except UNREADABLE:
        pass
    try:
        plain = _PLAIN.decode(raw)
    except UNREADABLE:
        return None
    return read_usage(UsageSaid(plain.prompt_tokens, plain.completion_tokens, plain.total_tokens))


def read_usage(said: UsageSaid) -> Usage:
    """Tokens as the house counts them: `input` with the cached ones, `output` with reasoning."""
    prompt, completion = said.prompt_tokens or 0, said.completion_tokens or 0
    plain = UsageSaid(said.prompt_tokens, said.completion_tokens, said.total_tokens)
    if said == plain and prompt >= 0 and completion >= 0:
        return Usage(prompt, completion)
    inputs, outputs = said.prompt_tokens_details, said.completion_tokens_details
    detailed = inputs.cached_tokens if inputs else None
    cached = detailed or said.prompt_cache_hit_tokens or said.cached_tokens or said.num_cached_tokens
    written = (inputs.cache_write_tokens if inputs else None) or said.cache_creation_input_tokens
    reasoning = (outputs.reasoning_tokens if outputs else None) or 0
    if reasoning and said.total_tokens == prompt + completion + reasoning:
        completion += reasoning  # some providers count reasoning beside the completion, and bill both
    return Usage(
        prompt if prompt > 0 else 0,
        completion if completion > 0 else 0,
        max(cached or said.cache_read_input_tokens or 0, 0),
        max(written, 0) if written else 0,
        reasoning if reasoning > 0 else 0,
        False,
        None,
        _details(said),
    )


def _details(said: UsageSaid) -> dict[str, int]:
    inputs, outputs, written = said.prompt_tokens_details, said.completion_tokens_details, said.cache_creation
    searches = said.server_tool_use_details or said.server_tool_use
    found: dict[str, int | None] = {}
    if written is not None:
        found["cache_write_5m_tokens"] = written.ephemeral_5m_input_tokens
        found["cache_write_1h_tokens"] = written.ephemeral_1h_input_tokens
    if inputs is not None:
        found["input_audio_tokens"] = inputs.audio_tokens
        found["input_image_tokens"] = inputs.image_tokens
        found["input_video_tokens"] = inputs.video_tokens
        if inputs.cached_tokens_details is not None:
            found["cache_audio_read_tokens"] = inputs.cached_tokens_details.audio_tokens
    if outputs is not None:
        found["output_audio_tokens"] = outputs.audio_tokens
        found["output_image_tokens"] = outputs.image_tokens
    found["web_searches"] = searches.web_search_requests if searches else said.num_search_queries
    if not any(found.values()):
        return {}
    return {name: count for name, count in found.items() if count is not None and count > 0}


# --- outwards --------------------------------------------------------------------------------------------------------

_INPUTS = {
    "input_audio_tokens": "audio_tokens",
    "input_image_tokens": "image_tokens",
    "input_video_tokens": "video_tokens",
}
_OUTPUTS = {"output_audio_tokens": "audio_tokens", "output_image_tokens": "image_tokens"}
_KEPT = {
    "cache_write_5m_tokens": "ephemeral_5m_input_tokens",
    "cache_write_1h_tokens": "ephemeral_1h_input_tokens",
}


def write_usage(usage: Usage) -> dict[str, Any]:
    """Cache writes and searches, which OpenAI doesn't have, are said as OpenRouter and LiteLLM do."""
    details = usage.details
    inputs: dict[str, Any] = {"cached_tokens": usage.cache_read}
    said: dict[str, Any] = {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": inputs,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, **_named(details, _OUTPUTS)},
    }
    if usage.cache_write:
        inputs["cache_write_tokens"] = usage.cache_write
    if details:
        inputs.update(_named(details, _INPUTS))
        if "cache_audio_read_tokens" in details:
            inputs["cached_tokens_details"] = {"audio_tokens": details["cache_audio_read_tokens"]}
        if kept := _named(details, _KEPT):
            said["cache_creation"] = kept
        if "web_searches" in details:
            said["server_tool_use_details"] = {"web_search_requests": details["web_searches"]}
    return said


def _named(details: Any, names: dict[str, str]) -> dict[str, int]:
    return {theirs: details[ours] for ours, theirs in names.items() if ours in details}
