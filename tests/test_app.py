"""From a configuration to a road: routes, prices and limits as they were written."""

import asyncio
import sys
from pathlib import Path

import pytest

from backends.stages import spoken
from fairlead import app, config
from fairlead.app import EngineAddress, generation, limits
from fairlead.backends.account import Account
from fairlead.backends.http import Http
from fairlead.config import Limits
from fairlead.errors import ConfigInvalid, ExtraMissing, TargetError
from fairlead.gateway.call import Asking, Caller, Context, Target
from fairlead.gateway.policies import narrow
from fairlead.signing import AwsChainSigner, AwsSigner, GoogleSigner
from fairlead.wire.pool import Pool
from world import CountingBroker, ListSpool, Table, request, said

TEXT = """
timezone = "Europe/Berlin"
[backends.openai]
kind = "openai"
base_url = "https://api.openai.com/v1"
zone = "contract"
[backends.claude]
kind = "anthropic"
base_url = "https://api.anthropic.com"
zone = "public"
[backends.own]
kind = "openai"
base_url = "http://10.0.0.5:8000/v1"
zone = "private"
[engines.small]
model = "small.gguf"
[targets.gpt]
backend = "openai"
model = "gpt-4o-mini"
[targets.claude]
backend = "claude"
model = "claude-sonnet-4-5"
[targets.own]
backend = "own"
model = "gpt-4o-mini"
[targets.small]
engine = "small"
price = { input = 0.02, output = 0.08, per_request = 0.000001 }
params = { temperature = 0 }
timeouts = { total_s = 7 }
[routes.all]
targets = ["small", "own", "gpt", "claude"]
zone = "contract"
budget = "2.5usd/day"
max_cost_per_call = "0.50usd"
limits = { requests_per_minute = 60, concurrent = 4 }
[routes.one]
targets = ["small"]
[budgets.all]
amount = "100usd/month"
[budgets.lab]
team = "lab"
amount = "1usd/hour"
"""


@pytest.fixture
def settings() -> config.Config:
    return config.parse(TEXT, base=Path())


@pytest.fixture
def made(settings: config.Config) -> app.Generation:
    return generation(settings, Pool(), {"small": EngineAddress("http://127.0.0.1:9", "key")})


def targets_of(made: app.Generation) -> dict[str, Target]:
    call = made.routes.call("id", Caller("k", "k", routes=("*",)), request(route="all"), Context())
    return {target.name: target for target in call.targets}


def test_every_target_knows_its_backend_its_zone_and_its_deadlines(made: app.Generation) -> None:
    targets = targets_of(made)
    assert {name: (target.backend, target.zone) for name, target in targets.items()} == {
        "small": ("engine:small", "private"),
        "own": ("own", "private"),
        "gpt": ("openai", "contract"),
        "claude": ("claude", "public"),
    }
    claude, small = made.backends["claude"], made.backends["engine:small"]
    assert isinstance(claude, Http) and claude.dialect == "anthropic"
    assert isinstance(small, Http) and small.dialect == "openai"
    assert targets["small"].timeouts.total_s == 7 and targets["own"].timeouts.total_s == 600


def test_every_target_has_a_route_of_its_own_where_nothing_is_asked_twice(made: app.Generation) -> None:
    names = [route.name for route in made.routes.all() if route.name.startswith("target:")]
    assert sorted(names) == ["target:claude", "target:gpt", "target:own", "target:small"]
    own = made.routes.get("target:small")
    assert own is not None and [(one.name, one.breaker) for one in own.targets] == [("small", None)]
    assert (own.zone, own.retry, own.repair, own.cache, own.record) == ("public", None, False, None, None)


def test_a_targets_own_route_lets_its_model_say_all_that_it_can(settings: config.Config) -> None:
    text = TEXT.replace("[targets.small]", "[targets.small]\ncan = { max_output = 9000 }", 1)
    made = generation(config.parse(text, base=Path()), Pool(), {"small": EngineAddress("http://127.0.0.1:9", "key")})
    known, unknown = made.routes.get("target:small"), made.routes.get("target:own")
    assert known is not None and known.max_output_tokens == 9000
    assert unknown is not None and unknown.max_output_tokens == 4096


def test_a_price_is_the_operators_the_catalogs_or_unknown(made: app.Generation) -> None:
    targets, now = targets_of(made), 1_790_000_000_000_000
    own = targets["small"].price_at(now)
    assert own is not None and (own.input, own.output, own.request) == (20_000_000, 80_000_000, 1_000)
    listed = targets["gpt"].price_at(now)
    assert listed is not None and listed.id.startswith("openai/gpt-4o-mini@")
    assert targets["claude"].price_at(now) is not None
    assert targets["own"].price_at(now) is None  # the same model name elsewhere is another price


def test_openai_is_told_the_output_limit_by_the_name_that_all_its_models_know(made: app.Generation) -> None:
    openai, own = made.backends["openai"]._quirks, made.backends["own"]._quirks  # type: ignore[attr-defined]
    assert openai["max_tokens_name"] == "max_completion_tokens" and own == {}


def built(text: str, tmp_path: Path) -> Account:
    """The account of the only backend that is configured, as it will ask."""
    settings = config.parse(f"[backends.b]\n{text}", source=str(tmp_path / "fairlead.toml"), base=tmp_path)
    backend = generation(settings, Pool(), {}).backends["b"]
    assert isinstance(backend, Http)
    return backend._account


def asked(account: Account, task: str, model: str = "m", *, stream: bool = False) -> tuple[str, dict[str, str]]:
    """Where that is asked for, and the headers that go with it."""
    head, url = account._head(task, model, stream=stream)
    lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
    return url, dict(lines)


def test_a_provider_and_a_key_are_asked_as_the_catalog_says(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("the-key-of-it")
    url, headers = asked(built('provider = "groq"\nkey = "file:key"', tmp_path), "chat")
    assert url == "https://api.groq.com/openai/v1/chat/completions"
    assert headers["authorization"] == "Bearer the-key-of-it"
    text = 'provider = "azure-deployments"\nkey = "file:key"\nvars = { resource = "own", api_version = "2024-10-21" }'
    url, headers = asked(built(text, tmp_path), "chat", "gpt 5")
    assert url == ("https://own.openai.azure.com/openai/deployments/gpt%205/chat/completions?api-version=2024-10-21")
    assert headers["api-key"] == "the-key-of-it" and "authorization" not in headers
    url, headers = asked(built('provider = "google"\nkey = "file:key"', tmp_path), "chat", stream=True)
    assert url == ("https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse")
    assert headers["x-goog-api-key"] == "the-key-of-it"


def test_where_no_key_is_shown_requests_are_signed(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("the-key-of-it")
    signed = 'aws = { access_key = "file:key", secret_key = "file:key" }'
    account = built(f'provider = "aws"\nvars = {{ region = "eu-west-3" }}\n{signed}', tmp_path)
    url, headers = asked(account, "chat", "maker.m-1:0")
    assert url == "https://bedrock-runtime.eu-west-3.amazonaws.com/model/maker.m-1%3A0/converse"
    assert isinstance(account._signer, AwsSigner) and "authorization" not in headers
    (tmp_path / "gcp.json").write_text(
        '{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}'
    )
    text = 'provider = "google-vertex-global"\nvars = { project = "p" }\ngoogle = { credentials_file = "gcp.json" }'
    account = built(text, tmp_path)
    assert isinstance(account._signer, GoogleSigner)
    assert asked(account, "chat")[0] == (
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google/models/m:generateContent"
    )
    (tmp_path / "gcp.json").write_text("{}")
    with pytest.raises(ConfigInvalid, match=r"gcp\.json"):
        built(text, tmp_path)


def test_where_nothing_is_written_credentials_are_found_by_what_an_extra_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    amazon = 'provider = "bedrock"\nvars = { region = "eu-west-3" }'
    google = 'provider = "google-vertex-global"\nvars = { project = "p" }'
    assert isinstance(built(amazon, tmp_path)._signer, AwsChainSigner)
    assert isinstance(built(f'{amazon}\naws = {{ profile = "team" }}', tmp_path)._signer, AwsChainSigner)
    assert isinstance(built(google, tmp_path)._signer, GoogleSigner)
    for text, package, extra in ((amazon, "botocore", "bedrock"), (google, "google.auth", "vertex")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ExtraMissing, match=r"backends\.b: ") as caught:
            built(text, tmp_path)
        assert f"pip install 'fairlead[{extra}]'" in caught.value.hint


def test_a_target_lies_no_nearer_than_its_provider_does() -> None:
    text = '[backends.b]\nprovider = "groq"\nkey = "file:key"\n[targets.t]\nbackend = "b"\nmodel = "m"\n'
    settings = config.parse(text + 'zone = "contract"\n', base=Path(), with_secrets=False)
    with pytest.raises(ConfigInvalid, match=r"targets\.t\.zone"):
        app.all_targets(settings)
    settings = config.parse(text, base=Path(), with_secrets=False)
    assert app.all_targets(settings)["t"].zone == "public"


def test_limits_of_route_team_and_house_are_what_was_written(made: app.Generation) -> None:
    caller = Caller("k", "k", routes=("*",), team="lab")
    call = narrow(made.routes.call("id", caller, request(route="all"), Context()))
    assert {(limit.id, limit.amount) for limit in call.limits} == {
        ("all:/all:nusd:month", 100 * 10**9),
        ("team:lab/lab:nusd:hour", 10**9),
        ("route:all:nusd:day", 2_500_000_000),
        ("route:all:requests:minute", 60),
        ("route:all:concurrent:total", 4),
    }
    assert call.route.max_cost_nusd == 500_000_000 and call.route.strategy == "fallback"
    assert {limit.timezone for limit in call.limits if limit.over == "route" and limit.unit == "nusd"} == {
        "Europe/Berlin"
    }
    assert [target.name for target in call.targets] == ["small", "own", "gpt"]  # claude lies beyond "contract"


def test_a_target_at_several_backends_lies_in_the_widest_zone_and_does_what_each_of_them_can() -> None:
    text = TEXT.replace('[targets.gpt]\nbackend = "openai"', '[targets.gpt]\nbackends = ["own", "openai"]')
    made = generation(config.parse(text, base=Path()), Pool(), {"small": EngineAddress("http://127.0.0.1:9", "key")})
    call = made.routes.call("id", Caller("k", "k", routes=("*",)), request(route="all"), Context())
    gpt = next(one for one in call.targets if one.name == "gpt")
    assert [(one.backend, one.zone) for one in gpt.accounts] == [("own", "private"), ("openai", "contract")]
    assert gpt.zone == "contract" and call.route.spreads
    assert {one.account for one in gpt.accounts} < made.accounts
    assert gpt.accounts[0].can is None and gpt.can is not None and gpt.can.image is None  # nobody knows it of both
    mixed = text.replace('["own", "openai"]', '["own", "claude"]')
    with pytest.raises(ConfigInvalid, match="they speak anthropic and openai"):
        generation(config.parse(mixed, base=Path()), Pool(), {})


def test_what_is_remembered_of_a_target_ends_with_any_of_its_settings() -> None:
    def accounts(*change: str) -> frozenset[str]:
        return app.all_accounts(config.parse(TEXT.replace(*change) if change else TEXT, base=Path()))

    assert accounts() == accounts('budget = "2.5usd/day"', 'budget = "3usd/day"')
    gone = accounts() - accounts('base_url = "https://api.openai.com/v1"', 'base_url = "https://other.example/v1"')
    assert [name.partition("@")[0] for name in gone] == ["gpt"]
    gone = accounts() - accounts("temperature = 0", "temperature = 1")
    assert [name.partition("#")[0] for name in gone] == ["small@engine:small"]


def test_no_budget_and_no_rates_are_no_limits() -> None:
    assert limits("key", "k", "key k", "", Limits(), "UTC") == ()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('kind = "anthropic"', 'kind = "anthropic"\nquirks = { nonsense = 1 }'), "backends.claude"),
        (("temperature = 0", "messages = []"), "targets.small.params.messages"),
        (('[routes.one]\ntargets = ["small"]', '[routes.one]\ntargets = ["gpt"]\nzone = "private"'), "routes.one.zone"),
        (('com/v1"\n', 'com/v1"\nca_file = "missing.pem"\n'), "backends.openai"),
    ],
)
def test_what_can_not_work_is_found_before_anything_is_sent(change: tuple[str, str], told: str) -> None:
    settings = config.parse(TEXT.replace(*change), source="fairlead.toml", base=Path())
    with pytest.raises(ConfigInvalid, match=told) as caught:
        generation(settings, Pool(), {})
    assert caught.value.message.startswith("fairlead.toml: ")


@pytest.mark.parametrize("home", ["http", "https"])
def test_a_backend_is_asked_the_way_that_its_settings_say(home: str) -> None:
    proxied = f"{home}://10.0.0.5:8000/v1"
    text = TEXT.replace('"http://10.0.0.5:8000/v1"', f'"{proxied}"\nproxy = "http://proxy.invalid:3128"')
    made = generation(config.parse(text, base=Path()), Pool(), {"small": EngineAddress("http://x", "key")})

    async def ask(name: str) -> TargetError:
        with pytest.raises(TargetError) as caught:
            await made.backends[name].answer(spoken(), Asking(Target(name, name, "m", "private"), 8, "", attempt="a"))
        return caught.value

    assert "the proxy proxy.invalid:3128 has no address" in asyncio.run(ask("own")).message


def test_tests_hand_in_other_adapters(settings: config.Config) -> None:
    from fairlead.gateway.purse import LeasedPurse

    table = Table({"small": said()})
    made = app.build(
        settings, spool=ListSpool(), purse=LeasedPurse(CountingBroker()), adapters={"engine:small": table, "own": table}
    )
    assert made.gateway.generation.backends["engine:small"] is table


def with_break(text: str) -> app.Generation:
    return generation(config.parse(TEXT + text, base=Path()), Pool(), {"small": EngineAddress("http://x", "key")})


def test_a_route_that_continues_broken_streams_needs_a_target_that_can() -> None:
    made = with_break('[routes.rest]\ntargets = ["small", "gpt"]\non_break = "continue"')
    route = made.routes.get("rest")
    assert route is not None and route.on_break == "continue"
    assert [target.can is not None and target.can.prefill for target in route.targets] == [True, None]
    with pytest.raises(ConfigInvalid, match=r"routes\.rest\.on_break: none of its targets"):
        with_break('[routes.rest]\ntargets = ["gpt"]\non_break = "continue"')
    made = with_break('[routes.rest]\ntargets = ["gpt"]\non_break = "continue"\n[targets.gpt.can]\nprefill = true')
    assert made.routes.get("rest") is not None


def test_a_model_that_is_known_not_to_go_on_is_not_said_to() -> None:
    with pytest.raises(ConfigInvalid, match=r"targets\.new\.can\.prefill: claude-opus-4-6 does not go on"):
        with_break('[targets.new]\nbackend = "claude"\nmodel = "claude-opus-4-6"\ncan = { prefill = true }')
