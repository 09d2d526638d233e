"""OpenAI's Responses, inwards: a stream of the house -> the server-sent events of a response.

Every item is announced (`response.output_item.added`), told in pieces, and told once more as a whole when it is done;
the last event holds the whole response.
"""

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from fairlead.chat import (
    Chunk,
    Finish,
    Head,
    Item,
    Media,
    Opaque,
    Part,
    Request,
    Task,
    Thinking,
    ToolCall,
    ToolDelta,
    Usage,
)
from fairlead.dialects.reading import UNREADABLE
from fairlead.dialects.responses.envelope import Envelope, status_of, write_failure
from fairlead.dialects.responses.language import DIALECT, PICTURE_PREFIX
from fairlead.dialects.responses.telling import (
    call_item,
    message_item,
    picture_item,
    reasoning_item,
    signature_item,
    text_content,
    write_logprobs,
)

ENDS = (b"event: response.completed\n", b"event: response.incomplete\n")  # how the last event begins

_ENCODER = msgspec.json.Encoder()


class _Last(Struct):
    response: Raw


class _Failed(Struct):
    error: dict[str, Any]


_LAST = msgspec.json.Decoder(_Last)
_FAILED = msgspec.json.Decoder(_Failed)


class _Reasoning(Struct):
    """An open reasoning item."""

    index: int
    id: str
    texts: list[str] = []


class _Message(Struct):
    """An open message. `kind` is that of its last content, "" where there is none yet; `content` what is done."""

    index: int
    id: str
    content: list[Any] = []
    kind: str = ""
    texts: list[str] = []
    logprobs: list[Any] = []


class _Call(Struct):
    index: int
    item: str
    id: str
    name: str
    arguments: list[str] = []


class StreamWriter:
    """Items of the house -> the bytes of events for a caller who speaks the Responses language.

    Where the Head came in this language, `spoken` goes on as it stands. Else the events are written from the fields.
    The usage is always told, with the last event, which `end` gives: until then nobody knows it. No finish is ever made
    up. `created` is in Unix seconds; `model` stands in where the Head names none; `request` is what a response repeats.
    Of several samples only the first can be told.
    """

    def __init__(
        self,
        *,
        model: str = "",
        created: int = 0,
        include_usage: bool = True,
        task: Task = "chat",
        request: Request | None = None,
    ) -> None:
        self._model = model
        self._created = created
        self._request = request
        self._envelope = Envelope(id="", model=model, created=created, request=request)
        self._passing = False
        self._begun = False
        self._number = 0  # of events so far
        self._last: bytes | None = None  # the last event that was passed on, or the whole response that was written
        self._output: list[Any] = []
        self._open: _Reasoning | _Message | None = None
        self._calls: dict[int, _Call] = {}
        self._finish: Finish | None = None
        self._status = "completed"  # of an item that is closed now
        self._usage: Usage | None = None

    def write(self, item: Item) -> bytes:
        """Complete events, or b"" where there is nothing to tell."""
        if isinstance(item, Head):
            return self._head(item)
        if self._passing:
            return self._pass(item.spoken)
        if isinstance(item, Usage):
            self._usage = item
            return b""
        return self._chunk(item) if item.index == 0 else b""

    def end(self) -> bytes:
        """The end of a stream that came to its own end."""
        if self._passing:
            return b""
        closed = self._close_all()
        response = _ENCODER.encode(self._envelope.finished(self._finish, self._output, self._usage))
        self._last = response
        return closed + self._event(f"response.{status_of(self._finish)}", response=Raw(response))

    def fail(self, body: bytes) -> bytes:
        """The events for an error in the middle of a stream: the response failed, and why.

        Clients that follow the response see the first, others the second, which their library raises. A response that
        nobody has heard of can't fail: where the error comes first (after heartbeats), it begins here.
        """
        begun = b"" if self._begun else self._begin()
        try:
            error = _FAILED.decode(body).error
        except UNREADABLE:
            error = {"message": "the stream broke"}
        output = [item for item in self._output if item is not None]
        failed = self._envelope.response("failed", output, usage=self._usage, error=write_failure(error))
        told = {name: error.get(name) for name in ("code", "message", "param")}
        return begun + self._event("response.failed", response=failed) + self._event("error", **told, error=error)

    def response(self) -> bytes | None:
        """The whole response, once the stream has ended; None if it has not."""
        if self._last is None or not self._passing:
            return self._last
        lines = [line[6:] for line in self._last.split(b"\n") if line.startswith(b"data: ")]
        return bytes(_LAST.decode(b"\n".join(lines)).response)

    def _head(self, head: Head) -> bytes:
        model = head.model or self._model
        self._envelope = Envelope(id=head.id, model=model, created=self._created, request=self._request)
        self._passing = head.dialect == DIALECT and head.spoken is not None
        if self._passing:
            self._begun = True
            return self._pass(head.spoken)
        return self._begin()

    def _begin(self) -> bytes:
        self._begun = True
        begun = Raw(_ENCODER.encode(self._envelope.response("in_progress", [])))
        return self._event("response.created", response=begun) + self._event("response.in_progress", response=begun)

    def _pass(self, spoken: bytes | None) -> bytes:
        if spoken is None:
            return b""
        self._number += 1
        if spoken.startswith(ENDS):
            self._last = spoken
        return spoken

    def _chunk(self, chunk: Chunk) -> bytes:
        told = b""
        if chunk.reasoning:
            told += self._reason(chunk.reasoning)
        logprobs = [] if chunk.logprobs is UNSET else write_logprobs(chunk.logprobs)
        if chunk.text or logprobs:
            told += self._say("output_text", chunk.text, logprobs)
        if chunk.refusal:
            told += self._say("refusal", chunk.refusal, [])
        if chunk.part is not None:
            told += self._whole(chunk.part)
        if chunk.tool is not None:
            told += self._call(chunk.tool)
        if chunk.finish is not None:
            self._finish = chunk.finish
            self._status = status_of(chunk.finish)
            told += self._close_all()
        return told

    # --- pieces ---

    def _reason(self, text: str) -> bytes:
        begun = b""
        reasoning = self._open
        if not isinstance(reasoning, _Reasoning):
            begun = self._close()
            reasoning = self._open = _Reasoning(*self._place("rs"))
            begun += self._added(reasoning.index, {"type": "reasoning", "id": reasoning.id, "summary": []})
            part = {"type": "summary_text", "text": ""}
            begun += self._in(reasoning, "response.reasoning_summary_part.added", summary_index=0, part=part)
        reasoning.texts.append(text)
        return begun + self._in(reasoning, "response.reasoning_summary_text.delta", summary_index=0, delta=text)

    def _say(self, kind: str, text: str, logprobs: list[Any]) -> bytes:
        message = self._open
        begun = b""
        if not isinstance(message, _Message):
            begun = self._close()
            message = self._open = _Message(*self._place("msg"))
            begun += self._added(message.index, message_item(message.id, [], "in_progress"))
        if message.kind != kind:
            begun += self._close_content(message)
            message.kind = kind
            part = text_content("", []) if kind == "output_text" else {"type": "refusal", "refusal": ""}
            begun += self._in(message, "response.content_part.added", content_index=len(message.content), part=part)
        message.texts.append(text)
        more: dict[str, Any] = {"content_index": len(message.content), "delta": text}
        if kind == "output_text":
            message.logprobs += logprobs
            more["logprobs"] = logprobs
        return begun + self._in(message, f"response.{kind}.delta", **more)

    def _call(self, delta: ToolDelta) -> bytes:
        begun = b""
        call = self._calls.get(delta.slot)
        if call is None:
            begun = self._close()
            if delta.signature is not None:
                begun += self._sign(delta, delta.id or "")
            index, item = self._place("fc")
            call = self._calls[delta.slot] = _Call(index, item, delta.id or item, delta.name or "")
            begun += self._added(index, call_item(item, ToolCall(call.id, call.name, ""), "in_progress"))
        else:
            call.name += delta.name or ""
            if delta.signature is not None:
                begun = self._close() + self._sign(delta, call.id)
        if not delta.arguments:
            return begun
        call.arguments.append(delta.arguments)
        return begun + self._event(
            "response.function_call_arguments.delta",
            item_id=call.item,
            output_index=call.index,
            delta=delta.arguments,
        )

    def _sign(self, delta: ToolDelta, call: str) -> bytes:
        index, id = self._place("rs")
        return self._at_once(index, signature_item(id, ToolCall(call, "", "", delta.signature, delta.origin)))

    # --- what comes whole ---

    def _whole(self, part: Part) -> bytes:
        match part:
            case Thinking():
                return self._thought(part)
            case Media(kind="image", data=str()):
                closed = self._close()
                index, id = self._place(PICTURE_PREFIX)
                return closed + self._at_once(index, picture_item(id, part))
            case Opaque(raw=raw, dialect=dialect) if dialect == DIALECT:
                closed = self._close()
                index, _ = self._place("")
                return closed + self._at_once(index, raw)
        return b""

    def _thought(self, part: Thinking) -> bytes:
        """A signature without text belongs to the reasoning that is open; without one, to what was said before."""
        if not (part.text or part.signature):
            return b""
        if isinstance(self._open, _Reasoning) and not part.text and not part.redacted:
            return self._close(part)
        closed = self._close()
        index, id = self._place("rs")
        own = part.id if part.origin == DIALECT and part.id else None
        return closed + self._at_once(index, reasoning_item(own or id, part))

    # --- ends ---

    def _close_all(self) -> bytes:
        told = self._close()
        calls, self._calls = self._calls, {}
        for call in calls.values():
            arguments = "".join(call.arguments)
            told += self._event(
                "response.function_call_arguments.done",
                item_id=call.item,
                output_index=call.index,
                arguments=arguments,
            )
            status = self._status if call.index == len(self._output) - 1 else "completed"
            told += self._done(call.index, call_item(call.item, ToolCall(call.id, call.name, arguments), status))
        return told

    def _close(self, signature: Thinking | None = None) -> bytes:
        """The end of the reasoning or the message that is open, if one is."""
        item, self._open = self._open, None
        if isinstance(item, _Message):
            told = self._close_content(item)
            return told + self._done(item.index, message_item(item.id, item.content, self._status))
        if item is None:
            return b""
        text = "".join(item.texts)
        told = self._in(item, "response.reasoning_summary_text.done", summary_index=0, text=text)
        part = {"type": "summary_text", "text": text}
        told += self._in(item, "response.reasoning_summary_part.done", summary_index=0, part=part)
        thinking = Thinking(text)
        if signature is not None:
            thinking = Thinking(text, signature.signature, signature.origin, id=signature.id)
        return told + self._done(item.index, reasoning_item(item.id, thinking))

    def _close_content(self, message: _Message) -> bytes:
        if not message.kind:
            return b""
        place = len(message.content)
        text = "".join(message.texts)
        if message.kind == "output_text":
            part = text_content(text, message.logprobs)
            told = self._in(
                message, "response.output_text.done", content_index=place, text=text, logprobs=message.logprobs
            )
        else:
            part = {"type": "refusal", "refusal": text}
            told = self._in(message, "response.refusal.done", content_index=place, refusal=text)
        message.content.append(part)
        message.texts, message.logprobs, message.kind = [], [], ""
        return told + self._in(message, "response.content_part.done", content_index=place, part=part)

    # --- events ---

    def _place(self, prefix: str) -> tuple[int, str]:
        """The next item's position in the output, and its id."""
        index = len(self._output)
        self._output.append(None)
        return index, self._envelope.item_id(prefix, index)

    def _at_once(self, index: int, item: Any) -> bytes:
        return self._added(index, item) + self._done(index, item)

    def _added(self, index: int, item: Any) -> bytes:
        return self._event("response.output_item.added", output_index=index, item=item)

    def _done(self, index: int, item: Any) -> bytes:
        self._output[index] = item
        return self._event("response.output_item.done", output_index=index, item=item)

    def _in(self, item: _Reasoning | _Message, type: str, **more: Any) -> bytes:
        return self._event(type, item_id=item.id, output_index=item.index, **more)

    def _event(self, type: str, **fields: Any) -> bytes:
        said = {"type": type, **fields, "sequence_number": self._number}
        self._number += 1
        return b"event: " + type.encode() + b"\ndata: " + _ENCODER.encode(said) + b"\n\n"
