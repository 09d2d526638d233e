"""OpenAI's language, outwards: the messages of a conversation.

An assistant's turn has its text first, then its calls: what the model said in another order goes out in this one, with
its reasoning where it was. What can't be said is a loss, with its path.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from fairlead.chat import Media, Message, Opaque, Part, Text, Thinking, ToolCall
from fairlead.dialects.conversation import places
from fairlead.dialects.losses import Losses
from fairlead.dialects.openai.ids import with_nine
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.openai.parts import write_mark, write_part
from fairlead.dialects.openai.reasoning import signs_text, write_details, write_extra
from fairlead.dialects.openai.results import from_user

_ASIDES = frozenset({"audio", "tool_call"})  # opaque parts that stand beside the content


class Manner(Struct, frozen=True):
    """How the target wants to be spoken to: its quirks, as far as messages go. The table is in `ask.pass_request`."""

    origin: str
    marks: bool = False
    system_role: str = "system"
    nine: bool = False
    told_as: str = "reasoning_content"  # "" where it takes none back
    user_media: bool = False  # media are taken from a user alone


def write_messages(messages: Sequence[Message], manner: Manner, losses: Losses) -> list[dict[str, Any]]:
    if manner.nine:
        messages = with_nine(messages)
    placed = zip(messages, places("messages", len(messages)), strict=True)
    if manner.user_media:
        placed = from_user(placed, losses)
    return [_write_message(message, path, manner, losses) for message, path in placed]


def _write_message(message: Message, path: str, manner: Manner, losses: Losses) -> dict[str, Any]:
    role = message.role
    if role == "assistant":
        return _write_assistant(message, path, manner, losses)
    content = _write_content(message.parts, path, manner, losses, "")
    said: dict[str, Any] = {"role": manner.system_role if role == "system" else role, "content": content}
    if message.tool_call_id is not None:
        said["tool_call_id"] = message.tool_call_id
        if message.is_error:  # the text tells it
            losses.leave(f"{path}.is_error")
    if message.name is not None:
        said["name"] = message.name
    if message.cache is not None and manner.marks:
        said["cache_control"] = write_mark(message.cache)
    return said


def _write_content(parts: Sequence[Part], path: str, manner: Manner, losses: Losses, empty: str | None) -> Any:
    if len(parts) == 1 and type(part := parts[0]) is Text and (part.cache is None or not manner.marks):
        return part.text
    path = f"{path}.content"
    written = [write_part(part, path, losses, manner.origin, manner.marks) for part in parts]
    return [said for said in written if said is not None] or empty


# --- what the model said ---------------------------------------------------------------------------------------------


def _write_assistant(message: Message, path: str, manner: Manner, losses: Losses) -> dict[str, Any]:
    content: list[Part] = []
    calls: list[Any] = []
    asides: list[Opaque] = []
    reasoned = False
    for part in message.parts:
        if type(part) is ToolCall:
            calls.append(_write_call(part, path, manner, losses))
        elif type(part) is Thinking:
            reasoned = True
        elif type(part) is Opaque and part.dialect == DIALECT and part.kind in _ASIDES:
            asides.append(part)
        else:
            content.append(part)
    said: dict[str, Any] = {"role": "assistant", "content": None if calls else ""}
    if content:
        said["content"] = _write_content(content, path, manner, losses, said["content"])
    if reasoned:
        said.update(_write_reasoning(message.parts, path, manner, losses))
    if calls:
        said["tool_calls"] = calls
    if asides:
        _add_asides(said, asides)
    if message.name is not None:
        said["name"] = message.name
    return said


def _add_asides(said: dict[str, Any], asides: Sequence[Opaque]) -> None:
    """What was kept as it stood, beside the content; then there may be none."""
    said["content"] = said["content"] or None
    for aside in asides:
        if aside.kind == "audio":
            said.setdefault("audio", aside.raw)
        else:
            said.setdefault("tool_calls", []).append(aside.raw)


def _write_call(call: ToolCall, path: str, manner: Manner, losses: Losses) -> dict[str, Any]:
    said = write_call(call)
    if call.signature is not None:
        if call.origin == manner.origin:
            said["extra_content"] = write_extra(call.signature)
        else:
            losses.leave(f"{path}.tool_calls")
    if call.cache is not None and manner.marks:
        said["cache_control"] = write_mark(call.cache)
    return said


def write_call(call: ToolCall) -> dict[str, Any]:
    """Without its signature."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _write_reasoning(parts: Sequence[Part], path: str, manner: Manner, losses: Losses) -> dict[str, Any]:
    kept = [part for part in parts if not isinstance(part, Thinking) or _goes_back(part, manner)]
    if len(kept) < len(parts):
        losses.leave(f"{path}.thinking")
    signing = _signing(kept)
    thoughts = [(index, part) for index, part in placed(kept, apart=True) if part is not signing]
    said: dict[str, Any] = {}
    if told := "".join(part.text for _, part in thoughts):
        said[manner.told_as] = told
    if any(part.signature is not None for _, part in thoughts):
        said["reasoning_details"] = [
            detail for index, part in thoughts for detail in write_details(part, index, bare=True)
        ]
    if signing is not None and signing.signature is not None:
        said["extra_content"] = write_extra(signing.signature)
    return said


def _goes_back(part: Thinking, manner: Manner) -> bool:
    return bool(manner.told_as) and (part.signature is None or part.origin == manner.origin)


def placed(parts: Sequence[Part], *, apart: bool) -> list[tuple[int, Thinking]]:
    """The reasoning among the parts, each with its index: how much stands before it. `apart`: texts count one by one,
    as they do in a content of parts; else together."""
    found: list[tuple[int, Thinking]] = []
    index, has_text = 0, False
    for part in parts:
        if isinstance(part, Thinking):
            found.append((index, part))
        if apart or not has_text or not isinstance(part, Text):
            index += 1
        has_text = has_text or isinstance(part, Text)
    return found


def _signing(parts: Sequence[Part]) -> Thinking | None:
    """What signs all of the text: it comes right after it, and nothing but calls after that."""
    after: Part | None = None
    for part in reversed(parts):
        if isinstance(after, Thinking):
            return after if signs_text(after) and isinstance(part, Text | Media) else None
        if not isinstance(part, ToolCall):
            if not isinstance(part, Thinking):
                return None
            after = part
    return None
