"""Bedrock's language: whose reasoning is whose, where only a reasoning text has room for a signature.

A provider signs a `reasoningText`, or hides reasoning in `redactedContent`; clients send both back unread. So the first
carries what other providers want back, marked as theirs (`signatures.wrap`):

| in the house | as a block |
|---|---|
| reasoning signed here, or by nobody | `reasoningText` with the bare signature, or with none |
| reasoning signed by another | `reasoningText`, signature `~fairlead:ORIGIN:SIGNATURE`; its text may be empty |
| with a name of its own | signature `~fairlead:ORIGIN/id:["NAME","SIGNATURE"]` |
| reasoning hidden here | `redactedContent` |
| reasoning hidden by another provider | `reasoningText` without text, signature `~fairlead:ORIGIN/hidden:SIGNATURE` |
| a signed tool call | `toolUse`, and after it a `reasoningText` without text that names the call |

The last is `~fairlead:ORIGIN/call:["CALL","SIGNATURE"]`, so that it finds its call wherever it stands in the turn. What
another provider hid can't stay hidden in `redactedContent`: there it would be base64 once more, and nobody would see
the mark any more that keeps it from being passed on.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fairlead.chat import Part, Thinking, ToolCall
from fairlead.dialects.reading import UNREADABLE
from fairlead.dialects.signatures import unwrap, wrap

DIALECT = "bedrock"
_NAMED = "/id"
_CALL = "/call"
_HIDDEN = "/hidden"
_PAIR = msgspec.json.Decoder(tuple[str, str])
_ENCODER = msgspec.json.Encoder()


class CallSignature(Struct, frozen=True):
    """The signature of the tool call with that id, until it is brought to it."""

    call: str
    signature: str
    origin: str


def read_signed(text: str, signature: str, origin: str) -> Thinking | CallSignature:
    """What a reasoning text with a signature says. What is not wrapped was signed by `origin`."""
    bare, whose = unwrap(signature, origin)
    if bare is signature:
        return Thinking(text, signature, origin)
    name: str | None = None
    whose, _, kind = whose.partition("/")
    if kind in ("id", "call", "hidden/id"):
        try:
            name, bare = _PAIR.decode(bare)
        except UNREADABLE:  # not ours after all
            return Thinking(text, signature, origin)
    if kind == "call" and name is not None:
        return CallSignature(name, bare, whose)
    return Thinking(text, bare or None, whose, kind.startswith("hidden"), name)


def write_reasoning(part: Thinking) -> dict[str, Any]:
    """The content of a reasoning block for a caller."""
    if part.redacted and part.origin == DIALECT:
        return {"redactedContent": part.signature or ""}
    if part.signature is None and part.id is None:
        return {"reasoningText": {"text": part.text}}
    origin, signature = part.origin, part.signature or ""
    if origin != DIALECT:
        if part.redacted:
            origin += _HIDDEN
        if part.id is not None:
            origin += _NAMED
            signature = _pair(part.id, signature)
    return {"reasoningText": {"text": part.text, "signature": wrap(signature, origin, DIALECT)}}


def write_call_signature(call: str, signature: str, origin: str) -> dict[str, Any]:
    """The content of the reasoning block after a signed tool call."""
    return {"reasoningText": {"text": "", "signature": wrap(_pair(call, signature), origin + _CALL, DIALECT)}}


def with_signatures(parts: Sequence[Part | CallSignature]) -> list[Part]:
    """The parts of a turn, each tool call with its signature."""
    heard = {part.call: part for part in parts if type(part) is CallSignature}
    if not heard:
        return list(parts)  # type: ignore[arg-type]
    return [
        replace(part, signature=heard[part.id].signature, origin=heard[part.id].origin)
        if isinstance(part, ToolCall) and part.id in heard
        else part
        for part in parts
        if not isinstance(part, CallSignature)
    ]


def _pair(name: str, signature: str) -> str:
    return _ENCODER.encode((name, signature)).decode()
