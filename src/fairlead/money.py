"""Money: prices, what an attempt cost, what it may cost at worst, and US dollars as text.

Money is integer nano-dollars (`nusd`; one US dollar is 10**9 of them), rounded once, half to even, at the end of a sum.
What may be billed apart from the rest, and what contains what, is in `units.py`. Nothing here knows where a price comes
from, who is billed, or what a budget is.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from fairlead.units import RERANK_SEARCHES, bill, is_of

NUSD = 1_000_000_000  # nano-dollars in a dollar
MTOK = 1_000_000  # prices are per million tokens

_USD = re.compile(r"\s*(\d{1,9})(?:\.(\d{1,9}))?\s*usd\s*\Z", re.IGNORECASE)


class Price(Struct, frozen=True):
    """One dated row of the catalog, in nano-dollars per million tokens (1 USD per million tokens is 10**9).

    A tier holds for prompts of more than `above_input` tokens and then prices the whole request, as providers bill long
    contexts. None means: the provider has no such price; then the plain input price counts. `details` are the rates of
    all other units, by their names in `units.py`, per million of them too: of searches as of tokens.
    """

    id: str
    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    request: int = 0  # nano-dollars per request
    tiers: tuple["Tier", ...] = ()
    details: Mapping[str, int] = {}


class Tier(Struct, frozen=True, omit_defaults=True):
    above_input: int
    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    details: Mapping[str, int] = {}


class Tokens(Protocol):
    """What is billed: `input` counts all prompt tokens, those read from and written to a cache too.

    `details` are counts of units that may have a rate of their own; those of tokens are contained in the others.
    """

    @property
    def input(self) -> int: ...
    @property
    def output(self) -> int: ...
    @property
    def cache_read(self) -> int: ...
    @property
    def cache_write(self) -> int: ...
    @property
    def reasoning(self) -> int: ...
    @property
    def details(self) -> Mapping[str, int]: ...


def cost_nusd(price: Price, usage: Tokens) -> int:
    """What `usage` costs at `price`, in nano-dollars."""
    rate = _rate(price, usage.input) if price.tiers else price
    if rate.details and (usage.details or (usage.reasoning and "output_reasoning_tokens" in rate.details)):
        return price.request + _half_even(_in_detail(rate, usage))
    if not (usage.cache_read or usage.cache_write):
        return price.request + _half_even(usage.input * rate.input + usage.output * rate.output)
    plain = max(0, usage.input - usage.cache_read - usage.cache_write)
    millionths = (
        plain * rate.input
        + usage.cache_read * (rate.input if rate.cache_read is None else rate.cache_read)
        + usage.cache_write * (rate.input if rate.cache_write is None else rate.cache_write)
        + usage.output * rate.output
    )
    return price.request + _half_even(millionths)


def worst_case_nusd(price: Price, input_bound: int, max_output: int, samples: int = 1, searches: int = 0) -> int:
    """The most that a request can cost, in nano-dollars: the dearest tier that it can reach, and all that goes in and
    comes out at the dearest rate there is for it. Searches on the web are not in it: nothing bounds them.

    `input_bound` and `max_output` (per sample) are tokens, `searches` those of a reranker. Some providers bill the
    prompt once for all samples, some once for each; the dearer is taken.
    """
    return WorstCase(price).nusd(input_bound, max_output, samples, searches)


class WorstCase:
    """The same for many requests at one price, whose dearest rates are found once."""

    __slots__ = ("_input", "_output", "_price", "_search", "_tiers")

    def __init__(self, price: Price) -> None:
        self._price = price
        self._input, self._output = _dearest("input", price), _dearest("output", price)
        self._tiers = [(tier.above_input, _dearest("input", tier), _dearest("output", tier)) for tier in price.tiers]
        self._search = price.details.get(RERANK_SEARCHES, 0)

    def nusd(self, input_bound: int, max_output: int, samples: int = 1, searches: int = 0) -> int:
        dearest_input, dearest_output = self._input, self._output
        for above_input, of_input, of_output in self._tiers:
            if input_bound > above_input:
                dearest_input, dearest_output = max(dearest_input, of_input), max(dearest_output, of_output)
        millionths = samples * (input_bound * dearest_input + max_output * dearest_output) + searches * self._search
        return self._price.request - (-millionths // MTOK)  # rounded up: a bound must hold


def parse_usd(text: str) -> int:
    """`"0.5usd"` -> nano-dollars, exactly. Raises ValueError if the text is not an amount in US dollars."""
    match = _USD.match(text)
    if match is None:
        raise ValueError(f'"{text}" is not an amount in US dollars, such as "0.50usd"')
    return int(match[1]) * NUSD + int((match[2] or "").ljust(9, "0"))


def format_usd(nusd: int | None) -> str:
    """Nano-dollars for people: at least two decimals, as many as are needed, and `unknown` for None."""
    return "unknown" if nusd is None else f"{plain_usd(nusd)}usd"


def plain_usd(nusd: int) -> str:
    """The same of a known amount, without the currency."""
    whole, rest = divmod(abs(nusd), NUSD)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nusd < 0 else ''}{whole}.{decimals}"


def _rate(price: Price, input_tokens: int) -> Price | Tier:
    rate: Price | Tier = price
    for tier in price.tiers:  # in order of `above_input`
        if input_tokens > tier.above_input:
            rate = tier
    return rate


def _in_detail(rate: Price | Tier, usage: Tokens) -> int:
    """Millionths of a nano-dollar: every unit that has a rate of its own at that."""
    rates = {"input_tokens": rate.input, "output_tokens": rate.output, **rate.details}
    if rate.cache_read is not None:
        rates["cache_read_tokens"] = rate.cache_read
    if rate.cache_write is not None:
        rates["cache_write_tokens"] = rate.cache_write
    counts = {
        **usage.details,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "output_reasoning_tokens": usage.reasoning,
    }
    return bill(rates, counts)


def _dearest(direction: str, rate: Price | Tier) -> int:
    dearest = max(rate.input, rate.cache_read or 0, rate.cache_write or 0) if direction == "input" else rate.output
    for unit, nusd in rate.details.items():
        if nusd > dearest and is_of(direction, unit):
            dearest = nusd
    return dearest


def _half_even(millionths: int) -> int:
    whole, rest = divmod(millionths, MTOK)
    return whole + (rest * 2 > MTOK or (rest * 2 == MTOK and whole % 2 == 1))
