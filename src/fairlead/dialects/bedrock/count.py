"""Bedrock's language: the count of a prompt's tokens, as it is told. It does not know how it is asked for."""

import msgspec
from msgspec import Struct

from fairlead.dialects.bedrock.signing import DIALECT
from fairlead.dialects.failures import unclear
from fairlead.dialects.reading import UNREADABLE


class _Counted(Struct, rename="camel"):
    input_tokens: int


_COUNTED = msgspec.json.Decoder(_Counted)
_ENCODER = msgspec.json.Encoder()


def read_count_answer(body: bytes) -> int:
    """The tokens. Raises TargetUnclear where none are told."""
    try:
        return _COUNTED.decode(body).input_tokens
    except UNREADABLE as error:
        raise unclear(str(error) if body else "it is empty", body, DIALECT) from None


def count_body(tokens: int) -> bytes:
    return _ENCODER.encode({"inputTokens": tokens})
