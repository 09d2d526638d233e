"""Finding prices: by any name of a model, at a moment; unknown is None."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fairlead.catalog.prices import (
    SHIPPED,
    Dated,
    Model,
    PriceList,
    Prices,
    Provider,
    find_price,
    is_match,
    load_prices,
    shipped_prices,
)
from fairlead.errors import ConfigInvalid
from fairlead.money import Tier

HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US
DAY_2025_06_10_US = 20_249 * DAY_US


def prices(*models: Model, resells: tuple[str, ...] = ()) -> Prices:
    acme = Provider("acme", r"https://api\.acme\.test", models)
    shop = Provider("shop", r"https://shop\.test", (), ("nobody", "acme"))
    return Prices(PriceList("a test", "2026-01-01", (acme, shop)))


def found(listed: Prices, at_us: int, model: str = "m", provider: str = "acme") -> str | None:
    price = listed.find(provider, model, at_us)
    return None if price is None else price.id


def test_what_is_not_listed_is_unknown() -> None:
    listed = prices(Model("m", {"equals": "m"}, (Dated(1, 2),)), Model("free", {"equals": "free"}))
    assert found(listed, 0) == "acme/m@2026-01-01"
    assert found(listed, 0, "n") is None
    assert found(listed, 0, "free") is None
    assert found(listed, 0, provider="nobody") is None


def test_a_price_is_all_that_its_row_says() -> None:
    tiers = (Tier(10, 5, 6, 7, 8, {"web_searches": 9}),)
    row = Dated(1, 2, 3, 4, 5, tiers, details={"web_searches": 8})
    price = prices(Model("m", {"equals": "m"}, (row,))).find("acme", "m", 0)
    assert price is not None
    assert (price.input, price.output, price.cache_read, price.cache_write, price.request) == (1, 2, 3, 4, 5)
    assert (price.tiers, price.details) == (tiers, {"web_searches": 8})


def test_a_model_without_a_price_hides_its_namesakes_behind_it() -> None:
    listed = prices(Model("voice", {"equals": "m-voice"}), Model("m", {"starts_with": "m"}, (Dated(1, 2),)))
    assert found(listed, 0, "m-voice") is None
    assert found(listed, 0, "m-large") == "acme/m@2026-01-01"


def test_a_price_holds_from_its_day_on() -> None:
    listed = prices(Model("m", {"equals": "m"}, (Dated(9, 9), Dated(1, 2, since="2025-06-10"))))
    assert found(listed, DAY_2025_06_10_US - 1) == "acme/m@before-2025-06-10"
    assert found(listed, DAY_2025_06_10_US) == "acme/m@2025-06-10"


def test_a_price_may_hold_for_some_hours_of_every_day_also_over_midnight() -> None:
    night = Dated(1, 2, from_minute=16 * 60 + 30, to_minute=30)
    listed = prices(Model("m", {"equals": "m"}, (Dated(9, 9), night)))
    by_hour = {hour: found(listed, DAY_2025_06_10_US + int(hour * HOUR_US)) for hour in (0, 0.5, 12, 16.5, 23)}
    assert [hour for hour, id in by_hour.items() if id == "acme/m@2026-01-01T16:30-00:30"] == [0, 16.5, 23]


def test_a_reseller_asks_what_its_makers_ask() -> None:
    listed = prices(Model("m", {"equals": "m"}, (Dated(1, 2),)))
    assert found(listed, 0, provider="shop") == "acme/m@2026-01-01"


def test_names_are_matched_whatever_their_case_and_the_way_their_date_is_written() -> None:
    listed = prices(Model("m", {"equals": "m-2025-12-11"}, (Dated(1, 2),)))
    assert found(listed, 0, "M-20251211", "ACME") == "acme/m@2026-01-01"
    assert found(listed, 0, "m-20259911") is None


@pytest.mark.parametrize(
    ("match", "fitting", "other"),
    [
        ({"equals": "Gpt-4"}, "gpt-4", "gpt-4o"),
        ({"starts_with": "gpt-4"}, "gpt-4o", "my-gpt-4"),
        ({"ends_with": "mini"}, "gpt-4o-mini", "mini-gpt"),
        ({"contains": "4o"}, "gpt-4o-mini", "gpt-4"),
        ({"regex": "^o[134]"}, "o3-pro", "o2"),
        ({"or": [{"equals": "a"}, {"equals": "b"}]}, "b", "c"),
        ({"and": [{"starts_with": "a"}, {"ends_with": "z"}]}, "abz", "ab"),
    ],
)
def test_matchers_accept_what_they_say(match: Mapping[str, Any], fitting: str, other: str) -> None:
    assert is_match(match, fitting)
    assert not is_match(match, other)


def test_a_matcher_that_nobody_knows_is_an_error_not_a_mismatch() -> None:
    with pytest.raises(ConfigInvalid, match="sounds_like"):
        is_match({"sounds_like": "x"}, "x")


def test_a_base_url_tells_the_provider() -> None:
    assert shipped_prices().provider_at("https://api.openai.com/v1") == "openai"
    assert shipped_prices().provider_at("https://api.anthropic.com") == "anthropic"
    assert shipped_prices().provider_at("http://127.0.0.1:8000/v1") is None


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]"])
def test_a_file_that_is_no_price_list_is_refused_with_its_path(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "prices.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigInvalid) as caught:
        load_prices(path)
    assert caught.value.details["file"] == str(path)


def test_every_row_that_ships_can_be_read_and_none_is_free_by_accident() -> None:
    listed = msgspec.json.decode(SHIPPED.read_bytes(), type=PriceList)
    rows = [dated for provider in listed.providers for model in provider.models for dated in model.prices]
    assert len(rows) > 2000
    models = [model for provider in listed.providers for model in provider.models]
    assert all(model.id.endswith(":free") for model in models for dated in model.prices if not dated.input)
    for dated in rows:
        assert [tier.above_input for tier in dated.tiers] == sorted({tier.above_input for tier in dated.tiers})
    for provider in listed.providers:
        for model in provider.models:
            is_match(model.match, "gpt-4o")
            shipped_prices().find(provider.id, model.id, 0)


def test_known_models_are_found_by_the_names_that_requests_use() -> None:
    at_us = 20_500 * DAY_US
    for provider, model in (
        ("openai", "gpt-4o-mini-2024-07-18"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("google", "gemini-2.5-pro"),
        ("azure", "gpt-4o"),
        ("openai", "text-embedding-3-small"),
    ):
        assert find_price(provider, model, at_us) is not None
    assert find_price("openai", "whisper-1", at_us) is None  # it is billed by the hour


def test_what_is_billed_apart_has_its_own_rate() -> None:
    at_us = 20_500 * DAY_US
    claude, talking = find_price("anthropic", "claude-sonnet-4-5", at_us), find_price("openai", "gpt-realtime", at_us)
    assert claude is not None
    assert talking is not None
    assert claude.details["cache_write_1h_tokens"] == 2 * claude.input
    assert claude.details["web_searches"] == 10 * 10**12  # ten dollars for a thousand
    assert talking.details["input_audio_tokens"] > talking.input
