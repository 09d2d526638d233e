"""Every row is whole: an address, a credential, tasks, quirks that mean something, and the page that says so."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest

from fairlead.catalog.prices import shipped_prices
from fairlead.catalog.providers import (
    Kind,
    Provider,
    find_provider,
    load_providers,
    placeholders,
    provider_at,
    shipped_providers,
)
from fairlead.dialects.quirks import check_settings
from fairlead.errors import ConfigInvalid

ROWS: Mapping[str, Provider] = shipped_providers()
EVERY = pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
ROW = """
[one]
name = "One"
kind = "openai"
base_url = "https://api.one.example/v1"
tasks = ["chat"]
source = "https://docs.one.example"
date = 2026-11-22
"""


def test_there_are_many_rows_of_every_kind() -> None:
    assert len(ROWS) >= 35
    assert {row.kind for row in ROWS.values()} == set(get_args(Kind))


@EVERY
def test_the_address_of_a_row_is_one_once_it_is_filled(row: Provider) -> None:
    url = re.sub(r"\{(\w+)\}", lambda found: row.vars[found[1]], row.base_url)
    parts = urlsplit(url)
    assert parts.hostname and not parts.query and not url.endswith("/")
    assert parts.scheme == ("https" if row.zone == "public" and row.id != "litellm" else "http")
    assert all(path.startswith("/") for path in row.paths.values())
    wanted = {name for text in (row.base_url, *row.paths.values()) for name in placeholders(text)}
    assert wanted == set(row.vars) and all(re.match(r"[\w.-]+\Z", example) for example in row.vars.values())


@EVERY
def test_the_tasks_of_a_row_are_such_as_its_wire_format_has(row: Provider) -> None:
    of_kind = {
        "openai": {"chat", "complete", "embed"},
        "responses": {"chat", "count"},
        "anthropic": {"chat", "count"},
        "gemini": {"chat", "embed", "count"},
        "bedrock": {"chat", "count"},
        "rerank": {"rerank"},
    }
    assert row.tasks and set(row.tasks) <= of_kind[row.kind] and set(row.paths) <= set(row.tasks)
    assert row.kind not in row.also and len(set(row.kinds)) == len(row.kinds)


@EVERY
def test_the_quirks_of_a_row_are_quirks_of_its_language(row: Provider) -> None:
    check_settings(row.kind, params={}, quirks=row.quirks)


@EVERY
def test_how_a_key_is_had_and_shown_is_told(row: Provider) -> None:
    assert re.match(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\Z", row.env) or not row.env
    assert row.env or row.keyless or row.auth == "google" or row.note, "nobody is told where its key comes from"
    assert bool(row.service) == (row.auth == "aws")
    assert row.service == "" or "region" in row.vars


def test_what_else_a_provider_is_called_leads_to_it_and_to_nobody_else() -> None:
    called = [name for row in ROWS.values() for name in row.called]
    assert len(set(called)) == len(called) and not set(called) & set(ROWS)
    assert find_provider(ROWS, "bedrock") is ROWS["aws"] and find_provider(ROWS, "aws") is ROWS["aws"]
    assert find_provider(ROWS, "nobody") is None and find_provider(ROWS, "") is None


@EVERY
def test_a_row_says_where_it_was_read_and_when(row: Provider) -> None:
    there = urlsplit(row.source)
    assert there.scheme == "https" and there.hostname and len(there.path) > 1
    assert date(2026, 11, 22) <= row.date <= date.today()


@EVERY
def test_a_server_of_ones_own_is_on_this_machine_and_asks_for_no_key(row: Provider) -> None:
    if row.zone == "private":
        assert row.keyless and "127.0.0.1" in row.base_url


@EVERY
def test_prices_are_found_under_the_name_that_a_row_gives(row: Provider) -> None:
    if row.prices:
        assert shipped_prices().has(row.prices)


def test_who_is_in_the_price_list_with_models_to_ask_has_the_id_that_it_has_there() -> None:
    wanted = {"openai", "anthropic", "google", "aws", "azure", "mistral", "groq", "together", "fireworks", "deepseek"}
    wanted |= {"openrouter", "x-ai", "cerebras", "perplexity", "databricks", "moonshotai", "zai", "zhipuai", "minimax"}
    wanted |= {"cohere", "voyageai", "novita", "baseten", "cloudflare", "ovhcloud"}
    assert wanted <= set(ROWS) and all(shipped_prices().has(id) for id in wanted)


@pytest.mark.parametrize(
    ("url", "kind", "id"),
    [
        ("https://api.openai.com/v1", "openai", "openai"),
        ("https://api.openai.com/v1/", "responses", "openai-responses"),
        ("https://my-own.openai.azure.com/openai/v1", "openai", "azure"),
        ("https://my-own.openai.azure.com/openai/v1", "responses", "azure"),
        ("https://openrouter.ai/api/v1", "anthropic", "openrouter"),
        ("https://api.openai.com.example/v1", "openai", None),
        ("https://api.openai.com/v1beta", "openai", None),
        ("http://127.0.0.1:8000/v1", "openai", None),
        ("http://127.0.0.1:4000/v1", "openai", None),
        ("https://anything.example/v1", "openai", None),
        ("https://api.groq.com/openai/v1", "gemini", None),
    ],
)
def test_a_provider_is_known_by_its_address_and_a_server_of_ones_own_is_not(
    url: str, kind: str, id: str | None
) -> None:
    row = provider_at(ROWS, url, kind)
    assert (row.id if row else None) == id


def test_rows_are_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "providers.toml"
    path.write_text(ROW)
    assert load_providers(path)["one"].price_list == "one"
    for line in ('colour = "red"', 'auth = "cookie"', 'also = ["openai", 7]', 'zone = "near"'):
        path.write_text(f"{ROW}{line}\n")
        with pytest.raises(ConfigInvalid) as caught:
            load_providers(path)
        assert str(path) in caught.value.message
