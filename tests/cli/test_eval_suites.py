"""`fairlead eval init` copies an example, and `check` tells what is to be known of a suite."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fairlead.cli.main import fairlead


def typed(*words: str | Path) -> Result:
    return CliRunner().invoke(fairlead, ["eval", *map(str, words)])


@pytest.mark.parametrize("kind", ["extraction", "classification", "summarisation", "conversation", "code", "grounded"])
def test_an_example_is_copied_and_sound(kind: str, tmp_path: Path) -> None:
    copied = typed("init", kind, tmp_path / "mine")
    assert copied.exit_code == 0, copied.output
    assert "eval check" in copied.stderr
    checked = typed("check", tmp_path / "mine", "--json")
    assert checked.exit_code == 0, checked.output
    told = json.loads(checked.stdout)
    assert told["split"]["open"]
    assert told["split"]["sealed"]
    assert told["leaks"] == []


def test_the_kinds_are_listed_with_what_they_are() -> None:
    assert "grounded" in typed("init").stdout


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert "is there already" in typed("init", "code", tmp_path / "mine").stderr
    assert "there is no example of 'cooking'" in typed("init", "cooking").stderr


def test_a_hold_out_that_can_decide_nothing_and_a_leak_are_warned_about(tmp_path: Path) -> None:
    typed("init", "grounded", tmp_path / "mine")
    case = json.loads((tmp_path / "mine" / "cases.jsonl").read_text().splitlines()[0])
    words = " ".join([case["vars"]["question"], *case["vars"]["sources"].values()])
    (tmp_path / "train.txt").write_text(words)
    told = typed("check", tmp_path / "mine", "--against", tmp_path / "train.txt")
    assert told.exit_code == 0
    assert f"{case['id']}: what is asked" in told.stdout
    assert "sealed cases are needed" in told.stderr


def test_a_suite_that_is_wrong_is_told(tmp_path: Path) -> None:
    typed("init", "grounded", tmp_path / "mine")
    with (tmp_path / "mine" / "cases.jsonl").open("a") as file:
        file.write('{"id": "x", "vars": {"question": "y", "sources": {}}, "gold": {}}\n')
    assert "case 'x': scorer answer: the gold has no part 'terms'" in typed("check", tmp_path / "mine").stderr
