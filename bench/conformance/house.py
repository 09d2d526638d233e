"""What the product made of an answer, in the terms of `facts.py`: of a whole one, or put together from a stream."""

from collections.abc import Iterable

from msgspec import UNSET
from msgspec.structs import replace

from conformance.facts import Facts, canonical
from fairlead.chat import Answer, Chunk, Head, Item, Part, Said, Text, Thinking, ToolCall, Usage


def facts_of(answer: Answer) -> Facts:
    calls = [(call.name, canonical(call.arguments)) for said in answer.said for call in said.tool_calls]
    text = "".join((said.text or "") + (said.refusal or "") for said in answer.said)
    used = None if answer.usage is None else (answer.usage.input, answer.usage.output)
    end = answer.said[0].finish if answer.said else None
    refused = any(said.refusal for said in answer.said)
    return Facts(text, tuple(calls), "content_filter" if refused else end, used)


def gather(items: Iterable[Item]) -> Answer:
    """A stream's items as the answer that they are."""
    choices: dict[int, _Choice] = {}
    answer = Answer()
    for item in items:
        match item:
            case Head():
                answer = replace(answer, id=item.id, model=item.model, dialect=item.dialect)
            case Usage():
                answer = replace(answer, usage=replace(item, spoken=None))
            case Chunk():
                choices.setdefault(item.index, _Choice()).take(item)
    said = tuple(choice.said() for _, choice in sorted(choices.items()))
    return replace(answer, said=said, finish=said[0].finish if said else None)


class _Choice:
    def __init__(self) -> None:
        self._parts: list[Part | int] = []  # a tool call stands there by its slot
        self._calls: dict[int, ToolCall] = {}
        self._end: Chunk = Chunk()
        self._refusal = ""

    def take(self, chunk: Chunk) -> None:
        if chunk.reasoning:
            self._add(Thinking(chunk.reasoning))
        if chunk.text:
            self._add(Text(chunk.text))
        if chunk.part is not None:
            self._add(chunk.part)
        self._refusal += chunk.refusal
        if (delta := chunk.tool) is not None:
            call = self._calls.get(delta.slot)
            if call is None:
                self._parts.append(delta.slot)
                call = ToolCall("", "", "")
            self._calls[delta.slot] = ToolCall(
                delta.id or call.id,
                call.name + (delta.name or ""),
                call.arguments + delta.arguments,
                delta.signature or call.signature,
                delta.origin or call.origin,
            )
        if chunk.finish or chunk.stop:
            self._end = chunk

    def said(self) -> Said:
        parts = tuple(self._calls[part] if isinstance(part, int) else part for part in self._parts)
        return Said(parts, self._end.finish, self._refusal or None, self._end.stop)

    def _add(self, part: Part) -> None:
        last = self._parts[-1] if self._parts else None
        match last, part:
            case Text(), Text():
                self._parts[-1] = Text(last.text + part.text)
            case Thinking(signature=None, redacted=False), Thinking(redacted=False):
                self._parts[-1] = replace(part, text=last.text + part.text)
            case _:
                self._parts.append(part)


def unspoken(items: Iterable[Item]) -> list[Item]:
    """The same items as a target of another language would have given them: nothing can be passed on as it came."""
    return [
        replace(item, logprobs=UNSET, spoken=None)
        if isinstance(item, Chunk)
        else replace(item, spoken=None, dialect="")
        if isinstance(item, Head)
        else replace(item, spoken=None)
        for item in items
    ]
