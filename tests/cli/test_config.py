"""`config check` finds what a start would stumble over, `config show` hides secrets."""

import json
import tomllib
from pathlib import Path

import pytest

from cli.running import fairlead, free_port, run, write_config

CLOUD = """
[backends.cloud]
kind = "openai"
zone = "public"
base_url = "https://api.example.com/v1"
key = "env:A_KEY_FOR_TESTS"
"""


def test_a_good_configuration_is_told_to_be_good(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    assert "is good: 1 route to 2 targets" in fairlead(tmp_path, "config", "check").stderr
    read = json.loads(fairlead(tmp_path, "config", "check", "--json").stdout)
    assert (read["routes"], read["targets"], read["backends"]) == (1, 2, 2) and len(read["hash"]) == 16


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("[servr]\n", ("servr: unknown key", "did you mean `server`?")),
        ('[routes.r]\ntargets = ["godo"]\n', ("routes.r.targets[0]", "did you mean `good`?")),
        ('[backends.s]\nkind = "script"\nzone = "private"\nscript = "missing.toml"\n', ("backends.s", "missing.toml")),
        ('[engines.e]\nmodel = "missing.gguf"\n', ("engines.e", "missing.gguf does not exist")),
        ('[engines.e]\nmodel = "answers.toml"\n', ("engines.e", "is not a GGUF file")),
        (CLOUD, ("A_KEY_FOR_TESTS", "export A_KEY_FOR_TESTS")),
        ("[routes.r\n", ("not TOML",)),
    ],
)
def test_what_is_wrong_is_told_with_file_and_path(tmp_path: Path, more: str, told: tuple[str, ...]) -> None:
    path = write_config(tmp_path, free_port(), more)
    done = fairlead(tmp_path, "config", "check")
    assert done.exit_code == 1
    assert all(part in done.stderr for part in (str(path), *told)), done.stderr


def test_what_is_shown_is_the_configuration_and_of_secrets_where_they_are(tmp_path: Path) -> None:
    path = write_config(tmp_path, free_port(), CLOUD)
    shown = run("config", "show", "-c", str(path), env={"A_KEY_FOR_TESTS": "sk-never-shown"})
    tables = tomllib.loads(shown.stdout)
    assert tables["backends"]["cloud"]["key"] == "env:A_KEY_FOR_TESTS"
    assert tables["server"]["workers"] == 1 and "sk-never-shown" not in shown.output
    as_json = run("config", "show", "-c", str(path), "--json", env={"A_KEY_FOR_TESTS": "sk-never-shown"})
    assert json.loads(as_json.stdout)["routes"]["chat"]["targets"] == ["bad", "good"]
    assert "sk-never-shown" not in as_json.output


def test_what_is_shown_as_toml_is_a_configuration_itself(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    (tmp_path / "again.toml").write_text(fairlead(tmp_path, "config", "show").stdout)
    again = run("config", "check", "-c", str(tmp_path / "again.toml"))
    assert again.exit_code == 0, again.stderr


def test_a_reload_without_a_server_says_how_to_start_one(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    done = fairlead(tmp_path, "config", "reload")
    assert done.exit_code == 1 and "no server is running" in done.stderr and "fairlead serve" in done.stderr
