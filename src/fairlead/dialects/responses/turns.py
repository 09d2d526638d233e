"""OpenAI's Responses, outwards: the messages of a conversation as items of `input`.

What an item can't say is lost or left out by its path, as `Terms` has it. It does not know the fields around the items.
"""

import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from fairlead.chat import Chat, Media, Message, Opaque, Part, Text, Thinking, ToolCall
from fairlead.dialects.conversation import places, with_ids
from fairlead.dialects.losses import Losses
from fairlead.dialects.media import write_url
from fairlead.dialects.responses.items import AUDIO_TYPES
from fairlead.dialects.responses.language import DIALECT, PICTURE_PREFIX
from fairlead.dialects.responses.telling import picture_item

_FORMATS = {media_type: name for name, media_type in AUDIO_TYPES.items()} | {"audio/mp3": "mp3", "audio/x-wav": "wav"}
_NAMES = {"application/pdf": "document.pdf", "text/plain": "document.txt", "text/csv": "document.csv"}
_ID_TABOO = re.compile(r"[\x00-\x20]")
_LONGEST_ID = 64

Said = dict[str, Any]


class Terms(Struct, frozen=True):
    """How a conversation is written. `own`: it was said in this language, so all that it holds stays as it stood.

    `origin` names who signs reasoning at the target; `plain`: it takes reasoning that nobody signed; `marks`: it takes
    cache breakpoints.
    """

    losses: Losses
    origin: str = DIALECT
    own: bool = False
    plain: bool = False
    marks: bool = False


def write_conversation(chat: Chat, terms: Terms) -> tuple[str | None, list[Any]]:
    """(instructions, items). A system prompt that is one plain text becomes the instructions."""
    messages = chat.messages if terms.own else with_ids(chat.messages, taboo=_ID_TABOO, longest=_LONGEST_ID)
    instructions = _instructions(messages, terms)
    items: list[Any] = []
    paths = places("messages", len(messages))
    for position, message in enumerate(messages):
        if message.role == "assistant":
            if message.name is not None:
                terms.losses.leave(f"{paths[position]}.name")
            _Turn(items, position, terms).write(message.parts)
        elif position or instructions is None:
            items.append(_write_message(message, paths[position], terms))
    return instructions, items


def _instructions(messages: Sequence[Message], terms: Terms) -> str | None:
    if len(messages) < 2 or messages[0].role != "system" or len(messages[0].parts) != 1:
        return None
    part = messages[0].parts[0]
    return part.text or None if isinstance(part, Text) and not (part.cache and terms.marks) else None


def _write_message(message: Message, path: str, terms: Terms) -> Said:
    if message.role == "tool":
        return _write_result(message, path, terms)
    if message.name is not None:
        terms.losses.leave(f"{path}.name")
    return {"type": "message", "role": message.role, "content": _write_content(message.parts, path, terms)}


def _write_result(message: Message, path: str, terms: Terms) -> Said:
    if message.is_error:
        terms.losses.leave(f"{path}.is_error")  # a result is text: what failed is told in it
    output = _write_content(message.parts, path, terms, in_result=True)
    if message.cache and terms.marks and message.parts:
        if isinstance(output, str):
            output = [{"type": "input_text", "text": output}]
        if output:  # all of it may have been lost
            output[-1] = {**output[-1], **_mark(message.cache)}
    return {"type": "function_call_output", "call_id": message.tool_call_id, "output": output}


# --- content ---------------------------------------------------------------------------------------------------------


def _write_content(parts: tuple[Part, ...], path: str, terms: Terms, *, in_result: bool = False) -> Any:
    """`path` is the message's."""
    if len(parts) == 1 and type(part := parts[0]) is Text and (part.cache is None or not terms.marks):
        return part.text
    if not parts:
        return ""
    path = f"{path}.content"
    written = [_write_part(part, path, terms, in_result) for part in parts]
    return [part for part in written if part is not None]


def _write_part(part: Part, path: str, terms: Terms, in_result: bool) -> Any:
    match part:
        case Text(text=text, cache=cache):
            said: Said = {"type": "input_text", "text": text}
            return {**said, **_mark(cache)} if cache and terms.marks else said
        case Media():
            written = _write_media(part, path, terms, in_result)
            return {**written, **_mark(part.cache)} if written and part.cache and terms.marks else written
        case Opaque(raw=raw, dialect=dialect) if dialect == DIALECT:
            return raw
        case Opaque(kind=kind):
            terms.losses.lose(path, f"a part of type {kind!r}")
        case _:
            terms.losses.leave(path)  # nobody but the assistant thinks and calls
    return None


def _mark(cache: str) -> Said:
    """An hour is more than the least lifetime, so the next longer one is asked for."""
    breakpoint_: Said = {"mode": "explicit", "ttl": "12h"} if cache == "1h" else {"mode": "explicit"}
    return {"prompt_cache_breakpoint": breakpoint_}


def _write_media(media: Media, path: str, terms: Terms, in_result: bool) -> Said | None:
    if media.file is not None and media.origin not in (DIALECT, terms.origin):
        terms.losses.lose(path, f"a file kept by another provider ({media.origin})")
    elif media.url is not None and not media.url.startswith(("https:", "http:")):
        terms.losses.lose(path, f"a {media.kind} at {media.url.partition(':')[0]}:", "Send its data, or an https URL.")
    elif media.kind == "image":
        return _write_image(media, terms)
    elif media.kind == "document":
        return _write_document(media)
    elif media.kind == "audio" and media.data is not None and media.media_type in _FORMATS and not in_result:
        sound = {"data": media.data, "format": _FORMATS[media.media_type]}
        return {"type": "input_audio", "input_audio": sound}
    else:
        terms.losses.lose(path, f"{media.kind} of type {media.media_type!r}" if media.media_type else media.kind)
    return None


def _write_image(media: Media, terms: Terms) -> Said:
    said: Said = {"type": "input_image"}
    if media.file is not None:
        said["file_id"] = media.file
    else:
        said["image_url"] = write_url(media)
    if media.detail is not None or not terms.own:
        said["detail"] = media.detail or "auto"  # several servers want it said
    return said


def _write_document(media: Media) -> Said:
    said: Said = {"type": "input_file"}
    if media.file is not None:
        said["file_id"] = media.file
    elif media.url is not None:
        said["file_url"] = media.url
    else:
        said["file_data"] = write_url(media)
        said["filename"] = _NAMES.get(media.media_type, "document")  # data without a name is refused
    if media.name is not None:
        said["filename"] = media.name
    if media.detail is not None:
        said["detail"] = media.detail
    return said


# --- the assistant's side --------------------------------------------------------------------------------------------


class _Turn:
    """One message of the assistant: an item for what it thought, for its text in a row, and for every call."""

    __slots__ = ("_begin", "_items", "_position", "_terms", "_texts")

    def __init__(self, items: list[Any], position: int, terms: Terms) -> None:
        self._items = items
        self._begin = len(items)
        self._position = position
        self._terms = terms
        self._texts: list[str] = []

    def write(self, parts: tuple[Part, ...]) -> None:
        """Appends the items."""
        for part in parts:
            if type(part) is Text:
                self._texts.append(part.text)
                continue
            if self._texts:
                self._end_text()
            if type(part) is ToolCall:
                self._write_call(part)
            else:
                self._write(part)
        if self._texts:
            self._end_text()
        if not self._terms.own:
            self._end_on_words()

    @property
    def _path(self) -> str:
        return f"messages[{self._position}]"

    @property
    def _id(self) -> str:
        """Of the next item."""
        return f"msg_{self._position}_{len(self._items) - self._begin}"

    def _write_call(self, call: ToolCall) -> None:
        if call.signature is not None:
            self._terms.losses.leave(f"{self._path}.tool_calls.signature")
        said = {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        self._items.append(said)

    def _write(self, part: Part) -> None:
        losses = self._terms.losses
        match part:
            case Thinking():
                self._write_thinking(part)
            case Opaque(raw=raw, dialect=dialect) if dialect == DIALECT:
                self._items.append(raw)
            case Opaque(kind=kind):
                losses.lose(f"{self._path}.content", f"a part of type {kind!r}")
            case Media(kind="image", data=str()) if self._terms.own:
                self._items.append(picture_item(f"{PICTURE_PREFIX}_{self._id}", part))
            case Media(kind=kind):
                losses.lose(f"{self._path}.content", f"{kind} that the assistant made")

    def _write_thinking(self, part: Thinking) -> None:
        terms = self._terms
        said: Said = {"type": "reasoning"}
        if part.id is not None:
            said["id"] = part.id
        if part.origin == terms.origin and (part.signature or part.origin == DIALECT):
            said["summary"] = [{"type": "summary_text", "text": part.text}] if part.text else []
            if part.signature:
                said["encrypted_content"] = part.signature
        elif part.text and not (part.signature or part.origin) and (terms.plain or (terms.own and part.id)):
            said["summary"] = []
            said["content"] = [{"type": "reasoning_text", "text": part.text}]
        else:
            terms.losses.leave(f"{self._path}.thinking")
            return
        self._items.append(said)

    def _end_text(self) -> None:
        texts, self._texts = self._texts, []
        message: Said = {"type": "message", "role": "assistant", "content": texts[0]}
        if len(texts) > 1:  # several texts can only be told by a message as it is answered, with all that it has there
            content = [{"type": "output_text", "text": text, "annotations": []} for text in texts]
            message = {**message, "id": self._id, "status": "completed", "content": content}
        self._items.append(message)

    def _end_on_words(self) -> None:
        """OpenAI refuses reasoning that nothing follows, as of an answer that was cut off."""
        items = self._items
        while len(items) > self._begin and isinstance(items[-1], dict) and items[-1]["type"] == "reasoning":
            items.pop()
            self._terms.losses.leave(f"{self._path}.thinking")
