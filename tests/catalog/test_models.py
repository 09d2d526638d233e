"""Finding what a model can do: by any name of it; what nobody says is not known."""

from pathlib import Path

import msgspec
import pytest

from fairlead.catalog.models import (
    FEATURES,
    SHIPPED,
    Facts,
    ModelList,
    Models,
    Seller,
    Source,
    find_model,
    load_models,
    shipped_models,
)
from fairlead.errors import ConfigInvalid


def models(*names: str, provider: str = "acme") -> Models:
    seller = Seller(provider, tuple(Facts(name) for name in names))
    return Models(ModelList((Source("a test", "MIT"),), "2026-01-01", (seller,)))


def found(listed: Models, name: str, provider: str = "acme") -> str | None:
    facts = listed.find(provider, name)
    return None if facts is None else facts.id


def test_what_is_not_listed_is_not_known() -> None:
    listed = models("m")
    assert found(listed, "m") == "m"
    assert found(listed, "n") is None
    assert found(listed, "m", "nobody") is None


@pytest.mark.parametrize(
    "name", ["M-1", "models/m-1", "m-1-latest", "m-1-20260131", "m-1-2026-01-31", "m-1@20260131", "m-1:free"]
)
def test_the_bare_name_stands_for_every_date_and_way_of_asking(name: str) -> None:
    assert found(models("m-1"), name) == "m-1"


def test_a_region_and_a_version_of_bedrock_are_the_same_model() -> None:
    listed = models("maker.m-1-20260131-v1:0")
    for name in ("us.maker.m-1-20260131-v1:0", "eu.maker.m-1-20260131-v1:0", "maker.m-1"):
        assert found(listed, name) == "maker.m-1-20260131-v1:0"


def test_the_exact_name_counts_first_then_the_bare_one_then_the_latest_date() -> None:
    assert found(models("m", "m-20250101", "m-20260101"), "m-2025-01-01") == "m"
    assert found(models("m", "m-2025-01-01"), "m-20250101") == "m-2025-01-01"
    assert found(models("m-20250101", "m-20260101"), "m-latest") == "m-20260101"


def test_a_generation_of_a_model_is_not_its_date() -> None:
    assert found(models("m-v3"), "m-v4") is None
    assert found(models("m"), "m-v3") is None


def test_a_reseller_sells_what_its_makers_make() -> None:
    assert found(models("gpt-9", provider="openai"), "gpt-9", "azure") == "gpt-9"


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]"])
def test_a_file_that_is_no_list_of_models_is_refused_with_its_path(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "models.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigInvalid) as caught:
        load_models(path)
    assert caught.value.details["file"] == str(path)


def test_the_list_that_ships_says_where_it_comes_from_and_contradicts_itself_nowhere() -> None:
    listed = msgspec.json.decode(SHIPPED.read_bytes(), type=ModelList)
    rows = [facts for seller in listed.providers for facts in seller.models]
    assert len(rows) > 2000
    assert len(listed.updated) == 10
    assert all(source.name and source.licence == "MIT" for source in listed.sources)
    for facts in rows:
        assert {*facts.can, *facts.cannot} <= set(FEATURES)
        assert not {*facts.can} & {*facts.cannot}
        assert {*facts.sources} <= set(range(len(listed.sources)))
        assert {*facts.tasks} <= {"chat", "complete", "embed", "rerank"}
        assert all(limit is None or limit > 0 for limit in (facts.context, facts.prompt, facts.output))


def test_known_models_are_found_by_the_names_that_requests_use() -> None:
    tiny = find_model("openai", "gpt-4o-mini-2024-07-18")
    assert tiny is not None
    assert {"image", "tools", "schema"} <= {*tiny.can}
    assert {"audio", "thinking"} <= {*tiny.cannot}
    assert (tiny.context, tiny.output) == (128_000, 16_384)
    for provider, model, task in (
        ("anthropic", "claude-sonnet-4-5-20250929", "chat"),
        ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "chat"),
        ("google", "models/gemini-2.5-pro", "chat"),
        ("azure", "gpt-4o", "chat"),
        ("openai", "text-embedding-3-small", "embed"),
        ("cohere", "rerank-v3.5", "rerank"),
        ("voyageai", "rerank-2.5", "rerank"),
    ):
        facts = find_model(provider, model)
        assert facts is not None, (provider, model)
        assert facts.tasks == (task,)


def test_every_model_that_ships_is_found_by_its_own_name() -> None:
    listed = shipped_models()
    for provider, facts in listed.all():
        assert listed.find(provider, facts.id) == facts
