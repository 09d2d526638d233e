"""Anthropic's language, outwards: the messages of the house as its system prompt and its turns.

It knows what a block can hold; what a request as a whole can say is `ask`.
"""

import re
from binascii import a2b_base64
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Chat, Media, Message, Opaque, Part, Text, Thinking, Tool, ToolCall
from fairlead.dialects.anthropic.blocks import DEFAULT_TTL
from fairlead.dialects.anthropic.signing import DIALECT, write_thinking
from fairlead.dialects.conversation import as_object, places, with_ids
from fairlead.dialects.losses import Losses

Block = dict[str, Any]

LONGEST_ID = 256
_ID_TABOO = re.compile(r"[^a-zA-Z0-9_-]")  # the API takes no other characters
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_NO_PARAMETERS = Raw(b'{"type":"object","properties":{}}')
# How base64 begins where nobody said what it holds.
_BEGINNINGS = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp",
    "JVBERi0": "application/pdf",
}


class Turns(Struct, frozen=True):
    """How the messages of one request are written: what can't be said goes to `losses`; `origin` signs what is sent.

    `inline`: system messages amid the conversation stay there; else they join the system prompt. `own`: the caller
    speaks this language, and its turns stay apart as they stood.
    """

    losses: Losses
    origin: str
    inline: bool = False
    own: bool = False

    def write(self, chat: Chat) -> tuple[list[Block], list[Block]]:
        """(system prompt, turns). Messages of one side in a row are one turn; a turn without content is none."""
        system: list[Block] = []
        turns: list[Block] = []
        before = ""
        messages = with_ids(chat.messages, taboo=_ID_TABOO, longest=LONGEST_ID)
        for message, path in zip(messages, places("messages", len(messages)), strict=True):
            said = message.role
            if message.name is not None and said != "tool":
                self.losses.leave(f"{path}.name")
            if said == "system" and not (turns and self.inline):
                self._add_to_prompt(system, message, path, late=bool(turns))
                continue
            if said == "tool":
                role, blocks = "user", [self._result(message, path)]
            else:
                role, blocks = said, self._blocks(message.parts, path)
            if said == "system":
                _add_system(turns, message, blocks)
            elif not blocks:
                continue
            elif turns and turns[-1]["role"] == role and (not self.own or before == "tool"):
                turns[-1]["content"] += blocks
            else:
                turns.append({"role": role, "content": blocks})
            before = said
        _end(turns)
        return system, turns

    def _add_to_prompt(self, system: list[Block], message: Message, path: str, *, late: bool) -> None:
        if late:
            self.losses.leave(f"{path}.place")
        system += self._blocks(message.parts, path)
        for field in _asides(message.parts, "system"):
            self.losses.lose(f"{path}.{field}", "this field of a system prompt")

    def _result(self, message: Message, path: str) -> Block:
        result: Block = {"type": "tool_result", "tool_use_id": message.tool_call_id or ""}
        content = self._blocks(message.parts, path)
        if content:
            result["content"] = content
        if message.is_error:
            result["is_error"] = True
        if message.cache is not None:
            mark(result, message.cache)
        return result | aside if (aside := _asides(message.parts, "tool_result")) else result

    def _blocks(self, parts: tuple[Part, ...], path: str) -> list[Any]:
        blocks: list[Any] = []
        for part in parts:
            if type(part) is Text:
                text = part.text
                if not text or text.isspace():  # the API refuses text blocks without text
                    continue
                block = {"type": "text", "text": text}
                blocks.append(block if part.cache is None else mark(block, part.cache))
            elif type(part) is ToolCall:
                blocks.append(self._call(part, path))
            elif type(part) is Thinking:
                if part.origin == self.origin:
                    blocks.append(write_thinking(part, self.origin))
                else:
                    self.losses.leave(f"{path}.thinking")
            elif type(part) is Media:
                self._add_media(blocks, part, f"{path}.content")
            elif type(part) is Opaque:
                self._add_opaque(blocks, part, f"{path}.content")
        return blocks

    def _call(self, call: ToolCall, path: str) -> Block:
        if call.signature is not None:
            self.losses.leave(f"{path}.tool_calls.signature")
        arguments = as_object(call.arguments)
        if type(arguments) is dict and arguments:
            self.losses.leave(f"{path}.tool_calls.arguments")
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}
        return mark(block, call.cache)

    def _add_media(self, blocks: list[Any], media: Media, path: str) -> None:
        if media.kind in ("audio", "video"):
            self.losses.lose(path, f"{media.kind} input")
            return
        if media.detail not in (None, "auto"):
            self.losses.leave(f"{path}.detail")
        source = self._source(media, path)
        if source is None:
            return
        block: Block = {"type": media.kind, "source": source}
        if media.kind == "document" and media.name is not None:
            block["title"] = media.name
        blocks.append(mark(block, media.cache))

    def _source(self, media: Media, path: str) -> Block | None:
        if media.file is not None:
            if media.origin == DIALECT:
                return {"type": "file", "file_id": media.file}
            self.losses.lose(path, "a file at another provider", "Send the data itself.")
            return None
        if media.url is not None:
            if media.url[:8].lower().startswith(("https://", "http://")):
                return {"type": "url", "url": media.url}
            self.losses.lose(path, f"{media.kind} input at {media.url.partition(':')[0]}:", "Send the data itself.")
            return None
        data = media.data or ""
        media_type = media.media_type or _guessed(data)
        if media.kind == "image" or media_type == "application/pdf":
            return {"type": "base64", "media_type": media_type, "data": data}
        return self._plain(data, media_type, path)

    def _plain(self, data: str, media_type: str, path: str) -> Block | None:
        """A document that is text. The API knows plain text alone: where that may be lost, other text is called so."""
        if media_type != "text/plain":
            self.losses.lose(path, f"a document of type {media_type or 'unknown'}", "Send PDF or plain text.")
        try:
            text = a2b_base64(data).decode()
        except ValueError:  # no text at all
            self.losses.lose(path, "a text document that is not UTF-8", "Encode it as UTF-8.")
            return None
        return {"type": "text", "media_type": "text/plain", "data": text}

    def _add_opaque(self, blocks: list[Any], part: Opaque, path: str) -> None:
        if part.dialect != DIALECT:
            self.losses.lose(path, f"a part of type {part.kind!r}")
            return
        owner, aside, field = part.kind.partition(".")
        if not aside:
            blocks.append(part.raw)
        elif blocks and kind_of(blocks[-1]) == owner:
            blocks[-1][field] = part.raw


def kind_of(block: Block | Raw) -> str:
    """The kind of a block, "" of one that is passed on as it stood."""
    return block["type"] if isinstance(block, dict) else ""


def mark(block: Block, cache: str | None) -> Block:
    """The block, with a mark for the prompt cache if it has one."""
    if cache is not None:
        control = {"type": "ephemeral"}
        if cache != DEFAULT_TTL:
            control["ttl"] = cache
        block["cache_control"] = control
    return block


def write_tool(tool: Tool) -> Block:
    said: Block = {"name": tool.name}
    if tool.description is not None:
        said["description"] = tool.description
    said["input_schema"] = tool.parameters if tool.parameters is not None else _NO_PARAMETERS
    if tool.strict:
        said["strict"] = True
    return mark(said, tool.cache)


def is_amid_tools(turns: list[Block]) -> bool:
    """Whether the last turn is a tool's result to a turn without signed thinking, or is such a turn itself, to be
    continued: then the API refuses a budget."""
    if turns[-1]["role"] == "assistant":
        return kind_of(turns[-1]["content"][0]) not in ("thinking", "redacted_thinking")
    if len(turns) < 2 or all(kind_of(block) != "tool_result" for block in turns[-1].get("content", ())):
        return False
    before = turns[-2].get("content") or [{"type": ""}]
    return kind_of(before[0]) not in ("thinking", "redacted_thinking")


def _add_system(turns: list[Block], message: Message, blocks: list[Any]) -> None:
    turn: Block = {"role": "system", **_asides(message.parts, "system")}
    if blocks:
        turn["content"] = blocks
    if len(turn) > 1:
        turns.append(turn)


def _end(turns: list[Block]) -> None:
    """White space at the end of an answer that is to be continued is refused."""
    if turns and turns[-1]["role"] == "assistant" and kind_of(turns[-1]["content"][-1]) == "text":
        last = turns[-1]["content"][-1]
        last["text"] = last["text"].rstrip()


def _asides(parts: Iterable[Part], owner: str) -> Block:
    """Fields of a result or of a message, which were kept among its parts."""
    asides: Block = {}
    for part in parts:
        if type(part) is Opaque and part.dialect == DIALECT:
            whose, dot, field = part.kind.partition(".")
            if dot and whose == owner:
                asides[field] = part.raw
    return asides


def _guessed(data: str) -> str:
    return next((kind for beginning, kind in _BEGINNINGS.items() if data.startswith(beginning)), "")
