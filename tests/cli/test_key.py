"""Keys, made and listed in the store itself while no server runs."""

import json
import tomllib
from pathlib import Path

import pytest

from cli.running import fairlead, free_port, write_config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_config(tmp_path, free_port())
    return tmp_path


def test_a_secret_is_alone_on_stdout_and_never_seen_again(folder: Path) -> None:
    made = fairlead(folder, "key", "new", "--name", "app")
    secret = made.stdout.strip()
    assert made.exit_code == 0 and secret.startswith("fl_") and made.stdout == f"{secret}\n"
    for command in (("key", "list"), ("key", "list", "--json"), ("key", "revoke", "app"), ("key", "list", "--revoked")):
        shown = fairlead(folder, *command)
        assert shown.exit_code == 0 and secret not in shown.output


def test_everything_that_was_wanted_of_a_key_stands_in_the_list(folder: Path) -> None:
    wanted = "--name app --route chat --team t --budget 5usd/day --zone contract --rpm 60 --tpm 1000 --concurrent 2"
    made = json.loads(fairlead(folder, "key", "new", *wanted.split(), "--expires", "30d", "--json").stdout)
    (listed,) = json.loads(fairlead(folder, "key", "list", "--json").stdout)
    assert listed == made["key"]
    assert (listed["routes"], listed["team"], listed["zone"]) == (["chat"], "t", "contract")
    assert listed["budgets"] == ["5usd/day"]
    assert listed["limits"] == {"requests_per_minute": 60, "tokens_per_minute": 1000, "concurrent": 2}
    assert listed["expires_us"] - listed["created_us"] == pytest.approx(30 * 86_400e6, rel=1e-4)


@pytest.mark.parametrize("budget", ["0.00001usd/day", "1234567.89usd/month", "100usd/total"])
def test_a_budget_is_listed_as_it_was_written(folder: Path, budget: str) -> None:
    fairlead(folder, "key", "new", "--name", "app", "--budget", budget)
    assert json.loads(fairlead(folder, "key", "list", "--json").stdout)[0]["budgets"] == [budget]


def test_an_unknown_route_is_warned_of_on_stderr_and_the_key_is_made(folder: Path) -> None:
    made = fairlead(folder, "key", "new", "--name", "app", "--route", "chta")
    assert made.exit_code == 0 and 'there is no route "chta"' in made.stderr and "chat" in made.stderr


def test_a_targets_own_route_is_one_that_there_is(folder: Path) -> None:
    target = tomllib.loads((folder / "fairlead.toml").read_text())["targets"].popitem()[0]
    for name, routes in (("one", [f"target:{target}"]), ("all", ["*", "target:*"])):
        options = [part for route in routes for part in ("--route", route)]
        made = fairlead(folder, "key", "new", "--name", name, *options, "--json")
        assert json.loads(made.stdout)["key"]["routes"] == routes and "no route" not in made.stderr
    assert "no route" in fairlead(folder, "key", "new", "--name", "other", "--route", "target:gone").stderr


def test_a_name_that_is_taken_and_a_budget_that_is_none_are_refused(folder: Path) -> None:
    assert fairlead(folder, "key", "new", "--name", "app").exit_code == 0
    taken = fairlead(folder, "key", "new", "--name", "app")
    assert taken.exit_code == 1 and "app" in taken.stderr and "hint:" in taken.stderr
    poor = fairlead(folder, "key", "new", "--name", "other", "--budget", "much")
    assert poor.exit_code == 1 and "5usd/day" in poor.stderr


def test_a_revoked_key_is_listed_only_if_asked_for(folder: Path) -> None:
    fairlead(folder, "key", "new", "--name", "app")
    fairlead(folder, "key", "revoke", "app")
    assert json.loads(fairlead(folder, "key", "list", "--json").stdout) == []
    assert "revoked" in fairlead(folder, "key", "list", "--revoked").stdout
    again = fairlead(folder, "key", "revoke", "app")
    assert again.exit_code == 1 and "app" in again.stderr


def test_an_empty_list_says_what_to_do_and_a_missing_place_is_not_made(folder: Path) -> None:
    nowhere = fairlead(folder, "key", "list")
    assert nowhere.exit_code == 1 and "there is no data directory" in nowhere.stderr
    assert not (folder / "data").exists()
    fairlead(folder, "key", "new", "--name", "app")
    fairlead(folder, "key", "revoke", "app")
    empty = fairlead(folder, "key", "list")
    assert empty.exit_code == 0 and empty.stdout == "" and "fairlead key new" in empty.stderr


def test_a_rotated_key_gets_a_new_secret_and_is_shown_as_rotating(folder: Path) -> None:
    before = fairlead(folder, "key", "new", "--name", "app", "--budget", "5usd/day").stdout.strip()
    turned = fairlead(folder, "key", "rotate", "app", "--overlap", "2h")
    secret = turned.stdout.strip()
    assert turned.exit_code == 0 and secret.startswith("fl_") and secret != before and before not in turned.output
    (listed,) = json.loads(fairlead(folder, "key", "list", "--json").stdout)
    assert secret.startswith(listed["prefix"]) and before.startswith(listed["past"][0]["prefix"])
    assert (listed["name"], listed["budgets"]) == ("app", ["5usd/day"])
    assert "rotating" in fairlead(folder, "key", "list").stdout


def test_without_overlap_the_old_secret_is_good_no_longer(folder: Path) -> None:
    fairlead(folder, "key", "new", "--name", "app")
    turned = fairlead(folder, "key", "rotate", "app", "--overlap", "0s")
    assert turned.exit_code == 0 and "no longer" in turned.stderr
    assert "rotating" not in fairlead(folder, "key", "list").stdout


def test_what_is_no_key_or_no_span_is_not_rotated(folder: Path) -> None:
    fairlead(folder, "key", "new", "--name", "app")
    assert fairlead(folder, "key", "rotate", "nobody").exit_code == 1
    assert fairlead(folder, "key", "rotate", "app", "--overlap", "soon").exit_code == 2
    assert fairlead(folder, "key", "rotate", "app", "--overlap", "99999w").exit_code == 1
