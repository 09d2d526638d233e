"""OpenAI's Responses: the server-sent events of a target -> a stream of the house, one event at a time.

To a caller who speaks it too an event goes on as it came (`spoken`, with its name), and is looked at only for the
books. It does not know where events begin and end in the bytes: that is `wire/`.
"""

import msgspec
from msgspec import UNSET, Raw, Struct
from msgspec.structs import replace

from fairlead.chat import Chunk, Head, Item, Part, Task, Text, Thinking, ToolCall, ToolDelta, Usage
from fairlead.dialects.failures import failure
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null
from fairlead.dialects.responses.answer import (
    Full,
    Slim,
    entries_of,
    kinds_of,
    read_finish,
    read_output_item,
    write_logprobs,
)
from fairlead.dialects.responses.items import NULL, read_item
from fairlead.dialects.responses.language import BETWEEN_SUMMARIES, DIALECT
from fairlead.dialects.responses.signing import Heard
from fairlead.dialects.responses.usage import take_usage
from fairlead.errors import RequestInvalid, StreamBroken

_DONE = b"[DONE]"
_UNNAMED = ("", "message")  # what an event is called that has no name
_ENDS = ("response.completed", "response.incomplete")
_FAILURES = ("error", "response.failed", "response.cancelled")
_WORDS = frozenset({
    "response.audio.delta", "response.code_interpreter_call_code.delta", "response.custom_tool_call_input.delta",
    "response.function_call_arguments.delta", "response.output_text.delta", "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta", "response.refusal.delta",
})  # fmt: skip
_NO_DELTA = (b'""', b"null")
_CALLS = ("function_call", "custom_tool_call")


class _Kind(Struct):
    type: str | None = None


class _SlimEvent(Struct):
    """An event, as far as the books go."""

    type: str | None = None
    response: Slim | None = None
    item: _Kind | None = None
    delta: Raw = NULL
    error: Raw = NULL


class _FullEvent(Struct):
    """An event whose other words depend on its type."""

    type: str | None = None
    error: Raw = NULL


class _WithResponse(Struct):
    response: Full | None = None


class _WithItem(Struct):
    output_index: int | None = None
    item: Raw = NULL


class _Piece(Struct):
    output_index: int | None = None
    summary_index: int | None = None
    delta: str | None = None
    logprobs: Raw = NULL


class _Failed(Struct):
    response: Raw = NULL


_KIND = msgspec.json.Decoder(_Kind)
_SLIM = msgspec.json.Decoder(_SlimEvent)
_FULL = msgspec.json.Decoder(_FullEvent)
_WITH_RESPONSE = msgspec.json.Decoder(_WithResponse)
_WITH_ITEM = msgspec.json.Decoder(_WithItem)
_PIECE = msgspec.json.Decoder(_Piece)
_FAILED = msgspec.json.Decoder(_Failed)


class _Progress(Struct):
    """How far an item has been told. `slot` is a call's, -1 where it is none."""

    slot: int = -1
    told: list[str] = []
    refused: bool = False
    reasons_by: str = ""  # the event that tells its reasoning: of a summary and the whole, the first to come
    summary: int = 0

    def rest(self, whole: str) -> str:
        """What of `whole` has not been told. Nothing where the pieces were no beginning of it."""
        told = "".join(self.told)
        return whole[len(told) :] if whole.startswith(told) else ""


class StreamReader:
    """The events of one stream -> items of the house.

    Every event is the `spoken` of exactly one item, the first that it gives: the Head for the first event, else a
    Chunk. The Usage comes last, from the event that ends the response. `full` also fills the fields of chunks; `origin`
    is who signs reasoning there. What of an item came in no piece is told when it is done.
    """

    def __init__(self, full: bool = False, task: Task = "chat", samples: int = 1, origin: str = DIALECT) -> None:
        self.ended = False  # the response was completed, or cut off by a limit
        self.usage: Usage | None = None
        self._origin = origin
        self._full = full
        self._begun = False
        self._progress: dict[int, _Progress] = {}  # of the items, by their position in the output
        self._slots: dict[str, int] = {}  # id of a call -> its slot
        self._signatures: dict[str, Heard] = {}  # of calls that are still to come
        self._kinds: list[str | None] = []  # of the items that are done

    @property
    def complete(self) -> bool:
        """Whether the provider told the end."""
        return self.ended

    def read(self, event: str, data: bytes) -> tuple[Item, ...]:
        """The items of one event. `event` is the name it was sent with; the data repeats it, and counts.

        Raises the TargetError that fits where the provider reports an error, and StreamBroken for what can't be read.
        """
        if data.strip() == _DONE:
            return self._spoken([], _block(event, data), None)
        try:
            check_utf8(data)
            said = _FULL.decode(data) if self._full else _SLIM.decode(data)
            kind = said.type or event
            if kind in _FAILURES or not is_null(said.error):
                raise failure(_failed(data), DIALECT)
            if isinstance(said, _SlimEvent):
                response, items = said.response, self._slim(kind, said)
            else:
                response = self._response(kind, data)
                items = self._tell(kind, data, response)
            if kind in _ENDS:
                items += self._end(response)
                event = kind  # the writer knows the end by its name
        except (*UNREADABLE, RequestInvalid) as error:
            raise StreamBroken(f"An event of the stream can't be read: {error}", body=data, dialect=DIALECT) from None
        return self._spoken(items, _block(event, data), response)

    def close(self) -> tuple[Item, ...]:
        """What was held back, once the provider's bytes have ended: nothing, in this language."""
        return ()

    def _spoken(self, items: list[Item], block: bytes, response: Slim | Full | None) -> tuple[Item, ...]:
        if not self._begun:
            self._begun = True
            response = response or Slim()
            return (Head(response.id or "", response.model or "", "", DIALECT, block), *items)
        if not items or not isinstance(items[0], Chunk):
            return (Chunk(spoken=block), *items)
        items[0] = replace(items[0], spoken=block)
        return tuple(items)

    def _end(self, response: Slim | Full | None) -> list[Item]:
        self.ended = True
        response = response or Slim(status="completed")
        kinds = kinds_of(response) or self._kinds
        ending: list[Item] = [Chunk(finish=read_finish(response.status, response.incomplete_details, kinds))]
        self.usage = take_usage(response.usage, response.tool_usage)
        if self.usage is not None:
            ending.append(self.usage)
        return ending

    # --- for the books ---

    def _slim(self, kind: str, said: _SlimEvent) -> list[Item]:
        if kind in _WORDS:
            return [Chunk(words=bytes(said.delta) not in _NO_DELTA)]
        if said.item is None or said.item.type is None:
            return []
        if kind == "response.output_item.done":
            self._kinds.append(said.item.type)
        elif kind == "response.output_item.added" and said.item.type in _CALLS:
            return [Chunk(words=True)]
        return []

    # --- in full ---

    def _response(self, kind: str, data: bytes) -> Full | None:
        if self._begun and kind not in _ENDS:
            return None
        return _WITH_RESPONSE.decode(data).response

    def _tell(self, kind: str, data: bytes, response: Full | None) -> list[Item]:
        match kind:
            case "response.output_text.delta":
                return self._text(_PIECE.decode(data))
            case "response.function_call_arguments.delta":
                return self._arguments(_PIECE.decode(data))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                return self._reasoning(_PIECE.decode(data), kind)
            case "response.refusal.delta":
                piece = _PIECE.decode(data)
                self._of(piece.output_index).refused = True
                return [Chunk(refusal=piece.delta or "", words=bool(piece.delta))]
            case "response.output_item.added":
                return self._added(_WITH_ITEM.decode(data))
            case "response.output_item.done":
                done = _WITH_ITEM.decode(data)
                return self._done(done.output_index, done.item)
            case "response.completed" | "response.incomplete" if response is not None and not self._progress:
                output = response.output or []
                return [item for place, raw in enumerate(output) for item in self._done(place, raw)]
        return []

    def _of(self, place: int | None) -> _Progress:
        progress = self._progress.get(place or 0)
        if progress is None:
            progress = self._progress[place or 0] = _Progress()
        return progress

    def _text(self, piece: _Piece) -> list[Item]:
        text = piece.delta or ""
        self._of(piece.output_index).told.append(text)
        entries = entries_of(piece.logprobs)
        odds = write_logprobs(entries) if entries else UNSET
        return [Chunk(text=text, logprobs=odds, words=bool(text))]

    def _reasoning(self, piece: _Piece, kind: str) -> list[Item]:
        progress = self._of(piece.output_index)
        if progress.reasons_by not in ("", kind):
            return []
        text, place = piece.delta or "", piece.summary_index or 0
        if progress.told and place != progress.summary:
            text = BETWEEN_SUMMARIES + text
        progress.told.append(text)
        progress.reasons_by, progress.summary = kind, place
        return [Chunk(reasoning=text, words=bool(text))]

    def _arguments(self, piece: _Piece) -> list[Item]:
        progress = self._of(piece.output_index)
        if progress.slot < 0:  # of a call that nobody announced
            return []
        progress.told.append(piece.delta or "")
        return [Chunk(tool=ToolDelta(progress.slot, arguments=piece.delta or ""), words=bool(piece.delta))]

    def _added(self, added: _WithItem) -> list[Item]:
        progress = self._of(added.output_index)
        item = read_item(added.item, "item")
        if item.type != "function_call" or item.call_id is None:
            return []
        return [self._call(progress, item.call_id, item.name or "")]

    def _call(self, progress: _Progress, id: str, name: str) -> Item:
        progress.slot = self._slots[id] = len(self._slots)
        heard = self._signatures.pop(id, None)
        delta = ToolDelta(progress.slot, id, name)
        if heard is not None:
            delta = replace(delta, signature=heard.signature, origin=heard.origin)
        return Chunk(tool=delta, words=True)

    def _done(self, place: int | None, raw: Raw) -> list[Item]:
        """What of an item has not been told in pieces."""
        progress = self._of(place)
        told = read_output_item(raw, "item", self._origin)
        self._kinds.append(_KIND.decode(raw).type)
        if told.signs is not None:
            return self._sign_call(told.signs)
        items: list[Item] = []
        text = progress.rest("".join(part.text for part in told.parts if isinstance(part, Text)))
        if text:
            whole = UNSET if progress.told or not told.logprobs else write_logprobs(told.logprobs)
            items.append(Chunk(text=text, logprobs=whole, words=True))
        for part in told.parts:
            if not isinstance(part, Text):
                items += self._part(progress, part)
        if told.refusal and not progress.refused:
            items.append(Chunk(refusal=told.refusal, words=True))
        return items

    def _part(self, progress: _Progress, part: Part) -> list[Item]:
        match part:
            case Thinking():
                return self._thought(progress, part)
            case ToolCall(id=id, name=name, arguments=arguments):
                opened = [] if progress.slot >= 0 else [self._call(progress, id, name)]
                rest = progress.rest(arguments)
                return [*opened, Chunk(tool=ToolDelta(progress.slot, arguments=rest), words=True)] if rest else opened
        return [Chunk(part=part, words=True)]

    def _thought(self, progress: _Progress, part: Thinking) -> list[Item]:
        """Reasoning that is hidden comes whole; other, in pieces and then its signature."""
        if part.redacted and not progress.told:
            return [Chunk(part=part)]
        rest = progress.rest(part.text)
        items: list[Item] = [Chunk(reasoning=rest, words=True)] if rest else []
        if part.signature is not None:
            items.append(Chunk(part=replace(part, text="", redacted=False)))
        return items

    def _sign_call(self, heard: Heard) -> list[Item]:
        """A signature stands before its call; one that comes after it is told all the same."""
        slot = self._slots.get(heard.name or "")
        if slot is not None:
            return [Chunk(tool=ToolDelta(slot, signature=heard.signature, origin=heard.origin))]
        if heard.name is not None:
            self._signatures[heard.name] = heard
        return []


def _block(event: str, data: bytes) -> bytes:
    """The whole event, as it goes on."""
    if 10 in data:  # an event's data may come in several lines
        data = data.replace(b"\n", b"\ndata: ")
    if event in _UNNAMED:
        return b"data: " + data + b"\n\n"
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def _failed(data: bytes) -> bytes:
    """The body that tells the error: of a response that failed, the response."""
    response = _FAILED.decode(data).response
    return data if is_null(response) else bytes(response)
