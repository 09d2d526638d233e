"""Names of tools that a target's language refuses: others are given on the way out, and their own come back.

| language | a name is |
|---|---|
| openai, responses, bedrock | letters, digits, `_` and `-`, at most 64 |
| anthropic | the same, at most 128 |
| gemini | the same with `.` and `:`, at most 128, a letter or `_` first |

A name that is fine stays as it is. Another one gets the same new name whenever it is asked with, so that a prompt stays
the same for the provider's cache; and no two tools of a conversation get the same.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from fairlead.chat import Answer, Chat, Chunk, Item, Message, Part, Said, ToolCall, Usage


class _Names(Struct, frozen=True):
    fine: re.Pattern[str]
    taboo: re.Pattern[str]
    longest: int
    first: str = ""  # goes before a name that begins wrongly


_PLAIN = re.compile(r"[^a-zA-Z0-9_-]")
_SHORT = _Names(re.compile(r"[a-zA-Z0-9_-]{1,64}"), _PLAIN, 64)
_TAKEN: Mapping[str, _Names] = {
    "openai": _SHORT,
    "responses": _SHORT,
    "bedrock": _SHORT,
    "anthropic": _Names(re.compile(r"[a-zA-Z0-9_-]{1,128}"), _PLAIN, 128),
    "gemini": _Names(re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}"), re.compile(r"[^a-zA-Z0-9_.:-]"), 128, "_"),
}
NONE: Mapping[str, str] = {}


def fitted(chat: Chat, language: str) -> tuple[Chat, Mapping[str, str]]:
    """The conversation with names that a language takes, and which of them stand for which (new -> own)."""
    taken = _TAKEN[language]
    names = dict.fromkeys(_named(chat))
    odd = [name for name in names if name and not taken.fine.fullmatch(name)]
    if not odd:
        return chat, NONE
    given: dict[str, str] = {}
    for name in odd:
        new = _new(name, taken)
        if new in names or new in given:
            new = _told_apart(name, new, taken)
        given[new] = name
    return _renamed(chat, {own: new for new, own in given.items()}), given


def _named(chat: Chat) -> Iterator[str]:
    for tool in chat.tools:
        yield tool.name
    for message in chat.messages:
        if message.role == "assistant":
            for part in message.parts:
                if type(part) is ToolCall:
                    yield part.name


def _new(name: str, taken: _Names) -> str:
    new = taken.taboo.sub("_", name)
    if taken.first and not (new[0].isalpha() or new[0] == "_"):
        new = taken.first + new
    return new if len(new) <= taken.longest else _told_apart(name, new, taken)


def _told_apart(name: str, new: str, taken: _Names) -> str:
    """What can't be kept of a name is there as a digest."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{new[: taken.longest - len(digest) - 1]}_{digest}"


def _renamed(chat: Chat, names: Mapping[str, str]) -> Chat:
    choice = chat.tool_choice
    if choice is not None and choice.name is not None:
        choice = replace(choice, name=names.get(choice.name, choice.name))
    return replace(
        chat,
        tools=tuple([replace(tool, name=names.get(tool.name, tool.name)) for tool in chat.tools]),
        messages=tuple([_with_parts(message, names) for message in chat.messages]),
        tool_choice=choice,
    )


def _with_parts(message: Message, names: Mapping[str, str]) -> Message:
    parts = _parts(message.parts, names)
    return message if parts is message.parts else replace(message, parts=parts)


def _parts(parts: tuple[Part, ...], names: Mapping[str, str]) -> tuple[Part, ...]:
    if not any(type(part) is ToolCall and part.name in names for part in parts):
        return parts
    return tuple([_call(part, names) if type(part) is ToolCall else part for part in parts])


def _call(call: ToolCall, names: Mapping[str, str]) -> ToolCall:
    return replace(call, name=names.get(call.name, call.name))


# --- on the way back -------------------------------------------------------------------------------------------------


def restored(answer: Answer, names: Mapping[str, str]) -> Answer:
    """The answer with the tools' own names."""
    return replace(answer, said=tuple([_said(said, names) for said in answer.said])) if names else answer


def _said(said: Said, names: Mapping[str, str]) -> Said:
    return replace(said, parts=_parts(said.parts, names))


class Reader(Protocol):
    """A dialect's reader of one stream."""

    ended: bool
    usage: Usage | None

    @property
    def complete(self) -> bool: ...
    def read(self, event: str, data: bytes) -> tuple[Item, ...]: ...
    def close(self) -> tuple[Item, ...]: ...


class Restoring:
    """A reader whose tools have their own names."""

    def __init__(self, reader: Reader, names: Mapping[str, str]) -> None:
        self._reader = reader
        self._names = names
        self.ended = reader.ended
        self.usage = reader.usage

    @property
    def complete(self) -> bool:
        return self._reader.complete

    def read(self, event: str, data: bytes) -> tuple[Item, ...]:
        return self._restored(self._reader.read(event, data))

    def close(self) -> tuple[Item, ...]:
        return self._restored(self._reader.close())

    def _restored(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        self.ended, self.usage = self._reader.ended, self._reader.usage
        return tuple(map(self._named, items))

    def _named(self, item: Item) -> Item:
        if type(item) is not Chunk or item.tool is None:
            return item
        own = self._names.get(item.tool.name or "")
        return item if own is None else replace(item, tool=replace(item.tool, name=own))
