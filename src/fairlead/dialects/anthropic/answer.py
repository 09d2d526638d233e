"""Anthropic's language: answers and streams of the Messages API -> the house language. No I/O."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Answer, Chunk, Finish, Head, Item, Said, Task, ToolCall, ToolDelta, Usage
from fairlead.dialects.anthropic.ask import DIALECT
from fairlead.dialects.failures import failure, unclear
from fairlead.dialects.reading import UNREADABLE, check_utf8, text_of
from fairlead.errors import StreamBroken

# What is not in here (a reason of tomorrow) becomes no finish at all: none is made up. A paused turn and a full context
# window are ends for want of room, not of something to say.
_FINISHES: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_NO_INPUT = frozenset({b"", b"{}", b"null"})


class _OutputDetails(Struct):
    thinking_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Block(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")


class _Refusal(Struct):
    explanation: str | None = None


class _Body(Struct):
    type: str = ""
    id: str = ""
    model: str = ""
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_details: _Refusal | None = None
    usage: _Usage | None = None


class _Delta(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_details: _Refusal | None = None


class _Event(Struct):
    """Every event of a stream; which fields are set depends on its type."""

    type: str = ""
    index: int = 0
    message: _Body | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None


_BODY = msgspec.json.Decoder(_Body)
_EVENT = msgspec.json.Decoder(_Event)


def read_answer(body: bytes, *, task: Task = "chat", full: bool = True) -> Answer:
    """Read a message. Raises TargetUnclear if it is none, and the TargetError that fits where it is an error.

    `full` false leaves `said` empty. `spoken` is the body as it came.
    """
    try:
        check_utf8(body)
        said = _BODY.decode(body)
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None
    if said.type == "error":
        raise failure(body, DIALECT)
    if said.type != "message" or said.content is None:
        raise unclear("it is no message", body, DIALECT)
    finish = _FINISHES.get(said.stop_reason or "")
    return Answer(
        id=said.id,
        model=said.model,
        dialect=DIALECT,
        spoken=body,
        said=(_read_content(said.content, said, finish),) if full else (),
        finish=finish or said.stop_reason,
        usage=None if said.usage is None else _read_usage(said.usage),
    )


def _read_content(blocks: list[_Block], said: _Body, finish: Finish | None) -> Said:
    texts = [block.text for block in blocks if block.type == "text"]
    thoughts = [block.thinking for block in blocks if block.type == "thinking"]
    calls = tuple(
        ToolCall(block.id, block.name, text_of(block.input) or "{}") for block in blocks if block.type == "tool_use"
    )
    return Said(
        text="".join(texts) if texts else None,
        reasoning="".join(thoughts) or None,
        refusal=said.stop_details.explanation if said.stop_details else None,
        tool_calls=calls,
        finish=finish,
    )


def _read_usage(said: _Usage) -> Usage:
    read, written = said.cache_read_input_tokens or 0, said.cache_creation_input_tokens or 0
    details = said.output_tokens_details
    return Usage(
        input=(said.input_tokens or 0) + read + written,
        output=said.output_tokens or 0,
        cache_read=read,
        cache_write=written,
        reasoning=(details.thinking_tokens if details else None) or 0,
    )


class StreamReader:
    """The events of one stream -> items of the house: a Head, chunks, and one Usage at the end.

    Takes the same arguments as the OpenAI reader, though nobody speaks this language to us yet: items always have their
    fields, never `spoken`.
    """

    def __init__(self, full: bool = True, task: Task = "chat", samples: int = 1) -> None:
        self.ended = False  # message_stop was seen
        self.usage: Usage | None = None  # the latest that was told, also in the middle of a stream
        self._begun = False
        self._told: dict[str, Any] = {}  # usage so far, by field
        self._slots: dict[int, int] = {}  # a block of type tool_use -> its slot among the tool calls
        self._empty: set[int] = set()  # such blocks that no input has come for

    @property
    def complete(self) -> bool:
        """Whether the provider told the end."""
        return self.ended

    def read(self, event: str, data: bytes) -> tuple[Item, ...]:
        """The items of one event. `event` is the name it was sent with; the data repeats it, and counts.

        Raises the TargetError that fits where the provider reports an error, and StreamBroken for what can't be read.
        """
        try:
            check_utf8(data)
            said = _EVENT.decode(data)
        except UNREADABLE as error:
            raise StreamBroken(f"An event of the stream can't be read: {error}", body=data, dialect=DIALECT) from None
        kind = said.type or event
        if kind == "error":
            raise failure(data, DIALECT)
        if kind == "message_start":
            return self._start(said)
        if kind == "message_stop":
            return self._stop()
        chunk = self._chunk(kind, said)
        if chunk is None:
            return ()
        if not self._begun:
            raise StreamBroken(f"The stream said {kind} before message_start.", body=data, dialect=DIALECT)
        return (chunk,)

    def close(self) -> tuple[Item, ...]:
        """What was held back, once the provider's bytes have ended: nothing, in this language."""
        return ()

    def _start(self, said: _Event) -> tuple[Item, ...]:
        if self._begun:
            return ()
        self._begun = True
        message = said.message or _Body()
        self._count(message.usage)
        return (Head(message.id, message.model, "", DIALECT),)

    def _stop(self) -> tuple[Item, ...]:
        if not self._begun:
            raise StreamBroken("The stream ended before its first event.", dialect=DIALECT)
        self.ended = True
        return () if self.usage is None else (self.usage,)

    def _chunk(self, kind: str, said: _Event) -> Chunk | None:
        match kind:
            case "content_block_start" if said.content_block is not None:
                return self._open(said.index, said.content_block)
            case "content_block_delta" if said.delta is not None:
                return self._piece(said.index, said.delta)
            case "content_block_stop" if said.index in self._empty:
                # A tool without parameters gets no input at all here; elsewhere arguments are always JSON.
                self._empty.discard(said.index)
                return Chunk(tool=ToolDelta(self._slots[said.index], arguments="{}"), words=True)
            case "message_delta":
                self._count(said.usage)
                return None if said.delta is None else _ending(said.delta)
        return None  # pings, ends of blocks, and events of tomorrow

    def _open(self, index: int, block: _Block) -> Chunk | None:
        if block.type == "tool_use":
            slot = self._slots[index] = len(self._slots)
            arguments = text_of(block.input)
            if arguments.encode() in _NO_INPUT:
                arguments = ""
                self._empty.add(index)
            return Chunk(tool=ToolDelta(slot, block.id, block.name, arguments), words=True)
        return _words(block.text, block.thinking)

    def _piece(self, index: int, delta: _Delta) -> Chunk | None:
        if delta.partial_json and index in self._slots:
            self._empty.discard(index)
            return Chunk(tool=ToolDelta(self._slots[index], arguments=delta.partial_json), words=True)
        return _words(delta.text, delta.thinking)

    def _count(self, said: _Usage | None) -> None:
        """Counts are cumulative: what an event names replaces what was known, what it leaves out stays."""
        if said is None:
            return
        self._told.update((name, value) for name, value in msgspec.structs.asdict(said).items() if value is not None)
        self.usage = _read_usage(_Usage(**self._told))


def _ending(delta: _Delta) -> Chunk | None:
    finish = _FINISHES.get(delta.stop_reason or "")
    refusal = (delta.stop_details.explanation if delta.stop_details else None) or ""
    return Chunk(refusal=refusal, finish=finish, words=bool(refusal)) if finish or refusal else None


def _words(text: str, thinking: str) -> Chunk | None:
    return Chunk(text=text, reasoning=thinking, words=True) if text or thinking else None
