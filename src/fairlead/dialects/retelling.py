"""A whole answer as the items of a stream, and the items of a stream as a whole answer.

Both are house language: what was passed on as it came (`spoken`) is not retold. It knows no wire format.
"""

from collections.abc import Iterable, Iterator

from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Answer, Chunk, Head, Item, Part, Said, Text, Thinking, ToolCall, ToolDelta, Usage


def told(answer: Answer) -> Iterator[Item]:
    """A whole answer as the items of a stream."""
    yield Head(answer.id, answer.model, answer.target, dropped=answer.dropped)
    for index, said in enumerate(answer.said):
        slot = 0
        for part in said.parts:
            for chunk in _pieces(part, slot):
                yield replace(chunk, index=index)
            slot += isinstance(part, ToolCall)
        if said.refusal:
            yield Chunk(index, refusal=said.refusal, words=True)
        if said.logprobs is not None:
            yield Chunk(index, logprobs=said.logprobs)
        yield Chunk(index, finish=said.finish, stop=said.stop)
    if answer.usage is not None:
        yield answer.usage


def gathered(items: Iterable[Item]) -> Answer:
    """The items of a stream as a whole answer. Of log probabilities the last piece alone is kept."""
    heard: dict[int, _Heard] = {}
    answer = Answer()
    for item in items:
        if isinstance(item, Head):
            answer = replace(
                answer, id=item.id, model=item.model, target=item.target, dialect=item.dialect, dropped=item.dropped
            )
        elif isinstance(item, Usage):
            answer = replace(answer, usage=item)
        else:
            heard.setdefault(item.index, _Heard()).add(item)
    said = tuple(heard[index].said() for index in sorted(heard)) or (Said(),)
    return replace(answer, said=said, finish=said[0].finish)


def _pieces(part: Part, slot: int) -> Iterator[Chunk]:
    match part:
        case Text(text=text):
            yield Chunk(text=text, words=True)
        case Thinking(text=text, redacted=False):
            if text:
                yield Chunk(reasoning=text, words=True)
            if part.signature is not None:
                yield Chunk(part=replace(part, text=""))
        case ToolCall():
            yield Chunk(tool=ToolDelta(slot, part.id, part.name, "", part.signature, part.origin), words=True)
            yield Chunk(tool=ToolDelta(slot, arguments=part.arguments), words=True)
        case _:
            yield Chunk(part=part, words=True)


class _Heard:
    """One choice of a stream, as far as it has come."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._slots: dict[int, int] = {}  # of a tool call -> its place among the parts
        self._ending = Said()

    def add(self, chunk: Chunk) -> None:
        if chunk.reasoning:
            self._grow(Thinking, chunk.reasoning)
        if chunk.text:
            self._grow(Text, chunk.text)
        if chunk.part is not None:
            self._add_part(chunk.part)
        if chunk.tool is not None:
            self._add_call(chunk.tool)
        said = self._ending
        self._ending = Said(
            finish=chunk.finish or said.finish,
            refusal=(said.refusal or "") + chunk.refusal or None,
            stop=chunk.stop or said.stop,
            logprobs=chunk.logprobs if isinstance(chunk.logprobs, Raw) else said.logprobs,
        )

    def said(self) -> Said:
        return replace(self._ending, parts=tuple(self._parts))

    def _grow(self, kind: type[Text] | type[Thinking], text: str) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, kind) and getattr(last, "signature", None) is None:
            self._parts[-1] = replace(last, text=last.text + text)
        else:
            self._parts.append(kind(text))

    def _add_part(self, part: Part) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(part, Thinking) and isinstance(last, Thinking) and last.signature is None and not part.text:
            self._parts[-1] = replace(part, text=last.text)
        else:
            self._parts.append(part)

    def _add_call(self, delta: ToolDelta) -> None:
        place = self._slots.setdefault(delta.slot, len(self._parts))
        if place == len(self._parts):
            self._parts.append(ToolCall("", "", ""))
        call = self._parts[place]
        assert isinstance(call, ToolCall)
        if delta.signature is not None:
            call = replace(call, signature=delta.signature, origin=delta.origin)
        name, arguments = call.name + (delta.name or ""), call.arguments + delta.arguments
        self._parts[place] = replace(call, id=delta.id or call.id, name=name, arguments=arguments)
