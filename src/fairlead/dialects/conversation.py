"""What holds of a conversation in every language: a tool's result answers a call, and ids tell the calls apart."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Message, Part, ToolCall
from fairlead.dialects.reading import UNREADABLE
from fairlead.errors import RequestInvalid

KEPT_PLACES = 2048
_JSON = msgspec.json.Decoder(Raw)  # checks all of it, and makes nothing


def places(stem: str, count: int) -> Sequence[str]:
    """`messages[0]`, `messages[1]`, ... so many of them; made once, where they are not more than are kept."""
    if count > KEPT_PLACES:
        return [f"{stem}[{place}]" for place in range(count)]
    known = _places(stem)
    while len(known) < count:
        known.append(f"{stem}[{len(known)}]")
    return known[:count]


@lru_cache(maxsize=16)
def _places(stem: str) -> list[str]:
    return []


def check_tools(messages: Sequence[Message], paths: Sequence[str]) -> None:
    """Raises RequestInvalid where a result has no call before it, or one message calls twice by the same id.

    `paths` say where each message stands in the request. An id may be used again in a later turn: some servers number
    the calls of every turn from zero.
    """
    called: set[str] = set()
    for position, message in enumerate(messages):
        if message.role == "tool":
            if message.tool_call_id not in called:
                raise _no_call(message, paths[position])
        elif message.role == "assistant":
            ids = [part.id for part in message.parts if type(part) is ToolCall]
            if not ids:
                continue
            if len(ids) > 1 and len(set(ids)) < len(ids):
                raise _twice(ids, paths[position])
            called.update(ids)


def _no_call(message: Message, path: str) -> RequestInvalid:
    return RequestInvalid(
        f"`{path}`: no earlier message made the tool call {message.tool_call_id!r} that this is the result of.",
        param=path,
        hint="Send the assistant's message with its tool calls before their results.",
    )


def _twice(ids: Sequence[str], path: str) -> RequestInvalid:
    twice, _ = max(Counter(ids).items(), key=lambda found: found[1])
    return RequestInvalid(
        f"`{path}`: two tool calls have the id {twice!r}.", param=path, hint="Give every call an id of its own."
    )


def as_object(arguments: str) -> Any:
    """What a model wrote, as an object: JSON that is none stays readable to it under a name that says so."""
    if not arguments or arguments.isspace():
        return {}
    if arguments[0] == "{" or arguments.lstrip()[0] == "{":
        try:
            _JSON.decode(arguments)
            return Raw(arguments.encode())
        except UNREADABLE:
            pass
    return {"invalid_json": arguments}


def with_ids(messages: Sequence[Message], *, taboo: re.Pattern[str], longest: int) -> Sequence[Message]:
    """The same messages with ids of tool calls that a target takes: every call in the conversation has one of its own,
    without what `taboo` finds and at most `longest` long; results follow their calls. The same conversation always gets
    the same ids, and those that are fine stay as they are.
    """
    if _are_fine(messages, taboo, longest):
        return messages
    given: dict[str, int] = {}
    current: dict[str, str] = {}  # the caller's id -> the one that its latest call was given
    made: list[Message] = []
    for message in messages:
        if message.role == "tool":
            made.append(replace(message, tool_call_id=current.get(message.tool_call_id or "", message.tool_call_id)))
        elif any(isinstance(part, ToolCall) for part in message.parts):
            made.append(replace(message, parts=_renamed(message.parts, current, given, taboo, longest)))
        else:
            made.append(message)
    return tuple(made)


def _are_fine(messages: Sequence[Message], taboo: re.Pattern[str], longest: int) -> bool:
    """As they mostly are: each call has an id of its own that is taken there."""
    seen: set[str] = set()
    for message in messages:
        if message.role == "assistant":
            for part in message.parts:
                if type(part) is ToolCall:
                    id = part.id
                    if id in seen or not 0 < len(id) <= longest or taboo.search(id):
                        return False
                    seen.add(id)
    return True


def _renamed(
    parts: tuple[Part, ...], current: dict[str, str], given: dict[str, int], taboo: re.Pattern[str], longest: int
) -> tuple[Part, ...]:
    """`given` are the names that are taken, each with the number that was last tried for it."""
    renamed: list[Part] = []
    for part in parts:
        if isinstance(part, ToolCall):
            fine = taboo.sub("_", part.id)[:longest] or "call"
            name, again = fine, given.get(fine, 1)
            while name in given:
                again += 1
                suffix = f"_{again}"
                name = fine[: longest - len(suffix)] + suffix
            given[fine] = again
            given.setdefault(name, 1)
            current[part.id] = name
            part = part if name == part.id else replace(part, id=name)
        renamed.append(part)
    return tuple(renamed)
