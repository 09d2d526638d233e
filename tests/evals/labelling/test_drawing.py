"""What is drawn is a random sample of the cases, the same one each time, and goes on where it ended."""

from pathlib import Path

import numpy as np
from msgspec import structs

from evals.judges import answered, suite_folder
from fairlead.evals.labelling.drawing import Drawn, draw
from fairlead.evals.suite import Suite, read_suite
from fairlead.store.evals.answers import AnswerRow


def suite(folder: Path, cases: int = 40) -> Suite:
    return read_suite(suite_folder(folder, cases))


def items(drawn: Drawn) -> list[str]:
    """In the order in which they are shown, each once."""
    return list(dict.fromkeys(shown.item for shown in drawn.shown))


def test_the_same_seed_draws_the_same_cases_and_another_seed_others(tmp_path: Path) -> None:
    of = suite(tmp_path)
    answers = answered(of)
    first, again, other = (
        draw(of, rows, {}, seed=seed) for rows, seed in ((answers, 1), (answers[::-1], 1), (answers, 2))
    )
    assert first.shown == again.shown
    assert items(first) != items(other) != [case.id for case in of.cases]
    assert first.cases == 40


def test_what_was_answered_does_not_sway_the_drawing(tmp_path: Path) -> None:
    of = suite(tmp_path)
    good = draw(of, answered(of, says=lambda *of: "right"), {}, seed=1)
    bad = draw(of, answered(of, says=lambda *of: "wrong"), {}, seed=1)
    assert items(good) == items(bad)


def test_every_case_is_as_likely_to_be_among_the_first(tmp_path: Path) -> None:
    of = suite(tmp_path)
    answers = answered(of, ("a",))
    chosen = [item for seed in range(300) for item in items(draw(of, answers, {}, seed=seed))[:10]]
    counts = np.array([chosen.count(case.id) for case in of.cases])
    assert counts.sum() == 3000
    assert counts.min() > 45 and counts.max() < 110  # 75 each in the mean, standard deviation 7.5


def test_cases_that_come_later_leave_the_order_of_the_others(tmp_path: Path) -> None:
    few, more = suite(tmp_path / "few", 20), suite(tmp_path / "more", 40)
    before, after = (items(draw(of, answered(of), {}, seed=1)) for of in (few, more))
    assert [item for item in after if item in before] == before


def test_all_candidates_answers_to_a_case_follow_each_other_in_random_order(tmp_path: Path) -> None:
    of = suite(tmp_path)
    drawn = draw(of, answered(of), {}, seed=1)
    for rank in range(40):
        assert {shown.candidate for shown in drawn.shown if shown.rank == rank} == {"a", "b"}
    firsts = [drawn.shown[2 * rank].candidate for rank in range(40)]
    assert 8 < firsts.count("a") < 32


def test_other_repeats_come_when_every_case_was_shown_once(tmp_path: Path) -> None:
    of = suite(tmp_path)
    drawn = draw(of, answered(of, repeats=3), {}, seed=1)
    first = drawn.shown[:80]
    assert {shown.item for shown in first} == {case.id for case in of.cases}
    assert {shown.repeat for shown in first} == {0, 1, 2}
    for rank in range(40):
        assert len({shown.repeat for shown in first if shown.rank == rank}) == 1


def test_a_case_that_was_mended_since_is_not_shown(tmp_path: Path) -> None:
    of = suite(tmp_path, 3)
    drawn = draw(of, answered(of), {"m1": "as it was before"}, seed=1)
    assert (drawn.changed, drawn.cases) == (("m1",), 2)
    gone = structs.replace(of, cases=of.cases[1:])
    assert draw(gone, answered(of), {}, seed=1).changed == ("m0",)


def test_a_pair_has_the_gold_beside_it_on_either_side(tmp_path: Path) -> None:
    of = suite(tmp_path)
    drawn = draw(of, answered(of), {}, seed=1, pairs=True)
    assert {shown.other for shown in drawn.shown if shown.item == "m3"} == {"Shipping 3."}
    assert 20 < sum(shown.flipped for shown in drawn.shown) < 60


def test_a_conversation_is_shown_as_it_went_but_for_its_last_answer(tmp_path: Path) -> None:
    of = suite(tmp_path, 1)
    went = '[{"role":"user","content":"Hello"},{"role":"assistant","content":"Hi"},{"role":"user","content":"Sum up"},'
    row = AnswerRow(
        run="r",
        candidate="a",
        item="m0",
        at_us=1,
        text="Done.",
        messages=went + '{"role":"assistant","content":"Done."}]',
    )
    (shown,) = draw(of, [row], {}, seed=1).shown
    assert shown.asked == "user: Hello\n\nassistant: Hi\n\nuser: Sum up"
