"""OpenAI's Responses: whose reasoning is whose. A reasoning item's `encrypted_content` is its signature here.

Clients send reasoning items back unread, so they also carry what other providers want back, marked as theirs
(`signatures.wrap`). OpenAI looks up a reasoning item without `encrypted_content` by its id and refuses one that it does
not know: so reasoning that nobody signed is marked too, and never taken for OpenAI's.

| in the house | as a reasoning item |
|---|---|
| reasoning signed by this provider | `id`, and the bare signature as `encrypted_content` |
| reasoning signed by another | `~fairlead:ORIGIN:SIGNATURE` |
| the same with a name, or this one by another name than the item's | `~fairlead:ORIGIN/id:["NAME","SIGNATURE"]` |
| hidden reasoning of another | `~fairlead:ORIGIN/redacted:["NAME or nothing","SIGNATURE"]` |
| reasoning signed by nobody | `~fairlead::` |
| a tool call signed by another | an item without summary before it: `~fairlead:ORIGIN/call:["CALL","SIGNATURE"]` |

A call's signature names its call, so that it finds it again wherever it stands in the turn.
"""

from typing import Literal

import msgspec
from msgspec import Struct

from fairlead.chat import Thinking, ToolCall
from fairlead.dialects.reading import UNREADABLE
from fairlead.dialects.responses.language import DIALECT
from fairlead.dialects.signatures import unwrap, wrap

_PAIR = msgspec.json.Decoder(tuple[str, str])
_ENCODER = msgspec.json.Encoder()

Kind = Literal["", "id", "redacted", "call"]


class Heard(Struct, frozen=True):
    """What an `encrypted_content` says. `name` is the reasoning's own, or the id of the call that it signs."""

    signature: str | None
    origin: str
    kind: Kind = ""
    name: str | None = None


def hear(said: str) -> Heard:
    """Read an `encrypted_content`. What is not marked is this language's own."""
    signature, origin = unwrap(said, DIALECT)
    signer, _, kind = origin.rpartition("/")
    if kind in ("id", "redacted", "call"):
        try:
            name, signature = _PAIR.decode(signature)
        except UNREADABLE:
            return Heard(signature, origin)  # not made by us
        return Heard(signature or None, signer, kind, name or None)
    return Heard(signature or None, origin)


def sign(part: Thinking, item: str) -> str:
    """The `encrypted_content` of reasoning, in an item with the id `item`."""
    signature = part.signature or ""
    if part.origin == DIALECT and part.id == item:
        return signature
    if part.redacted and part.origin != DIALECT:
        return _named("redacted", part.id or "", signature, part.origin)
    if part.id is not None or part.origin == DIALECT:
        return _named("id", part.id or "", signature, part.origin)
    return wrap(signature, part.origin, DIALECT)


def sign_call(call: ToolCall) -> str:
    """The `encrypted_content` of the item that goes before a signed tool call."""
    return _named("call", call.id, call.signature or "", call.origin)


def _named(kind: Kind, name: str, signature: str, origin: str) -> str:
    return wrap(_ENCODER.encode((name, signature)).decode(), f"{origin}/{kind}", DIALECT)
