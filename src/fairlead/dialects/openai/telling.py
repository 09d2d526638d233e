"""OpenAI's language: the items of a stream as server-sent events for a caller who speaks it."""

from typing import Any

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from fairlead.chat import Chunk, Head, Item, Media, Part, Task, Thinking, ToolDelta, Usage
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.openai.pieces import write_images
from fairlead.dialects.openai.reasoning import write_details, write_extra
from fairlead.dialects.openai.usage import write_usage
from fairlead.dialects.signatures import wrap

_ENCODER = msgspec.json.Encoder()
_MARK = "text"


class _Progress(Struct):
    """How far a choice has come. `placed` counts what has begun, as the index of reasoning's details does."""

    placed: int = 0
    thoughts: list[str] | None = None  # the reasoning that is being told, which a signature may follow
    has_text: bool = False
    slots: int = 0
    media: int = 0


class StreamWriter:
    """Items of the house -> the bytes of server-sent events.

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
        self._choices: dict[int, _Progress] = {}  # those whose role has been told
        self._around: dict[int, tuple[bytes, bytes]] = {}  # by choice: what stands around a piece of its text

    def write(self, item: Item) -> bytes:
        """Complete events, or b"" where there is nothing to tell."""
        if isinstance(item, Head):
            return self._head(item)
        if isinstance(item, Usage) and not self._include_usage:
            return b""
        if self._passing:
            spoken = item.spoken
            if spoken is None:
                return b""
            return _event(spoken) if 10 in spoken else b"data: %b\n\n" % spoken
        if isinstance(item, Usage):
            return self._envelope({"choices": [], "usage": write_usage(item)})
        return self._text(item) if item.text and _is_text_alone(item) else self._chunk(item)

    def end(self) -> bytes:
        """The end of a stream that came to its own end."""
        return b"data: [DONE]\n\n"

    def fail(self, body: bytes) -> bytes:
        """An error in the middle. No end mark comes after it: nobody shall take what came for a whole answer."""
        return _event(body)

    def _head(self, head: Head) -> bytes:
        self._id = head.id
        self._model = head.model or self._model
        self._passing = head.dialect == DIALECT and head.spoken is not None
        if self._passing and head.spoken is not None:
            return _event(head.spoken)
        if self._task == "complete":
            return b""
        self._choices[0] = _Progress()
        return self._choice(0, {"delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None})

    def _text(self, chunk: Chunk) -> bytes:
        """A piece of text after another, as nearly all chunks are. Nothing but the text changes from one to the next:
        to write the rest only once takes 1.7 µs instead of 2.5."""
        around = self._around.get(chunk.index)
        if around is not None:
            return around[0] + _ENCODER.encode(chunk.text) + around[1]
        progress = self._choices.get(chunk.index)
        if progress is None or not progress.has_text or progress.thoughts is not None or self._task != "chat":
            return self._chunk(chunk)
        whole = self._chunk(replace(chunk, text=_MARK))
        before, _, after = whole.rpartition(_ENCODER.encode(_MARK))
        self._around[chunk.index] = before, after
        return before + _ENCODER.encode(chunk.text) + after

    def _chunk(self, chunk: Chunk) -> bytes:
        logprobs = None if chunk.logprobs is UNSET else chunk.logprobs
        ending: dict[str, object] = {"logprobs": logprobs, "finish_reason": chunk.finish}
        if chunk.stop is not None:
            ending["stop_reason"] = chunk.stop
        if self._task == "complete":
            return self._choice(chunk.index, {"text": chunk.text, **ending})
        return self._choice(chunk.index, {"delta": self._delta(chunk), **ending})

    def _delta(self, chunk: Chunk) -> dict[str, object]:
        delta: dict[str, object] = {}
        progress = self._choices.get(chunk.index)
        if progress is None:
            progress = self._choices[chunk.index] = _Progress()
            delta["role"] = "assistant"
        if chunk.reasoning:
            self._around.pop(chunk.index, None)  # the text that follows ends the thoughts
            delta["reasoning_content"] = chunk.reasoning
            if progress.thoughts is None:
                progress.thoughts = []
                progress.placed += 1
            progress.thoughts.append(chunk.reasoning)
        if chunk.text:
            delta["content"] = chunk.text
            progress.thoughts = None
            progress.placed += 0 if progress.has_text else 1
            progress.has_text = True
        if chunk.refusal:
            delta["refusal"] = chunk.refusal
        if chunk.part is not None:
            _write_part(delta, chunk.part, progress)
        if chunk.tool is not None:
            delta["tool_calls"] = [_write_tool(chunk.tool)]
            progress.thoughts = None
            if chunk.tool.slot >= progress.slots:
                progress.placed += 1
                progress.slots = chunk.tool.slot + 1
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


def _is_text_alone(chunk: Chunk) -> bool:
    beside = chunk.reasoning or chunk.refusal or chunk.tool or chunk.finish or chunk.part or chunk.stop
    return not beside and chunk.logprobs is UNSET


def _write_part(delta: dict[str, Any], part: Part, progress: _Progress) -> None:
    """What comes whole: a signature goes out with the whole text that it signs, so that no client must gather it."""
    if isinstance(part, Media):
        if part.kind == "image":
            delta["images"] = [{**image, "index": progress.media} for image in write_images([part])]
            progress.media += 1
            progress.placed += 1
        elif part.data is not None:
            delta["audio"] = {"data": part.data}
        progress.thoughts = None
    elif isinstance(part, Thinking):
        if part.text:
            delta["reasoning_content"] = part.text
        if progress.thoughts is None or part.redacted:
            index = progress.placed
            progress.placed += 1
        else:
            index = progress.placed - 1
            part = replace(part, text="".join(progress.thoughts) + part.text)
        progress.thoughts = None
        if part.signature is not None:
            delta["reasoning_details"] = write_details(part, index, bare=part.origin == DIALECT)


def _event(data: bytes) -> bytes:
    if 10 in data:  # an event's data may come in several lines
        data = data.replace(b"\n", b"\ndata: ")
    return b"data: " + data + b"\n\n"


def _write_tool(tool: ToolDelta) -> dict[str, object]:
    function: dict[str, object] = {} if tool.name is None else {"name": tool.name}
    function["arguments"] = tool.arguments
    said: dict[str, object] = {"index": tool.slot}
    if tool.id is not None:
        said["id"] = tool.id
        said["type"] = "function"
    said["function"] = function
    if tool.signature is not None:
        said["extra_content"] = write_extra(wrap(tool.signature, tool.origin, DIALECT))
    return said
