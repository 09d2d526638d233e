"""OpenAI's Responses: a conversation that is continued by the id of its last response.

What is kept of a response is the items that led to it and the items that it said; how long, where and for whom is the
server's business. `instructions` belong to one response alone, so they are not kept.
"""

import msgspec
from msgspec import Raw, Struct

from fairlead.dialects.reading import is_null, take, take_optional
from fairlead.dialects.responses.items import RAWS

_ENCODER = msgspec.json.Encoder()
_NAME = msgspec.json.Decoder(str | None)
_FLAG = msgspec.json.Decoder(bool | None)
_INPUT = msgspec.json.Decoder(str | list[Raw] | None)


class _Response(Struct):
    id: str | None = None
    output: list[Raw] | None = None


_RESPONSE = msgspec.json.Decoder(_Response)


def previous_of(fields: dict[str, Raw]) -> str | None:
    """The id of the response that the request continues, if it continues one."""
    return take_optional(_NAME, fields, "previous_response_id")


def wants_store(fields: dict[str, Raw]) -> bool:
    """Whether the response may be kept: it may, unless the caller says no."""
    return take_optional(_FLAG, fields, "store") is not False


def continued(fields: dict[str, Raw], earlier: bytes) -> dict[str, Raw]:
    """The request with the whole conversation in it. `earlier` is what `kept` gave for the response before."""
    fields = {name: raw for name, raw in fields.items() if name != "previous_response_id"}
    fields["input"] = _list([*RAWS.decode(earlier), *_input_items(fields)])
    return fields


def kept(fields: dict[str, Raw], response: bytes) -> bytes:
    """What must be kept of a finished response, so that a later request can continue it: a JSON list of items.

    `fields` are the request's, with the conversation before it in them (`continued`).
    """
    return bytes(_list([*_input_items(fields), *(_RESPONSE.decode(response).output or ())]))


def id_of(response: bytes) -> str:
    return _RESPONSE.decode(response).id or ""


def _input_items(fields: dict[str, Raw]) -> list[Raw]:
    raw = fields.get("input")
    if raw is None or is_null(raw):
        return []
    said = take(_INPUT, raw, "input")
    if isinstance(said, str):
        return [Raw(_ENCODER.encode({"type": "message", "role": "user", "content": said}))]
    return said or []


def _list(items: list[Raw]) -> Raw:
    return Raw(b"[" + b",".join(map(bytes, items)) + b"]")
