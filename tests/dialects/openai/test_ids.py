"""OpenAI's language: ids of tool calls for targets that take nine letters and digits."""

import re

from hypothesis import given
from hypothesis import strategies as some

from fairlead.chat import Message, Text, ToolCall
from fairlead.dialects.openai.ids import with_nine

NINE = re.compile(r"[a-zA-Z0-9]{9}")


def turn(*ids):
    calls = Message("assistant", (Text("x"), *(ToolCall(id, "f", "{}") for id in ids)))
    return [calls, *(Message("tool", (Text("y"),), tool_call_id=id) for id in ids)]


def ids_of(messages):
    return [call.id for message in messages for call in message.tool_calls]


@given(some.lists(some.lists(some.text(max_size=12), unique=True, max_size=3), max_size=4))
def test_every_call_has_nine_letters_and_digits_of_its_own_and_results_follow(turns):
    messages = [message for ids in turns for message in turn(*ids)]
    renamed = with_nine(messages)
    ids = ids_of(renamed)
    assert all(NINE.fullmatch(id) for id in ids)
    assert len(set(ids)) == len(ids)
    assert [message.tool_call_id for message in renamed if message.role == "tool"] == ids
    assert with_nine(messages) == renamed


def test_ids_that_are_fine_stay_and_a_longer_conversation_changes_none():
    assert ids_of(with_nine(turn("abcDEF123"))) == ["abcDEF123"]
    short, long = with_nine(turn("call_1")), with_nine([*turn("call_1"), *turn("call_2")])
    assert long[: len(short)] == short


def test_an_id_that_comes_again_in_a_later_turn_gets_another():
    assert len(set(ids_of(with_nine([*turn("abcDEF123"), *turn("abcDEF123")])))) == 2
