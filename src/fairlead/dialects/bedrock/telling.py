"""Bedrock's language: streams, outwards to a caller: items of the house become frames of AWS's binary event stream."""

from typing import Any

import msgspec

from fairlead.chat import Chunk, Head, Item, Media, Part, Task, Thinking, ToolDelta, Usage
from fairlead.dialects.bedrock.answer import write_reason, write_usage
from fairlead.dialects.bedrock.failure import exception_of
from fairlead.dialects.bedrock.formats import format_of
from fairlead.dialects.bedrock.frames import event_frame, exception_frame
from fairlead.dialects.bedrock.signing import DIALECT, write_call_signature, write_reasoning

_ENCODER = msgspec.json.Encoder()


class StreamWriter:
    """Where the Head came in this language, `spoken` goes on as it stands and an item without one was already said with
    another. Else events are written from the fields: blocks of content one after the other, each ended before the next
    begins; then the stop; then the usage, always, as clients of this language count on it. No finish is ever made up.

    How long it took is not known here, yet clients count on the field. The other arguments mean nothing in this
    language.
    """

    def __init__(self, *, model: str = "", created: int = 0, include_usage: bool = False, task: Task = "chat") -> None:
        self._passing = False
        self._index = -1  # of the block that was begun last
        self._open = ""  # what it is, if it has not ended: text, reasoning or tool
        self._calls: dict[int, tuple[int, str]] = {}  # slot of a tool's call -> its block, its id
        self._signatures: list[dict[str, Any]] = []  # of calls, to be told when the open block ends
        self._refused = False

    def write(self, item: Item) -> bytes:
        """Complete frames, or b"" where there is nothing to tell."""
        if isinstance(item, Head):
            self._passing = item.dialect == DIALECT and item.spoken is not None
            if self._passing and item.spoken is not None:
                return item.spoken
            return _event("messageStart", {"role": "assistant"})
        if self._passing:
            return item.spoken or b""
        if isinstance(item, Usage):
            return _event("metadata", {"usage": write_usage(item), "metrics": {"latencyMs": 0}})
        return self._chunk(item) if item.index == 0 else b""

    def end(self) -> bytes:
        """The end of a stream that came to its own end."""
        return self._close()

    def fail(self, body: bytes) -> bytes:
        """The exception that ends a stream; `body` is an error's."""
        return exception_frame(exception_of(body), body)

    def _chunk(self, chunk: Chunk) -> bytes:
        if self._open == "text" and chunk.text and _is_only_text(chunk):  # the usual case
            return self._delta({"text": chunk.text})
        frames: list[bytes] = []
        if chunk.reasoning:
            frames.append(self._begun("reasoning") + self._delta({"reasoningContent": {"text": chunk.reasoning}}))
        if chunk.part is not None:
            frames.append(self._part(chunk.part))
        if chunk.text or chunk.refusal:
            self._refused = self._refused or bool(chunk.refusal)
            frames.append(self._begun("text") + self._delta({"text": chunk.text + chunk.refusal}))
        if chunk.tool is not None:
            frames.append(self._tool(chunk.tool))
        if chunk.finish is not None:
            frames.append(self._close() + self._stop(chunk))
        return b"".join(frames)

    def _stop(self, chunk: Chunk) -> bytes:
        said: dict[str, Any] = {"stopReason": write_reason(chunk.finish, chunk.stop, refused=self._refused)}
        if chunk.stop is not None:
            said["additionalModelResponseFields"] = {"delta": {"stop_sequence": chunk.stop}}
        return _event("messageStop", said)

    def _tool(self, tool: ToolDelta) -> bytes:
        frames = b""
        if tool.slot not in self._calls:
            frames = self._begun("tool", anew=True)
            id = tool.id or f"call_{tool.slot}"
            self._calls[tool.slot] = self._index, id
            start = {"toolUse": {"toolUseId": id, "name": tool.name or ""}}
            frames += _event("contentBlockStart", {"start": start, "contentBlockIndex": self._index})
        index, id = self._calls[tool.slot]
        if tool.arguments:
            delta = {"toolUse": {"input": tool.arguments}}
            frames += _event("contentBlockDelta", {"delta": delta, "contentBlockIndex": index})
        if tool.signature is not None:
            self._signatures.append(write_call_signature(id, tool.signature, tool.origin))
            frames += b"" if self._open else self._signed()
        return frames

    def _part(self, part: Part) -> bytes:
        match part:
            case Thinking():
                return self._thinking(part)
            case Media(kind="image", data=str() as data) if (format := format_of(part)) is not None:
                frames = self._begun("image", anew=True)
                start = {"start": {"image": {"format": format}}, "contentBlockIndex": self._index}
                frames += _event("contentBlockStart", start) + self._delta({"image": {"source": {"bytes": data}}})
                return frames + self._close()
        return b""  # no word for it in a stream

    def _thinking(self, part: Thinking) -> bytes:
        """A signature belongs to the reasoning before it, if that has not ended; else it is a block of its own."""
        return self._reasoning(write_reasoning(part), anew=part.redacted)

    def _reasoning(self, said: dict[str, Any], *, anew: bool) -> bytes:
        if "redactedContent" in said:
            frames = self._begun("reasoning", anew=True) + self._delta({"reasoningContent": said})
            return frames + self._close()
        reasoning = said["reasoningText"]
        frames = self._begun("reasoning", anew=anew)
        for name in ("text", "signature"):
            if reasoning.get(name):
                frames += self._delta({"reasoningContent": {name: reasoning[name]}})
        return frames + (self._close() if "signature" in reasoning else b"")

    def _begun(self, kind: str, *, anew: bool = False) -> bytes:
        """What must be told before a piece of such a block: the end of another one."""
        if self._open == kind and not anew:
            return b""
        ended = self._close()
        self._open = kind
        self._index += 1
        return ended

    def _close(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return _event("contentBlockStop", {"contentBlockIndex": self._index}) + self._signed()

    def _signed(self) -> bytes:
        """The signatures of calls, each a block of its own."""
        signatures, self._signatures = self._signatures, []
        return b"".join([self._reasoning(signature, anew=True) for signature in signatures])

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("contentBlockDelta", {"delta": delta, "contentBlockIndex": self._index})


def _is_only_text(chunk: Chunk) -> bool:
    return chunk.tool is chunk.part is chunk.finish is None and not chunk.reasoning and not chunk.refusal


def _event(name: str, said: dict[str, Any]) -> bytes:
    return event_frame(name, _ENCODER.encode(said))
