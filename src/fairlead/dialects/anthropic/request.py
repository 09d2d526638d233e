"""Anthropic's language, inwards, as much as the road needs: the top level of a request, each value left as it stands.

Two kinds: messages, and the count of their tokens. The full reading of a conversation is `chat`, and only done when
somebody asks for it.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct

from fairlead.chat import NOTHING, OPAQUE, Request, Spoken, Task
from fairlead.dialects.anthropic.chat import OFF, read_chat, read_output_limit
from fairlead.dialects.anthropic.signing import DIALECT
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
from fairlead.dialects.steering import check_steering, costs_more

TASKS: frozenset[Task] = frozenset({"chat"})

# Fields by which text comes into the prompt that is not in the request.
_UNBOUNDED_FIELDS = ("container", "mcp_servers", "thread")
_TEXT_BLOCKS = frozenset(
    {"text", "thinking", "redacted_thinking", "tool_use", "tool_result", "search_result", "tool_reference"}
)
_TEXT_SOURCES = frozenset({"text", "content"})
_HOLDERS = frozenset({"document", "tool_result"})  # blocks that hold blocks
# What the provider's own tools said and found, and what it keeps: nobody fetches what URLs stand in there.
_SERVED_BLOCKS = ("_tool_use", "_tool_result", "container_upload", "compaction")
_NEEDED = {"image": "image", "document": "document"}
_NULL = Raw(b"null")


class _Block(Struct):
    type: str = ""
    content: Raw = _NULL
    source: Raw = _NULL


class _Message(Struct):
    content: str | list[_Block] | None = None


class _Typed(Struct):
    type: str | None = None


class _Source(Struct):
    type: str = ""
    content: Raw = _NULL


class _OutputConfig(Struct):
    format: Raw = _NULL


_ROUTE = msgspec.json.Decoder(Annotated[str, Meta(min_length=1)])
_FLAG = msgspec.json.Decoder(bool | None)
_MESSAGES = msgspec.json.Decoder(Annotated[list[_Message], Meta(min_length=1)])
_BLOCKS = msgspec.json.Decoder(list[_Block])
_SOURCE = msgspec.json.Decoder(_Source)
_TOOLS = msgspec.json.Decoder(list[_Typed] | None)
_THINKING = msgspec.json.Decoder(_Typed | None)
_OUTPUT = msgspec.json.Decoder(_OutputConfig | None)


def read_request(task: Task, body: bytes, *, route: str | None = None, stream: bool | None = None) -> Request:
    """Read one request, no deeper than the road needs. `route` and `stream` are given where the URL says them.

    Raises RequestInvalid (`malformed_json` or `invalid_request`; `param` is the path).
    """
    fields = read_fields(body)
    if "max_tokens" not in fields:
        raise required("max_tokens")
    return _request(task, body, fields, route, stream)


def read_count_request(body: bytes, *, route: str | None = None) -> Request:
    """A question for the number of tokens in a prompt. Raises RequestInvalid, like `read_request`."""
    return _request("count", body, read_fields(body), route, False)


def _request(task: Task, body: bytes, fields: dict[str, Raw], route: str | None, stream: bool | None) -> Request:
    check_steering(fields)
    asked: str = take(_ROUTE, need(fields, "model"), "model") if route is None else route
    stream = bool(take_optional(_FLAG, fields, "stream")) if stream is None else stream
    needs: set[str] = set()
    bounded = _look_at_messages(fields, needs) & _look_at_tools(fields, needs) & _look_at_settings(fields, needs)
    return Request(
        task=task,
        route=asked,
        stream=stream,
        max_output_tokens=read_output_limit(fields),
        input_bound=len(body) + TEMPLATE_SLACK_TOKENS if bounded else None,
        input_bytes=len(body),
        wants_usage=True,  # in this language a stream always tells it
        needs=frozenset(needs) if needs else NOTHING,
        spoken=Spoken(DIALECT, fields, body),
        read=Once(read_chat, fields),
    )


# What the following say is whether the prompt's tokens have a bound; what a model must be able to do goes into `needs`.


def _look_at_messages(fields: dict[str, Raw], needs: set[str]) -> bool:
    bounded = True
    for message in take(_MESSAGES, need(fields, "messages"), "messages"):
        content = message.content
        if isinstance(content, list) and not _look_at_blocks(content, needs):
            bounded = False
    return bounded


def _look_at_blocks(blocks: list[_Block], needs: set[str]) -> bool:
    """Only what is known to be text has a bound; a kind of block that nobody knows yet has none."""
    bounded = True
    for block in blocks:
        if block.type in _NEEDED:
            needs.add(_NEEDED[block.type])
        inner = block.content
        if block.type == "document":
            source = _source_of(block.source)
            bounded = bounded and source.type in _TEXT_SOURCES
            inner = source.content
        elif block.type not in _TEXT_BLOCKS:
            bounded = False
            if block.type not in _NEEDED and not block.type.endswith(_SERVED_BLOCKS):
                needs.add(OPAQUE)
        if block.type in _HOLDERS and bytes(inner)[:1] == b"[" and not _look_at_raw(inner, needs):
            bounded = False
    return bounded


def _look_at_raw(raw: Raw, needs: set[str]) -> bool:
    try:
        return _look_at_blocks(_BLOCKS.decode(raw), needs)
    except UNREADABLE:
        return False  # the full reading tells what is wrong, where it is needed


def _source_of(raw: Raw) -> _Source:
    try:
        return _SOURCE.decode(raw)
    except UNREADABLE:
        return _Source()


def _look_at_tools(fields: dict[str, Raw], needs: set[str]) -> bool:
    tools = take_optional(_TOOLS, fields, "tools")
    if not tools:
        return True
    needs.add("tools")
    return all(tool.type in (None, "custom") for tool in tools)


def _look_at_settings(fields: dict[str, Raw], needs: set[str]) -> bool:
    thinking = take_optional(_THINKING, fields, "thinking")
    if thinking is not None and thinking.type not in OFF:
        needs.add("thinking")
    output = take_optional(_OUTPUT, fields, "output_config")
    if not is_null(fields.get("output_format")) or (output is not None and not is_null(output.format)):
        needs.add("schema")
    return all(is_null(fields.get(name)) for name in _UNBOUNDED_FIELDS) and not costs_more(fields)
