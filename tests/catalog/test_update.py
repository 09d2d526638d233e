"""The price list is what genai-prices says: checked against its own arithmetic, where that package is installed."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from fairlead.catalog.prices import SHIPPED, PriceList, load_prices
from fairlead.catalog.update import FREE, LEFT_OUT, SAID, update
from fairlead.chat import Usage
from fairlead.money import cost_nusd
from fairlead.units import SEARCHES, TOKENS

genai_prices = pytest.importorskip("genai_prices", reason="the extra `catalog` is not installed")

MOMENTS = [datetime(2025, 3, 1, 2, 0, tzinfo=UTC), datetime(2026, 6, 1, 17, 0, tzinfo=UTC)]
PLAIN = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "reasoning": "output_reasoning_tokens",
}


def of_parts(**parts: int) -> Usage:
    """A usage in which every unit counts what lies within it: `parts` are the narrowest that anything was."""
    counts = {
        unit: sum(count for part, count in parts.items() if part in TOKENS and traits <= TOKENS[part])
        for unit, traits in TOKENS.items()
    }
    plain = {field: counts.pop(unit) for field, unit in PLAIN.items()}
    searches = {part: count for part, count in parts.items() if part in SEARCHES}
    return Usage(**plain, details={**{unit: count for unit, count in counts.items() if count}, **searches})


USAGES = [
    Usage(1000, 100),
    Usage(900, 50, 300),
    Usage(300_000, 10, 1000, 2000),
    Usage(500, 900, reasoning=700),
    of_parts(input_text_tokens=300_000, cache_text_write_1h_tokens=70, cache_text_write_5m_tokens=30, web_searches=3),
    of_parts(input_audio_tokens=51, cache_audio_read_tokens=17, input_text_tokens=7, output_audio_tokens=90),
    of_parts(input_image_tokens=258, cache_image_read_tokens=77, input_video_tokens=99, output_image_tokens=1290),
    of_parts(input_text_tokens=9, output_text_reasoning_tokens=11, output_citation_tokens=5, storage_searches=2),
]


def test_every_price_is_what_its_source_calculates(tmp_path: Path) -> None:
    from genai_prices.data import providers

    path = tmp_path / "prices.json"
    update(path)
    listed = load_prices(path)
    compared = 0
    for provider in providers:
        for model in provider.models[:: max(1, len(provider.models) // 12)]:
            for moment in MOMENTS:
                ours = listed.find(provider.id, model.id, int(moment.timestamp()) * 1_000_000)
                theirs = provider.find_model(model.id, all_providers=providers)
                if ours is None or theirs is None:
                    continue
                for usage in USAGES:
                    plain = {unit: getattr(usage, field) for field, unit in PLAIN.items()}
                    counted = genai_prices.Usage(**plain, **usage.details)
                    said = theirs.calc_price(counted, provider, genai_request_timestamp=moment).total_price
                    assert abs(cost_nusd(ours, usage) - said * 10**9) <= 1, (provider.id, model.id, usage)
                    compared += 1
    assert compared > 5000


def test_the_units_are_those_of_its_source_and_lie_within_each_other_as_there() -> None:
    from genai_prices.data_units import unit_data

    theirs = {unit: raw["dimensions"] for unit, raw in unit_data.items()}
    assert {unit for unit, dimensions in theirs.items() if dimensions["family"] == "tokens"} == set(TOKENS)
    assert set(theirs) >= SEARCHES
    for narrow in TOKENS:
        for wide in TOKENS:
            assert (TOKENS[wide] < TOKENS[narrow]) == (theirs[wide].items() < theirs[narrow].items())
    assert {raw["price_key"] for raw in unit_data.values()} == SAID | LEFT_OUT


def test_what_was_left_out_is_left_out_for_a_reason(tmp_path: Path) -> None:
    from genai_prices.data import providers

    path = tmp_path / "prices.json"
    done = update(path)
    listed = msgspec.json.decode(path.read_bytes(), type=PriceList)
    ours = {(provider.id, model.id): model for provider in listed.providers for model in provider.models}
    assert (done.models, done.unpriced) == (len(ours), sum(not model.prices for model in ours.values()))
    for provider in providers:
        for model in provider.models:
            rows = [row.prices for row in model.prices] if isinstance(model.prices, list) else [model.prices]
            keys = [{key for key, value in vars(row).items() if value is not None} for row in rows]
            sayable = all("input_mtok" in given and given <= SAID | LEFT_OUT for given in keys)
            free = keys == [set()] and model.id.endswith(FREE)
            assert bool(ours[provider.id, model.id].prices) == (sayable or free), (provider.id, model.id)


def test_an_update_twice_is_the_same_file(tmp_path: Path) -> None:
    first, second = update(tmp_path / "a.json"), update(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert first.source == second.source
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_the_list_that_ships_says_where_it_comes_from() -> None:
    listed = msgspec.json.decode(SHIPPED.read_bytes(), type=PriceList)
    assert listed.source.startswith("genai-prices ")
    assert datetime.fromisoformat(listed.updated)
