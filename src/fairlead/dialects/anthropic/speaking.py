"""Anthropic's language: streams, as they are told to callers who speak it.

Blocks come one after the other here, while other languages tell pieces of several tool calls in any order: what comes
too early waits. What comes in from Anthropic is `stream`.
"""

import msgspec
from msgspec import Struct

from fairlead.chat import (
    Chunk,
    Finish,
    Head,
    Item,
    Media,
    Opaque,
    Part,
    Task,
    Text,
    Thinking,
    ToolCall,
    ToolDelta,
    Usage,
)
from fairlead.dialects.anthropic.reply import (
    call_id,
    message_id,
    rename,
    write_ending,
    write_medium,
    write_usage,
)
from fairlead.dialects.anthropic.signing import DIALECT, write_call_signature, write_signature, write_thinking
from fairlead.dialects.anthropic.turns import Block
from fairlead.dialects.reading import UNREADABLE
from fairlead.errors import StreamBroken

_ENCODER = msgspec.json.Encoder()
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_STOP_NAME = b"event: message_stop\n"
_PREFIX = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%%d,"delta":{"type":"%s","%s":'
# How a piece of a block begins; what follows is the piece as JSON, and the two braces.
_PREFIXES = {
    "text": _PREFIX % (b"text_delta", b"text"),
    "thinking": _PREFIX % (b"thinking_delta", b"thinking"),
    "tool_use": _PREFIX % (b"input_json_delta", b"partial_json"),
}


class _Telling(Struct):
    """One block: what of it has come. One of the kind "whole" comes at once, as it stands in `whole`."""

    kind: str
    pieces: list[str]
    slot: int = -1
    id: str = ""
    name: str | None = None
    signature: Thinking | None = None  # of a thinking block
    call_signature: tuple[str, str] | None = None  # of a tool call, as long as it is untold: it, and whose it is
    whole: Block | None = None

    @property
    def first(self) -> Block:
        """The block as it begins."""
        match self.kind:
            case "text":
                return {"type": "text", "text": ""}
            case "thinking":
                return {"type": "thinking", "thinking": "", "signature": ""}
            case "tool_use":
                return {"type": "tool_use", "id": self.id, "name": self.name or "", "input": {}}
        return self.whole or {}

    @property
    def is_over(self) -> bool:
        """Whether nothing more can belong to it once something else begins: of a call, when its JSON is whole."""
        if self.kind != "tool_use":
            return True
        try:
            _OBJECT.decode("".join(self.pieces))
        except UNREADABLE:
            return False
        return True

    def take(self, delta: ToolDelta) -> None:
        self.id = delta.id or self.id
        self.name = delta.name or self.name
        if delta.signature is not None:
            self.call_signature = (delta.signature, delta.origin)
        if delta.arguments:
            self.pieces.append(delta.arguments)

    def is_of(self, delta: ToolDelta) -> bool:
        """Some servers number every call alike: then another id is another call."""
        return self.slot == delta.slot and (not delta.id or not self.id or delta.id == self.id)


def _renamed(spoken: bytes, model: str) -> bytes:
    """The event that begins a message, with another model's name in it."""
    name, found, data = spoken.partition(b"\ndata: ")
    if not (model and found):
        return spoken
    event = _OBJECT.decode(data)
    if "message" not in event:
        return spoken
    event["message"] = msgspec.Raw(rename(bytes(event["message"]), model))
    return name + found + _ENCODER.encode(event) + b"\n\n"


class StreamWriter:
    """Items of the house -> the bytes of server-sent events for a caller who speaks Anthropic's language.

    Where the Head came in this language, `spoken` goes on as it stands and an item without one was already said with
    another. Else events are written from the fields of chunks; of several choices the first is told. A block is open as
    long as it grows; what belongs to another waits until it is over. What ends the message (its reason to stop, its
    usage) is told by `end`, since some providers tell the usage last. No finish is ever made up.

    `model` is what the caller asked for, and is told as who answers: Claude Code keeps reasoning and its signatures
    only from the very model that it asked. `created` (Unix seconds) makes an id where the Head has none. Usage is
    always told in this language.
    """

    def __init__(self, *, model: str = "", created: int = 0, include_usage: bool = False, task: Task = "chat") -> None:
        self._model = model
        self._created = created
        self._passing = False
        self._last = _STOP
        self._message = ""
        self._origin = ""  # of reasoning that nobody signed
        self._index = 0  # of the block that is open, or comes next
        self._open: _Telling | None = None
        self._prefix = b""  # of its deltas
        self._waiting: list[_Telling] = []
        self._over: set[int] = set()  # slots of calls that were told
        self._finish: Finish | None = None
        self._stop: str | None = None
        self._refusal: list[str] = []
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
        return b"" if item.index else self._chunk(item)

    def end(self) -> bytes:
        """The end of a stream that came to its own end."""
        if self._passing:
            return self._last
        ending = write_ending(
            self._finish,
            self._stop,
            "".join(self._refusal) if self._refusal else None,
            calls=bool(self._over or self._waiting or (self._open and self._open.kind == "tool_use")),
        )
        usage = write_usage(self._usage or Usage())
        told = self._drain(final=True) + self._close()
        return told + _event("message_delta", {"delta": ending, "usage": usage}) + _STOP

    def fail(self, body: bytes) -> bytes:
        """The event for an error amid the stream; `body` is that of `error_body`."""
        return b"event: error\ndata: " + body + b"\n\n"

    def _head(self, head: Head) -> bytes:
        self._passing = head.dialect == DIALECT and head.spoken is not None
        if self._passing:
            return self._pass(_renamed(head.spoken or b"", self._model))
        self._message = head.id or message_id(self._created)
        self._origin = head.dialect
        message = {
            "id": self._message,
            "type": "message",
            "role": "assistant",
            "model": self._model or head.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(Usage()),
        }
        return _event("message_start", {"message": message})

    def _pass(self, spoken: bytes | None) -> bytes:
        """The last event waits for `end`: when a caller has it, the call is in the books."""
        if spoken is None:
            return b""
        if spoken.startswith(_STOP_NAME):
            self._last = spoken
            return b""
        return spoken

    # --- chunks ---

    def _chunk(self, chunk: Chunk) -> bytes:
        told = b""
        if chunk.reasoning:
            told = self._say("thinking", chunk.reasoning)
        if chunk.text:
            told += self._say("text", chunk.text)
        if chunk.part is not None:
            told += self._part(chunk.part)
        if chunk.tool is not None:
            told += self._tool(chunk.tool)
        if chunk.refusal:
            self._refusal.append(chunk.refusal)
        if chunk.finish is not None:
            self._finish, self._stop = chunk.finish, chunk.stop
            told += self._drain(final=True) + self._close()
        return told

    def _say(self, kind: str, words: str) -> bytes:
        if self._open is not None and self._open.kind == kind and not self._waiting:
            return self._prefix + _ENCODER.encode(words) + b"}}\n\n"
        if self._waiting and self._waiting[-1].kind == kind and self._waiting[-1].signature is None:
            self._waiting[-1].pieces.append(words)
            return b""
        return self._come(_Telling(kind, [words]))

    def _part(self, part: Part) -> bytes:
        match part:
            case Thinking(text="", redacted=False):
                return self._sign(part)
            case Thinking():
                return self._come(_Telling("whole", [], whole=write_thinking(part)))
            case Text(text=text):
                return self._say("text", text) if text else b""
            case ToolCall():
                delta = ToolDelta(-2 - self._index, part.id, part.name, part.arguments, part.signature, part.origin)
                return self._tool(delta)
            case Media():
                block = write_medium(part)
                return b"" if block is None else self._come(_Telling("whole", [], whole=block))
            case Opaque():
                return b""

    def _sign(self, part: Thinking) -> bytes:
        """Sign the reasoning before it; where something else stands there, the signature is a block of its own."""
        last = self._waiting[-1] if self._waiting else self._open
        if last is None or last.kind != "thinking" or last.signature is not None:
            return self._come(_Telling("thinking", [], signature=part))
        last.signature = part
        return self._close() if last is self._open else b""

    def _tool(self, delta: ToolDelta) -> bytes:
        told = self._open
        if told is not None and told.kind == "tool_use" and told.is_of(delta):
            told.take(delta)
            if not delta.arguments:
                return b""
            grown = self._prefix + _ENCODER.encode(delta.arguments) + b"}}\n\n"
            return grown + self._drain() if self._waiting and delta.arguments.rstrip().endswith("}") else grown
        for waiting in self._waiting:
            if waiting.kind == "tool_use" and waiting.is_of(delta):
                waiting.take(delta)
                return self._drain() if self._open is None else b""
        if delta.slot in self._over and not delta.id:
            if not delta.arguments.strip():
                return b""
            raise StreamBroken("a piece of a tool call came after its end", dialect=self._origin)
        call = _Telling("tool_use", [], delta.slot)
        call.take(delta)
        return self._come(call)

    # --- blocks ---

    def _come(self, block: _Telling) -> bytes:
        self._waiting.append(block)
        return self._drain()

    def _drain(self, final: bool = False) -> bytes:
        """Tell what waits, as far as its turn has come. The last block stays open; `final`: nothing more will come."""
        told = b""
        while self._waiting:
            if not final and (self._open is not None and not self._open.is_over):
                break
            if not final and self._waiting[0].kind == "tool_use" and self._waiting[0].name is None:
                break
            block = self._waiting.pop(0)
            told += self._close() + self._begin(block)
            if block.kind == "whole" or block.signature is not None:
                told += self._close()
        return told

    def _begin(self, block: _Telling) -> bytes:
        """Open a block and tell what there is of it."""
        before = b""
        if block.kind == "tool_use":
            block.id = block.id or call_id(self._message, self._index)
            before = self._sign_call(block)
        self._open = block
        before += self._start(block.first)
        if block.kind not in _PREFIXES:
            return before
        self._prefix = _PREFIXES[block.kind] % self._index
        words = "".join(block.pieces)
        return before + self._prefix + _ENCODER.encode(words) + b"}}\n\n" if words else before

    def _sign_call(self, call: _Telling) -> bytes:
        """The signature of a call, in a block of its own: before it, or after it where it comes late."""
        if call.call_signature is None:
            return b""
        signature, origin = call.call_signature
        call.call_signature = None
        said = write_call_signature(ToolCall(call.id, call.name or "", "", signature, origin))
        self._open = _Telling("whole", [], whole=said)
        return self._start(said) + self._close()

    def _start(self, block: Block) -> bytes:
        return _event("content_block_start", {"index": self._index, "content_block": block})

    def _close(self) -> bytes:
        block, self._open = self._open, None
        if block is None:
            return b""
        told = b""
        if block.kind == "thinking":
            signature = write_signature(block.signature or Thinking("", None, self._origin))
            delta = {"type": "signature_delta", "signature": signature}
            told = _event("content_block_delta", {"index": self._index, "delta": delta})
        told += _event("content_block_stop", {"index": self._index})
        self._index += 1
        if block.kind == "tool_use":
            self._over.add(block.slot)
            told += self._sign_call(block)
        return told


def _event(name: str, rest: Block) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), _ENCODER.encode({"type": name, **rest}))
