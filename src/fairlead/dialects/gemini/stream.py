"""Gemini's language: the events of a stream -> items of the house.

To a caller who speaks it too an event goes on as it came (`spoken`), and is looked at only for the books. There is no
end mark: an answer is whole when every candidate has told its finish. It does not know where events begin and end in
the bytes: that is `wire/`.
"""

from msgspec import UNSET, Struct
from msgspec.structs import replace

from fairlead.chat import Chunk, Finish, Head, Item, Task, ToolDelta, Usage
from fairlead.dialects.failures import failure
from fairlead.dialects.gemini.logprobs import read_logprobs
from fairlead.dialects.gemini.names import DIALECT
from fairlead.dialects.gemini.pieces import Pieces
from fairlead.dialects.gemini.said import (
    BODY,
    Body,
    CallSaid,
    Candidate,
    PartSaid,
    call_id,
    count_searches,
    read_arguments,
    read_finish,
    read_media,
    read_opaque,
    read_refusal,
    read_usage,
    sign,
)
from fairlead.dialects.gemini.signing import real, unwrap
from fairlead.dialects.reading import UNREADABLE, check_utf8, is_null
from fairlead.errors import StreamBroken


class _Choice(Struct):
    """A candidate's calls so far. `open` is one whose arguments come in pieces."""

    calls: int = 0
    open: Pieces | None = None
    finished: bool = False


class StreamReader:
    """The events of one stream -> items: a Head, chunks, and one Usage at the end.

    Every event's data is the `spoken` of exactly one item, the first that it gives. Usage comes with every event and
    counts on: the last is told by `close`. `full` also fills the fields of chunks; without it each event gives one
    Chunk with `words`, `finish` and `spoken`. `samples` is how many candidates the caller asked for; `origin` who signs
    there.
    """

    def __init__(self, full: bool = False, task: Task = "chat", samples: int = 1, origin: str = DIALECT) -> None:
        self.ended = False  # nothing tells that nothing more will come
        self.usage: Usage | None = None  # the latest that was told, also in the middle of a stream
        self._full = full
        self._samples = samples
        self._origin = origin
        self._id = ""
        self._begun = False
        self._blocked = False
        self._searches = 0
        self._choices: dict[int, _Choice] = {}

    @property
    def complete(self) -> bool:
        """Whether the provider told the end: a finish for every candidate, or that it blocked the prompt."""
        return self._blocked or sum(choice.finished for choice in self._choices.values()) >= self._samples

    def read(self, event: str, data: bytes) -> tuple[Item, ...]:
        """The items of one event, given its `data` without the `data: `. This language names no events.

        Raises the TargetError that fits where the provider reports an error or gives up, and StreamBroken for what
        can't be read.
        """
        try:
            check_utf8(data)
            said = BODY.decode(data)
        except UNREADABLE as error:
            raise StreamBroken(f"An event of the stream can't be read: {error}", body=data, dialect=DIALECT) from None
        if not is_null(said.error):
            raise failure(data, DIALECT)
        self._count(said)
        if self._begun:
            return self._chunks(said, data, data)
        self._begun = True
        self._id = said.response_id or ""
        head = Head(self._id, said.model_version or "", "", DIALECT, data)
        return (head, *self._chunks(said, data, None))

    def close(self) -> tuple[Item, ...]:
        """The usage, once the provider's bytes have ended."""
        return () if self.usage is None or not self._begun else (self.usage,)

    def _count(self, said: Body) -> None:
        if said.candidates:
            self._searches = max(self._searches, count_searches(said.candidates))
        if said.usage_metadata is not None:
            self.usage = read_usage(said.usage_metadata, self._searches) or self.usage

    def _chunks(self, said: Body, data: bytes, spoken: bytes | None) -> tuple[Item, ...]:
        chunks: list[Chunk] = []
        if (refusal := said.blocked) is not None and not self._choices:
            self._blocked = True
            chunks.append(Chunk(0, refusal=refusal, finish="content_filter", words=True))
        for place, candidate in enumerate(said.candidates or ()):
            choice = self._choices.get(candidate.index or 0)
            if choice is None:
                choice = self._choices[candidate.index or 0] = _Choice()
            made = self._candidate(candidate, choice, place, data) if self._full else _slim(candidate, choice, data)
            chunks += made
        if not self._full:
            return _merged(chunks, spoken)
        if spoken is not None:
            first = replace(chunks[0], spoken=spoken) if chunks else Chunk(spoken=spoken)
            return (first, *chunks[1:])
        return tuple(chunks)

    def _candidate(self, candidate: Candidate, choice: _Choice, place: int, data: bytes) -> list[Chunk]:
        """A Chunk for every part, the last with the finish."""
        index = candidate.index or 0
        chunks: list[Chunk] = []
        for position, part in enumerate(candidate.parts):
            if part.function_call is not None:
                chunks += self._call(part, part.function_call, choice, index, data)
            else:
                chunks += self._part(part, index, place, position, data)
        if candidate.finish_reason:
            chunks += _closed(choice, index)
        finish = _finish(candidate, choice, data)
        refusal = read_refusal(candidate, finish) or ""
        raw = candidate.logprobs_result
        logprobs = UNSET if is_null(raw) else read_logprobs(raw) or UNSET
        if finish is None and logprobs is UNSET:
            return chunks
        if len(chunks) == 1 and not refusal:
            return [replace(chunks[0], finish=finish, logprobs=logprobs)]
        return [*chunks, Chunk(index, refusal=refusal, finish=finish, logprobs=logprobs, words=bool(refusal))]

    def _part(self, part: PartSaid, index: int, place: int, position: int, data: bytes) -> list[Chunk]:
        signature = real(part.thought_signature)
        chunks: list[Chunk] = []
        if part.text:
            if part.thought:
                chunks.append(Chunk(index, "", part.text, words=True))
            else:
                chunks.append(Chunk(index, part.text, words=True))
        elif part.text is None:
            if (medium := read_media(part, data)) is not None:
                chunks.append(Chunk(index, part=medium, words=True))
            elif (opaque := read_opaque(data, place, position)) is not None:
                return [Chunk(index, part=opaque, words=True)]
        if signature is not None:
            chunks.append(Chunk(index, part=sign("", signature, self._origin)))
        return chunks

    def _call(self, part: PartSaid, said: CallSaid, choice: _Choice, index: int, data: bytes) -> list[Chunk]:
        """A call, whole or in pieces: then its name is told at once and its arguments when they are whole."""
        if not said.name and choice.open is not None:
            try:
                choice.open.add(said)
            except (*UNREADABLE, ValueError) as error:
                raise _broken(error, data) from None
            return [] if said.will_continue else _closed(choice, index)
        chunks = _closed(choice, index)
        slot = choice.calls
        choice.calls += 1
        signature, origin = real(part.thought_signature), ""
        if signature is not None:
            signed = unwrap(signature, self._origin)
            signature, origin = signed.signature, signed.origin
        delta = ToolDelta(slot, said.id or call_id(self._id, index, slot), said.name or "", "", signature, origin)
        if said.will_continue or said.partial_args:
            try:
                choice.open = Pieces(said)
            except (*UNREADABLE, ValueError) as error:
                raise _broken(error, data) from None
            chunks.append(Chunk(index, tool=delta, words=True))
            return chunks if said.will_continue else chunks + _closed(choice, index)
        chunks.append(Chunk(index, tool=replace(delta, arguments=read_arguments(said.args)), words=True))
        return chunks


def _broken(error: Exception, data: bytes) -> StreamBroken:
    return StreamBroken(f"The arguments of a call can't be put together: {error}", body=data, dialect=DIALECT)


def _closed(choice: _Choice, index: int) -> list[Chunk]:
    """The arguments of the call that was open, whole."""
    if choice.open is None:
        return []
    arguments, choice.open = choice.open.whole(), None
    return [Chunk(index, tool=ToolDelta(choice.calls - 1, arguments=arguments), words=True)]


def _finish(candidate: Candidate, choice: _Choice, data: bytes) -> Finish | None:
    finish = read_finish(candidate, called=choice.calls > 0, body=data)
    choice.finished = choice.finished or bool(candidate.finish_reason)
    return finish


def _slim(candidate: Candidate, choice: _Choice, data: bytes) -> list[Chunk]:
    """All that the event says of a candidate is in `spoken`; here only whether there is a word in it, and the end."""
    words = False
    for part in candidate.parts:
        if part.function_call is not None:
            choice.calls += 1
        words = words or part.text != ""
    finish = _finish(candidate, choice, data)
    return [Chunk(candidate.index or 0, finish=finish, words=words)]


def _merged(chunks: list[Chunk], spoken: bytes | None) -> tuple[Item, ...]:
    """One Chunk for the whole event, which goes on as it came."""
    words = any(chunk.words for chunk in chunks)
    finish: Finish | None = next((chunk.finish for chunk in chunks if chunk.finish), None)
    if spoken is None and not words and finish is None:
        return ()
    return (Chunk(chunks[0].index if chunks else 0, finish=finish, words=words, spoken=spoken),)
