"""The doctor tells what is well and what is not, asks backends without showing their keys, and ends accordingly."""

import asyncio
import json
import socket
from pathlib import Path

import pytest

from cli.running import fairlead, free_port, run, write_config
from fairlead import config
from fairlead.cli.findings import Finding
from fairlead.cli.inspections import MOST_SKEW_S, clock, data_dir, store
from fairlead.cli.reaching import reach_all
from upstream import Step, Upstream, reply
from wire.proxy import Proxying

SECRET = "sk-never-shown-to-anybody"


def reach(*steps: Step, kind: str = "openai", path: str = "/v1") -> tuple[Finding, list[object], dict[str, float]]:
    """What is found of one backend that answers so, what it was asked, and how our clock compares."""

    async def asking() -> tuple[Finding, list[object], dict[str, float]]:
        async with Upstream(*steps) as up:
            text = (
                f'[backends.cloud]\nkind = "{kind}"\nzone = "public"\nbase_url = "{up.url}{path}"\nkey = "file:key"\n'
            )
            settings = config.parse(text, base=Path.cwd(), with_secrets=False)
            backend = config.BackendSettings(
                kind=settings.backends["cloud"].kind,
                zone="public",
                base_url=settings.backends["cloud"].base_url,
                key=config.Secret(SECRET, "env:CLOUD_KEY"),
            )
            skews_s: dict[str, float] = {}
            (found,) = await reach_all(config.Config(data_dir="", backends={"cloud": backend}), skews_s)
            return found, list(up.requests), skews_s

    return asyncio.run(asking())


def test_a_backend_is_asked_for_its_models_with_its_key() -> None:
    found, (asked,), _ = reach(reply(b"{}"))
    assert found.level == "ok"
    assert (asked.method, asked.path) == ("GET", "/v1/models")  # type: ignore[attr-defined]
    assert asked.headers["authorization"] == f"Bearer {SECRET}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["", "/v1"])
def test_anthropic_is_asked_in_its_own_way(path: str) -> None:
    _, (asked,), _ = reach(reply(b"{}"), kind="anthropic", path=path)
    assert asked.path == "/v1/models" and asked.headers["x-api-key"] == SECRET  # type: ignore[attr-defined]


@pytest.mark.parametrize(("status", "level"), [(401, "fail"), (403, "fail"), (404, "warn"), (500, "warn")])
def test_what_a_backend_answers_is_judged_without_showing_the_key(status: int, level: str) -> None:
    found, _, _ = reach(reply(SECRET.encode(), status=status))
    assert found.level == level and found.hint
    assert SECRET not in repr(found)
    assert ("env:CLOUD_KEY" in found.found) is (level == "fail")


@pytest.mark.parametrize(("provider", "header"), [("google", "x-goog-api-key"), ("azure", "api-key")])
def test_a_key_is_shown_as_the_provider_wants_it(provider: str, header: str) -> None:
    async def asking() -> dict[str, str]:
        async with Upstream(reply(b"{}")) as up:
            backend = config.BackendSettings(
                provider=provider, base_url=f"{up.url}/v1", key=config.Secret(SECRET, "env:CLOUD_KEY")
            )
            (found,) = await reach_all(config.Config(data_dir="", backends={"cloud": backend}), {})
            assert found.level == "ok"
            return up.requests[0].headers

    headers = asyncio.run(asking())
    assert headers[header] == SECRET and "authorization" not in headers


def test_whether_a_signature_is_taken_only_a_call_can_tell() -> None:
    async def asking() -> Finding:
        async with Upstream(reply(b"{}", status=403)) as up:
            secret = config.Secret(SECRET, "env:AWS")
            backend = config.BackendSettings(
                provider="aws",
                base_url=up.url,
                vars={"region": "eu-west-3"},
                aws=config.AwsSettings(access_key=secret, secret_key=secret),
            )
            (found,) = await reach_all(config.Config(data_dir="", backends={"cloud": backend}), {})
            return found

    found = asyncio.run(asking())
    assert found.level == "ok" and "signature" in found.found and SECRET not in repr(found)


def test_credentials_that_can_not_be_had_are_told_before_a_call_needs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    backend = config.BackendSettings(provider="aws", vars={"region": "eu-west-3"})
    (found,) = asyncio.run(reach_all(config.Config(data_dir="", backends={"cloud": backend}), {}))
    assert found.level == "fail" and "no AWS credentials" in found.found and "aws sts" in found.hint


@pytest.mark.parametrize("url", ["http://api.example.com/v1", "https://api.example.com/v1"])
def test_a_backend_is_looked_for_through_its_proxy(url: str) -> None:
    async def asking() -> tuple[Finding, list[bytes]]:
        async with Proxying(says=b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n") as proxy:
            through = config.ProxyUrl(proxy.url.replace("//", "//someone:never-shown@"), "env:PROXY")
            backend = config.BackendSettings(kind="openai", zone="public", base_url=url, proxy=through)
            (found,) = await reach_all(config.Config(data_dir="", backends={"cloud": backend}), {})
            return found, proxy.heads

    found, (head,) = asyncio.run(asking())
    assert head.startswith((b"GET http://api.example.com/v1/models ", b"CONNECT api.example.com:443 "))
    assert b"proxy-authorization: Basic " in head
    assert (found.level, "refused: 407" in found.found) == ("fail", True)
    assert "never-shown" not in repr(found)


def test_a_backend_that_is_not_there_fails_with_the_words_of_the_road() -> None:
    backend = config.BackendSettings(kind="openai", zone="public", base_url=f"http://127.0.0.1:{free_port()}/v1")
    (found,) = asyncio.run(reach_all(config.Config(data_dir="", backends={"gone": backend}), {}))
    assert found.level == "fail" and "refused the connection" in found.found


def test_our_clock_is_held_against_the_dates_of_backends() -> None:
    _, _, skews_s = reach(reply(b"{}", headers={"date": "Mon, 05 Jan 2026 00:00:00 GMT"}))
    at_us = 1_767_571_200_000_000 + 3600 * 10**6
    assert skews_s["cloud"] > MOST_SKEW_S and clock(skews_s).level == "warn"
    assert clock({"cloud": 3.0}, lambda: at_us).level == "ok"
    assert clock({}, lambda: 0).level == "fail"


def test_a_healthy_place_passes(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    done = fairlead(tmp_path, "doctor", "--json")
    found = {one["what"]: one["level"] for one in json.loads(done.stdout)}
    assert done.exit_code == 0, done.stdout
    assert {found[what] for what in ("python", "configuration", "data directory", "store", "backend well")} == {"ok"}


def test_a_taken_port_and_a_broken_engine_fail_with_a_hint(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        write_config(tmp_path, taken.getsockname()[1], '[engines.e]\nmodel = "answers.toml"\n')
        done = fairlead(tmp_path, "doctor", "--json")
    failed = {one["what"]: one["hint"] for one in json.loads(done.stdout) if one["level"] == "fail"}
    assert done.exit_code == 1 and set(failed) == {"server.listen", "engine e"} and all(failed.values())


def test_a_broken_configuration_is_one_finding_of_several(tmp_path: Path) -> None:
    path = write_config(tmp_path, free_port(), "[servr]\n")
    done = run("doctor", "-c", str(path))
    assert done.exit_code == 1 and "servr" in done.stdout and "python" in done.stdout and "1 of" in done.stderr


def test_a_data_directory_that_others_may_read_is_warned_of(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert data_dir(tmp_path)[0].level == "warn"
    tmp_path.chmod(0o700)
    assert data_dir(tmp_path)[0].level == "ok"
    assert data_dir(tmp_path / "not" / "yet")[0].level == "ok"
    (tmp_path / "file").write_text("")
    assert data_dir(tmp_path / "file")[0].level == "fail"


def test_a_store_that_is_no_store_fails(tmp_path: Path) -> None:
    assert store(tmp_path).level == "ok"
    (tmp_path / "fairlead.db").write_bytes(b"no database at all, but long enough to be one" * 100)
    assert store(tmp_path).level == "fail"
