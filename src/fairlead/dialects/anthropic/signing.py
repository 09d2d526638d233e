"""Anthropic's language: whose reasoning is whose, where a block has room for one signature and a tool call for none.

Anthropic signs a `thinking` block, or hides it in a `redacted_thinking` block; clients send both back unread. So these
two carry what other providers want back, marked as theirs (`signatures.wrap`):

| in the house | as a block |
|---|---|
| reasoning signed by this provider | `thinking` with the bare signature |
| reasoning signed by another | `thinking`, signature `~fairlead:ORIGIN:SIGNATURE`; its text may be empty |
| reasoning signed by nobody | `thinking`, signature `~fairlead:ORIGIN:`, so that it is never taken for Anthropic's |
| reasoning with a name of its own | `thinking`, signature `~fairlead:ORIGIN/id:["NAME","SIGNATURE"]` |
| hidden reasoning | `redacted_thinking`, data like the signatures above |
| a signed tool call | before its `tool_use` a `redacted_thinking`, data `~fairlead:ORIGIN/call:["CALL","SIGNATURE"]` |

A tool call's signature goes into a hidden block, since that is shown to nobody and kept by every client, and names its
call, so that it finds it again wherever it stands in the turn. It does not know which part goes to whom.
"""

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fairlead.chat import Part, Thinking, ToolCall
from fairlead.dialects.reading import UNREADABLE
from fairlead.dialects.signatures import unwrap, wrap

DIALECT = "anthropic"
_NAMED = "/id"
_CALL = "/call"
_PAIR = msgspec.json.Decoder(tuple[str, str])
_ENCODER = msgspec.json.Encoder()


class Heard(Struct, frozen=True):
    """What a signature or a hidden block says. `call` is the id of the tool call that it belongs to, if to one."""

    signature: str | None
    origin: str
    id: str | None = None
    call: str | None = None


def hear(said: str, language: str = DIALECT) -> Heard:
    """Read a signature or hidden data. What is not wrapped is `language`'s own."""
    signature, origin = unwrap(said, language)
    for suffix in (_NAMED, _CALL) if origin.endswith((_NAMED, _CALL)) and signature is not said else ():
        if origin.endswith(suffix):
            try:
                name, signature = _PAIR.decode(signature)
            except UNREADABLE:
                break  # not ours after all
            origin = origin.removesuffix(suffix)
            return Heard(signature or None, origin, **{"id" if suffix == _NAMED else "call": name})
    return Heard(signature or None, origin)


def write_thinking(part: Thinking, language: str = DIALECT) -> dict[str, Any]:
    """The block for a caller, or for the provider who signed it."""
    said = write_signature(part, language)
    if part.redacted:
        return {"type": "redacted_thinking", "data": said}
    return {"type": "thinking", "thinking": part.text, "signature": said}


def write_signature(part: Thinking, language: str = DIALECT) -> str:
    signature = part.signature or ""
    if part.id is None or part.origin == language:
        return wrap(signature, part.origin, language)
    return wrap(_pair(part.id, signature), part.origin + _NAMED, language)


def write_call_signature(call: ToolCall) -> dict[str, Any]:
    """The block that goes before a signed tool call."""
    said = wrap(_pair(call.id, call.signature or ""), call.origin + _CALL, DIALECT)
    return {"type": "redacted_thinking", "data": said}


def with_signatures(parts: list[Part], heard: list[Heard]) -> list[Part]:
    """The parts of a turn, with what was heard of its tool calls."""
    by_call = {one.call: one for one in heard}
    if not by_call:
        return parts
    return [
        replace(part, signature=by_call[part.id].signature, origin=by_call[part.id].origin)
        if isinstance(part, ToolCall) and part.id in by_call
        else part
        for part in parts
    ]


def _pair(name: str, signature: str) -> str:
    return _ENCODER.encode((name, signature)).decode()
