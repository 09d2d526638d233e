"""Makes the price list from genai-prices, an optional package that collects what providers publish.

What a row can say: a rate for every unit of tokens (input, output, read from or written to a cache and for how long,
audio, image and video, reasoning, citations) and of searches; a fee per request; tiers for long prompts; days and hours
from which a price holds. What it leaves out, and how:

- Characters, pages, pixels, messages and hours of audio: what they cost is not said, and no chat, embedding or rerank
  call is billed by them. A model that is billed by nothing else stays in the list without a price, so that it is
  unknown rather than mistaken for a namesake.
- So do models that are listed without any price, but for those named `:free`, which are.
- Other prices for batches, service tiers and speeds: what is listed is what a call costs that asks for none of them.

Nothing here runs while requests are served.
"""

import importlib
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.catalog.prices import SHIPPED, Dated, Model, PriceList, Provider
from fairlead.errors import ExtraMissing
from fairlead.ids import now_us
from fairlead.money import Tier
from fairlead.units import SEARCHES, TOKENS

PLAIN = {  # a row's field: their name of it
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}
DETAILS = {  # a unit of its own rate: their name of it
    **{unit: unit.removesuffix("tokens") + "mtok" for unit in TOKENS},
    **{unit: f"{unit}_kcount" for unit in sorted(SEARCHES)},
}
PER_REQUEST = "requests_kcount"
LEFT_OUT = {
    "input_mchars",
    "input_text_messages_kcount",
    "audio_hours",
    "input_audio_hours",
    "output_audio_hours",
    "input_gpixels",
    "input_document_kpages",
    "input_annotated_document_kpages",
}
SAID = {*DETAILS.values(), PER_REQUEST}
FREE = ":free"


class Updated(Struct, frozen=True):
    """What a price list holds now. `unpriced`: models in it that have no price."""

    path: str
    source: str
    providers: int
    models: int
    unpriced: int


def update(path: Path = SHIPPED) -> Updated:
    """Writes the price list of the installed genai-prices to `path`. Raises ExtraMissing without that package."""
    try:
        # By name: its data is one expression of megabytes, which type checkers need a minute to read.
        providers: Any = importlib.import_module("genai_prices.data").providers
    except ImportError as error:
        hint = "pip install 'fairlead[catalog]'"
        raise ExtraMissing("prices are made from the package genai-prices, which is missing", hint=hint) from error
    today = datetime.fromtimestamp(now_us() // 1_000_000, UTC).date().isoformat()
    source = f"genai-prices {metadata.version('genai-prices')}"
    listed = PriceList(source, today, tuple(_provider(one) for one in sorted(providers, key=lambda one: one.id)))
    written = path.with_suffix(".new")
    written.write_bytes(_lines(listed))
    written.replace(path)
    models = [model for provider in listed.providers for model in provider.models]
    unpriced = sum(not model.prices for model in models)
    return Updated(str(path), source, len(listed.providers), len(models), unpriced)


def _lines(listed: PriceList) -> bytes:
    """JSON with a model a line, so that a change of a price is a change of a line."""
    encode = msgspec.json.encode
    blocks = []
    for provider in listed.providers:
        head = encode(msgspec.structs.replace(provider, models=()))
        models = b",\n".join(encode(model) for model in provider.models)
        blocks.append(head.replace(b'"models":[]', b'"models":[\n' + models + b"]", 1))
    head = encode(msgspec.structs.replace(listed, providers=()))
    return head.replace(b'"providers":[]', b'"providers":[\n' + b",\n".join(blocks) + b"]", 1) + b"\n"


def _provider(theirs: Any) -> Provider:
    models = tuple(Model(model.id, _match(model.match), _dated(model)) for model in theirs.models)  # order counts
    return Provider(theirs.id, theirs.api_pattern, models, tuple(theirs.fallback_model_providers or ()))


def _match(clause: Any) -> dict[str, Any]:
    ((kind, wanted),) = vars(clause).items()
    if kind in ("or_", "and_"):
        return {kind[:-1]: [_match(one) for one in wanted]}
    return {kind: wanted}


def _dated(model: Any) -> tuple[Dated, ...]:
    """All of a model's prices, or none where one of them can't be said."""
    if isinstance(model.prices, list):
        rows = [_row(one.prices, one.constraint) for one in model.prices]
    else:
        rows = [_row(model.prices, None)]
    if rows == [None] and model.id.endswith(FREE):
        return (Dated(0, 0),)
    said = [row for row in rows if row is not None]
    return tuple(said) if len(said) == len(rows) else ()


def _row(prices: Any, constraint: Any) -> Dated | None:
    given = {key: value for key, value in vars(prices).items() if value is not None}
    if "input_mtok" not in given or given.keys() - SAID - LEFT_OUT:
        return None
    starts = sorted({tier.start for key in SAID & given.keys() for tier in getattr(given[key], "tiers", ())})
    per_request = given.get(PER_REQUEST, Decimal(0)) / 1000
    when = _when(constraint)
    if when is None or not isinstance(per_request, Decimal):
        return None
    return Dated(
        **_rates(given, 0),
        request=_nusd(per_request),
        tiers=tuple(Tier(start, **_rates(given, start + 1)) for start in starts),
        **when,
    )


def _rates(given: dict[str, Any], input_tokens: int) -> dict[str, Any]:
    """What a million of each unit costs in a request with that many input tokens."""
    plain = {name: _nusd(_at(given[key], input_tokens)) for name, key in PLAIN.items() if key in given}
    details = {
        unit: _nusd(_at(given[key], input_tokens) * (1000 if unit in SEARCHES else 1))  # searches are per thousand
        for unit, key in DETAILS.items()
        if key in given and key not in PLAIN.values()
    }
    return {"output": 0, **plain, "details": details}


def _at(value: Any, input_tokens: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    reached = [tier.price for tier in value.tiers if input_tokens > tier.start]  # in order of their starts
    return reached[-1] if reached else value.base


def _nusd(usd: Decimal) -> int:
    return int((usd * 1_000_000_000).to_integral_value())  # half to even


def _when(constraint: Any) -> dict[str, Any] | None:
    """The part of a Dated that says when; None for a condition that it can't say."""
    if constraint is None:
        return {}
    conditions = vars(constraint)
    if conditions.keys() == {"start_date"}:
        return {"since": conditions["start_date"].isoformat()}
    if conditions.keys() == {"start_time", "end_time"}:
        minutes = [_minute(conditions[name]) for name in ("start_time", "end_time")]
        return dict(zip(("from_minute", "to_minute"), minutes, strict=True))
    return None


def _minute(moment: time) -> int:
    """Minutes after midnight, UTC."""
    offset = moment.utcoffset() or timedelta()
    local = datetime.combine(date(1970, 1, 1), moment.replace(tzinfo=None))
    return int((local - offset - datetime(1970, 1, 1)).total_seconds()) // 60 % (24 * 60)
