"""Gemini's language, outwards: the messages of a conversation as `systemInstruction` and `contents`.

| in the house | here |
|---|---|
| system messages, wherever they stand | `systemInstruction`, in order; the place of later ones is told as lost |
| results of tools in a row | one content, as they answer one turn |
| a Thinking without text, signed by Google | `thoughtSignature` of the part before it |
| reasoning that nobody signed | a part with `thought: true` |
| reasoning and calls that another provider signed | the reasoning is left out, the call goes without its signature |
| arguments that are no JSON object | an object with the text under `invalid_json`, and told |
| names of messages and of media (but for results, and Vertex AI), an image's `detail` | left out, and told |
| marks of a cache | let go |
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from fairlead.chat import Media, Message, Opaque, Part, Text, Thinking, ToolCall
from fairlead.dialects.conversation import as_object, places
from fairlead.dialects.gemini.media import write_media
from fairlead.dialects.gemini.names import DIALECT
from fairlead.dialects.gemini.results import write_result
from fairlead.dialects.gemini.signing import NO_SIGNATURE
from fairlead.dialects.losses import Losses

Fields = dict[str, Any]

_NOTHING = {"text": ""}


class Turns:
    """A conversation on its way out. `origin`: whose signatures and files are taken there."""

    def __init__(self, losses: Losses, origin: str, quirks: Mapping[str, Any]) -> None:
        self._losses = losses
        self._origin = origin
        self._sends_ids = quirks.get("call_ids", True)
        self._names_media = quirks.get("vertex", False)
        self._names: dict[str, str] = {}  # id of a call -> name of its function
        self.has_empty = False  # a text of nothing was written

    def write(self, messages: tuple[Message, ...]) -> tuple[list[Fields | Raw], list[Fields]]:
        """(parts of the system prompt, contents)."""
        system: list[Fields | Raw] = []
        contents: list[Fields] = []
        answers: list[Fields] | None = None  # the parts of a content that only results are in
        for message, path in zip(messages, places("messages", len(messages)), strict=True):
            if message.name is not None and message.role != "tool":
                self._losses.leave(f"{path}.name")
            if message.role == "system":
                if contents:
                    self._losses.leave(f"{path}.place")
                system += self._parts(message, path)
            elif message.role == "tool":
                if answers is None:
                    answers = []
                    contents.append({"role": "user", "parts": answers})
                answers.append(self._result(message, path))
            elif parts := self._parts(message, path):  # the API refuses empty turns
                answers = None
                contents.append({"role": "model" if message.role == "assistant" else "user", "parts": parts})
        return system, contents

    def _parts(self, message: Message, path: str) -> list[Fields | Raw]:
        written: list[Fields | Raw] = []
        for part in message.parts:
            if isinstance(part, Text):
                self.has_empty = self.has_empty or not part.text
                written.append({"text": part.text})
            elif isinstance(part, ToolCall):
                written.append(self._call(part, path))
            elif isinstance(part, Thinking):
                self._thinking(part, path, written)
            elif isinstance(part, Media):
                self._media(part, path, written)
            elif part.dialect == DIALECT:
                written.append(part.raw)
            else:
                self._losses.lose(f"{path}.content", f"a part of type {part.kind!r}")
        return written

    def _media(self, part: Media, path: str, written: list[Fields | Raw]) -> None:
        if part.detail not in (None, "auto"):
            self._losses.leave(f"{path}.detail")
        name = part.name if self._names_media else None
        if name != part.name:
            self._losses.leave(f"{path}.content.name")
        if (said := write_media(part, path, self._losses, self._origin, name=name)) is not None:
            written.append(said)

    def _call(self, call: ToolCall, path: str) -> Fields:
        self._names[call.id] = call.name
        arguments = as_object(call.arguments)
        if type(arguments) is dict and arguments:
            self._losses.leave(f"{path}.tool_calls.arguments")
        said: Fields = {"name": call.name, "args": arguments}
        if self._sends_ids:
            said["id"] = call.id
        if call.signature is None:
            return {"functionCall": said}
        if call.origin != self._origin:
            self._losses.leave(f"{path}.tool_calls.signature")
            return {"functionCall": said}
        return {"functionCall": said, "thoughtSignature": call.signature}

    def _thinking(self, part: Thinking, path: str, written: list[Fields | Raw]) -> None:
        if part.signature is None:
            written.append({"text": part.text, "thought": True})
        elif part.origin != self._origin or part.redacted:
            self._losses.leave(f"{path}.thinking")
        elif part.text:
            written.append({"text": part.text, "thought": True, "thoughtSignature": part.signature})
        else:
            sign_last(written, part.signature)

    def _result(self, message: Message, path: str) -> Fields:
        id = message.tool_call_id or ""
        response, names = write_result(message.parts, is_error=message.is_error)
        said: Fields = {"name": self._names.get(id, id), "response": response}
        if self._sends_ids:
            said["id"] = id
        if len(message.parts) != 1 or type(message.parts[0]) is not Text:
            media = self._result_media(message.parts, names, path)
            said.update({"parts": media} if media else {})
        return {"functionResponse": said}

    def _result_media(self, parts: tuple[Part, ...], names: dict[int, str], path: str) -> list[Fields]:
        media: list[Fields] = []
        for place, part in enumerate(parts):
            if isinstance(part, Media):
                name = names.get(place) or part.name
                written = write_media(part, path, self._losses, self._origin, name=name)
                media += [] if written is None else [written]
            elif not isinstance(part, Text):
                self._losses.lose(f"{path}.content", _kind(part))
        return media


def _kind(part: Part) -> str:
    return f"a part of type {part.kind if isinstance(part, Opaque) else 'thinking'!r} in a tool's result"


def sign_last(parts: list[Fields | Raw], signature: str) -> None:
    """A signature without a text: it belongs to the part before it, where that can take it."""
    last = parts[-1] if parts else None
    if isinstance(last, dict) and "thoughtSignature" not in last and "functionCall" not in last:
        last["thoughtSignature"] = signature
    else:
        parts.append({"text": "", "thoughtSignature": signature})


def excuse_calls(contents: list[Fields]) -> None:
    """Say of calls in the current turn that no model of Google's made them, where they are unsigned.

    The turn begins after the last content of the user's that is no result. Newer models want a signature on the first
    call of each of its steps and refuse the request without one.
    """
    for content in reversed(contents):
        if content["role"] == "user":
            if any(not isinstance(part, dict) or "functionResponse" not in part for part in content["parts"]):
                return
            continue
        first = next((part for part in content["parts"] if isinstance(part, dict) and "functionCall" in part), None)
        if first is not None and "thoughtSignature" not in first:
            first["thoughtSignature"] = NO_SIGNATURE


def without_empty(system: list[Fields | Raw], contents: list[Fields]) -> tuple[list[Fields | Raw], list[Fields]]:
    """The same without texts of nothing, which the API refuses, and without turns of which nothing is left.

    The first turn stays whatever it holds: a call may only follow a turn of the user's.
    """
    for content in contents:
        content["parts"] = [part for part in content["parts"] if part != _NOTHING]
    if contents and not contents[0]["parts"]:
        contents[0]["parts"] = [_NOTHING]
    return [part for part in system if part != _NOTHING], [content for content in contents if content["parts"]]


def carry_rest(contents: list[Fields], path: str, raw: Raw) -> bool:
    """Put what was said of a medium (`contents[0].parts[1].videoMetadata`) back. False where none stands there."""
    try:
        content, part, name = path.removeprefix("contents[").replace("].parts[", ".").replace("].", ".").split(".")
        said = contents[int(content)]["parts"][int(part)]
    except (ValueError, IndexError):
        return False
    if not isinstance(said, dict) or ("inlineData" not in said and "fileData" not in said):
        return False
    said[name] = raw
    return True
