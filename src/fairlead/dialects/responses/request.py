"""OpenAI's Responses, inwards, as much as the road needs: the top level of a request, each value left as it stands.

The full reading of a conversation is `chat`, and only done when somebody asks for it.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from fairlead.chat import OPAQUE, Request, Spoken, Task
from fairlead.dialects.reading import (
    TEMPLATE_SLACK_TOKENS,
    UNREADABLE,
    Once,
    is_null,
    need,
    read_fields,
    required,
    take,
    take_optional,
)
from fairlead.dialects.responses.chat import has_more_input, read_chat, read_output_limit
from fairlead.dialects.responses.language import DIALECT
from fairlead.dialects.steering import check_steering, costs_more

# All the text of these items is in the request. Of reasoning that is so where it is told or encrypted.
_WHOLE_ITEMS = frozenset({
    None, "message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
})  # fmt: skip
# What the provider's own tools were asked and said, and what it keeps: nobody fetches what URLs stand in there.
_SERVED_ITEMS = frozenset({
    "reasoning", "item_reference", "compaction", "web_search_call", "file_search_call", "code_interpreter_call",
    "image_generation_call", "mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response",
    "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call",
    "apply_patch_call_output", "computer_call", "tool_search_call", "tool_search_output",
})  # fmt: skip
_TEXT_PARTS = frozenset({"input_text", "output_text", "text", "refusal"})
_NEEDED_FOR = {"input_image": "image", "input_audio": "audio", "input_video": "video", "input_file": "document"}
_CALLER_TOOLS = frozenset({"function", "custom"})  # every other kind runs at the provider, or is described by it
_NEEDED_FOR_FORMAT = {"json_schema": "schema", "json_object": "json"}
_NULL = Raw(b"null")


class _Kind(Struct):
    type: str | None = None


class _Slim(Struct):
    """An item, as far as the bound of its tokens and what it needs go."""

    type: str | None = None
    role: str | None = None
    content: Raw = _NULL
    output: Raw = _NULL
    encrypted_content: Raw = _NULL


class _Text(Struct):
    format: _Kind | None = None


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None


_ROUTE = msgspec.json.Decoder(Annotated[str, Meta(min_length=1)])
_FLAG = msgspec.json.Decoder(bool | None)
_INPUT = msgspec.json.Decoder(str | list[_Slim] | None)
_CONTENT = msgspec.json.Decoder(str | list[_Kind] | None)
_TOOLS = msgspec.json.Decoder(list[_Kind] | None)
_TEXT = msgspec.json.Decoder(_Text | None)
_REASONING = msgspec.json.Decoder(_Reasoning | None)


def read_request(task: Task, body: bytes, *, route: str | None = None, stream: bool | None = None) -> Request:
    """Read one request, no deeper than the road needs. `route` and `stream` stand in for what the body says.

    A stream always tells its usage. Raises RequestInvalid (`malformed_json` or `invalid_request`; `param` is the path).
    """
    fields = read_fields(body)
    check_steering(fields)
    name = route if route is not None else take(_ROUTE, need(fields, "model"), "model")
    streams = bool(take_optional(_FLAG, fields, "stream")) if stream is None else stream
    bounded, needs = _look(fields)
    return Request(
        task=task,
        route=name,
        stream=streams and task != "count",
        max_output_tokens=read_output_limit(fields),
        input_bound=len(body) + TEMPLATE_SLACK_TOKENS if bounded else None,
        input_bytes=len(body),
        wants_usage=True,
        needs=frozenset(needs),
        spoken=Spoken(DIALECT, fields, body),
        read=Once(read_chat, fields),
    )


def read_count_request(body: bytes) -> Request:
    """A request to `/responses/input_tokens`: how many tokens would the prompt be?"""
    return read_request("count", body)


def route_of(fields: dict[str, Raw]) -> str | None:
    """The name that is asked for. None where there is none; what is wrong with it `read_request` tells."""
    try:
        return _ROUTE.decode(fields.get("model", b""))
    except UNREADABLE:
        return None


def _look(fields: dict[str, Raw]) -> tuple[bool, set[str]]:
    """(whether the whole prompt is text in the request, what a model must be able to do)."""
    needs: set[str] = set()
    said = take_optional(_INPUT, fields, "input")
    elsewhere = has_more_input(fields)
    if said is None and not elsewhere:
        raise required("input")
    bounded = not elsewhere and not costs_more(fields)
    if not isinstance(said, str):
        for position, item in enumerate(said or ()):
            bounded = _look_at_item(item, f"input[{position}]", needs) and bounded
    bounded = _look_at_tools(fields, needs) and bounded
    _look_at_form(fields, needs)
    return bounded, needs


def _look_at_item(item: _Slim, path: str, needs: set[str]) -> bool:
    bounded = item.type in _WHOLE_ITEMS and not (item.type is None and item.role is None)
    if item.type not in _WHOLE_ITEMS and item.type not in _SERVED_ITEMS:
        needs.add(OPAQUE)
    if item.type == "reasoning":
        return not (is_null(item.encrypted_content) and is_null(item.content))
    for name, raw in (("content", item.content), ("output", item.output)):
        if bytes(raw)[:1] != b"[":
            continue
        for part in take(_CONTENT, raw, f"{path}.{name}") or ():
            if isinstance(part, _Kind) and part.type not in _TEXT_PARTS:
                bounded = False
                needs.add(_NEEDED_FOR.get(part.type or "", OPAQUE))
    return bounded


def _look_at_tools(fields: dict[str, Raw], needs: set[str]) -> bool:
    tools = take_optional(_TOOLS, fields, "tools") or ()
    if tools:
        needs.add("tools")
    return all(tool.type in _CALLER_TOOLS for tool in tools)


def _look_at_form(fields: dict[str, Raw], needs: set[str]) -> None:
    text = take_optional(_TEXT, fields, "text")
    if text is not None and text.format is not None and text.format.type in _NEEDED_FOR_FORMAT:
        needs.add(_NEEDED_FOR_FORMAT[text.format.type])
    reasoning = take_optional(_REASONING, fields, "reasoning")
    if reasoning is not None and (reasoning.effort or reasoning.summary) and reasoning.effort != "none":
        needs.add("thinking")
