"""Gemini's language: signatures of reasoning, and those of other providers in the hands of a caller who speaks it.

A signature is bytes in this API, base64 in JSON, and clients decode and encode it (with the alphabet of URLs, too). So
another provider's signature travels as base64 of what `dialects.signatures` wraps it in; base64 of that always begins
with MARK, as its first nine characters are three whole groups. What is known beside it (that it is redacted reasoning,
its id) stands behind the provider's name: `~fairlead:responses;redacted;id=rs_7:SIGNATURE`.
"""

import binascii
from urllib.parse import quote, unquote

from msgspec import Struct

from fairlead.chat import Thinking, ToolCall
from fairlead.dialects import signatures
from fairlead.dialects.gemini.names import DIALECT

MARK = "fmZhaXJsZWFk"  # base64 of "~fairlead"
_MARK_IN_BODY = b'"' + MARK.encode()

# What Google documents to be sent with a call that none of its models made: base64 of
# "skip_thought_signature_validator".
NO_SIGNATURE = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
_EXCUSES = frozenset({
    "",
    NO_SIGNATURE,
    "skip_thought_signature_validator",
    "context_engineering_is_the_way_to_go",
    "Y29udGV4dF9lbmdpbmVlcmluZ19pc190aGVfd2F5X3RvX2dv",
})  # fmt: skip


class Signed(Struct, frozen=True):
    """A signature, whose it is, and what was said beside it."""

    signature: str
    origin: str
    redacted: bool = False
    id: str | None = None


def real(signature: str | None) -> str | None:
    """The same, None for what only stands in for a signature."""
    return None if signature in _EXCUSES else signature


def has_wrapped(body: bytes) -> bool:
    """Whether another provider's signature may be in a body: then it can't be passed on as it stands."""
    return _MARK_IN_BODY in body


def wrap(part: Thinking | ToolCall) -> str | None:
    """The part's signature as a caller is given it: bare if Google signed, else wrapped; None if nobody signed."""
    if part.signature is None or part.origin == DIALECT:
        return part.signature
    origin = part.origin
    if isinstance(part, Thinking):
        if part.redacted:
            origin += ";redacted"
        if part.id is not None:
            origin += f";id={quote(part.id, safe='')}"
    wrapped = signatures.wrap(part.signature, origin, DIALECT)
    return binascii.b2a_base64(wrapped.encode(), newline=False).decode()


def unwrap(said: str, origin: str) -> Signed:
    """What a signature is; a bare one is of `origin`."""
    if not said.startswith(MARK):
        return Signed(said, origin)
    padded = said.replace("-", "+").replace("_", "/") + "=" * (-len(said) % 4)
    try:
        wrapped = binascii.a2b_base64(padded).decode()
    except ValueError:  # it only looks like one of ours
        return Signed(said, origin)
    signature, signer = signatures.unwrap(wrapped, DIALECT)
    name, *beside = signer.split(";")
    ids = [unquote(word[3:]) for word in beside if word.startswith("id=")]
    return Signed(signature, name, "redacted" in beside, ids[0] if ids else None)
