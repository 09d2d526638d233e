"""Anthropic's language: streams of the Messages API -> the house language, one server-sent event at a time.

To a caller who speaks it too an event goes on as it came (`spoken`: the whole event, name and data). What is written to
callers is `speaking`.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from fairlead.chat import Chunk, Head, Item, Task, Thinking, ToolDelta, Usage
from fairlead.dialects.alike import Alike
from fairlead.dialects.anthropic.answer import (
    BlockSaid,
    BodySaid,
    Refusal,
    UsageSaid,
    read_block,
    read_finish,
    read_medium,
    read_usage,
)
from fairlead.dialects.anthropic.signing import DIALECT, Heard, hear
from fairlead.dialects.failures import failure
from fairlead.dialects.reading import UNREADABLE, check_utf8, text_of
from fairlead.errors import StreamBroken

_ABSENT = Raw(b"")
_NO_INPUT = frozenset({"", "{}", "null"})


class _Delta(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Refusal | None = None


class _Event(Struct):
    """Every event of a stream; which fields are set depends on its type."""

    type: str = ""
    index: int = 0
    message: BodySaid | None = None
    content_block: Raw = _ABSENT
    delta: _Delta | None = None
    usage: UsageSaid | None = None


_EVENT = msgspec.json.Decoder(_Event)
_NOTHING = Chunk()
_PIECE = b"content_block_delta"


class StreamReader:
    """The events of one stream -> items of the house: a Head, chunks, and one Usage at the end.

    Every event is the `spoken` of exactly one item, the first that it gives; but for the last one, which is that of the
    Usage, where there is one. `full` fills the fields of chunks instead, and gives no `spoken`. `origin` is the one who
    signs reasoning. `task` and `samples` are as for every language: here there is one task and one choice.
    """

    def __init__(self, full: bool = False, task: Task = "chat", samples: int = 1, origin: str = DIALECT) -> None:
        self.ended = False  # message_stop was seen
        self.usage: Usage | None = None  # the latest that was told, also in the middle of a stream
        self._full = full
        self._alike = Alike(b"text")
        self._origin = origin
        self._begun = False
        self._told: dict[str, Any] = {}  # usage so far, by field
        self._slots: dict[int, int] = {}  # a block of type tool_use -> its slot among the tool calls
        self._empty: set[int] = set()  # such blocks that no input has come for
        self._ids: dict[str, int] = {}  # the same by the call's id
        self._signed: dict[str, Heard] = {}  # signatures of calls that are still to come

    @property
    def complete(self) -> bool:
        """Whether the provider told the end."""
        return self.ended

    def read(self, event: str, data: bytes) -> tuple[Item, ...]:
        """The items of one event. `event` is the name it was sent with; the data repeats it, and counts.

        Raises the TargetError that fits where the provider reports an error, and StreamBroken for what can't be read.
        """
        if self.ended:
            return ()
        piece = self._alike.text(data)
        if piece is not None:  # as nearly always
            if self._full:
                return (Chunk(0, piece, "", "", None, None, UNSET, True),)
            return (Chunk(0, "", "", "", None, None, UNSET, True, b"event: %b\ndata: %b\n\n" % (_PIECE, data)),)
        try:
            check_utf8(data)
            said = _EVENT.decode(data)
            kind = said.type or event
            if kind == "error":
                raise failure(data, DIALECT)
            items = self._items(kind, said)
        except UNREADABLE as error:
            raise StreamBroken(f"An event of the stream can't be read: {error}", body=data, dialect=DIALECT) from None
        if not self._begun:
            if kind == "ping":
                return ()
            raise StreamBroken(f"The stream said {kind} before message_start.", body=data, dialect=DIALECT)
        text = said.delta.text if kind == "content_block_delta" and said.delta is not None else None
        if text and 10 not in data and items == (Chunk(text=text, words=True),):
            self._alike.learn(data, text)
        return items if self._full else _spoken(items, kind, data)

    def close(self) -> tuple[Item, ...]:
        """What was held back, once the provider's bytes have ended: nothing, in this language."""
        return ()

    def _items(self, kind: str, said: _Event) -> tuple[Item, ...]:
        match kind:
            case "content_block_delta" if said.delta is not None:
                return self._piece(said.index, said.delta)
            case "content_block_start" if said.content_block is not _ABSENT:
                block = read_block(said.content_block)
                return () if block is None else self._open(said.index, block)
            case "content_block_stop" if said.index in self._empty:
                # A tool without parameters gets no input at all here; elsewhere arguments are always JSON.
                self._empty.discard(said.index)
                return (Chunk(tool=ToolDelta(self._slots[said.index], arguments="{}"), words=True),)
            case "message_start":
                return self._start(said.message or BodySaid())
            case "message_delta":
                self._count(said.usage)
                return () if said.delta is None else _ending(said.delta)
            case "message_stop" if self._begun:
                self.ended = True
                return () if self.usage is None else (self.usage,)
        return ()  # pings, ends of blocks, and events of tomorrow

    def _start(self, message: BodySaid) -> tuple[Item, ...]:
        if self._begun:
            return ()
        self._begun = True
        self._count(message.usage)
        items: list[Item] = [Head(message.id or "", message.model or "", "", DIALECT)]
        for place, raw in enumerate(message.content or ()):  # there is some where a paused turn goes on
            block = read_block(raw)
            if block is not None:
                items += self._open(-1 - place, block)
        return tuple(items)

    def _open(self, index: int, block: BlockSaid) -> tuple[Item, ...]:
        match block.type:
            case "tool_use":
                slot = self._slots[index] = self._ids[block.id or ""] = len(self._slots)
                arguments = text_of(block.input)
                if arguments in _NO_INPUT and index >= 0:
                    arguments = ""
                    self._empty.add(index)
                heard = self._signed.get(block.id or "") or Heard(None, "")
                tool = ToolDelta(slot, block.id, block.name, arguments, heard.signature, heard.origin)
                return (Chunk(tool=tool, words=True),)
            case "redacted_thinking":
                return self._hidden(hear(block.data or "", self._origin))
            case "image" | "document":
                medium = read_medium(block)
                return () if medium is None else (Chunk(part=medium, words=True),)
        return (*_words(block.text, block.thinking), *self._signature(block.signature))

    def _piece(self, index: int, delta: _Delta) -> tuple[Item, ...]:
        if delta.text or delta.thinking:
            return _words(delta.text, delta.thinking)
        if delta.partial_json and index in self._slots:
            self._empty.discard(index)
            return (Chunk(tool=ToolDelta(self._slots[index], arguments=delta.partial_json), words=True),)
        return self._signature(delta.signature)

    def _signature(self, said: str | None) -> tuple[Item, ...]:
        heard = hear(said, self._origin) if said else None
        if heard is None or heard.signature is None:
            return ()
        return (Chunk(part=Thinking("", heard.signature, heard.origin, id=heard.id)),)

    def _hidden(self, heard: Heard) -> tuple[Item, ...]:
        if heard.call is None:
            return (Chunk(part=Thinking("", heard.signature, heard.origin, True, heard.id), words=True),)
        self._signed[heard.call] = heard
        slot = self._ids.get(heard.call)
        if slot is None:
            return ()
        return (Chunk(tool=ToolDelta(slot, signature=heard.signature, origin=heard.origin)),)

    def _count(self, said: UsageSaid | None) -> None:
        """Counts are cumulative: what an event names replaces what was known, what it leaves out stays."""
        if said is None:
            return
        self._told.update((name, value) for name, value in msgspec.structs.asdict(said).items() if value is not None)
        self.usage = read_usage(UsageSaid(**self._told))


def _ending(delta: _Delta) -> tuple[Item, ...]:
    finish = read_finish(delta.stop_reason)
    refusal = (delta.stop_details.explanation if delta.stop_details else None) or ""
    if finish is None and not refusal:
        return ()
    return (Chunk(refusal=refusal, finish=finish, words=bool(refusal), stop=delta.stop_sequence),)


def _words(text: str | None, thinking: str | None) -> tuple[Item, ...]:
    return (Chunk(text=text or "", reasoning=thinking or "", words=True),) if text or thinking else ()


def _spoken(items: tuple[Item, ...], kind: str, data: bytes) -> tuple[Item, ...]:
    """One item for the event as it came; of a first one the Head, and of a last one the Usage."""
    if 10 in data:  # an event's data may come in several lines
        data = data.replace(b"\n", b"\ndata: ")
    spoken = b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"
    first = items[0] if items else _NOTHING
    if isinstance(first, Chunk):
        return (Chunk(0, "", "", "", None, first.finish, UNSET, first.words, spoken),)
    return (msgspec.structs.replace(first, spoken=spoken), *items[1:])
