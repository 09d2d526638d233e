"""Names of tools that a target's language refuses: others go out, and their own come back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead.chat import Answer, Chat, Chunk, Head, Message, Said, Text, Tool, ToolCall, ToolChoice, ToolDelta, Usage
from fairlead.dialects.tool_names import NONE, Restoring, fitted, restored

LONG = "mcp__plugin_some-rather-long-name__get_failed_pipeline_jobs_from_merge_request"
HI = Message("user", (Text("hi"),))
TAKEN = {
    "openai": r"[a-zA-Z0-9_-]{1,64}",
    "bedrock": r"[a-zA-Z0-9_-]{1,64}",
    "responses": r"[a-zA-Z0-9_-]{1,64}",
    "anthropic": r"[a-zA-Z0-9_-]{1,128}",
    "gemini": r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}",
}


def chat(*names, choice=None) -> Chat:
    calls = tuple(ToolCall(f"c{place}", name, "{}") for place, name in enumerate(names))
    return Chat(messages=(HI, Message("assistant", calls)), tools=tuple(map(Tool, names)), tool_choice=choice)


def names_of(said: Chat) -> list[str]:
    return [tool.name for tool in said.tools]


def test_names_that_are_taken_stay():
    said = chat("look_up", "a-1")
    assert all(fitted(said, language) == (said, NONE) for language in TAKEN)
    assert fitted(chat(LONG), "anthropic")[1] == fitted(chat("a.b:c"), "gemini")[1] == NONE


def test_others_get_new_ones_wherever_they_stand():
    said, names = fitted(chat("a.b", LONG, choice=ToolChoice("named", "a.b")), "openai")
    short, cut = names_of(said)
    assert (short, len(cut), cut[:20]) == ("a_b", 64, LONG[:20])
    assert [call.name for call in said.messages[1].tool_calls] == [short, cut]
    assert said.tool_choice == ToolChoice("named", "a_b")
    assert names == {short: "a.b", cut: LONG}


def test_a_new_name_is_no_other_tools():
    said, names = fitted(chat("a.b", "a_b", "a:b"), "bedrock")
    assert len(set(names_of(said))) == 3
    assert names_of(said)[1] == "a_b"
    assert set(names.values()) == {"a.b", "a:b"}


def test_a_name_begins_with_a_letter_where_it_must():
    assert names_of(fitted(chat("3d"), "gemini")[0]) == ["_3d"]
    assert names_of(fitted(chat("3d"), "openai")[0]) == ["3d"]


@given(some.lists(some.text(min_size=1), min_size=1, max_size=5, unique=True), some.sampled_from(sorted(TAKEN)))
def test_whatever_a_tool_is_called_it_is_asked_for_and_found_again(names, language):
    said, back = fitted(chat(*names), language)
    found = names_of(said)
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(TAKEN[language], name) for name in found)
    answer = Answer(said=(Said((Text("x"), *said.messages[1].parts)),))
    assert [call.name for call in restored(answer, back).said[0].tool_calls] == names
    assert fitted(chat(*names), language) == (said, back)


class Reader:
    ended = False
    usage: Usage | None = None
    complete = True

    def read(self, event: str, data: bytes):
        self.ended, self.usage = True, Usage(1, 2)
        calls = [Chunk(tool=ToolDelta(0, "c", data.decode())), Chunk(tool=ToolDelta(0, arguments="{}"))]
        return (Head(), *calls, Chunk(text="x"))

    def close(self):
        return (Usage(1, 2),)


def test_a_stream_tells_the_tools_own_names():
    reader = Restoring(Reader(), {"a_b": "a.b"})
    told = reader.read("", b"a_b")
    assert [item.tool.name for item in told if isinstance(item, Chunk) and item.tool] == ["a.b", None]
    assert (reader.ended, reader.usage, reader.complete) == (True, Usage(1, 2), True)
    assert reader.close() == (Usage(1, 2),)


@pytest.mark.parametrize("name", ["", "look_up"])
def test_a_name_of_nothing_is_left_to_the_target(name):
    assert names_of(fitted(chat(name), "openai")[0]) == [name]
