"""OpenAI's language: pieces of tool calls find their call, however a server numbers them."""

from fairlead.dialects.openai.slots import Slots


def placed(*pieces):
    slots = Slots()
    return [slots.place(*piece, 0) for piece in pieces]


def test_numbered_calls_are_told_by_their_number():
    assert placed((0, "a", "f"), (0, None, None), (1, "b", "g"), (1, None, None), (0, None, None)) == [
        (0, "a", "f"), (0, None, None), (1, "b", "g"), (1, None, None), (0, None, None),
    ]  # fmt: skip


def test_numbers_may_begin_anywhere():
    assert placed((1, "a", "f"), (1, None, None)) == [(0, "a", "f"), (0, None, None)]


def test_a_new_id_with_a_name_is_a_new_call_also_under_an_old_number():
    assert placed((0, "a", "f"), (0, "b", "g"), (0, None, None)) == [(0, "a", "f"), (1, "b", "g"), (1, None, None)]


def test_an_id_or_a_name_that_comes_again_is_told_once():
    assert placed((0, "a", "f"), (0, "a", "f"), (0, "a", None)) == [(0, "a", "f"), (0, None, None), (0, None, None)]
    assert placed((0, "a", None), (0, None, "f")) == [(0, "a", None), (0, None, "f")]


def test_calls_without_numbers_are_told_apart_by_ids_and_names():
    assert placed((None, "a", "f"), (None, "b", "g"), (None, None, None), (None, "a", None)) == [
        (0, "a", "f"), (1, "b", "g"), (1, None, None), (0, None, None),
    ]  # fmt: skip
    assert placed((None, None, "f"), (None, None, None), (None, None, "g")) == [
        (0, "call_0", "f"), (0, None, None), (1, "call_1", "g"),
    ]  # fmt: skip
