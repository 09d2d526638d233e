"""Bedrock's language, inwards: the conversation of a request. Turns become messages, their blocks parts.

A user's turn holds the results of tools beside what the user says: they become messages of their own, before the rest.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from fairlead.chat import Message, Part, Role, Text, ToolCall
from fairlead.dialects.bedrock.content import (
    SERVER_TOOL,
    Block,
    ToolResult,
    Whole,
    read_part,
    read_result,
    with_mark,
)
from fairlead.dialects.bedrock.signing import DIALECT, CallSignature, with_signatures
from fairlead.dialects.conversation import check_tools, places
from fairlead.dialects.media import check_base64
from fairlead.dialects.reading import is_null, need, take, text_of
from fairlead.errors import RequestInvalid

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}


class _Turn(Struct, gc=False):
    role: str
    content: list[Block]


_TURNS = msgspec.json.Decoder(Annotated[list[_Turn], Meta(min_length=1)])
_CONTENTS = msgspec.json.Decoder(list[dict[str, Raw]])
_BLOCKS = msgspec.json.Decoder(list[Block])


def read_conversation(fields: dict[str, Raw]) -> tuple[Message, ...]:
    """The system prompt and the messages. Raises RequestInvalid with the exact path."""
    messages: list[Message] = []
    paths: list[str] = []
    system = _read_system(fields)
    if system:
        messages.append(Message("system", tuple(system)))
        paths.append("system")
    raw = need(fields, "messages")
    turns = take(_TURNS, raw, "messages")
    for position, (turn, path) in enumerate(zip(turns, places("messages", len(turns)), strict=True)):
        role = _ROLES.get(turn.role)
        if role is None:
            raise _unknown_role(f"{path}.role", turn.role)
        content = turn.content
        if len(content) == 1 and content[0].text is not None:  # the usual case
            messages.append(Message(role, (Text(content[0].text),)))
            paths.append(path)
            continue
        turn_messages = len(messages)
        parts = _read_turn(role, content, raw, position, path, messages, paths)
        if parts or len(messages) == turn_messages:
            messages.append(Message(role, tuple(parts)))
            paths.append(path)
    check_tools(messages, paths)
    return tuple(messages)


def _whole(raw: Raw, turn: int) -> Whole:
    return Whole(lambda: _CONTENTS.decode(raw)[turn]["content"])


def _read_system(fields: dict[str, Raw]) -> list[Part]:
    raw = fields.get("system")
    if raw is None or is_null(raw):
        return []
    blocks = take(_BLOCKS, raw, "system")
    if len(blocks) == 1 and blocks[0].text is not None:  # the usual case
        return [Text(blocks[0].text)]
    whole = Whole(lambda: raw)
    parts: list[Part | CallSignature] = []
    for position, block in enumerate(blocks):
        if block.text is not None:
            parts.append(Text(block.text))
        elif block.cache_point is not None:
            with_mark(parts, block.cache_point.ttl or "5m")
        else:
            parts.append(read_part(block, whole, position, "system", DIALECT, check_base64))
    return with_signatures(parts)


def _read_turn(
    role: Role, content: list[Block], raw: Raw, turn: int, path: str, messages: list[Message], paths: list[str]
) -> list[Part]:
    """What was said in a turn; the results of tools that stand there too become messages."""
    whole: Whole | None = None  # for blocks that are read closely
    parts: list[Part | CallSignature] = []
    signed = after_result = False
    for position, block in enumerate(content):
        if block.text is not None:
            after_result = False
            parts.append(Text(block.text))
        elif (call := block.tool_use) is not None and call.type != SERVER_TOOL:
            after_result = False
            parts.append(ToolCall(call.tool_use_id, call.name, text_of(call.input)))
        elif block.tool_result is not None and role == "user":
            after_result = True
            where = f"{path}.content[{position}].toolResult"
            given = _plain_result(block.tool_result)
            if given is None:
                whole = whole or _whole(raw, turn)
                given = _read_given(block.tool_result, whole, position, where)
            messages.append(given)
            paths.append(f"{where}.toolUseId")
        elif block.cache_point is None:
            after_result = False
            whole = whole or _whole(raw, turn)
            part = read_part(block, whole, position, f"{path}.content", DIALECT, check_base64)
            signed = signed or type(part) is CallSignature
            parts.append(part)
        elif after_result:
            messages[-1] = replace(messages[-1], cache=block.cache_point.ttl or "5m")
        else:
            with_mark(parts, block.cache_point.ttl or "5m")
    return with_signatures(parts) if signed else parts  # type: ignore[return-value]


def _plain_result(given: ToolResult) -> Message | None:
    """One that is a text and nothing else, as they mostly are."""
    content = given.content
    if content is not None and len(content) == 1 and (text := content[0].text) is not None:
        return Message("tool", (Text(text),), given.tool_use_id, given.status == "error")
    return None


def _read_given(given: ToolResult, whole: Whole, position: int, path: str) -> Message:
    parts = read_result(given, whole, position, path, check_base64)
    return Message("tool", parts, given.tool_use_id, given.status == "error")


def _unknown_role(path: str, role: str) -> RequestInvalid:
    known = ", ".join(_ROLES)
    return RequestInvalid(f"`{path}`: {role!r} is not one of {known}.", param=path, hint=f"Use one of {known}.")
