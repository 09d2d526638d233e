"""Bedrock's language: streams, inwards to the house: one event at a time, given its name and its payload.

It does not know where frames begin and end in the bytes: that is `wire/`. To a caller who speaks this language too an
event goes on as the same frame (`spoken`). How streams are written is `telling.py`.
"""

import binascii

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Chunk, Head, Item, Media, Part, Task, ToolDelta, Usage
from fairlead.dialects.bedrock.answer import FINISHES, UsageSaid, read_stop, read_usage
from fairlead.dialects.bedrock.content import SERVER_TOOL, Reasoning, ReasoningText, Source, read_thinking
from fairlead.dialects.bedrock.failure import Failure, failure, is_failure
from fairlead.dialects.bedrock.formats import media_type_of
from fairlead.dialects.bedrock.frames import event_frame
from fairlead.dialects.bedrock.signing import DIALECT, CallSignature
from fairlead.dialects.reading import UNREADABLE, check_utf8
from fairlead.errors import StreamBroken, TargetError


class _ToolStart(Struct, rename="camel"):
    tool_use_id: str = ""
    name: str = ""
    type: str | None = None


class _ImageStart(Struct):
    format: str = ""


class _Start(Struct, rename="camel"):
    tool_use: _ToolStart | None = None
    image: _ImageStart | None = None


class _ToolInput(Struct):
    input: str = ""


class _ReasoningDelta(Struct, rename="camel"):
    text: str = ""
    signature: str | None = None
    redacted_content: str | None = None


class _ImageDelta(Struct):
    source: Source | None = None


class _Delta(Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolInput | None = None
    reasoning_content: _ReasoningDelta | None = None
    image: _ImageDelta | None = None


class _Event(Struct, rename="camel"):
    """Every event of a stream; which fields are set depends on its name."""

    content_block_index: int = 0
    delta: _Delta | None = None
    start: _Start | None = None
    stop_reason: str | None = None
    additional_model_response_fields: Raw = Raw(b"null")
    usage: UsageSaid | None = None


_EVENT = msgspec.json.Decoder(_Event)
_FAILURE = msgspec.json.Decoder(Failure)


class _Block(Struct):
    """A block that has begun and comes whole at its end: encrypted reasoning, a signature, an image."""

    signature: str = ""
    redacted: list[str] = []
    image: list[str] = []
    format: str = ""


class StreamReader:
    """The events of one stream -> items of the house: a Head, chunks, and one Usage at the end.

    Every event's frame is the `spoken` of exactly one item, the first that it gives: the Head for the first event, a
    Chunk, or the Usage for the event that tells it last. The stop comes before the usage; where a server tells them the
    other way round, the usage is held back. `full`, `task` and `samples` change nothing: chunks always have their
    fields, and there is one choice. `origin` is who signed the reasoning.
    """

    def __init__(self, full: bool = False, task: Task = "chat", samples: int = 1, origin: str = DIALECT) -> None:
        self.ended = False  # both the stop and the usage have come
        self.usage: Usage | None = None
        self._origin = origin
        self._begun = False
        self._stopped = False
        self._held: Usage | None = None
        self._slots: dict[int, int] = {}  # a block that is a tool's call -> its slot among them
        self._ids: dict[str, int] = {}  # a call's id -> its slot
        self._empty: set[int] = set()  # such blocks that no input has come for
        self._hidden: set[int] = set()  # blocks of tools that ran at the provider
        self._whole: dict[int, _Block] = {}

    @property
    def complete(self) -> bool:
        """Whether the provider told the end of the answer."""
        return self._stopped

    def read(self, event: str, data: bytes) -> tuple[Item, ...]:
        """The items of one event, given its name and its payload.

        Raises the TargetError that fits where the provider reports an error, and StreamBroken for what can't be read.
        """
        if is_failure(event):
            raise _failed(event, data)
        try:
            check_utf8(data)
            said = _EVENT.decode(data)
        except UNREADABLE as error:
            raise StreamBroken(f"An event of the stream can't be read: {error}", body=data, dialect=DIALECT) from None
        frame = event_frame(event, data)
        if self._begun:
            return self._items(event, said, frame)
        self._begun = True
        head = Head("", "", "", DIALECT, frame)
        if event == "messageStart":
            return (head,)
        items = self._items(event, said, None)
        return (head, *(item for item in items if item != _NOTHING))

    def close(self) -> tuple[Item, ...]:
        """What was held back, once the provider's bytes have ended. It does not judge the end: ask `complete`."""
        held, self._held = self._held, None
        return () if held is None else (held,)

    def _items(self, event: str, said: _Event, frame: bytes | None) -> tuple[Item, ...]:
        match event:
            case "contentBlockDelta" if said.delta is not None:
                return (self._piece(said.content_block_index, said.delta, frame),)
            case "contentBlockStart" if said.start is not None:
                return (self._open(said.content_block_index, said.start, frame),)
            case "contentBlockStop":
                return (self._closed(said.content_block_index, frame),)
            case "messageStop":
                return self._stop(said, frame)
            case "metadata" if said.usage is not None:
                return self._count(said.usage, frame)
        return (Chunk(spoken=frame),)  # a start without content, and events of tomorrow

    def _piece(self, index: int, delta: _Delta, frame: bytes | None) -> Chunk:
        if delta.text is not None:
            return Chunk(text=delta.text, words=bool(delta.text), spoken=frame)
        if delta.tool_use is not None:
            return self._input(index, delta.tool_use.input, frame)
        if delta.reasoning_content is not None:
            return self._reasoning(index, delta.reasoning_content, frame)
        if delta.image is not None and delta.image.source and delta.image.source.data:
            self._whole.setdefault(index, _Block()).image.append(delta.image.source.data)
        return Chunk(spoken=frame)

    def _input(self, index: int, text: str, frame: bytes | None) -> Chunk:
        if index in self._hidden:
            return Chunk(spoken=frame)
        slot = self._slots.setdefault(index, len(self._slots))
        if text:
            self._empty.discard(index)
        return Chunk(tool=ToolDelta(slot, arguments=text), words=True, spoken=frame)

    def _reasoning(self, index: int, delta: _ReasoningDelta, frame: bytes | None) -> Chunk:
        if delta.signature:
            self._whole.setdefault(index, _Block()).signature += delta.signature
        if delta.redacted_content:
            self._whole.setdefault(index, _Block()).redacted.append(delta.redacted_content)
        words = bool(delta.text or delta.redacted_content)
        return Chunk(reasoning=delta.text, words=words, spoken=frame)

    def _open(self, index: int, start: _Start, frame: bytes | None) -> Chunk:
        if start.image is not None:
            self._whole[index] = _Block(format=start.image.format)
        tool = start.tool_use
        if tool is None:
            return Chunk(spoken=frame)
        if tool.type == SERVER_TOOL:
            self._hidden.add(index)
            return Chunk(spoken=frame)
        slot = self._slots[index] = self._ids[tool.tool_use_id] = len(self._slots)
        self._empty.add(index)
        return Chunk(tool=ToolDelta(slot, tool.tool_use_id, tool.name), words=True, spoken=frame)

    def _closed(self, index: int, frame: bytes | None) -> Chunk:
        if index in self._empty:
            # A tool without parameters may get no input at all here; elsewhere arguments are always JSON.
            self._empty.discard(index)
            return Chunk(tool=ToolDelta(self._slots[index], arguments="{}"), words=True, spoken=frame)
        block = self._whole.pop(index, None)
        part = None if block is None else _part(block, self._origin)
        if isinstance(part, CallSignature):
            slot = self._ids.get(part.call)
            tool = None if slot is None else ToolDelta(slot, signature=part.signature, origin=part.origin)
            return Chunk(tool=tool, spoken=frame)
        return Chunk(part=part, words=isinstance(part, Media), spoken=frame)

    def _stop(self, said: _Event, frame: bytes | None) -> tuple[Item, ...]:
        """What was begun and not ended before ends here."""
        self._stopped = True
        rest = [self._closed(index, None) for index in (*self._empty, *self._whole)]
        stop = read_stop(said.additional_model_response_fields)
        last = Chunk(finish=FINISHES.get(said.stop_reason or ""), stop=stop, spoken=frame)
        if self._held is not None:
            self.ended = True
        return (*rest, last, *self.close())

    def _count(self, said: UsageSaid, frame: bytes | None) -> tuple[Item, ...]:
        self.usage = read_usage(said)
        if not self._stopped:
            self._held = self.usage
            return (Chunk(spoken=frame),)
        self.ended = True
        return (read_usage(said, frame),)


_NOTHING = Chunk()


def _failed(event: str, data: bytes) -> TargetError:
    name = event[:1].upper() + event[1:]
    if event == "error":
        try:
            name = _FAILURE.decode(data).name
        except UNREADABLE:
            name = ""
    return failure(name, data)


def _part(block: _Block, origin: str) -> Part | CallSignature | None:
    if block.image:
        return Media(kind="image", media_type=media_type_of("image", block.format), data=_joined(block.image))
    if block.redacted:
        return read_thinking(Reasoning(redacted_content=_joined(block.redacted)), origin)
    if block.signature:
        return read_thinking(Reasoning(ReasoningText("", block.signature)), origin)
    return None


def _joined(pieces: list[str]) -> str:
    """Bytes that came in pieces, each of them base64."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        whole = b"".join(binascii.a2b_base64(piece, strict_mode=True) for piece in pieces)
    except (binascii.Error, ValueError) as error:
        raise StreamBroken(f"An event of the stream holds no base64: {error}", dialect=DIALECT) from None
    return binascii.b2a_base64(whole, newline=False).decode()
