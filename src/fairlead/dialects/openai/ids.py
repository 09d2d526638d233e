"""OpenAI's language: ids of tool calls for targets that take only some.

Mistral takes nine letters and digits (`^[a-zA-Z0-9]{9}$`), while others make longer ones, or none.
"""

import hashlib
import re
from collections.abc import Iterable

from msgspec.structs import replace

from fairlead.chat import Message, Part, ToolCall

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH = 9
_FINE = re.compile(rf"[a-zA-Z0-9]{{{_LENGTH}}}")


class Nine:
    """Gives every call of one conversation an id of nine letters and digits, of its own: the same conversation always
    gets the same, and those that are fine stay as they are."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._again: dict[str, int] = {}
        self._latest: dict[str, str] = {}

    def of_call(self, said: str) -> str:
        id = said if _FINE.fullmatch(said) else _nine(said, 0)
        again = self._again.get(said, 0)
        while id in self._given:  # an id may come again in a later turn
            again += 1
            id = _nine(said, again)
        self._again[said] = again
        self._given.add(id)
        self._latest[said] = id
        return id

    def of_result(self, said: str) -> str:
        """The id of the latest call that was called so."""
        return self._latest.get(said, said)


def _nine(said: str, again: int) -> str:
    number = int.from_bytes(hashlib.blake2b(f"{again}:{said}".encode("utf-8", "surrogatepass"), digest_size=8).digest())
    letters: list[str] = []
    for _ in range(_LENGTH):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(letters)


def with_nine(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The same messages with such ids; results follow their calls."""
    ids = Nine()
    return tuple([_renamed(message, ids) for message in messages])


def _renamed(message: Message, ids: Nine) -> Message:
    if message.role == "tool":
        return replace(message, tool_call_id=ids.of_result(message.tool_call_id or ""))
    if not message.tool_calls:
        return message
    parts: list[Part] = [
        replace(part, id=ids.of_call(part.id)) if isinstance(part, ToolCall) else part for part in message.parts
    ]
    return replace(message, parts=tuple(parts))
