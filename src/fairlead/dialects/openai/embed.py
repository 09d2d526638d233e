"""OpenAI's language: embeddings, both ways: what is asked, and vectors as numbers or as base64.

A vector in base64 is its numbers as 32-bit floats, lowest byte first.
"""

import binascii
import struct
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from fairlead.chat import Answer, Embed
from fairlead.dialects.failures import unclear
from fairlead.dialects.harmless import is_harmless
from fairlead.dialects.losses import Losses
from fairlead.dialects.openai.language import DIALECT
from fairlead.dialects.quirks import override, rename_and_drop
from fairlead.dialects.reading import UNREADABLE, need, take, take_optional
from fairlead.errors import RequestInvalid

Encoding = Literal["float", "base64"]
Inputs = str | list[str | int | list[int]]

_KNOWN = frozenset({"dimensions", "encoding_format", "input", "input_type", "model", "user"})
_IDLE = frozenset({b"null", b"false", b"{}", b"[]"})
# OpenAI has no such field; those who speak its language and do (Voyage, NVIDIA, vLLM) call it so.
_PURPOSES = {"query": "query", "document": "document", "passage": "document"}


class _Vector(Struct):
    embedding: list[float] | str
    index: int | None = None


_Count: TypeAlias = Annotated[int, Meta(ge=1)]

_INPUT = msgspec.json.Decoder(str | Annotated[list[str | int | list[int]], Meta(min_length=1)])
_DIMENSIONS = msgspec.json.Decoder(_Count | None)
_ENCODING = msgspec.json.Decoder(Encoding | None)
_STRING = msgspec.json.Decoder(str | None)
_VECTORS = msgspec.json.Decoder(list[_Vector])
_ENCODER = msgspec.json.Encoder()


# --- what is asked ---------------------------------------------------------------------------------------------------


def read_inputs(fields: Mapping[str, Raw], name: str) -> Inputs:
    """A text, texts, tokens, or arrays of tokens. Raises RequestInvalid."""
    said = take(_INPUT, need(dict(fields), name), name)
    if not isinstance(said, str) and len({type(entry) for entry in said}) > 1:
        raise RequestInvalid(
            f"`{name}` mixes strings and tokens.",
            param=name,
            hint="Send a string, an array of strings, an array of tokens, or an array of arrays of tokens.",
        )
    return said


def count_of(said: Inputs) -> int:
    """How many there are: an array of tokens is one, an array of those as many as it holds."""
    return 1 if isinstance(said, str) or isinstance(said[0], int) else len(said)


def read_embed(fields: dict[str, Raw]) -> Embed:
    """Raises RequestInvalid with the exact path."""
    said = read_inputs(fields, "input")
    kind = take_optional(_STRING, fields, "input_type")
    others = {name: raw for name, raw in fields.items() if name not in _KNOWN and bytes(raw) not in _IDLE}
    if kind is not None and kind not in _PURPOSES:
        others["input_type"] = fields["input_type"]
    return Embed(
        inputs=_listed(said),
        dimensions=take_optional(_DIMENSIONS, fields, "dimensions"),
        encoding=take_optional(_ENCODING, fields, "encoding_format") or "float",
        purpose=_PURPOSES.get(kind or ""),
        user=take_optional(_STRING, fields, "user"),
        others=others,
        dialect=DIALECT,
    )


def _listed(said: Inputs) -> tuple[str | tuple[int, ...], ...]:
    if isinstance(said, str):
        return (said,)
    if isinstance(said[0], int):
        return (tuple(token for token in said if isinstance(token, int)),)
    return tuple(tuple(entry) if isinstance(entry, list) else entry for entry in said if not isinstance(entry, int))


def write_embed(
    embed: Embed, *, model: str, params: Mapping[str, Any], quirks: Mapping[str, Any], losses: Losses
) -> bytes:
    """The body of a request for embeddings."""
    fields: dict[str, Any] = {"model": model, "input": embed.inputs}
    if embed.dimensions is not None:
        fields["dimensions"] = embed.dimensions
    if embed.encoding != "float":
        fields["encoding_format"] = embed.encoding
    if embed.user is not None:
        fields["user"] = embed.user
    if embed.purpose is not None:
        if embed.dialect == DIALECT:
            fields["input_type"] = embed.purpose
        else:
            losses.lose("input_type", f"what the vectors are for ({embed.purpose})")
    for path, raw in embed.others.items():
        if embed.dialect == DIALECT:
            fields[path] = raw
        elif not is_harmless(path, raw, embed.dialect):
            losses.lose(path, "this field")
    override(fields, params)
    rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


# --- what is answered ------------------------------------------------------------------------------------------------


def read_vectors(data: Raw, body: bytes) -> tuple[tuple[float, ...], ...]:
    """In the order of what was sent. Raises TargetUnclear."""
    try:
        said = _VECTORS.decode(data)
        if all(vector.index is not None for vector in said):
            said.sort(key=lambda vector: vector.index or 0)
        return tuple([_numbers(vector.embedding) for vector in said])
    except UNREADABLE as error:
        raise unclear(str(error), body, DIALECT) from None
    except (ValueError, struct.error) as error:  # of base64, too
        raise unclear(f"a vector is no base64 of floats ({error})", body, DIALECT) from None


def _numbers(said: list[float] | str) -> tuple[float, ...]:
    if not isinstance(said, str):
        return tuple(said)
    packed = binascii.a2b_base64(said, strict_mode=True)
    return struct.unpack(f"<{len(packed) // 4}f", packed)


def write_vectors(answer: Answer, encoding: Encoding) -> dict[str, Any]:
    """The body of an answer, before it becomes bytes."""
    used = answer.usage.input if answer.usage is not None else 0
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _written(vector, encoding)}
            for index, vector in enumerate(answer.vectors or ())
        ],
        "model": answer.model,
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def _written(vector: Sequence[float], encoding: Encoding) -> Any:
    if encoding == "float":
        return vector
    return binascii.b2a_base64(struct.pack(f"<{len(vector)}f", *vector), newline=False).decode()
