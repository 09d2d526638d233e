"""Anthropic's language, outwards, for a caller who speaks it too: nothing is translated, values stay byte for byte."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fairlead.chat import Request
from fairlead.dialects.anthropic.ask import COUNTED, SAMPLING, add_params, settle_sampling
from fairlead.dialects.anthropic.signing import DIALECT
from fairlead.dialects.anthropic.thinking import LEAST_BUDGET_TOKENS
from fairlead.dialects.quirks import narrowed, rename_and_drop
from fairlead.dialects.reading import UNREADABLE, is_null

_ENCODER = msgspec.json.Encoder()
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_MERGED = ("output_config", "metadata")


class _Thinking(Struct):
    type: str = ""
    budget_tokens: int | None = None


_THINKING = msgspec.json.Decoder(_Thinking | None)


def pass_request(
    request: Request, *, model: str, max_output_tokens: int, params: Mapping[str, Any], quirks: Mapping[str, Any]
) -> bytes:
    """The caller's own request, rebuilt from its top-level values.

    Changed are: `model`; `stream`, where it is to be another; `max_tokens`, where it is more than `max_output_tokens`,
    and then a thinking budget that no longer fits; what `params` sets, and what goes with it; what the quirks `rename`
    and `drop` ask for. All else is byte-identical.
    """
    fields = _fields(request, model)
    if request.stream:
        fields["stream"] = True
    elif not is_null(fields.get("stream")):
        fields["stream"] = False
    own, limit = request.max_output_tokens, narrowed(max_output_tokens, params)
    if own is None or own > limit:
        fields["max_tokens"] = limit
        _narrow_budget(fields, limit)
    _add_params(fields, params)
    rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


def pass_count_request(request: Request, *, model: str, params: Mapping[str, Any], quirks: Mapping[str, Any]) -> bytes:
    """The caller's own question for a count."""
    fields = _fields(request, model)
    _add_params(fields, {name: value for name, value in params.items() if name in COUNTED})
    rename_and_drop(fields, quirks)
    return _ENCODER.encode(fields)


def _fields(request: Request, model: str) -> dict[str, Any]:
    if request.spoken is None or request.spoken.dialect != DIALECT:
        raise TypeError("only a request that was said in Anthropic's language can be passed on in it")
    return {**request.spoken.fields, "model": model}


def _narrow_budget(fields: dict[str, Any], limit: int) -> None:
    """A budget that is not below the limit is refused; where none fits, there is no thinking."""
    raw = fields.get("thinking")
    try:
        said = None if raw is None else _THINKING.decode(raw)
    except UNREADABLE:
        return  # the target tells the caller what is wrong
    if said is None or said.type != "enabled" or said.budget_tokens is None or said.budget_tokens < limit:
        return
    if limit > LEAST_BUDGET_TOKENS:
        fields["thinking"] = {**_FIELDS.decode(raw or b"{}"), "budget_tokens": limit - 1}
    else:
        del fields["thinking"]


def _add_params(fields: dict[str, Any], params: Mapping[str, Any]) -> None:
    """Parameters of thinking and sampling are looked at together with what the caller said of them."""
    if not params:
        return
    for name in (*_MERGED, *(SAMPLING if not SAMPLING.isdisjoint(params) else ())):
        raw = fields.get(name)
        if raw is not None and (name in params or name in SAMPLING):
            fields[name] = msgspec.json.decode(raw)
    add_params(fields, params)
    if not SAMPLING.isdisjoint(params):
        settle_sampling(fields, lambda name, what: None)
