"""What recorded usages cost, by the price list that ships and by genai-prices: both must say the same.

`check` reads a file of recorded usages (gzip'd JSON lines; each with the counts that genai-prices read from a real
answer, and what that cost at every provider whose answers look alike). Where prices changed since it was recorded, the
figure to meet is the one that the installed genai-prices calculates for the same counts now.
"""

import gzip
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from importlib import metadata
from pathlib import Path

import genai_prices
import msgspec
from msgspec import Struct

from fairlead.catalog.prices import find_price
from fairlead.chat import Usage
from fairlead.money import NUSD, cost_nusd

PLAIN = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "output_reasoning_tokens": "reasoning",
}
LISTED = 20  # failures that are told


class Seller(Struct, frozen=True):
    provider_id: str
    api_flavor: str
    input_price: Decimal | None = None
    output_price: Decimal | None = None
    total_price: Decimal | None = None

    @property
    def recorded(self) -> Decimal | None:
        """In US dollars; None where nothing was."""
        if self.total_price is not None or self.input_price is None or self.output_price is None:
            return self.total_price
        return self.input_price + self.output_price


class Extracted(Struct, frozen=True):
    usage: Mapping[str, int]
    extractors: tuple[Seller, ...]


class Recorded(Struct, frozen=True):
    id: str
    model: str | None
    extracted: tuple[Extracted, ...]


class Result(Struct, frozen=True):
    """A row of a table. `failures` are the first of them, each with its reason."""

    name: str
    passed: int
    total: int
    failures: tuple[str, ...] = ()


def check(path: Path) -> list[Result]:
    """Two rows: the figures that were recorded, and all that the installed genai-prices has a figure for."""
    now = datetime.now(UTC)
    wrong: dict[bool, list[str]] = {True: [], False: []}
    counted = {True: 0, False: 0}
    for model, seller, counts in _sales(path):
        reference = _reference(model, seller, counts, now)
        if seller.recorded is None and reference is None:
            continue
        counted[True] += reference is not None
        counted[False] += seller.recorded is not None
        ours = _ours(model, seller, counts, now)
        if reference is not None and not _equal(ours, reference):
            wrong[True].append(_told(model, seller, counts, ours, reference))
        if seller.recorded is not None and not (_equal(ours, seller.recorded) or _equal(ours, reference)):
            wrong[False].append(_told(model, seller, counts, ours, seller.recorded))
    installed = f"genai-prices {metadata.version('genai-prices')}"
    names = {False: f"cost as recorded, or as {installed} says since", True: f"cost as {installed} says"}
    return [
        Result(names[now_too], counted[now_too] - len(wrong[now_too]), counted[now_too], tuple(wrong[now_too][:LISTED]))
        for now_too in (False, True)
    ]


def _sales(path: Path) -> Iterator[tuple[str, Seller, Mapping[str, int]]]:
    decoder = msgspec.json.Decoder(Recorded)
    with gzip.open(path) as lines:
        for line in lines:
            row = decoder.decode(line)
            if row.model is None:  # an answer that does not tell its model has no price anywhere
                continue
            for extracted in row.extracted:
                for seller in extracted.extractors:
                    yield row.model, seller, extracted.usage


def _reference(model: str, seller: Seller, counts: Mapping[str, int], at: datetime) -> Decimal | None:
    """What genai-prices calculates, in US dollars; None where it does not know the model or refuses the counts."""
    usage = genai_prices.Usage(**counts)
    try:
        told = genai_prices.calc_price(usage, model, provider_id=seller.provider_id, genai_request_timestamp=at)
    except (LookupError, ValueError):
        return None
    return told.total_price


def _ours(model: str, seller: Seller, counts: Mapping[str, int], at: datetime) -> int | None:
    price = find_price(seller.provider_id, model, int(at.timestamp() * 1_000_000))
    plain = {PLAIN[name]: count for name, count in counts.items() if name in PLAIN}
    details = {name: count for name, count in counts.items() if name not in PLAIN}
    return None if price is None else cost_nusd(price, Usage(**plain, details=details))


def _equal(nusd: int | None, usd: Decimal | None) -> bool:
    """To the nano-dollar, which is what ours are rounded to."""
    return nusd is not None and usd is not None and abs(usd * NUSD - nusd) <= 1


def _told(model: str, seller: Seller, counts: Mapping[str, int], ours: int | None, wanted: Decimal) -> str:
    said = "unknown" if ours is None else f"{Decimal(ours) / NUSD:f}"
    return f"{seller.provider_id}/{model} {dict(counts)}: {said} USD instead of {wanted:f}"


if __name__ == "__main__":
    for row in check(Path(sys.argv[1])):
        print(f"{row.passed}/{row.total} {row.name}", *row.failures, sep="\n  ")
