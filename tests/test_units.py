"""A bill over units: every token once, by the narrowest unit that has a rate."""

from hypothesis import given
from hypothesis import strategies as st

from fairlead.units import TOKENS, bill, is_of


def test_a_token_is_billed_by_the_narrowest_unit_that_has_a_rate() -> None:
    rates = {"input_tokens": 1, "input_audio_tokens": 10, "cache_read_tokens": 100, "cache_audio_read_tokens": 1000}
    counts = {"input_tokens": 9, "input_audio_tokens": 5, "cache_read_tokens": 4, "cache_audio_read_tokens": 3}
    assert bill(rates, counts) == 3 * 1 + 2 * 10 + 1 * 100 + 3 * 1000


def test_what_has_no_rate_is_billed_within_the_next_wider_unit() -> None:
    assert bill({"input_tokens": 2}, {"input_tokens": 9, "input_image_tokens": 5}) == 18


def test_more_within_a_unit_than_it_counts_is_no_credit() -> None:
    assert bill({"input_tokens": 7, "input_audio_tokens": 1}, {"input_tokens": 2, "input_audio_tokens": 5}) == 5


def test_what_is_no_token_is_counted_for_itself() -> None:
    assert bill({"input_tokens": 1, "web_searches": 50}, {"input_tokens": 4, "web_searches": 2}) == 104


def test_tokens_go_in_or_out_and_never_both_ways() -> None:
    assert all(is_of("input", unit) != is_of("output", unit) for unit in TOKENS)
    assert is_of("input", "cache_write_1h_tokens")
    assert not is_of("input", "web_searches")


@given(st.dictionaries(st.sampled_from(sorted(TOKENS)), st.integers(0, 9)), st.integers(1, 9))
def test_at_one_rate_for_all_a_bill_is_the_number_of_tokens(parts: dict[str, int], rate: int) -> None:
    counts = {
        unit: sum(count for part, count in parts.items() if traits <= TOKENS[part]) for unit, traits in TOKENS.items()
    }
    assert bill(dict.fromkeys(TOKENS, rate), counts) == rate * sum(parts.values())
