"""A desk shows one answer after the other, blind, and loses nothing of what was said of them."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest

from evals.judges import RUBRIC, answered, suite_folder
from fairlead.errors import NotFound, RequestInvalid
from fairlead.evals.labelling.book import HOUSE, HeldLabels, StoredLabels, details
from fairlead.evals.labelling.desk import Desk, Setting
from fairlead.evals.labelling.drawing import draw
from fairlead.evals.rubrics import read_rubric
from fairlead.evals.suite import read_suite
from fairlead.store.evals.opening import open_evals


class Room:
    """A suite of 6 cases, two candidates, and desks in it."""

    def __init__(self, folder: Path, *, pairs: bool = False, **answers: Any) -> None:
        self.suite = read_suite(suite_folder(folder, 6))
        self.pairs = pairs
        self.drawn = draw(self.suite, answered(self.suite, **answers), {}, seed=1, pairs=pairs)
        self.book = HeldLabels()
        self.clock = count(1)

    def desk(self, by: str = "ada", *, goal: int = 4, again: bool = False, rubric: str = RUBRIC) -> Desk:
        setting = Setting(
            suite="s",
            metric="quality",
            rubric=read_rubric(rubric),
            by=by,
            seed=1,
            goal=goal,
            pairs=self.pairs,
            again=again,
        )
        return Desk(setting, self.drawn, self.book, lambda: next(self.clock))


def label_all(desk: Desk, coverage: int = 3) -> int:
    given = 0
    while (shown := desk.next()) is not None:
        desk.give(shown.answer_hash, {"coverage": coverage, "faithfulness": 1})
        given += 1
    return given


def test_it_ends_when_the_goal_is_reached_and_goes_on_with_a_further_one(tmp_path: Path) -> None:
    room = Room(tmp_path)
    assert label_all(room.desk(goal=2)) == 4
    assert label_all(room.desk(goal=2)) == 0
    assert label_all(room.desk(goal=6)) == 8
    assert room.desk(goal=9).progress().done == 6


def test_a_label_is_bound_to_answer_rubric_and_person(tmp_path: Path) -> None:
    room = Room(tmp_path)
    desk = room.desk()
    shown = desk.next()
    assert shown is not None
    desk.give(shown.answer_hash, {"coverage": 3, "faithfulness": 1}, note="short", took_us=5)
    (label,) = room.book.read()
    assert (label.answer_hash, label.rubric, label.by) == (shown.answer_hash, read_rubric(RUBRIC).hash, "ada")
    assert label.value == pytest.approx(0.625)
    assert (label.candidate, label.item, label.took_us, label.sample) == (shown.candidate, shown.item, 5, "seed 1")
    assert details(label).scores == {"coverage": 3, "faithfulness": 1}
    assert details(label).note == "short"


def test_labels_of_another_rubric_say_nothing_of_this_one(tmp_path: Path) -> None:
    room = Room(tmp_path)
    label_all(room.desk(goal=2))
    again = RUBRIC + "\nBe strict."
    assert room.desk(goal=2, rubric=again).progress().done == 0


def test_an_answer_that_both_gave_alike_is_shown_once(tmp_path: Path) -> None:
    room = Room(tmp_path, says=lambda candidate, item, repeat: f"the same of {item}")
    assert label_all(room.desk(goal=3)) == 3


def test_an_answer_that_failed_is_worth_nothing_without_anybodys_looking(tmp_path: Path) -> None:
    room = Room(tmp_path, status="timeout", says=lambda *of: "")
    assert label_all(room.desk(goal=3)) == 0
    labels = room.book.read()
    assert {(label.by, label.value, details(label).status) for label in labels} == {(HOUSE, 0.0, "timeout")}
    assert len(labels) == 3  # both candidates failed alike on each case


def test_undo_takes_back_what_was_said_last_and_shows_it_again(tmp_path: Path) -> None:
    room = Room(tmp_path)
    desk = room.desk()
    first, second = desk.next(), None
    assert first is not None
    desk.give(first.answer_hash, {"coverage": 1, "faithfulness": 0})
    second = desk.next()
    assert second is not None and second != first
    assert desk.undo() == first
    assert desk.next() == first
    assert all(label.value is None for label in room.book.read())
    assert desk.undo() is None
    desk.give(first.answer_hash, {"coverage": 5, "faithfulness": 1})
    assert [label.value for label in room.book.read()] == [1]


def test_what_was_skipped_is_not_shown_again_to_the_same_person_but_to_others(tmp_path: Path) -> None:
    room = Room(tmp_path)
    desk = room.desk(goal=1)
    shown = desk.next()
    assert shown is not None
    desk.skip(shown.answer_hash)
    assert desk.next() != shown
    assert desk.progress().skipped == 1
    assert room.desk(goal=1).next() != shown
    assert room.desk("ben", goal=1).next() == shown


def test_two_people_share_the_work_unless_their_agreement_is_wanted(tmp_path: Path) -> None:
    room = Room(tmp_path)
    label_all(room.desk("ada", goal=2))
    assert label_all(room.desk("ben", goal=3)) == 2
    assert label_all(room.desk("cleo", goal=3, again=True)) == 6


def test_of_a_pair_the_side_as_it_was_shown_is_turned_back(tmp_path: Path) -> None:
    room = Room(tmp_path, pairs=True)
    desk = room.desk(goal=6)
    flipped = []
    while (shown := desk.next()) is not None:
        desk.give(shown.answer_hash, "first")
        flipped.append(shown.flipped)
    assert sorted(label.value for label in room.book.read() if label.value is not None) == sorted(
        0.0 if one else 1.0 for one in flipped
    )
    assert True in flipped and False in flipped


@pytest.mark.parametrize("scores", [{"coverage": 9, "faithfulness": 1}, {"coverage": 3}, "first"])
def test_what_is_outside_of_the_rubric_is_refused_of_people_too(tmp_path: Path, scores: Any) -> None:
    room = Room(tmp_path)
    desk = room.desk()
    shown = desk.next()
    assert shown is not None
    with pytest.raises(RequestInvalid):
        desk.give(shown.answer_hash, scores)
    assert room.book.read() == []


def test_an_answer_that_is_not_at_this_desk_can_not_be_labelled(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Room(tmp_path).desk().give("0" * 32, {"coverage": 3, "faithfulness": 1})


def test_labels_outlive_the_process_in_the_evaluation_store(tmp_path: Path) -> None:
    room = Room(tmp_path / "suite")
    store = open_evals(tmp_path / "data")
    room.book = StoredLabels(store, "s", "quality")  # type: ignore[assignment]
    assert label_all(room.desk(goal=2)) == 4
    store.close()
    store = open_evals(tmp_path / "data")
    room.book = StoredLabels(store, "s", "quality")  # type: ignore[assignment]
    assert room.desk(goal=2).next() is None
    assert len(room.book.read()) == 4
    store.close()


def test_two_desks_at_once_share_the_work_and_lose_nothing(tmp_path: Path) -> None:
    """Each has its own connection to the store, as two processes have."""
    room, given = Room(tmp_path / "suite"), {"ada": 0, "ben": 0}
    with open_evals(tmp_path / "data") as one, open_evals(tmp_path / "data") as other:
        desks = {}
        for by, store in (("ada", one), ("ben", other)):
            room.book = StoredLabels(store, "s", "quality")  # type: ignore[assignment]
            desks[by] = room.desk(by, goal=6)
        while any(desk.next() is not None for desk in desks.values()):
            for by, desk in desks.items():
                if (shown := desk.next()) is not None:
                    desk.give(shown.answer_hash, {"coverage": 3, "faithfulness": 1})
                    given[by] += 1
        labels = StoredLabels(one, "s", "quality").read()
    assert given == {"ada": 6, "ben": 6} and len({label.answer_hash for label in labels}) == len(labels) == 12


def test_what_two_people_say_of_the_same_answer_at_the_same_time_is_kept_of_both(tmp_path: Path) -> None:
    room = Room(tmp_path / "suite")
    ada, ben = room.desk("ada", goal=1), room.desk("ben", goal=1)
    first, same = ada.next(), ben.next()
    assert first is not None and first == same
    ada.give(first.answer_hash, {"coverage": 1, "faithfulness": 1})
    ben.give(first.answer_hash, {"coverage": 5, "faithfulness": 1})
    assert {label.by for label in room.book.read()} == {"ada", "ben"} and len(room.book.read()) == 2
