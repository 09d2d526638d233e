"""Bedrock's language, outwards: the conversation. Parts of the house become blocks, messages become turns.

| in the house | here |
|---|---|
| system messages at the front | `system` blocks, in order |
| system messages further on | `system` blocks too, and told; their place is kept by a quirk, or in this language |
| messages of one side in a row, tool results | merged into one turn |
| a mark of the cache | a `cachePoint` after what is marked; a mark inside a result stands after the result |
| text of nothing | left out: it is refused; white space alone too, unless a caller of this language said it |
| a document | with a name of a small alphabet, no two alike; beside it a text, its name where there is none |
| the result of a tool that gave nothing | an empty JSON object |
| a tool call with invalid JSON | an object with the text under `invalid_json`, and told |
| signed thinking | only what was signed here; what nobody signed only to models that take it back |
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Opaque, Text, Thinking, ToolCall
from fairlead.dialects.bedrock.formats import S3, DocumentNames, format_of
from fairlead.dialects.bedrock.signing import DIALECT
from fairlead.dialects.conversation import as_object, with_ids
from fairlead.dialects.losses import Losses

Block = dict[str, Any]

ID_TABOO = re.compile(r"[^a-zA-Z0-9_.:-]")
NAME_TABOO = re.compile(r"[^a-zA-Z0-9_-]")
LONGEST_ID = LONGEST_NAME = 64
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


class Writer:
    """Writes one conversation. `marks`: whether the model knows marks of the cache; `takes_unsigned`: whether it takes
    reasoning back that nobody signed; `trims`: whether it refuses white space at the end of what it is to go on with.
    """

    def __init__(self, losses: Losses, origin: str, *, marks: bool, takes_unsigned: bool, trims: bool) -> None:
        self.system: list[Block] = []
        self.turns: list[Block] = []
        self._losses = losses
        self._origin = origin
        self._marks = marks
        self._takes_unsigned = takes_unsigned
        self._trims = trims
        self.has_tools = False  # there are calls or results
        self._has_documents = False
        self._own = False  # the caller speaks this language
        self._names = DocumentNames()

    def write(self, chat: Chat, *, inline: bool) -> None:
        """`inline`: system messages further on stay where they stand."""
        messages = with_ids(chat.messages, taboo=ID_TABOO, longest=LONGEST_ID)
        self._own = chat.dialect == DIALECT
        for position, message in enumerate(messages):
            if message.role == "system" and not (inline and self.turns):
                if self.turns:
                    self._losses.leave(f"messages[{position}].place")
                self._write_parts(self.system, message, position)
            else:
                self._write_turn(message, position)
        if self._has_documents:
            for turn in self.turns:
                _accompany(turn["content"])
        if self._trims and self.turns and self.turns[-1]["role"] == "assistant":
            _trim(self.turns[-1]["content"])

    def called(self) -> list[str]:
        """The names of the tools that were called."""
        blocks = (block for turn in self.turns for block in turn["content"])
        return list(dict.fromkeys(block["toolUse"]["name"] for block in blocks if _is(block, "toolUse")))

    def is_amid_tools(self) -> bool:
        """Whether the last turn is a tool's result to a turn that does not begin with signed thinking."""
        if len(self.turns) < 2 or not any(_is(block, "toolResult") for block in self.turns[-1]["content"]):
            return False
        return not _is(self.turns[-2]["content"][0], "reasoningContent")

    def _write_turn(self, message: Message, position: int) -> None:
        if message.name is not None:
            self._losses.leave(f"messages[{position}].name")
        role = "user" if message.role == "tool" else message.role
        new = not self.turns or self.turns[-1]["role"] != role
        blocks: list[Any] = [] if new else self.turns[-1]["content"]
        if message.role == "tool":
            self._write_result(blocks, message, position)
        else:
            self._write_parts(blocks, message, position)
        if new and blocks:  # empty turns are refused
            self.turns.append({"role": role, "content": blocks})

    def _write_result(self, blocks: list[Any], message: Message, position: int) -> None:
        self.has_tools = True
        content: list[Any] = []
        mark = self._write_parts(content, message, position, inside=True)
        result: Block = {"toolUseId": message.tool_call_id or "", "content": content or [{"json": {}}]}
        if message.is_error:
            result["status"] = "error"
        blocks.append({"toolResult": result})
        self._mark(blocks, message.cache or mark)

    def _write_parts(self, blocks: list[Any], message: Message, position: int, *, inside: bool = False) -> str | None:
        """The last mark where there is none to be set (`inside` a result)."""
        last: str | None = None
        for part in message.parts:
            if type(part) is Text:
                if part.text and (self._own or not part.text.isspace()):
                    blocks.append({"text": part.text})
            elif type(part) is ToolCall:
                self.has_tools = True
                blocks.append({"toolUse": self._write_call(part, position)})
            elif type(part) is Media:
                self._write_media(blocks, part, message, position)
            elif type(part) is Thinking:
                self._write_thinking(blocks, part, position)
                continue
            elif type(part) is Opaque:
                self._write_opaque(blocks, part, position)
                continue
            mark = part.cache  # type: ignore[union-attr]
            if mark is not None:
                last = mark
                if not inside:
                    self._mark(blocks, mark)
        return last

    def _write_opaque(self, blocks: list[Any], part: Opaque, position: int) -> None:
        if part.dialect != DIALECT:
            self._losses.lose(f"messages[{position}].content", f"a part of type {part.kind!r}")
            return
        self.has_tools = self.has_tools or part.kind in ("server_tool_use", "toolResult")
        blocks.append(part.raw)

    def _mark(self, blocks: list[Any], ttl: str | None) -> None:
        if ttl is None or not self._marks or not blocks or _is(blocks[-1], "cachePoint"):
            return
        point: Block = {"type": "default"}
        if ttl != "5m":
            point["ttl"] = ttl
        blocks.append({"cachePoint": point})

    def _write_call(self, call: ToolCall, position: int) -> Block:
        name, path = call.name, f"messages[{position}].tool_calls"
        if call.signature is not None:
            self._losses.leave(f"{path}.signature")
        if name and not is_fine_name(name):
            self._losses.lose(path, f"the name of the tool {name!r}", NAME_HINT)
            name = NAME_TABOO.sub("_", name)[:LONGEST_NAME] or "_"
        arguments = as_object(call.arguments)
        if type(arguments) is dict and arguments:
            self._losses.leave(f"{path}.arguments")
        return {"toolUseId": call.id, "name": name, "input": arguments}

    def _write_thinking(self, blocks: list[Any], part: Thinking, position: int) -> None:
        if part.signature is not None and part.origin == self._origin:
            if part.redacted:
                blocks.append({"reasoningContent": {"redactedContent": part.signature}})
            else:
                reasoning = {"text": part.text, "signature": part.signature}
                blocks.append({"reasoningContent": {"reasoningText": reasoning}})
        elif part.signature is None and not part.redacted and self._takes_unsigned:
            blocks.append({"reasoningContent": {"reasoningText": {"text": part.text}}})
        else:
            self._losses.leave(f"messages[{position}].thinking")

    def _write_media(self, blocks: list[Any], media: Media, message: Message, position: int) -> None:
        said = "a document" if media.kind == "document" else f"{'an' if media.kind[0] in 'ai' else 'a'} {media.kind}"
        path = f"messages[{position}].content"
        if message.role == "system" or (message.role == "tool" and media.kind == "audio"):
            where = "the system prompt" if message.role == "system" else "a tool's result"
            self._losses.lose(path, f"{said} in {where}")
            return
        source = _source(media)
        if source is None:
            by = "by an id" if media.file is not None else "by a URL that is not in S3"
            self._losses.lose(path, f"{said} {by}", "Send the data as base64.")
            return
        format = format_of(media)
        if format is None:
            self._losses.lose(path, f"{said} of type {media.media_type or 'unknown'!r}")
            return
        if media.detail not in (None, "auto"):
            self._losses.leave(f"messages[{position}].detail")
        block: Block = {"format": format, "source": source}
        if media.kind == "document":
            self._has_documents = True
            block["name"] = self._names.give(media.name)
        blocks.append({media.kind: block})


NAME_HINT = f"Use letters, digits, _ and -, at most {LONGEST_NAME}."


@lru_cache(maxsize=1024)
def is_fine_name(name: str) -> bool:
    """Whether a tool may be called so."""
    return 0 < len(name) <= LONGEST_NAME and not NAME_TABOO.search(name)


def _source(media: Media) -> Block | None:
    if media.data is not None:
        return {"bytes": media.data}
    if media.url is not None and media.url.startswith(S3):
        return {"s3Location": {"uri": media.url}}
    return None


def _is(block: Any, *kinds: str) -> bool:
    """What was kept whole is of no kind here."""
    return isinstance(block, dict) and any(kind in block for kind in kinds)


def _accompany(content: list[Any]) -> None:
    """A turn with documents must have a text."""
    documents = [block["document"] for block in content if _is(block, "document")]
    if documents and not any(_is(block, "text") for block in content):
        content.append({"text": documents[0]["name"]})


def _trim(content: Sequence[Any]) -> None:
    """White space at the end of a turn that is to be continued is refused."""
    last = next((block for block in reversed(content) if not _is(block, "cachePoint")), None)
    if isinstance(last, dict) and "text" in last:
        last["text"] = last["text"].rstrip()
