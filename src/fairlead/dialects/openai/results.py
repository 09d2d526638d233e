"""OpenAI's language: media where OpenAI's own API takes none, with the quirk `media_from` = `user`.

There only a user shows pictures, sounds and documents: what a tool gave goes into a message of the user's after the
results of its turn, and the result says so. What an assistant made has no such place, and is lost.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from msgspec.structs import replace

from fairlead.chat import Media, Message, Part, Text
from fairlead.dialects.losses import Losses

_POINTER = "(What it gave is in the message that follows the results.)"


def from_user(messages: Iterable[tuple[Message, str]], losses: Losses) -> Iterator[tuple[Message, str]]:
    """Messages and their paths, with all media in messages of the user's."""
    held: list[Part] = []
    end = Message("user"), ""
    for message, path in chain(messages, (end,)):
        if held and message.role != "tool":
            yield Message("user", tuple(held)), path
            held = []
        if message is end[0]:
            return
        if message.role in ("tool", "assistant") and any(type(part) is Media for part in message.parts):
            message = _without(message, path, held, losses)
        yield message, path


def _without(message: Message, path: str, held: list[Part], losses: Losses) -> Message:
    media = [part for part in message.parts if type(part) is Media]
    rest = tuple([part for part in message.parts if type(part) is not Media])
    if message.role == "assistant":
        for part in media:
            losses.lose(f"{path}.content", f"{part.kind} that the assistant made")
        return replace(message, parts=rest)
    losses.leave(f"{path}.content.place")
    held += [Text(f"What the tool call {message.tool_call_id} gave:"), *media]
    return replace(message, parts=(*rest, Text(f"\n\n{_POINTER}" if rest else _POINTER)))
