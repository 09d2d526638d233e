"""The price list is what genai-prices says: checked against its own arithmetic, where that package is installed."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from fairlead.catalog.prices import SHIPPED, PriceList, load_prices
from fairlead.catalog.update import NOT_COUNTED, PER_REQUEST, TOKENS, update
from fairlead.chat import Usage
from fairlead.money import cost_nusd

genai_prices = pytest.importorskip("genai_prices", reason="the extra `catalog` is not installed")

MOMENTS = [datetime(2025, 3, 1, 2, 0, tzinfo=UTC), datetime(2026, 6, 1, 17, 0, tzinfo=UTC)]
USAGES = [Usage(1000, 100), Usage(900, 50, 300), Usage(300_000, 10, 1000, 2000)]


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
                    counted = genai_prices.Usage(
                        input_tokens=usage.input,
                        output_tokens=usage.output,
                        cache_read_tokens=usage.cache_read,
                        cache_write_tokens=usage.cache_write,
                    )
                    said = theirs.calc_price(counted, provider, genai_request_timestamp=moment).total_price
                    assert abs(cost_nusd(ours, usage) - said * 10**9) <= 1, (provider.id, model.id, usage)
                    compared += 1
    assert compared > 1000


def test_what_was_left_out_is_left_out_for_a_reason(tmp_path: Path) -> None:
    from genai_prices.data import providers

    path = tmp_path / "prices.json"
    done = update(path)
    listed = msgspec.json.decode(path.read_bytes(), type=PriceList)
    ours = {(provider.id, model.id): model for provider in listed.providers for model in provider.models}
    assert (done.models, done.unpriced) == (len(ours), sum(not model.prices for model in ours.values()))
    sayable = {*TOKENS.values(), PER_REQUEST, *NOT_COUNTED}
    for provider in providers:
        for model in provider.models:
            rows = [row.prices for row in model.prices] if isinstance(model.prices, list) else [model.prices]
            keys = [{key for key, value in vars(row).items() if value is not None} for row in rows]
            plain = all("input_mtok" in given and given <= sayable for given in keys)
            assert bool(ours[provider.id, model.id].prices) == plain, (provider.id, model.id)


def test_an_update_twice_is_the_same_file(tmp_path: Path) -> None:
    first, second = update(tmp_path / "a.json"), update(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert first.source == second.source
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_the_list_that_ships_says_where_it_comes_from() -> None:
    listed = msgspec.json.decode(SHIPPED.read_bytes(), type=PriceList)
    assert listed.source.startswith("genai-prices ")
    assert datetime.fromisoformat(listed.updated)
