"""OpenAI's Responses: what an answer used, in the words of everybody who speaks it, both ways."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Usage
from fairlead.dialects.reading import UNREADABLE, is_null


class _InputDetails(Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_read_input_tokens: int | None = None  # Perplexity's word
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _OutputDetails(Struct):
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class _ServerTools(Struct):
    web_search_calls: int | None = None


class _Invoked(Struct):
    invocation: int | None = None


class _ToolCalls(Struct):
    search_web: _Invoked | None = None


class _Usage(Struct):
    """A `usage` object, with the places where providers count searches."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    server_side_tool_usage_details: _ServerTools | None = None  # xAI
    tool_calls_details: _ToolCalls | None = None  # Perplexity


class _Plain(Struct):
    """Of an odd one, the counts that every one has."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class _Searches(Struct):
    num_requests: int | None = None


class _ToolUsage(Struct):
    web_search: _Searches | None = None


# Where counts with prices of their own stand, within the details of input or output.
_PLACES = {
    "input_audio_tokens": "audio_tokens",
    "input_image_tokens": "image_tokens",
    "output_audio_tokens": "audio_tokens",
    "output_image_tokens": "image_tokens",
}
_USAGE = msgspec.json.Decoder(_Usage)
_PLAIN = msgspec.json.Decoder(_Plain)
_TOOL_USAGE = msgspec.json.Decoder(_ToolUsage | None)


def take_usage(raw: Raw, tools: Raw) -> Usage | None:
    """Tokens as the house counts them, and searches, of `usage` and `tool_usage`; None where the provider did not say.

    What is odd in them makes no answer unreadable.
    """
    if is_null(raw):
        return None
    try:
        usage = _USAGE.decode(raw)
    except UNREADABLE:
        return _take_plain(raw)
    prompt, completion = usage.input_tokens or 0, usage.output_tokens or 0
    given, made = usage.input_tokens_details or _InputDetails(), usage.output_tokens_details or _OutputDetails()
    reasoning = made.reasoning_tokens or 0
    if reasoning and usage.total_tokens == prompt + completion + reasoning:
        completion += reasoning  # some providers count reasoning beside the completion, and bill both
    details = {
        "input_audio_tokens": given.audio_tokens,
        "input_image_tokens": given.image_tokens,
        "output_audio_tokens": made.audio_tokens,
        "output_image_tokens": made.image_tokens,
        "web_searches": _searches(usage, tools),
    }
    return Usage(
        max(prompt, 0),
        max(completion, 0),
        max(given.cached_tokens or given.cache_read_input_tokens or 0, 0),
        max(given.cache_write_tokens or 0, 0),
        max(reasoning, 0),
        details={name: count for name, count in details.items() if count and count > 0},
    )


def _take_plain(raw: Raw) -> Usage | None:
    try:
        usage = _PLAIN.decode(raw)
    except UNREADABLE:
        return None
    return Usage(max(usage.input_tokens or 0, 0), max(usage.output_tokens or 0, 0))


def _searches(usage: _Usage, raw: Raw) -> int | None:
    """As OpenAI counts them where it bills them, else as others do beside the tokens."""
    try:
        tools = _TOOL_USAGE.decode(raw)
    except UNREADABLE:
        tools = None
    if tools is not None and tools.web_search is not None:
        return tools.web_search.num_requests
    if usage.server_side_tool_usage_details is not None:
        return usage.server_side_tool_usage_details.web_search_calls
    if usage.tool_calls_details is not None and usage.tool_calls_details.search_web is not None:
        return usage.tool_calls_details.search_web.invocation
    return None


def write_usage(usage: Usage) -> dict[str, Any]:
    given = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write}
    made = {"reasoning_tokens": usage.reasoning}
    for name, count in usage.details.items():
        if (place := _PLACES.get(name)) is not None:
            (given if name.startswith("input") else made)[place] = count
    return {
        "input_tokens": usage.input,
        "input_tokens_details": given,
        "output_tokens": usage.output,
        "output_tokens_details": made,
        "total_tokens": usage.input + usage.output,
    }


def write_searches(usage: Usage | None) -> dict[str, Any]:
    """What stands beside the usage where the web was searched."""
    searches = usage.details.get("web_searches") if usage is not None else None
    return {"tool_usage": {"web_search": {"num_requests": searches}}} if searches else {}
