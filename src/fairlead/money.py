"""Money: prices, what an attempt cost, what it may cost at worst, and US dollars as text.

Money is integer nano-dollars (`nusd`; one US dollar is 10**9 of them), rounded once, half to even, at the end of a sum.
Nothing here knows where a price comes from, who is billed, or what a budget is.
"""

import re
from typing import Protocol

from msgspec import Struct

NUSD = 1_000_000_000  # nano-dollars in a dollar
MTOK = 1_000_000  # prices are per million tokens

_USD = re.compile(r"\s*(\d{1,9})(?:\.(\d{1,9}))?\s*usd\s*\Z", re.IGNORECASE)


class Price(Struct, frozen=True):
    """One dated row of the catalog, in nano-dollars per million tokens (1 USD per million tokens is 10**9).

    A tier holds for prompts of more than `above_input` tokens and then prices the whole request, as providers bill long
    contexts. None means: the provider has no such price; then the plain input price counts.
    """

    id: str
    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None
    request: int = 0  # nano-dollars per request
    tiers: tuple["Tier", ...] = ()


class Tier(Struct, frozen=True):
    above_input: int
    input: int
    output: int
    cache_read: int | None = None
    cache_write: int | None = None


class Tokens(Protocol):
    """What is billed: `input` counts all prompt tokens, those read from and written to a cache too."""

    @property
    def input(self) -> int: ...
    @property
    def output(self) -> int: ...
    @property
    def cache_read(self) -> int: ...
    @property
    def cache_write(self) -> int: ...


def cost_nusd(price: Price, usage: Tokens) -> int:
    """What `usage` costs at `price`, in nano-dollars."""
    rate = _rate(price, usage.input)
    plain = max(0, usage.input - usage.cache_read - usage.cache_write)
    millionths = (
        plain * rate.input
        + usage.cache_read * (rate.input if rate.cache_read is None else rate.cache_read)
        + usage.cache_write * (rate.input if rate.cache_write is None else rate.cache_write)
        + usage.output * rate.output
    )
    return price.request + _half_even(millionths)


def worst_case_nusd(price: Price, input_bound: int, max_output: int, samples: int = 1) -> int:
    """The most that a request can cost, in nano-dollars: the dearest tier that it can reach, nothing read from a cache.

    `input_bound` and `max_output` (per sample) are tokens. Some providers bill the prompt once for all samples, some
    once for each; the dearer is taken.
    """
    rates = [price, *(tier for tier in price.tiers if input_bound > tier.above_input)]
    dearest_input = max(max(rate.input, rate.cache_read or 0, rate.cache_write or 0) for rate in rates)
    dearest_output = max(rate.output for rate in rates)
    millionths = samples * (input_bound * dearest_input + max_output * dearest_output)
    return price.request - (-millionths // MTOK)  # rounded up: a bound must hold


def parse_usd(text: str) -> int:
    """`"0.5usd"` -> nano-dollars, exactly. Raises ValueError if the text is not an amount in US dollars."""
    match = _USD.match(text)
    if match is None:
        raise ValueError(f'"{text}" is not an amount in US dollars, such as "0.50usd"')
    return int(match[1]) * NUSD + int((match[2] or "").ljust(9, "0"))


def format_usd(nusd: int | None) -> str:
    """Nano-dollars for people: at least two decimals, as many as are needed, and `unknown` for None."""
    if nusd is None:
        return "unknown"
    whole, rest = divmod(abs(nusd), NUSD)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nusd < 0 else ''}{whole}.{decimals}usd"


def _rate(price: Price, input_tokens: int) -> Price | Tier:
    rate: Price | Tier = price
    for tier in price.tiers:  # in order of `above_input`
        if input_tokens > tier.above_input:
            rate = tier
    return rate


def _half_even(millionths: int) -> int:
    whole, rest = divmod(millionths, MTOK)
    return whole + (rest * 2 > MTOK or (rest * 2 == MTOK and whole % 2 == 1))
