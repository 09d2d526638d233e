"""What a model costs at a provider at a moment, from dated rows in a file (`data/prices.json`).

The file is generated (see `update.py`, which also says what it leaves out) and read here when first asked. A model that
is not in it has no known price: that is None, never 0. What an operator pays by an agreement of his own stands in his
configuration, not here.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.errors import ConfigInvalid
from fairlead.money import Price, Tier

SHIPPED = Path(__file__).parent / "data" / "prices.json"

Match = Mapping[str, Any]  # {"equals": text}, {"or": [match, ...]} and so on: exactly one key

_DAY_US = 86_400_000_000
_MINUTE_US = 60_000_000
_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


class Dated(Struct, frozen=True, omit_defaults=True):
    """A price and when it holds, in the units of `money.Price`.

    `since` is a day (UTC) written 2025-06-10; `from_minute` and `to_minute` bound a part of every day (UTC; it may pass
    midnight). Without either it holds always. Of several that hold the last one counts.
    """

    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    request: int = 0
    tiers: tuple[Tier, ...] = ()
    since: str = ""
    from_minute: int | None = None
    to_minute: int | None = None
    details: Mapping[str, int] = {}


class Model(Struct, frozen=True, omit_defaults=True):
    """`prices` is empty where the price is known to be of a kind that rows can't say."""

    id: str
    match: Match
    prices: tuple[Dated, ...] = ()


class Provider(Struct, frozen=True, omit_defaults=True):
    """`api`: a regular expression for its base URL; `resells`: providers whose models it offers at their price."""

    id: str
    api: str
    models: tuple[Model, ...]
    resells: tuple[str, ...] = ()


class PriceList(Struct, frozen=True):
    """A whole file: `updated` is the day it was made (UTC), `source` what from."""

    source: str
    updated: str
    providers: tuple[Provider, ...]


class _Row(Struct, frozen=True):
    since_us: int
    from_us: int  # of a day
    to_us: int
    price: Price

    def holds(self, at_us: int) -> bool:
        if at_us < self.since_us:
            return False
        of_day_us = at_us % _DAY_US
        if self.from_us <= self.to_us:
            return self.from_us <= of_day_us < self.to_us
        return of_day_us >= self.from_us or of_day_us < self.to_us


class Prices:
    """A price list, ready to be asked."""

    def __init__(self, listed: PriceList) -> None:
        self.source = listed.source
        self.updated = listed.updated
        self._providers = {provider.id: provider for provider in listed.providers}
        self._rows: dict[tuple[str, str], tuple[_Row, ...]] = {}

    def find(self, provider: str, model: str, at_us: int) -> Price | None:
        """The price of `model`, by whatever name requests may call it, at that moment. None: unknown.

        A microsecond or two from the second time on, so that it can be asked for every attempt.
        """
        key = (provider, model)
        rows = self._rows.get(key)
        if rows is None:
            rows = self._rows[key] = self._look_up(provider, model)
        for row in reversed(rows):
            if row.holds(at_us):
                return row.price
        return rows[0].price if rows else None

    def provider_at(self, base_url: str) -> str | None:
        """Whose API is reached at this URL. None if it is nobody's in the list."""
        for provider in self._providers.values():
            if re.match(provider.api, base_url):
                return provider.id
        return None

    def has(self, provider: str) -> bool:
        """Is there anything of this provider?"""
        return provider.lower() in self._providers

    def sellers(self, provider: str) -> tuple[str, ...]:
        """Whose models are offered there: its own, then those that it resells. An unknown provider sells its own."""
        known = self._providers.get(provider.lower())
        return (provider.lower(), *(id for id in (known.resells if known else ()) if id in self._providers))

    def listed_as(self, provider: str, model: str) -> str | None:
        """The name in the list of what requests may call `model`. None: it is not listed."""
        found = self._listed(provider, model)
        return found[1].id if found else None

    def _look_up(self, provider: str, name: str) -> tuple[_Row, ...]:
        found = self._listed(provider, name)
        return self._rows_of(*found) if found else ()

    def _listed(self, provider: str, name: str) -> tuple[str, Model] | None:
        lowered = name.lower()
        for spelling in dict.fromkeys((lowered, dashed(lowered))):
            for seller in self.sellers(provider):
                for model in self._providers[seller].models if seller in self._providers else ():
                    if is_match(model.match, spelling):
                        return seller, model
        return None

    def _rows_of(self, provider: str, model: Model) -> tuple[_Row, ...]:
        starts = [dated.since for dated in model.prices if dated.since]
        undated = f"before-{starts[0]}" if starts else self.updated
        return tuple(_row(f"{provider}/{model.id}", dated, undated) for dated in model.prices)


@cache
def shipped_prices() -> Prices:
    """The price list that comes with the program."""
    return load_prices(SHIPPED)


def load_prices(path: Path) -> Prices:
    """Raises ConfigInvalid where the file is missing or is no price list."""
    try:
        return Prices(msgspec.json.decode(path.read_bytes(), type=PriceList))
    except (OSError, msgspec.DecodeError) as error:
        hint = "make it anew: fairlead catalog update"
        raise ConfigInvalid(f"{path} is no price list: {error}", hint=hint, file=str(path)) from error


def find_price(provider: str, model: str, at_us: int) -> Price | None:
    """What `model` costs at `provider` (a name of the list, such as `openai`), at that moment. None: unknown."""
    return shipped_prices().find(provider, model, at_us)


def dashed(name: str) -> str:
    """Some resellers write 20251211 where the maker dashes."""
    return _COMPACT_DATE.sub(r"-\1-\2-\3", name)


def is_match(match: Match, name: str) -> bool:
    """Does the matcher accept `name`, which is in lower case?"""
    ((kind, wanted),) = match.items()
    if kind == "or":
        return any(is_match(clause, name) for clause in wanted)
    if kind == "and":
        return all(is_match(clause, name) for clause in wanted)
    if kind == "regex":
        return re.search(wanted, name) is not None
    wanted = wanted.lower()
    if kind == "equals":
        return name == wanted
    if kind == "starts_with":
        return name.startswith(wanted)
    if kind == "ends_with":
        return name.endswith(wanted)
    if kind == "contains":
        return wanted in name
    raise ConfigInvalid(f'a price list with the unknown matcher "{kind}"', hint="make it anew: fairlead catalog update")


def _row(name: str, dated: Dated, undated: str) -> _Row:
    hours = ""
    from_us, to_us = 0, _DAY_US
    if dated.from_minute is not None and dated.to_minute is not None:
        from_us, to_us = dated.from_minute * _MINUTE_US, dated.to_minute * _MINUTE_US
        hours = f"T{_clock(dated.from_minute)}-{_clock(dated.to_minute)}"
    price = Price(
        id=f"{name}@{dated.since or undated}{hours}",
        input=dated.input,
        output=dated.output,
        cache_read=dated.cache_read,
        cache_write=dated.cache_write,
        request=dated.request,
        tiers=dated.tiers,
        details=dated.details,
    )
    return _Row(_day_us(dated.since) if dated.since else -(2**63), from_us, to_us, price)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _day_us(day: str) -> int:
    return (date.fromisoformat(day) - date(1970, 1, 1)).days * _DAY_US
