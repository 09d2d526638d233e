"""Money: integers all the way, rounded once; a worst case that no truth exceeds."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.chat import Usage
from fairlead.money import Price, Tier, cost_nusd, format_usd, parse_usd, worst_case_nusd

PRICE = Price("p", input=3_000_000_000, output=15_000_000_000, cache_read=300_000_000, cache_write=3_750_000_000)
TIER = Tier(above_input=200_000, input=6_000_000_000, output=22_500_000_000)
LONG = Price("p", 3_000_000_000, 15_000_000_000, 300_000_000, None, 0, (TIER,))

DETAILS = ("cache_write_1h_tokens", "input_audio_tokens", "cache_audio_read_tokens", "output_audio_tokens")

rates = st.integers(0, 10**12)
perhaps = st.none() | rates
details = st.dictionaries(st.sampled_from(DETAILS), rates)
tiers = st.lists(st.builds(Tier, st.integers(1, 2000), rates, rates, perhaps, perhaps, details), max_size=3)
prices = st.builds(
    lambda *fields, details, tiers: Price(
        "p", *fields, tiers=tuple(sorted(tiers, key=lambda tier: tier.above_input)), details=details
    ),
    rates, rates, perhaps, perhaps, st.integers(0, 10**9), details=details, tiers=tiers,
)  # fmt: skip


def test_a_token_is_priced_by_its_kind() -> None:
    usage = Usage(input=1000, output=100, cache_read=200, cache_write=300)
    assert cost_nusd(PRICE, usage) == 500 * 3000 + 200 * 300 + 300 * 3750 + 100 * 15000


def test_cached_tokens_without_a_price_of_their_own_cost_what_input_costs() -> None:
    plain = Price("p", 3_000_000_000, 0)
    assert cost_nusd(plain, Usage(input=1000, cache_read=600, cache_write=100)) == 1000 * 3000


def test_a_price_of_nothing_is_not_a_price_that_is_missing() -> None:
    assert cost_nusd(Price("p", 3_000_000_000, 0, cache_read=0), Usage(input=1000, cache_read=1000)) == 0


def test_a_long_prompt_prices_the_whole_request() -> None:
    assert cost_nusd(LONG, Usage(input=200_000, output=10)) == 200_000 * 3000 + 10 * 15_000
    assert cost_nusd(LONG, Usage(input=200_001, output=10)) == 200_001 * 6000 + 10 * 22_500
    assert cost_nusd(LONG, Usage(input=200_001, cache_read=200_001)) == 200_001 * 6000  # the tier has no cache price


def test_a_request_may_have_a_fee() -> None:
    assert cost_nusd(Price("p", 0, 0, request=5_000_000), Usage(input=9, output=9)) == 5_000_000


def test_what_has_a_rate_of_its_own_is_billed_at_that_and_only_once() -> None:
    price = Price("p", 10**9, 10**9, details={"input_audio_tokens": 7 * 10**9, "cache_write_1h_tokens": 3 * 10**9})
    usage = Usage(input=100, output=10, details={"input_audio_tokens": 40, "cache_write_1h_tokens": 50})
    assert cost_nusd(price, usage) == (10 * 1 + 40 * 7 + 50 * 3 + 10) * 1000


def test_reasoning_is_billed_apart_where_it_has_a_rate_and_as_output_elsewhere() -> None:
    usage = Usage(input=0, output=100, reasoning=60)
    assert cost_nusd(Price("p", 0, 10**9), usage) == 100 * 1000
    assert cost_nusd(Price("p", 0, 10**9, details={"output_reasoning_tokens": 2 * 10**9}), usage) == 160 * 1000


def test_searches_are_billed_beside_the_tokens() -> None:
    price = Price("p", 10**9, 0, details={"web_searches": 10**13})
    assert cost_nusd(price, Usage(input=5, details={"web_searches": 2})) == 5 * 1000 + 2 * 10_000_000


def test_what_is_told_in_detail_without_a_rate_of_its_own_costs_what_the_rest_costs() -> None:
    assert cost_nusd(Price("p", 10**9, 0), Usage(input=5, details={"input_image_tokens": 5, "web_searches": 1})) == 5000


@pytest.mark.parametrize(("input_tokens", "cost"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)])
def test_halves_are_rounded_to_even(input_tokens: int, cost: int) -> None:
    assert cost_nusd(Price("p", 500_000, 0), Usage(input=input_tokens)) == cost


@given(prices, st.integers(0, 3000), st.integers(0, 3000), st.data())
def test_the_cost_is_the_exact_sum_rounded_once(price: Price, given: int, said: int, data: st.DataObject) -> None:
    read = data.draw(st.integers(0, given))
    written = data.draw(st.integers(0, given - read))
    rate = next((tier for tier in reversed(price.tiers) if given > tier.above_input), price)
    exact = Decimal((given - read - written) * rate.input + said * rate.output)
    exact += read * (rate.input if rate.cache_read is None else rate.cache_read)
    exact += written * (rate.input if rate.cache_write is None else rate.cache_write)  # nothing is told in detail
    rounded = (exact / 1_000_000).to_integral_value(ROUND_HALF_EVEN)
    assert cost_nusd(price, Usage(given, said, read, written)) == rounded + price.request


@given(prices, st.integers(0, 3000), st.integers(0, 3000), st.integers(1, 4), st.data())
def test_no_truth_within_the_bounds_costs_more_than_the_worst_case(
    price: Price, bound: int, most: int, samples: int, data: st.DataObject
) -> None:
    given = data.draw(st.integers(0, bound))
    read = data.draw(st.integers(0, given))
    written = data.draw(st.integers(0, given - read))
    said = data.draw(st.integers(0, most * samples))
    spoken = data.draw(st.integers(0, given - read - written))
    told = {
        "cache_write_1h_tokens": data.draw(st.integers(0, written)),
        "input_audio_tokens": spoken + (heard := data.draw(st.integers(0, read))),
        "cache_audio_read_tokens": heard,
        "output_audio_tokens": data.draw(st.integers(0, said)),
    }
    usage = Usage(given, said, read, written, details=told)
    assert cost_nusd(price, usage) <= worst_case_nusd(price, bound, most, samples)


def test_the_worst_case_counts_the_prompt_for_each_sample() -> None:
    assert worst_case_nusd(Price("p", 10**9, 10**9), 100, 10, samples=3) == 3 * 110 * 1000


def test_searches_of_a_reranker_are_in_the_worst_case() -> None:
    price = Price("p", 0, 0, details={"rerank_searches": 2_000_000 * 10**6})  # 2 US dollars per thousand
    assert worst_case_nusd(price, 1000, 0, searches=3) == 6_000_000
    assert worst_case_nusd(price, 1000, 0) == 0


@pytest.mark.parametrize(
    ("text", "nusd"),
    [
        ("0.5usd", 500_000_000),
        ("5usd", 5 * 10**9),
        (" 0.000000001 USD ", 1),
        ("100usd", 10**11),
        ("1.10usd", 11 * 10**8),
    ],
)
def test_dollars_are_read_exactly(text: str, nusd: int) -> None:
    assert parse_usd(text) == nusd


@pytest.mark.parametrize("text", ["", "5", "5eur", "-1usd", "1.0000000001usd", "1e3usd", "usd", ".5usd", "5usd/day"])
def test_what_is_no_amount_in_dollars_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        parse_usd(text)


@given(st.integers(0, 10**17))
def test_what_is_shown_reads_back_as_the_same(nusd: int) -> None:
    assert parse_usd(format_usd(nusd)) == nusd


def test_amounts_are_shown_with_as_many_decimals_as_they_need() -> None:
    shown = [format_usd(nusd) for nusd in (0, 5 * 10**9, 500_000_000, 1, -1_500_000_000, None)]
    assert shown == ["0.00usd", "5.00usd", "0.50usd", "0.000000001usd", "-1.50usd", "unknown"]
