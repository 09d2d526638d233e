"""What can be wrong with a configuration is found before anything starts, with its file, its path and a hint."""

from pathlib import Path

import pytest

from fairlead import config
from fairlead.errors import ConfigInvalid, SecretMissing

GOOD = """
data_dir = "data"
[backends.cloud]
kind = "openai"
base_url = "https://api.example.com/v1"
zone = "contract"
key = "file:key.txt"
[engines.small]
model = "shipped:fairlead-nano"
[targets.near]
engine = "small"
[targets.far]
backend = "cloud"
model = "m-1"
price = { input = 1.5, output = 2 }
[routes.r]
targets = ["near", "far"]
budget = "5usd/day"
[budgets.all]
amount = "100usd/month"
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "key.txt").write_text("sk-very-secret\n")
    return tmp_path


def wrong(text: str, base: Path) -> ConfigInvalid:
    with pytest.raises(ConfigInvalid) as caught:
        config.parse(text, source="fairlead.toml", base=base)
    return caught.value


def test_a_good_configuration_is_read_and_survives_the_way_to_a_worker(base: Path) -> None:
    read = config.parse(GOOD, base=base)
    assert read.backends["cloud"].key is not None and read.backends["cloud"].key.value == "sk-very-secret"
    assert read.data_dir == str(base / "data")
    assert config.decode(config.encode(read)) == read


def test_the_built_in_configuration_is_good() -> None:
    assert set(config.load(None).routes) == {"invoices", "tickets"}


def test_a_secret_is_never_seen(base: Path) -> None:
    read = config.parse(GOOD, base=base)
    assert "sk-very-secret" not in repr(read) + str(config.masked(read)) + str(read.backends["cloud"].key)
    assert config.masked(read)["backends"]["cloud"]["key"] == "file:key.txt"


def test_the_hash_follows_what_was_written(base: Path) -> None:
    one = config.parse(GOOD, base=base)
    assert one.hash == config.parse("# a comment\n" + GOOD, base=base).hash
    assert one.hash != config.parse(GOOD.replace("m-1", "m-2"), base=base).hash


@pytest.mark.parametrize(
    ("change", "path", "hint"),
    [
        (("[engines.small]", "[engine.small]"), "engine", "engines"),
        (('engine = "small"', 'engin = "small"'), "targets.near.engin", "engine"),
        (('engine = "small"', 'engine = "smal"'), "targets.near.engine", "small"),
        (('["near", "far"]', '["near", "fra"]'), "routes.r.targets[1]", "far"),
        (('["near", "far"]', '["near", "near"]'), "routes.r.targets", ""),
        (('["near", "far"]', "[]"), "routes.r.targets", "at least one"),
        (('"5usd/day"', '"5 euros"'), "routes.r.budget", "usd/day"),
        (('"5usd/day"', "5"), "routes.r.budget", ""),
        (('zone = "contract"', 'zone = "secret"'), "backends.cloud.zone", "private, contract, public"),
        (('zone = "contract"', ""), "backends.cloud.zone", "private, contract, public"),
        (('kind = "openai"', ""), "backends.cloud", "provider"),
        (('kind = "openai"', 'kind = "opnai"'), "backends.cloud.kind", "gemini"),
        (('base_url = "https://api.example.com/v1"', ""), "backends.cloud.base_url", "https://"),
        (('key = "file:key.txt"', 'aws = { access_key = "file:key.txt" }'), "backends.cloud.aws.secret_key", "both"),
        (('key = "file:key.txt"', 'aws = { secret_key = "file:key.txt" }'), "backends.cloud.aws.access_key", "both"),
        (
            ('key = "file:key.txt"', 'aws = { session_token = "file:key.txt" }'),
            "backends.cloud.aws.session_token",
            "keys",
        ),
        (
            (
                'key = "file:key.txt"',
                'aws = { access_key = "file:key.txt", secret_key = "file:key.txt", profile = "p" }',
            ),
            "backends.cloud.aws.profile",
            "keys",
        ),
        (('key = "file:key.txt"', 'aws = { access = "env:A" }'), "backends.cloud.aws.access", "access_key"),
        (('key = "file:key.txt"', "google = { credentials_file = 7 }"), "backends.cloud.google.credentials_file", ""),
        (("input = 1.5", "input = -1"), "targets.far.price.input", ""),
        (("https://api", "ftp://api"), "backends.cloud.base_url", ""),
        (("com/v1", "com/v1/chat/completions"), "backends.cloud.base_url", "/v1"),
        (('model = "m-1"', ""), "targets.far.model", "name"),
        (('model = "m-1"', 'model = "m-1"\nzone = "private"'), "targets.far.zone", "backend"),
        (('model = "m-1"', 'model = "m-1"\nengine = "small"'), "targets.far", ""),
        (('model = "m-1"', 'model = "m-1"\nbackends = ["cloud"]'), "targets.far", ""),
        (('engine = "small"', 'backends = ["cloud", "clod"]\nmodel = "m"'), "targets.near.backends[1]", "cloud"),
        (('engine = "small"', 'backends = ["cloud", "cloud"]\nmodel = "m"'), "targets.near.backends", ""),
        (('engine = "small"', 'backends = ["cloud"]'), "targets.near.model", "name"),
        (('engine = "small"', 'backends = ["cloud"]\nmodel = "m"\nzone = "private"'), "targets.near.zone", "backend"),
        (("[routes.r]", "[routes.'a b']"), "routes.a b", "letters"),
        (("[budgets.all]", "[budgets.team]"), "budgets.team.team", "all"),
        (('data_dir = "data"', "data_dir = 4"), "data_dir", ""),
        (('data_dir = "data"', 'timezone = "Mars/Base"'), "timezone", "Europe"),
        (('data_dir = "data"', '[server]\nlisten = "4000"'), "server.listen", "HOST:PORT"),
        (('data_dir = "data"', "[server]\nworkers = 0"), "server.workers", ""),
    ],
)
def test_what_is_wrong_is_named_with_its_path(change: tuple[str, str], path: str, hint: str, base: Path) -> None:
    error = wrong(GOOD.replace(*change), base)
    assert error.message.startswith(f"fairlead.toml: {path}: ") and hint in error.hint


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ("[routes.invoices]\nheartbeat_s = 0", "routes.invoices.heartbeat_s"),
        ("[routes.invoices]\ntotal_s = nan", "routes.invoices.total_s"),
        ("[routes.invoices.limits]\nconcurrent = 9223372036854775808", "routes.invoices.limits.concurrent"),
        ('[routes.invoices]\nbudget = "99999999999usd/day"', "routes.invoices.budget"),
        ("[targets.small.timeouts]\nconnect_s = -1", "targets.small.timeouts.connect_s"),
        ("[targets.small.price]\ninput = -1\noutput = 1", "targets.small.price.input"),
        (
            "[targets.small.price]\ninput = 1\noutput = 1\ndetails.web_search = 1",
            "targets.small.price.details.web_search",
        ),
        (
            "[targets.small.price]\ninput = 1\noutput = 1\ndetails.web_searches = -1",
            "targets.small.price.details.web_searches",
        ),
        (
            "[targets.small.price]\ninput = 1\noutput = 1\ndetails.input_tokens = 1",
            "targets.small.price.details.input_tokens",
        ),
        ("[routes.invoices.retry]\nattempts = 11", "routes.invoices.retry.attempts"),
        ("[routes.invoices.hedge]\nafter_s = 0", "routes.invoices.hedge.after_s"),
        ("[routes.invoices.hedge]\nafter_percentile = 100", "routes.invoices.hedge.after_percentile"),
        ("[routes.invoices.hedge]\nafter_s = 1", "routes.invoices.hedge"),
        ("[routes.invoices.retry]\nbackoff_s = -1", "routes.invoices.retry.backoff_s"),
        ('[routes.invoices.retry]\non = ["refused"]', "routes.invoices.retry.on[0]"),
        ("[targets.small.breaker]\nfailure_rate = 0", "targets.small.breaker.failure_rate"),
        ("[targets.small.breaker]\npause_s = nan", "targets.small.breaker.pause_s"),
        ("[targets.small.can]\ncontext = 0", "targets.small.can.context"),
        ("[targets.small.can]\ntasks = []", "targets.small.can.tasks"),
        ("[server]\nmax_body_mb = inf", "server.max_body_mb"),
        ("[server]\nworkers = 257", "server.workers"),
        ("[server]\nhead_s = 0", "server.head_s"),
        ("[server]\nbody_s = nan", "server.body_s"),
        ("[server]\nidle_s = -1", "server.idle_s"),
        ("[server]\nwrite_s = inf", "server.write_s"),
        ("[server]\nmax_connections = 0", "server.max_connections"),
        ('[server]\ntls_cert = "a.pem"', "server.tls_key"),
        ('[server]\ntls_key = "a.key"', "server.tls_cert"),
        ('[server]\ncors_origins = ["*"]', "server.cors_origins[0]"),
        ('[server]\ncors_origins = ["https://a.example", "https://a.example/"]', "server.cors_origins[1]"),
        ('[server]\ncors_origins = ["null"]', "server.cors_origins[0]"),
        ("[store]\nship_every_s = 0", "store.ship_every_s"),
    ],
)
def test_a_number_that_can_not_be_is_refused_with_its_path(table: str, path: str, base: Path) -> None:
    text = '[backends.b]\nkind = "openai"\nbase_url = "http://b/v1"\nzone = "private"\n[targets.small]\n'
    text += 'backend = "b"\nmodel = "m"\n[routes.invoices]\ntargets = ["small"]\n'
    head, _, line = table.partition("\n")
    text = text.replace(f"{head}\n", f"{head}\n{line}\n") if f"{head}\n" in text else f"{text}{table}\n"
    assert wrong(text, base).details["path"] == path


@pytest.mark.parametrize(
    ("table", "path"),
    [
        ('urls = "inline"', "routes.r.media.hosts"),
        ('hosts = ["https://example.com"]', "routes.r.media.hosts[0]"),
        ('hosts = ["example.com", "*"]', "routes.r.media.hosts[1]"),
        ('hosts = ["localhost"]', "routes.r.media.hosts[0]"),
        ('hosts = ["s3://bucket/key"]', "routes.r.media.hosts[0]"),
        ('urls = "fetch"', "routes.r.media.urls"),
        ("max_mb = 0", "routes.r.media.max_mb"),
        ("timeout_s = inf", "routes.r.media.timeout_s"),
    ],
)
def test_where_media_may_come_from_is_said_exactly(table: str, path: str, base: Path) -> None:
    assert wrong(f"{GOOD}[routes.r.media]\n{table}\n", base).details["path"] == path
    good = f'{GOOD}[routes.r.media]\nhosts = ["example.com", "*.example.com", "example.com:8443", "gs://bucket"]\n'
    assert len(config.parse(good, base=base).routes["r"].media.hosts) == 4


def test_no_route_has_the_name_of_a_targets_own(base: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"routes\.target:small") as refused:
        config.parse('[routes."target:small"]\ntargets = []\n', base=base)
    assert refused.value.hint == "choose another"


def test_a_secret_written_into_the_file_is_refused_and_not_repeated(base: Path) -> None:
    error = wrong(GOOD.replace("file:key.txt", "sk-oops"), base)
    assert "backends.cloud.key" in error.message and "sk-oops" not in error.message + error.hint


def test_every_credential_of_a_backend_is_a_reference_and_is_not_seen(base: Path) -> None:
    signed = 'aws = { access_key = "file:key.txt", secret_key = "file:key.txt", session_token = "file:key.txt" }'
    read = config.parse(GOOD.replace('key = "file:key.txt"', signed), base=base)
    assert config.decode(config.encode(read)) == read
    assert "sk-very-secret" not in repr(read) + str(config.masked(read))
    oops = wrong(GOOD.replace('key = "file:key.txt"', signed.replace("file:key.txt", "sk-oops", 1)), base)
    assert "backends.cloud.aws" in oops.message and "sk-oops" not in oops.message + oops.hint


def test_a_missing_secret_says_where_it_was_looked_for(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    for reference in ("env:NOT_SET", "file:missing.txt"):
        with pytest.raises(SecretMissing, match=reference):
            config.parse(GOOD.replace("file:key.txt", reference), base=base)
    (base / "key.txt").write_text("two\nlines")
    with pytest.raises(SecretMissing, match="control characters"):
        config.parse(GOOD, base=base)


def test_broken_toml_names_the_file_and_the_line(base: Path) -> None:
    assert "line 2" in wrong("a = 1\nb = [", base).message or "fairlead.toml" in wrong("b = [", base).message


def test_the_file_that_counts_is_the_one_that_was_named(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(base)
    monkeypatch.delenv("FAIRLEAD_CONFIG", raising=False)
    assert config.find_file() is None
    (base / "fairlead.toml").write_text(GOOD)
    (base / "other.toml").write_text(GOOD)
    assert config.find_file() == Path("fairlead.toml")
    monkeypatch.setenv("FAIRLEAD_CONFIG", str(base / "other.toml"))
    assert config.find_file() == base / "other.toml"
    with pytest.raises(ConfigInvalid, match="no such file"):
        config.find_file("missing.toml")


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:4000", ("127.0.0.1", 4000)), ("[::1]:0", ("::1", 0)), ("4000", None), (":1", None)],
)
def test_addresses_are_host_and_port(address: str, expected: tuple[str, int] | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match="HOST:PORT"):
            config.host_and_port(address)
    else:
        assert config.host_and_port(address) == expected


def test_where_the_store_is_is_a_reference_or_a_file_and_shown_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://fairlead:s3cret@db/fairlead"
    monkeypatch.setenv("STORE_OF_THIS_TEST", url)
    settings = config.parse('[store]\nurl = "env:STORE_OF_THIS_TEST"', base=tmp_path)
    assert settings.store.url.value == url
    assert config.masked(settings)["store"]["url"] == "env:STORE_OF_THIS_TEST"
    assert "s3cret" not in repr(settings)
    assert b"s3cret" not in config.encode(settings)  # workers know no store
    assert config.decode(config.encode(settings)).store.url == config.StoreUrl("", "")
    plain = config.parse('[store]\nurl = "sqlite:///books/it.db"', base=tmp_path)
    assert plain.store.url.value == f"sqlite:///{tmp_path}/books/it.db"
    assert config.masked(plain)["store"]["url"] == "sqlite:///books/it.db"


@pytest.mark.parametrize("text", ['url = "postgresql://u:s3cret@db/x"', 'url = "env:STORE_OF_THIS_TEST"', "url = 3"])
def test_a_store_that_can_not_be_is_refused_without_its_password(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORE_OF_THIS_TEST", "mysql://u:s3cret@db/x")
    with pytest.raises(ConfigInvalid, match=r"store\.url") as caught:
        config.parse(f"[store]\n{text}", base=tmp_path)
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"


def test_of_a_configuration_the_store_is_found_without_the_rest_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fairlead.toml"
    monkeypatch.setenv("STORE_OF_THIS_TEST", "postgresql://u:s3cret@db/x")
    file.write_text('[store]\nurl = "env:STORE_OF_THIS_TEST"\n[backends.b]\nkey = "env:NOT_SET_ANYWHERE"\n')
    assert config.find_store(file) == "postgresql://u:s3cret@db/x"
    file.write_text("[routes.x]\n")
    assert config.find_store(file) == config.find_store(None) == ""


@pytest.mark.parametrize(
    ("store", "route", "path"),
    [
        ("private", 'record = { keep = "soon" }', "routes.r.record.keep"),
        ("private", 'record = { keep = "7d", share = 1.5 }', "routes.r.record"),
        ("private", 'record = { keep = "7d", what = [] }', "routes.r.record"),
        ("private", 'record = { keep = "7d", what = ["thoughts"] }', "routes.r.record.what[0]"),
        ("contract", 'record = { keep = "7d" }', "routes.r.record"),
        ("public", "keep_responses_s = 60", "routes.r.keep_responses_s"),
        ("private", 'record = { keep = "7d", share = 0.1 }', ""),
        ("public", "", ""),
    ],
)
def test_what_a_route_keeps_lies_within_its_zone(store: str, route: str, path: str, base: Path) -> None:
    text = f'[store]\nzone = "{store}"\n[backends.b]\nkind = "openai"\nbase_url = "http://b/v1"\nzone = "private"\n'
    text += f'[targets.t]\nbackend = "b"\nmodel = "m"\n[routes.r]\ntargets = ["t"]\nzone = "private"\n{route}\n'
    if path:
        assert wrong(text, base).details["path"] == path
    else:
        assert config.parse(text, base=base).routes["r"]


BEHIND = '[backends.cloud]\nkind = "openai"\nzone = "public"\nbase_url = "https://h/v1"\nproxy = "{}"'


def test_a_proxy_is_a_reference_or_a_url_without_a_password_and_shown_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://user:s3cret@proxy:3128"
    monkeypatch.setenv("PROXY_OF_THIS_TEST", url)
    settings = config.parse(BEHIND.format("env:PROXY_OF_THIS_TEST"), base=tmp_path)
    assert settings.backends["cloud"].proxy.value == url
    assert config.masked(settings)["backends"]["cloud"]["proxy"] == "env:PROXY_OF_THIS_TEST"
    assert "s3cret" not in repr(settings)
    assert config.decode(config.encode(settings)).backends["cloud"].proxy.value == url  # workers go that way
    plain = config.parse(BEHIND.format("http://proxy:3128"), base=tmp_path)
    assert plain.backends["cloud"].proxy.value == "http://proxy:3128"
    assert config.masked(plain)["backends"]["cloud"]["proxy"] == "http://proxy:3128"
    assert not config.parse(BEHIND.format(""), base=tmp_path).backends["cloud"].proxy.value


def test_the_way_to_a_backend_is_part_of_what_it_is(tmp_path: Path) -> None:
    one, other = (
        config.parse(BEHIND.format(url), base=tmp_path).backends["cloud"] for url in ("", "http://proxy:3128")
    )
    assert config.fingerprint(one) != config.fingerprint(other)


@pytest.mark.parametrize(
    "written",
    [
        "http://user:s3cret@proxy:3128",
        "s3cret@proxy",
        "socks5://s3cret:1",
        "https://s3cret:1",
        "http://s3cret",
        "s3:s3cret",
    ],
)
def test_what_is_no_proxy_is_refused_and_not_shown(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"backends\.cloud\.proxy") as refused:
        config.parse(BEHIND.format(written), base=tmp_path)
    assert "s3cret" not in refused.value.message + refused.value.hint


def test_a_reference_to_what_is_no_proxy_is_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY_OF_THIS_TEST", "socks5://user:s3cret@proxy:1080")
    with pytest.raises(ConfigInvalid, match=r"backends\.cloud\.proxy") as refused:
        config.parse(BEHIND.format("env:PROXY_OF_THIS_TEST"), base=tmp_path)
    assert "s3cret" not in refused.value.message + refused.value.hint
