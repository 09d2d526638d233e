"""Labelling in a terminal, and what the commands around it say."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from evals.labelling.test_desk import Room
from evals.test_correcting import Trial
from fairlead.cli.label_terminal import GONE, harmless, label
from fairlead.cli.main import fairlead
from fairlead.evals.labelling.book import details
from fairlead.store.evals.answers import write_answers
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.runs import RunRow, SuiteRow, new_run, note_suite


class Keys:
    """Somebody's fingers: a key after the other; at the end he has had enough."""

    def __init__(self, keys: str, *lines: str) -> None:
        self._keys = iter(keys)
        self._lines = iter(lines)

    def key(self) -> str:
        return next(self._keys, "q")

    def line(self, about: str) -> str:
        return next(self._lines)


def press(room: Room, keys: str, *lines: str, **desk: Any) -> list[float | None]:
    fingers = Keys(keys, *lines)
    label(room.desk(**desk), fingers.key, fingers.line)
    return [one.value for one in room.book.read()]


def test_a_key_for_each_dimension_is_a_label(tmp_path: Path) -> None:
    assert press(Room(tmp_path), "5110") == [1, 0]


def test_keys_that_mean_nothing_are_passed_over(tmp_path: Path) -> None:
    assert press(Room(tmp_path), "x9705zz1") == [1]


def test_undo_takes_back_the_last_answer_and_half_of_one_first(tmp_path: Path) -> None:
    assert press(Room(tmp_path), "51u10") == [0]
    assert press(Room(tmp_path), "1u51") == [1]


def test_skip_stop_and_resume(tmp_path: Path) -> None:
    room = Room(tmp_path)
    assert press(room, "51sq") == [1, None]
    assert press(room, "51" * 100) == [1, None, *[1] * 6]


def test_a_note_is_kept_with_the_label(tmp_path: Path) -> None:
    room = Room(tmp_path)
    press(room, "n51", "too short")
    assert details(room.book.read()[0]).note == "too short"


def test_of_a_pair_one_key_is_enough(tmp_path: Path) -> None:
    room = Room(tmp_path, pairs=True)
    assert sorted(value for value in press(room, "1210", goal=2) if value is not None) == sorted(
        value for value in [one.value for one in room.book.read()] if value is not None
    )
    assert len(room.book.read()) == 4


def test_wide_scales_are_typed(tmp_path: Path) -> None:
    room = Room(tmp_path)
    fingers = Keys("", "200", "75", "u", "30", *["q"])
    label(room.desk(rubric="## share, 0 to 100"), fingers.key, fingers.line)
    assert [one.value for one in room.book.read()] == [0.3]


def test_an_answer_can_not_steer_the_terminal() -> None:
    assert harmless("a\x1b[2Jb\x07\u202ec\n\td\x9b") == f"a{GONE}[2Jb{GONE}{GONE}c\n\td{GONE}"


@pytest.fixture
def data(tmp_path: Path) -> Iterator["Data"]:
    yield Data(tmp_path)


class Data:
    """A data directory in which a suite of 120 cases was run and judged."""

    def __init__(self, folder: Path, *, holdout: bool = False) -> None:
        self.trial = Trial(folder / "suite", cases=120)
        self.trial.items = [structs.replace(item, holdout=holdout) for item in self.trial.items]
        self.folder = folder
        suite = self.trial.suite
        store = open_evals(folder / "data")
        with store.begin() as connection:
            note_suite(
                connection,
                SuiteRow(hash="h", name=suite.name, at_us=1, zone="private", declared="{}"),
                self.trial.items,
            )
            plan = msgspec.json.encode({"folder": str(suite.folder)}).decode()
            new_run(
                connection, RunRow(id="run1", suite="h", name=suite.name, split="all", at_us=1, planned=240, plan=plan)
            )
            write_answers(connection, self.trial.answers, self.trial.scores)
        store.close()

    def run(self, *args: str, keys: str = "") -> Result:
        return CliRunner().invoke(fairlead, ["eval", *args, "--data-dir", str(self.folder / "data")], input=keys)


def test_labelling_tells_what_labels_will_be_worth_and_what_they_are(data: Data) -> None:
    done = data.run("label", "run1", "--by", "ada", "--cases", "60", keys="51" * 120)
    assert done.exit_code == 0, done.output
    assert "0 of 60 cases labelled (120 in all), now by ada" in done.stderr
    assert "60 labels alone: ±12.7 points at worst; with a judge that correlates by 0.6" in done.stderr
    assert "60 labels, worth" in done.stderr
    assert not re.search(r"\bcandidate\b|\ba -\b", done.stderr)


def test_the_report_corrects_the_judge(data: Data) -> None:
    bare = data.run("judge", str(data.trial.suite.folder))
    assert bare.exit_code == 0, bare.output
    assert "0 of 120 cases are labelled" in bare.stderr
    data.run("label", "run1", "--by", "ada", "--cases", "60", keys="51" * 120)
    told = data.run("judge", "run1", "--json")
    found = msgspec.json.decode(told.stdout)
    assert [one["labelled"] for one in found["candidates"]] == [60, 60]
    assert found["differences"][0]["corrected"]["ppi"]["interval"]["value"] == 0
    assert found["labellers"] == {"ada": 120}
    shown = data.run("judge", "run1")
    assert "labelled by ada 120" in shown.stderr
    assert "b - a" in shown.stdout
    assert "b against a, corrected: equivalent (90 %), at a margin of 5 points" in shown.stderr


def test_labelling_sealed_cases_is_no_look_at_their_scores_but_the_report_is(tmp_path: Path) -> None:
    data = Data(tmp_path, holdout=True)
    assert "look number" not in data.run("label", "run1", "--by", "ada", "--cases", "2", keys="51" * 4).stderr
    for count in (1, 2):
        assert f"this is look number {count} at the sealed hold-out of suite" in data.run("judge", "run1").stderr


def test_labels_go_out_to_a_file_and_in_again(data: Data, tmp_path: Path) -> None:
    data.run("label", "run1", "--by", "ada", "--cases", "5", keys="51" * 10)
    file = tmp_path / "labels.jsonl"
    assert "10 labels written" in data.run("label", "run1", "--export", str(file)).stderr
    other = Data(tmp_path / "other")
    assert "10 labels taken in" in other.run("label", "run1", "--import", str(file)).stderr
    assert "0 labels taken in" in other.run("label", "run1", "--import", str(file)).stderr
    assert "5 of 5 cases labelled" in other.run("label", "run1", "--cases", "5").stderr
    file.write_text(file.read_text() + '{"suite": "suite"}\n')
    refused = other.run("label", "run1", "--import", str(file))
    assert refused.exit_code == 1
    assert "line 11" in refused.stderr


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) - 40],  # half written
        lambda text: text.replace(b'"by":"ada"', b'"by":"\xff"', 1),
        lambda text: text.replace(b'"value":', b'"value":1' + b"0" * 5, 1),
        lambda text: text + b'{"suite":' + b"[" * 100_000,
        lambda text: b"0" + text,
    ],
)
def test_of_a_file_that_is_damaged_nothing_is_taken_in_and_the_line_is_named(
    data: Data, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    data.run("label", "run1", "--by", "ada", "--cases", "5", keys="51" * 10)
    file = tmp_path / "labels.jsonl"
    data.run("label", "run1", "--export", str(file))
    file.write_bytes(damage(file.read_bytes()))
    other = Data(tmp_path / "other")
    refused = other.run("label", "run1", "--import", str(file))
    assert refused.exit_code == 1 and re.search(r"labels\.jsonl, line \d+: ", refused.stderr), refused.output
    assert "0 of 5 cases labelled" in other.run("label", "run1", "--cases", "5").stderr


def test_what_is_not_there_is_told(data: Data) -> None:
    assert "no run 'run7'" in data.run("label", "run7").stderr
    assert "has no scorer 'tone'" in data.run("label", "run1", "--metric", "tone").stderr
    nothing = CliRunner().invoke(fairlead, ["eval", "label", "last", "--data-dir", str(data.folder / "none")])
    assert nothing.exit_code == 1
    assert "nothing was evaluated" in nothing.stderr
