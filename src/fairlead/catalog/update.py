"""Makes the price list from genai-prices, an optional package that collects what providers publish.

What a row can say: input and output tokens, cache reads and writes, a fee per request, tiers for long prompts, days and
hours from which a price holds. What it leaves out, and how:

- Models whose text answers are billed by anything else as well (reasoning or citation tokens apart from output, audio,
  image or video tokens in the answer, audio by the hour alone, characters, pages) stay in the list without a price, so
  that they are unknown rather than mistaken for a namesake. So do models that are listed without any price.
- Beside the tokens of a text call these may be billed and are not counted: web and file searches; audio, image, video
  and document input at a price of its own (it counts as text input); cache writes that live an hour (they count as
  plain cache writes); other prices for batches and service tiers.

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

TOKENS = {  # a row's field: their name of it
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}
PER_REQUEST = "requests_kcount"
NOT_COUNTED = {
    "web_searches_kcount",
    "storage_searches_kcount",
    "cache_write_1h_mtok",
    "input_audio_mtok",
    "input_audio_hours",
    "audio_hours",
    "input_image_mtok",
    "input_video_mtok",
    "input_document_kpages",
    "input_annotated_document_kpages",
    "cache_audio_read_mtok",
    "cache_image_read_mtok",
}


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
    said = [row for row in rows if row is not None]
    return tuple(said) if len(said) == len(rows) else ()


def _row(prices: Any, constraint: Any) -> Dated | None:
    given = {key: value for key, value in vars(prices).items() if value is not None}
    if "input_mtok" not in given or given.keys() - {*TOKENS.values(), PER_REQUEST, *NOT_COUNTED}:
        return None
    tokens = {name: given[key] for name, key in TOKENS.items() if key in given}
    starts = sorted({tier.start for value in tokens.values() for tier in getattr(value, "tiers", ())})
    per_request = given.get(PER_REQUEST, Decimal(0)) / 1000
    when = _when(constraint)
    if when is None or not isinstance(per_request, Decimal):
        return None
    return Dated(
        **{"output": 0, **_rates(tokens, 0)},
        request=_nusd(per_request),
        tiers=tuple(Tier(start, **{"output": 0, **_rates(tokens, start + 1)}) for start in starts),
        **when,
    )


def _rates(tokens: dict[str, Any], input_tokens: int) -> dict[str, int]:
    """What each kind of token costs in a request with that many input tokens."""
    return {name: _nusd(_at(value, input_tokens)) for name, value in tokens.items()}


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
