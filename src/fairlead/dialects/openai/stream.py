"""OpenAI's language: streams, both ways, one server-sent event at a time.

To a caller who speaks it too an event goes on as it came (`spoken`), and is looked at only for the books: is there a
word in it, is it the end, what did it use. It does not know where events begin and end in the bytes: that is `wire/`.
"""

import msgspec
from msgspec import UNSET, Raw, Struct

from fairlead.chat import Chunk, Head, Item, Task, ToolDelta, Usage
from fairlead.dialects.failures import failure
from fairlead.dialects.openai.answer import (
    CallSaid,
    FunctionSaid,
    UsageSaid,
    is_call,
    read_arguments,
    read_finish,
    read_text,
    read_usage,
    write_usage,
)
from fairlead.dialects.openai.chat import DIALECT
from fairlead.dialects.reading import UNREADABLE, check_utf8
from fairlead.errors import StreamBroken

_DONE = b"[DONE]"
_NO_LOGPROBS = Raw(b"null")


class _SlimDelta(Struct):
    content: str | list[Raw] | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Raw] | list[Raw] | None = None
    refusal: str | None = None
    tool_calls: list[Raw] | None = None
    function_call: FunctionSaid | None = None


class _SlimChoice(Struct):
    index: int = 0
    delta: _SlimDelta | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Slim(Struct):
    """An event, as far as the books go."""

    id: str | int | None = None
    model: str | None = None
    object: str | None = None
    choices: list[_SlimChoice] | None = None
    usage: UsageSaid | None = None
    error: str | dict[str, Raw] | None = None


class _FullDelta(Struct):
    content: str | list[Raw] | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Raw] | list[Raw] | None = None
    refusal: str | None = None
    tool_calls: list[CallSaid] | None = None
    function_call: FunctionSaid | None = None


class _FullChoice(Struct):
    index: int = 0
    delta: _FullDelta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Raw = _NO_LOGPROBS


class _Full(Struct):
    id: str | int | None = None
    model: str | None = None
    object: str | None = None
    choices: list[_FullChoice] | None = None
    usage: UsageSaid | None = None
    error: str | dict[str, Raw] | None = None


_SLIM = msgspec.json.Decoder(_Slim)
_FULL = msgspec.json.Decoder(_Full)
_ENCODER = msgspec.json.Encoder()


class StreamReader:
    """The events of one stream -> items of the house.

    Every event's data is the `spoken` of exactly one item, the first that it gives: the Head for the first event, a
    Chunk, or the Usage for an event that tells nothing else. Usage that comes along with choices has no `spoken` and is
    held back until the end, since some providers tell a running count with every chunk: it comes with `[DONE]`, or from
    `close` where a provider ends without.

    `full` also fills the fields of chunks; without it each event gives one Chunk with `words`, `finish` and `spoken`.
    `samples` is how many choices the caller asked for.
    """

    def __init__(self, full: bool = False, task: Task = "chat", samples: int = 1, origin: str = DIALECT) -> None:
        self.ended = False  # the provider said [DONE]
        self.usage: Usage | None = None  # the latest that was told, also in the middle of a stream
        self._full = full
        self._task = task
        self._samples = samples
        self._decode = _FULL.decode if full else _SLIM.decode
        self._begun = False
        self._held: Usage | None = None
        self._finished: set[int] = set()
        self._calls: dict[int, dict[str, int]] = {}  # choice -> id of a tool call -> its slot

    @property
    def complete(self) -> bool:
        """Whether the provider told the end: `[DONE]`, or a finish for every choice."""
        return self.ended or len(self._finished) >= self._samples

    def read(self, event: str, data: bytes) -> tuple[Item, ...]:
        """The items of one event, given its `data` without the `data: `. This language names no events.

        Raises the TargetError that fits where the provider reports an error, and StreamBroken for what can't be read.
        """
        if data == _DONE or data.strip() == _DONE:
            return self._end()
        try:
            check_utf8(data)
            said = self._decode(data)
        except UNREADABLE as error:
            raise StreamBroken(f"An event of the stream can't be read: {error}", body=data, dialect=DIALECT) from None
        if said.error or said.object == "error":
            raise failure(data, DIALECT)
        if self._begun:
            return self._items(said, data)
        self._begun = True
        head = Head(str(said.id or ""), said.model or "", "", DIALECT, data)
        if not said.choices and said.usage is None:
            return (head,)
        return (head, *self._items(said, None))

    def close(self) -> tuple[Item, ...]:
        """What was held back, once the provider's bytes have ended. It does not judge the end: ask `complete`."""
        held, self._held = self._held, None
        return () if held is None else (held,)

    def _end(self) -> tuple[Item, ...]:
        if not self._begun:
            raise StreamBroken("The stream ended before its first event.", dialect=DIALECT)
        self.ended = True
        return self.close()

    def _items(self, said: _Slim | _Full, spoken: bytes | None) -> tuple[Item, ...]:
        if said.usage is not None:
            self.usage = read_usage(said.usage)
            if not said.choices:
                self._held = None
                return (read_usage(said.usage, spoken),)
            self._held = self.usage
        if isinstance(said, _Slim):
            return self._slim(said.choices or [], spoken)
        return self._chunks(said.choices or [], spoken)

    def _slim(self, choices: list[_SlimChoice], spoken: bytes | None) -> tuple[Item, ...]:
        """One Chunk for the whole event: all that it says is in `spoken`."""
        words = False
        finish = None
        for choice in choices:
            delta = choice.delta
            if delta is None:
                words = words or bool(choice.text)
            elif (
                delta.content
                or delta.tool_calls
                or delta.reasoning_content
                or delta.reasoning
                or delta.refusal
                or is_call(delta.function_call)
            ):
                words = True
            if choice.finish_reason:  # some servers send an empty one with every event
                self._finished.add(choice.index)
                finish = finish or read_finish(choice.finish_reason)
        if spoken is None and not words and finish is None:
            return ()
        index = choices[0].index if choices else 0
        return (Chunk(index, "", "", "", None, finish, UNSET, words, spoken),)

    def _chunks(self, choices: list[_FullChoice], spoken: bytes | None) -> tuple[Item, ...]:
        """A Chunk for every choice, and one for every further piece of a tool call in it."""
        chunks: list[Chunk] = []
        for choice in choices:
            if choice.finish_reason:
                self._finished.add(choice.index)
            chunks += self._choice(choice)
        if spoken is None:
            return tuple(chunk for chunk in chunks if chunk.words or chunk.finish or chunk.logprobs is not UNSET)
        first = chunks[0] if chunks else Chunk()
        return (msgspec.structs.replace(first, spoken=spoken), *chunks[1:])

    def _choice(self, choice: _FullChoice) -> list[Chunk]:
        delta = choice.delta or _FullDelta(content=choice.text)
        text = read_text(delta.content)
        reasoning = delta.reasoning_content or (delta.reasoning if isinstance(delta.reasoning, str) else "")
        refusal = delta.refusal or ""
        tools = [self._tool(choice.index, position, call) for position, call in enumerate(delta.tool_calls or ())]
        if delta.function_call is not None and is_call(delta.function_call):
            call = CallSaid(index=0, function=delta.function_call)
            tools.append(self._tool(choice.index, 0, call))
        finish = read_finish(choice.finish_reason)
        logprobs = UNSET if bytes(choice.logprobs) == b"null" else choice.logprobs
        tool = tools[0] if tools else None
        words = bool(text or reasoning or refusal or tools)
        # The finish comes last, after every piece of a tool call that came in the same event.
        first = Chunk(choice.index, text, reasoning, refusal, tool, None if tools[1:] else finish, logprobs, words)
        rest = [Chunk(choice.index, tool=tool, words=True) for tool in tools[1:]]
        if rest:
            rest[-1] = msgspec.structs.replace(rest[-1], finish=finish)
        return [first, *rest]

    def _tool(self, choice: int, position: int, call: CallSaid) -> ToolDelta:
        slots = self._calls.setdefault(choice, {})
        slot = call.index
        if slot is None:  # some providers number nothing: then a new id is a new call
            slot = slots.get(call.id, len(slots)) if call.id else max(len(slots) - 1, position)
        if call.id:
            slots[call.id] = slot
        function = call.function or FunctionSaid()
        return ToolDelta(slot, call.id, function.name, read_arguments(function.arguments))


class StreamWriter:
    """Items of the house -> the bytes of server-sent events for a caller who speaks OpenAI's language.

    Where the Head came in this language, `spoken` goes on as it stands and an item without one was already said with
    another. Else chunks are written from their fields. The usage event is hidden unless `include_usage`. No finish is
    ever made up. `created` is in Unix seconds; `model` stands in where the Head names none.
    """

    def __init__(self, *, model: str = "", created: int = 0, include_usage: bool = False, task: Task = "chat") -> None:
        self._model = model
        self._created = created
        self._include_usage = include_usage
        self._task = task
        self._passing = False
        self._id = ""
        self._roles: set[int] = set()  # choices whose role has been told

    def write(self, item: Item) -> bytes:
        """Complete events, or b"" where there is nothing to tell."""
        if isinstance(item, Head):
            return self._head(item)
        if isinstance(item, Usage) and not self._include_usage:
            return b""
        if self._passing:
            return b"" if item.spoken is None else _event(item.spoken)
        if isinstance(item, Usage):
            return self._envelope({"choices": [], "usage": write_usage(item)})
        return self._chunk(item)

    def end(self) -> bytes:
        """The end of a stream that came to its own end."""
        return b"data: [DONE]\n\n"

    def fail(self, body: bytes) -> bytes:
        """The event for an error after the stream has begun. No end mark: nobody takes what came for a whole answer."""
        return _event(body)

    def _head(self, head: Head) -> bytes:
        self._id = head.id
        self._model = head.model or self._model
        self._passing = head.dialect == DIALECT and head.spoken is not None
        if self._passing and head.spoken is not None:
            return _event(head.spoken)
        if self._task == "complete":
            return b""
        self._roles.add(0)
        return self._choice(0, {"delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None})

    def _chunk(self, chunk: Chunk) -> bytes:
        logprobs = None if chunk.logprobs is UNSET else chunk.logprobs
        ending = {"logprobs": logprobs, "finish_reason": chunk.finish}
        if self._task == "complete":
            return self._choice(chunk.index, {"text": chunk.text, **ending})
        return self._choice(chunk.index, {"delta": self._delta(chunk), **ending})

    def _delta(self, chunk: Chunk) -> dict[str, object]:
        delta: dict[str, object] = {}
        if chunk.index not in self._roles:
            self._roles.add(chunk.index)
            delta["role"] = "assistant"
        if chunk.text:
            delta["content"] = chunk.text
        if chunk.reasoning:
            delta["reasoning_content"] = chunk.reasoning
        if chunk.refusal:
            delta["refusal"] = chunk.refusal
        if chunk.tool is not None:
            delta["tool_calls"] = [_write_tool(chunk.tool)]
        return delta

    def _choice(self, index: int, rest: dict[str, object]) -> bytes:
        return self._envelope({"choices": [{"index": index, **rest}]})

    def _envelope(self, rest: dict[str, object]) -> bytes:
        body = {
            "id": self._id,
            "object": "chat.completion.chunk" if self._task == "chat" else "text_completion",
            "created": self._created,
            "model": self._model,
            **rest,
        }
        return b"data: " + _ENCODER.encode(body) + b"\n\n"


def _event(data: bytes) -> bytes:
    if b"\n" in data:  # an event's data may come in several lines
        data = data.replace(b"\n", b"\ndata: ")
    return b"data: " + data + b"\n\n"


def _write_tool(tool: ToolDelta) -> dict[str, object]:
    function: dict[str, object] = {} if tool.name is None else {"name": tool.name}
    function["arguments"] = tool.arguments
    if tool.id is None:
        return {"index": tool.slot, "function": function}
    return {"index": tool.slot, "id": tool.id, "type": "function", "function": function}
