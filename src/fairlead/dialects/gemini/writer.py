"""Gemini's language: items of the house -> the server-sent events of a stream for a caller who speaks it.

A call stands in one event as a whole, so its pieces are kept until it ends; the finish is kept until the usage is
known, since both belong into the last event, as Google sends it.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw

from fairlead.chat import Chunk, Finish, Head, Item, Media, Opaque, Part, Task, Thinking, ToolCall, ToolDelta, Usage
from fairlead.dialects.gemini.answer import (
    write_call,
    write_end,
    write_medium,
    write_thought,
    write_usage,
)
from fairlead.dialects.gemini.logprobs import write_logprobs
from fairlead.dialects.gemini.names import DIALECT
from fairlead.dialects.gemini.signing import wrap

_ENCODER = msgspec.json.Encoder()


class _Call:
    """A call whose pieces are still coming."""

    __slots__ = ("arguments", "id", "name", "origin", "signature")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.signature: str | None = None
        self.origin = ""

    def add(self, delta: ToolDelta) -> None:
        self.id = delta.id or self.id
        self.name = delta.name or self.name
        if delta.arguments:
            self.arguments.append(delta.arguments)
        if delta.signature is not None:
            self.signature, self.origin = delta.signature, delta.origin

    def whole(self) -> dict[str, Any]:
        return write_call(ToolCall(self.id, self.name, "".join(self.arguments), self.signature, self.origin))


class StreamWriter:
    """Where the Head came in this language, `spoken` goes on as it stands and an item without one was already said with
    another. Else events are written from the items' fields. The usage is always told. No finish is ever made up.
    `model` stands in where the Head names none; `created`, `include_usage` and `task` have no word here.
    """

    def __init__(self, *, model: str = "", created: int = 0, include_usage: bool = False, task: Task = "chat") -> None:
        self._model = model
        self._id = ""
        self._passing = False
        self._calls: dict[int, dict[int, _Call]] = {}  # candidate -> slot -> call
        self._refusals: dict[int, str] = {}
        self._last: list[dict[str, Any]] = []  # candidates that have ended and whose end was not told

    def write(self, item: Item) -> bytes:
        """Complete events, or b"" where there is nothing to tell yet."""
        if isinstance(item, Head):
            return self._head(item)
        if self._passing:
            return b"" if item.spoken is None else _event(item.spoken)
        if isinstance(item, Usage):
            candidates, self._last = self._last, []
            return self._envelope(candidates, write_usage(item))
        return self._chunk(item)

    def end(self) -> bytes:
        """The end of a stream that came to its own end: what was kept, and no mark, as there is none."""
        candidates, self._last = self._last, []
        for index in list(self._calls):
            candidates.append({"content": {"parts": self._whole(index), "role": "model"}, "index": index})
        return self._envelope(candidates) if candidates else b""

    def fail(self, body: bytes) -> bytes:
        """The event for an error in the middle of a stream; `body` is from `error_body`."""
        return _event(body)

    def _head(self, head: Head) -> bytes:
        self._id = head.id
        self._model = head.model or self._model
        self._passing = head.dialect == DIALECT and head.spoken is not None
        return _event(head.spoken) if self._passing and head.spoken is not None else b""

    def _chunk(self, chunk: Chunk) -> bytes:
        index = chunk.index
        if chunk.refusal:
            self._refusals[index] = self._refusals.get(index, "") + chunk.refusal
        if chunk.tool is not None:
            self._calls.setdefault(index, {}).setdefault(chunk.tool.slot, _Call()).add(chunk.tool)
        said = bool(chunk.text or chunk.reasoning or chunk.part is not None)
        parts: list[dict[str, Any] | Raw] = []
        if (said or chunk.finish is not None) and index in self._calls:
            parts += self._whole(index)
        if chunk.reasoning:
            parts.append({"text": chunk.reasoning, "thought": True})
        if chunk.text:
            parts.append({"text": chunk.text})
        if chunk.part is not None and (part := _write_part(chunk.part)) is not None:
            parts.append(part)
        logprobs = None if chunk.logprobs is UNSET or chunk.logprobs is None else write_logprobs(chunk.logprobs)
        if not parts and logprobs is None and chunk.finish is None:
            return b""
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": index}
        if logprobs is not None:
            candidate["logprobsResult"] = logprobs
        if chunk.finish is None:
            return self._envelope([candidate])
        self._end(candidate, index, chunk.finish)
        return b""

    def _end(self, candidate: dict[str, Any], index: int, finish: Finish) -> None:
        if not candidate["content"]["parts"]:  # Google's client forgets a whole turn for one chunk without any
            told = {} if finish == "content_filter" else {"parts": [{"text": ""}]}
            candidate["content"] = {**told, "role": "model"}
        candidate.update(write_end(finish, self._refusals.pop(index, None)))
        self._last.append(candidate)

    def _whole(self, index: int) -> list[dict[str, Any]]:
        """The calls of a candidate that were kept, each as a part."""
        return [call.whole() for _, call in sorted(self._calls.pop(index, {}).items())]

    def _envelope(self, candidates: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        body: dict[str, Any] = {"candidates": candidates} if candidates else {}
        if usage is not None:
            body["usageMetadata"] = usage
        body["modelVersion"] = self._model
        body["responseId"] = self._id
        return b"data: " + _ENCODER.encode(body) + b"\r\n\r\n"


def _write_part(part: Part) -> dict[str, Any] | Raw | None:
    """What comes whole. A Thinking signs what was said before it; another provider's is a thought of its own."""
    match part:
        case Media():
            return write_medium(part)
        case Opaque(raw=raw, dialect=dialect):
            return raw if dialect == DIALECT else None
        case Thinking(origin=origin) if origin == DIALECT and not part.text:
            return {"text": "", "thoughtSignature": wrap(part)}
        case Thinking():
            return write_thought(part.text, wrap(part))
    return None


def _event(data: bytes) -> bytes:
    if 10 in data:  # an event's data may come in several lines
        data = data.replace(b"\n", b"\ndata: ")
    return b"data: " + data + b"\r\n\r\n"
