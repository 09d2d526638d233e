"""What is not written comes from the row, what is written wins; what is missing is told with its path and a hint."""

from pathlib import Path

import pytest

from fairlead import config
from fairlead.accounts import Account, Aws, find_account
from fairlead.errors import ConfigInvalid


def account(text: str) -> Account:
    return find_account(config.parse(f"[backends.b]\n{text}", base=Path(), with_secrets=False), "b")


def wrong(text: str) -> ConfigInvalid:
    with pytest.raises(ConfigInvalid) as caught:
        account(text)
    assert caught.value.hint
    return caught.value


def test_a_provider_and_a_key_are_a_whole_backend() -> None:
    found = account('provider = "groq"\nkey = "env:GROQ_API_KEY"')
    assert found == Account(
        kind="openai",
        zone="public",
        base_url="https://api.groq.com/openai/v1",
        provider="groq",
        auth="bearer",
        tasks=("chat",),
        paths={},
        quirks={"max_tokens_name": "max_completion_tokens", "returns_reasoning": False},
    )


def test_what_the_operator_writes_wins_over_the_row() -> None:
    found = account(
        'provider = "groq"\nkey = "env:K"\nzone = "contract"\nbase_url = "https://proxy.example/groq"\n'
        'quirks = { max_tokens_name = "max_tokens", drop = ["user"] }\npaths = { embed = "/embed" }'
    )
    assert (found.zone, found.base_url) == ("contract", "https://proxy.example/groq")
    assert found.quirks == {"max_tokens_name": "max_tokens", "returns_reasoning": False, "drop": ["user"]}
    assert found.paths == {"embed": "/embed"} and found.provider == "groq"


def test_placeholders_are_filled_in_the_address_and_in_paths_but_for_the_model() -> None:
    found = account(
        'provider = "azure-deployments"\nkey = "env:K"\nvars = { resource = "own", api_version = "2024-10-21" }'
    )
    assert found.base_url == "https://own.openai.azure.com/openai/deployments"
    assert found.paths["chat"] == "/{model}/chat/completions?api-version=2024-10-21"
    assert (found.auth, found.provider) == ("api-key", "azure")


def test_a_placeholder_that_is_missing_unknown_or_no_name_is_refused_by_its_path() -> None:
    missing = wrong('provider = "azure"\nkey = "env:K"')
    assert missing.details["path"] == "backends.b.vars.resource" and "my-resource" in missing.hint
    unknown = wrong('provider = "azure"\nkey = "env:K"\nvars = { resource = "own", region = "eu" }')
    assert unknown.details["path"] == "backends.b.vars.region" and "resource" in unknown.hint
    for value in ("evil.example/x", "own@evil.example", "https://own.openai.azure.com", "a b", "a?b", "ö"):
        error = wrong(f'provider = "azure"\nkey = "env:K"\nvars = {{ resource = "{value}" }}')
        assert error.details["path"] == "backends.b.vars.resource"
    assert wrong('kind = "openai"\nzone = "public"\nbase_url = "http://b/v1"\nvars = { a = "b" }').details["path"] == (
        "backends.b.vars"
    )


def test_a_missing_key_is_told_with_the_variable_that_it_is_usually_in() -> None:
    error = wrong('provider = "groq"')
    assert error.details["path"] == "backends.b.key" and 'key = "env:GROQ_API_KEY"' in error.hint
    assert "Groq" in error.message
    assert account('provider = "groq"\nsecret_headers = { Authorization = "env:WHOLE" }').provider == "groq"
    assert account('provider = "vllm"').auth == "bearer"


def test_words_stay_at_home_only_on_this_machine() -> None:
    assert account('provider = "vllm"').zone == "private"
    assert account('provider = "vllm"\nbase_url = "http://localhost:9000/v1"').zone == "private"
    assert account('provider = "vllm"\nbase_url = "http://[::1]:9000/v1"').zone == "private"
    error = wrong('provider = "vllm"\nbase_url = "https://gpu.example.com/v1"')
    assert error.details["path"] == "backends.b.zone"
    assert account('provider = "vllm"\nbase_url = "https://gpu.example.com/v1"\nzone = "contract"').zone == "contract"


def test_another_format_that_is_spoken_there_may_be_chosen_and_signs_for_itself() -> None:
    found = account('provider = "openrouter"\nkind = "anthropic"\nkey = "env:K"')
    assert (found.kind, found.auth, found.quirks, found.tasks) == ("anthropic", "bearer", {}, None)
    assert found.origin == "openrouter"
    own = account('provider = "openai"\nkind = "responses"\nkey = "env:K"')
    assert (own.kind, own.origin, own.provider, own.tasks) == ("responses", "", "openai", ("chat", "count"))
    error = wrong('provider = "groq"\nkind = "gemini"\nkey = "env:K"')
    assert error.details["path"] == "backends.b.kind" and "responses" in error.message


def test_elsewhere_than_the_row_says_another_format_takes_its_prices_only() -> None:
    url = "https://generativelanguage.googleapis.com/v1beta/openai"
    found = account(f'provider = "google"\nkind = "openai"\nkey = "env:K"\nzone = "public"\nbase_url = "{url}"')
    assert found == Account(kind="openai", zone="public", base_url=url, provider="google")


def test_without_a_provider_prices_and_quirks_are_known_by_the_address() -> None:
    found = account('kind = "openai"\nzone = "contract"\nbase_url = "https://api.openai.com/v1"')
    assert (found.provider, found.auth) == ("openai", "")
    assert found.quirks["max_tokens_name"] == "max_completion_tokens"
    dated = account(
        'kind = "openai"\nzone = "contract"\nbase_url = "https://own.openai.azure.com/openai/deployments/gpt"'
    )
    assert (dated.provider, dated.quirks["max_tokens_name"]) == ("azure", "max_completion_tokens")
    own = account('kind = "openai"\nzone = "private"\nbase_url = "http://10.0.0.5:8000/v1"')
    assert (own.provider, own.quirks, own.tasks) == ("", {}, None)


def test_a_provider_of_the_price_list_alone_needs_the_rest_to_be_written() -> None:
    text = 'provider = "arcee"\nkind = "openai"\nbase_url = "https://api.arcee.ai/api/v1"'
    assert account(f'{text}\nzone = "public"').provider == "arcee"
    assert wrong(text).details["path"] == "backends.b.zone"
    assert wrong('provider = "arcee"\nzone = "public"').details["path"] == "backends.b.kind"


def test_a_provider_that_nobody_knows_is_refused_with_the_nearest_name() -> None:
    error = wrong('provider = "grok"\nkey = "env:K"')
    assert error.details["path"] == "backends.b.provider" and "groq" in error.hint


AWS = 'provider = "aws"\nvars = { region = "eu-central-1" }\n'
KEYS = 'access_key = "env:A", secret_key = "env:S"'


def aws(text: str) -> Aws:
    found = account(text)
    assert found.auth == "none" and isinstance(found.signs, Aws)
    return found.signs


def test_amazon_takes_a_key_or_what_requests_are_signed_with() -> None:
    by_key = account(f'{AWS}key = "env:AWS_BEARER_TOKEN_BEDROCK"')
    assert (by_key.auth, by_key.signs) == ("bearer", None)
    assert by_key.base_url == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    signed = aws(f"{AWS}aws = {{ {KEYS} }}")
    assert signed.given.access_key and (signed.region, signed.service) == ("eu-central-1", "bedrock")


def test_amazon_is_asked_with_what_its_own_tools_find_where_nothing_is_written() -> None:
    assert aws(AWS) == Aws(given=config.AwsSettings(), region="eu-central-1", service="bedrock")
    assert aws(f'{AWS}aws = {{ profile = "team" }}').given.profile == "team"
    assert account('provider = "bedrock"\nvars = { region = "eu-central-1" }') == account(AWS)


def test_the_region_of_a_signature_is_written_or_in_the_url_or_the_profiles() -> None:
    own = 'provider = "aws"\nbase_url = "https://{host}"\n'
    inside = own.format(host="vpce-1.bedrock-runtime.eu-west-3.vpce.amazonaws.com")
    assert aws(f"{inside}aws = {{ {KEYS} }}").region == "eu-west-3"
    assert aws(f'{inside}vars = {{ region = "eu-west-1" }}').region == "eu-west-1"
    nowhere = own.format(host="bedrock.internal")
    assert aws(nowhere).region == ""
    assert wrong(f"{nowhere}aws = {{ {KEYS} }}").details["path"] == "backends.b.vars.region"


def test_google_takes_a_token_or_a_file_of_credentials_or_what_its_own_tools_find() -> None:
    text = 'provider = "google-vertex"\nvars = { project = "p", location = "europe-west4" }\n'
    found = account(text + 'google = { credentials_file = "gcp.json" }')
    assert found.auth == "none" and found.signs == config.GoogleSettings(credentials_file="gcp.json")
    assert found.base_url == (
        "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4/publishers/google"
    )
    assert account(text + 'key = "file:token"').auth == "bearer"
    assert account(text).signs == config.GoogleSettings()


def test_credentials_that_nobody_asks_for_are_refused() -> None:
    assert wrong(f'provider = "groq"\nkey = "env:K"\naws = {{ {KEYS} }}').details["path"] == "backends.b.aws"
    assert wrong(f'{AWS}key = "env:K"\naws = {{ {KEYS} }}').details["path"] == "backends.b.aws"
    text = 'kind = "bedrock"\nzone = "public"\nbase_url = "https://b.example"\n'
    assert wrong(f"{text}aws = {{ {KEYS} }}").details["path"] == "backends.b.aws"
