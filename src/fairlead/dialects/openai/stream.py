"""OpenAI's language: the events of a stream, read one at a time. Written they are by `telling`.

To a caller who speaks it too an event goes on as it came (`spoken`), and is looked at only for the books: is there a
word in it, is it the end, what did it use. It does not know where events begin and end in the bytes: that is `wire/`.
"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, Struct
from msgspec.structs import replace

from fairlead.chat import Chunk, Finish, Head, Item, Part, Task, Text, Thinking, ToolDelta, Usage
from fairlead.dialects.alike import Alike
from fairlead.dialects.failures import failure
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.openai.pieces import (
    CallSaid,
    FunctionSaid,
    choice_failure,
    is_call,
    lenient,
    read_arguments,
    read_content,
    read_finish,
    read_images,
    read_signature,
    read_stop,
)
from fairlead.dialects.openai.reasoning import DETAILS, EXTRA_CONTENT, read_closing
from fairlead.dialects.openai.slots import Slots
from fairlead.dialects.openai.usage import take_usage
from fairlead.dialects.reading import UNREADABLE, is_null
from fairlead.dialects.signatures import unwrap
from fairlead.errors import StreamBroken

_DONE = b"[DONE]"
_SHORT = 32  # no event of JSON is as short, and stripping a longer one would copy it
_NULL = Raw(b"null")
_EMPTY = frozenset({b"null", b"[]"})


class _SlimDelta(Struct, gc=False):
    content: str | list[Raw] | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Raw] | list[Raw] | None = None
    reasoning_details: Raw = _NULL
    refusal: str | None = None
    tool_calls: list[Raw] | None = None
    function_call: FunctionSaid | None = None
    images: Raw = _NULL
    audio: Raw = _NULL


class _SlimChoice(Struct, gc=False):
    index: int = 0
    delta: _SlimDelta | None = None
    text: str | None = None
    finish_reason: str | None = None
    usage: Raw = _NULL  # Moonshot
    error: Raw = _NULL


class _Groq(Struct, gc=False):
    usage: Raw = _NULL


class _Slim(Struct, gc=False):
    """An event, as far as the books go."""

    id: str | int | None = None
    model: str | None = None
    object: str | None = None
    choices: list[_SlimChoice] | None = None
    usage: Raw = _NULL
    x_groq: Raw = _NULL
    error: str | dict[str, Raw] | None = None


class _FullDelta(Struct):
    content: str | list[Raw] | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Raw] | list[Raw] | None = None
    reasoning_details: Raw = _NULL
    refusal: str | None = None
    tool_calls: list[CallSaid] | None = None
    function_call: FunctionSaid | None = None
    extra_content: Raw = _NULL
    images: Raw = _NULL


class _FullChoice(Struct):
    index: int = 0
    delta: _FullDelta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Raw = _NULL
    stop_reason: str | int | None = None
    matched_stop: str | int | None = None
    usage: Raw = _NULL
    error: Raw = _NULL


class _Full(Struct):
    id: str | int | None = None
    model: str | None = None
    object: str | None = None
    choices: list[_FullChoice] | None = None
    usage: Raw = _NULL
    x_groq: Raw = _NULL
    error: str | dict[str, Raw] | None = None


_GROQ = msgspec.json.Decoder(_Groq | None)
_SLIM = msgspec.json.Decoder(_Slim)
_FULL = msgspec.json.Decoder(_Full)


class StreamReader:
    """The events of one stream -> items of the house.

    Every event's data is the `spoken` of exactly one item, the first that it gives: the Head for the first event, a
    Chunk, or the Usage for an event that tells nothing else. Usage that comes along with choices has no `spoken` and is
    held back until the end, since some providers tell a running count with every chunk: it comes with `[DONE]`, or from
    `close` where a provider ends without.

    `full` also fills the fields of chunks; without it each event gives one Chunk with `words`, `finish` and `spoken`.
    `samples` is how many choices the caller asked for, `origin` who signs reasoning here.
    """

    def __init__(self, full: bool = False, task: Task = "chat", samples: int = 1, origin: str = DIALECT) -> None:
        self.ended = False  # the provider said [DONE]
        self.usage: Usage | None = None  # the latest that was told, also in the middle of a stream
        self._full = full
        self._index = 0  # of the choice that the last piece of text was of
        self._task = task
        self._samples = samples
        self._origin = origin
        self._decode = _FULL.decode if full else _SLIM.decode
        self._alike = Alike(b"content")
        self._begun = False
        self._held: Usage | None = None
        self._finished: set[int] = set()
        self._slots: dict[int, Slots] = {}  # by choice
        self._telling: set[int] = set()  # choices whose reasoning is told beside its details
        self._kinds: dict[tuple[int, int | None], str] = {}  # (choice, index of a detail) -> the kind of its text

    @property
    def complete(self) -> bool:
        """Whether the provider told the end: `[DONE]`, or a finish for every choice."""
        return self.ended or len(self._finished) >= self._samples

    def read(self, event: str, data: bytes) -> tuple[Item, ...]:
        """The items of one event, given its `data` without the `data: `. This language names no events.

        Raises the TargetError that fits where the provider reports an error, and StreamBroken for what can't be read.
        """
        text = self._alike.text(data)
        if text is not None:  # as nearly always
            return (Chunk(self._index, text if self._full else "", "", "", None, None, UNSET, True, data),)
        if data == _DONE or (len(data) < _SHORT and data.strip() == _DONE):
            return self._end()
        try:
            data.isascii() or data.decode()  # what stays raw is never decoded, and must be UTF-8 all the same
            said = self._decode(data)
        except UNREADABLE as error:
            raise StreamBroken(f"An event of the stream can't be read: {error}", body=data, dialect=DIALECT) from None
        if said.error or said.object == "error":
            raise failure(data, DIALECT)
        if self._begun:
            if said.usage is not _NULL or said.x_groq is not _NULL:
                return self._items(said, data)
            items = (
                self._chunks(said.choices or [], data)
                if isinstance(said, _Full)
                else self._slim(said.choices or (), data)
            )
            self._learn(said.choices or (), items, data)
            return items
        self._begun = True
        head = Head(str(said.id or ""), said.model or "", "", DIALECT, data)
        return (head, *self._items(said, None))

    def _learn(self, choices: Sequence[_SlimChoice | _FullChoice], items: tuple[Item, ...], data: bytes) -> None:
        """Events that say nothing but a piece of text are like each other but for that."""
        delta = choices[0].delta if len(choices) == 1 else None
        text = delta.content if delta is not None else None
        if isinstance(text, str) and len(items) == 1 and choices[0].usage is _NULL:
            index, said = choices[0].index, text if self._full else ""
            if items[0] == Chunk(index, said, "", "", None, None, UNSET, True, data):
                self._index = index
                self._alike.learn(data, text)

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
        if said.usage is not _NULL and (usage := take_usage(said.usage)) is not None:
            self.usage = usage
            if not said.choices:
                self._held = None
                return (replace(usage, spoken=spoken),)
            self._held = usage
        elif said.x_groq is not _NULL and (groq := lenient(_GROQ, said.x_groq)) is not None:
            self._hold(groq.usage)
        if isinstance(said, _Slim):
            return self._slim(said.choices or (), spoken)
        return self._chunks(said.choices or [], spoken)

    def _look(self, choice: _SlimChoice | _FullChoice) -> None:
        """What both ways of reading want to know of a choice."""
        if choice.finish_reason:  # some servers send an empty one with every event
            self._finished.add(choice.index)
        if choice.usage is not _NULL:
            self._hold(choice.usage)
        if choice.error is not _NULL and not is_null(choice.error):
            raise choice_failure(choice.error)

    def _hold(self, raw: Raw) -> None:
        usage = take_usage(raw)
        if usage is not None:
            self._held = self.usage = usage

    # --- for the books ---

    def _slim(self, choices: Sequence[_SlimChoice], spoken: bytes | None) -> tuple[Item, ...]:
        """One Chunk for the whole event: all that it says is in `spoken`."""
        words = False
        finish: Finish | None = None
        for choice in choices:
            delta = choice.delta
            words = words or (bool(choice.text) if delta is None else bool(delta.content) or _has_words(delta))
            if choice.finish_reason or choice.usage is not _NULL or choice.error is not _NULL:
                self._look(choice)
                finish = finish or read_finish(choice.finish_reason)
        if spoken is None and not words and finish is None:
            return ()
        index = choices[0].index if choices else 0
        return (Chunk(index, "", "", "", None, finish, UNSET, words, spoken),)

    # --- in full ---

    def _chunks(self, choices: list[_FullChoice], spoken: bytes | None) -> tuple[Item, ...]:
        """A Chunk for every choice, and one for every further piece of a tool call, signature or medium in it."""
        chunks: list[Chunk] = []
        for choice in choices:
            self._look(choice)
            chunks += self._choice(choice)
        if spoken is None:
            return tuple([chunk for chunk in chunks if _says(chunk)])
        first = chunks[0] if chunks else Chunk()
        return (replace(first, spoken=spoken), *chunks[1:])

    def _choice(self, choice: _FullChoice) -> list[Chunk]:
        delta = choice.delta or _FullDelta(content=choice.text)
        index = choice.index
        text = delta.content if isinstance(delta.content, str) else ""
        reasoning = delta.reasoning_content or (delta.reasoning if isinstance(delta.reasoning, str) else "")
        if delta.content and not text:
            for part in read_content(delta.content):
                text, reasoning = _with(part, text, reasoning)
        closing: list[Part] = []
        if reasoning:
            self._telling.add(index)
        if delta.reasoning_details is not _NULL:
            retold, closing = self._details(index, delta.reasoning_details)
            reasoning = retold if index not in self._telling else reasoning
        tools = self._tools(index, delta)
        tool = tools[0] if tools else None
        words = bool(text or reasoning or delta.refusal or tools)
        logprobs = UNSET if bytes(choice.logprobs) == b"null" else choice.logprobs
        whole = self._whole(delta)
        if closing or whole:
            chunks = _in_order(index, reasoning, closing, text, whole)
            chunks.append(Chunk(index, "", "", delta.refusal or "", tool, None, logprobs, bool(delta.refusal or tools)))
        else:
            chunks = [Chunk(index, text, reasoning, delta.refusal or "", tool, None, logprobs, words)]
        chunks += [Chunk(index, tool=tool, words=True) for tool in tools[1:]]
        if choice.finish_reason:  # the finish comes last, after every piece that came in the same event
            stop = read_stop(choice.stop_reason, choice.matched_stop)
            chunks[-1] = replace(chunks[-1], finish=read_finish(choice.finish_reason), stop=stop)
        return [chunk for chunk in chunks if _says(chunk)] or chunks[:1]

    def _details(self, choice: int, raw: Raw) -> tuple[str, list[Part]]:
        """The text in the details of a reasoning, and the signatures that close it."""
        text = ""
        closing: list[Part] = []
        for detail in lenient(DETAILS, raw) or ():
            place = (choice, detail.index)
            if detail.said:
                text += detail.said
                self._kinds[place] = detail.kind
            if detail.signature or detail.data:
                kind = self._kinds.pop(place, None)
                thinking = read_closing(detail, "", kind, self._origin)
                closing.append(thinking)
        return text, closing

    def _whole(self, delta: _FullDelta) -> list[Part]:
        """What comes in one piece, after the text: images, and Google's signature over the text."""
        whole: list[Part] = []
        if delta.images is not _NULL:
            whole += read_images(delta.images)
        if delta.extra_content is not _NULL:
            extra = lenient(EXTRA_CONTENT, delta.extra_content)
            if extra is not None and extra.signature:
                signature, signer = unwrap(extra.signature, self._origin)
                whole.append(Thinking("", signature, signer))
        return whole

    def _tools(self, choice: int, delta: _FullDelta) -> list[ToolDelta]:
        calls = delta.tool_calls or []
        if delta.function_call is not None and is_call(delta.function_call):
            calls = [*calls, CallSaid(index=0, function=delta.function_call)]
        if not calls:
            return []
        slots = self._slots.get(choice)
        if slots is None:
            slots = self._slots[choice] = Slots()
        return [self._tool(call, slots, position) for position, call in enumerate(calls)]

    def _tool(self, call: CallSaid, slots: Slots, position: int) -> ToolDelta:
        function = call.function or FunctionSaid()
        slot, id, name = slots.place(call.index, call.id or None, function.name or None, position)
        arguments = read_arguments(function.arguments)
        if is_null(call.extra_content):
            return ToolDelta(slot, id, name, arguments)
        return ToolDelta(slot, id, name, arguments, *read_signature(call, self._origin))


def _has_words(delta: _SlimDelta) -> bool:
    return bool(
        delta.content
        or delta.tool_calls
        or delta.reasoning_content
        or delta.reasoning
        or delta.refusal
        or is_call(delta.function_call)
        or (delta.reasoning_details is not _NULL and bytes(delta.reasoning_details) not in _EMPTY)
        or (delta.images is not _NULL and bytes(delta.images) not in _EMPTY)
        or (delta.audio is not _NULL and bytes(delta.audio) not in _EMPTY)
    )


def _says(chunk: Chunk) -> bool:
    return chunk.words or chunk.finish is not None or chunk.part is not None or chunk.logprobs is not UNSET


def _with(part: Part, text: str, reasoning: str) -> tuple[str, str]:
    if isinstance(part, Text):
        return text + part.text, reasoning
    return (text, reasoning + part.text) if isinstance(part, Thinking) else (text, reasoning)


def _in_order(index: int, reasoning: str, closing: list[Part], text: str, whole: list[Part]) -> list[Chunk]:
    """Reasoning, what signs it, text, what belongs to that: one after the other."""
    chunks = [Chunk(index, reasoning=reasoning, words=True)] if reasoning else []
    chunks += [Chunk(index, part=part, words=True) for part in closing]
    if text:
        chunks.append(Chunk(index, text=text, words=True))
    return chunks + [Chunk(index, part=part, words=not isinstance(part, Thinking)) for part in whole]
