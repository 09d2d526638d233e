"""Asking for a form by a tool or by telling, and turning back what comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from fairlead.chat import Answer, Chat, Chunk, Head, Message, Said, Shape, Text, Thinking, ToolCall, ToolDelta, Usage
from fairlead.dialects.shaping import FromTool, by_prompt, by_tool, from_tool, is_wrapped, repairing
from fairlead.scoring.json_schema import compiled

OBJECT = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TREE = {
    "type": "array",
    "items": {"$ref": "#/$defs/node"},
    "$defs": {"node": {"type": "object", "properties": {"below": {"$ref": "#"}, "kind": {"const": {"$ref": "#"}}}}},
}


def chat(schema=None, mode="schema", **more):
    raw = None if schema is None else Raw(json.dumps(schema).encode())
    return Chat(messages=(Message("user", (Text("go"),)),), shape=Shape(mode, schema=raw, **more))


def parameters(asked):
    return json.loads(bytes(by_tool(asked).tools[0].parameters))


def test_an_object_becomes_the_parameters_of_the_only_tool():
    turned = by_tool(chat(OBJECT, name="invoice", strict=True, description="An invoice."))
    (tool,) = turned.tools
    assert (tool.name, tool.description, tool.strict) == ("invoice", "An invoice.", True)
    assert json.loads(bytes(tool.parameters)) == OBJECT
    assert turned.tool_choice.mode == "named"
    assert turned.tool_choice.name == "invoice"
    assert turned.shape is None


def test_a_name_that_no_tool_may_have_is_not_used():
    assert by_tool(chat(OBJECT, name="my invoice!")).tools[0].name == "answer"


def test_json_without_a_schema_is_any_object():
    assert parameters(chat(mode="json")) == {"type": "object"}


def test_any_other_schema_is_wrapped_and_its_references_follow():
    wrapper = parameters(chat(TREE))
    assert wrapper["required"] == ["value"]
    inner = wrapper["properties"]["value"]
    assert inner["items"] == {"$ref": "#/properties/value/$defs/node"}
    assert inner["$defs"]["node"]["properties"]["below"] == {"$ref": "#/properties/value"}
    assert inner["$defs"]["node"]["properties"]["kind"] == {"const": {"$ref": "#"}}, "a literal stays what it is"
    schema = compiled(json.dumps(wrapper).encode())
    assert schema.check('{"value": [{"below": []}]}') is None
    assert schema.check('{"value": [{"below": 5}]}') is not None


def answered(*parts, finish="tool_calls"):
    return Answer(dialect="openai", spoken=b"{}", said=(Said(tuple(parts), finish),), finish="tool_use")


def test_a_call_is_turned_back_into_text():
    turned = from_tool(answered(Thinking("hm"), Text("Sure."), ToolCall("1", "answer", '{"a": 5}')), wrapped=False)
    (said,) = turned.said
    assert (said.text, said.reasoning, said.finish, said.tool_calls) == ('{"a": 5}', "hm", "stop", ())
    assert (turned.finish, turned.spoken, turned.dialect) == ("stop", None, "")


def test_what_is_wrapped_is_taken_out_as_it_was_written():
    turned = from_tool(answered(ToolCall("1", "answer", '{"value": [1,  2]}')), wrapped=True)
    assert turned.said[0].text == "[1,  2]"
    cut = from_tool(answered(ToolCall("1", "answer", '{"value": [1,  2'), finish="length"), wrapped=True)
    assert (cut.said[0].text, cut.said[0].finish) == ("[1,  2", "length")


def test_a_model_that_calls_nothing_is_taken_at_its_word():
    turned = from_tool(answered(Text('{"a": 5}'), finish="stop"), wrapped=False)
    assert turned.said[0].text == '{"a": 5}'


def pieces(text, size):
    return [text[at : at + size] for at in range(0, len(text), size)]


def streamed(arguments, size=3, said="", finish="tool_calls"):
    yield Head("1", "m", dialect="openai", spoken=b"x")
    for piece in pieces(said, size):
        yield Chunk(text=piece, words=True, spoken=b"x")
    if arguments is not None:
        yield Chunk(tool=ToolDelta(0, "1", "answer"), words=True, spoken=b"x")
        for piece in pieces(arguments, size):
            yield Chunk(tool=ToolDelta(0, arguments=piece), words=True, spoken=b"x")
    yield Chunk(finish=finish, spoken=b"x")
    yield Usage(5, 6, spoken=b"x")


def turn(items, *, wrapped):
    turning = FromTool(wrapped=wrapped)
    return [turned for item in items for turned in turning.take(item)]


def joined(items):
    return "".join(item.text for item in items if isinstance(item, Chunk))


def test_a_stream_of_arguments_becomes_a_stream_of_text():
    items = turn(streamed('{"a": 12345}'), wrapped=False)
    assert joined(items) == '{"a": 12345}'
    assert sum(isinstance(item, Chunk) and item.words for item in items) == 4
    assert [item.finish for item in items if isinstance(item, Chunk) and item.finish] == ["stop"]
    assert all(item.spoken is None for item in items)
    assert isinstance(items[-1], Usage)
    assert isinstance(items[0], Head)
    assert items[0].dialect == ""


def test_wrapped_arguments_are_told_when_they_are_whole():
    items = turn(streamed('{"value": [1, 2]}'), wrapped=True)
    assert joined(items) == "[1, 2]"
    assert [item.text for item in items if isinstance(item, Chunk) and item.words] == ["[1, 2]"]


def test_text_before_a_call_is_left_out_and_text_without_one_is_the_answer():
    assert joined(turn(streamed('{"a": 1}', said="Sure."), wrapped=False)) == '{"a": 1}'
    items = turn(streamed(None, said="No tools here.", finish="stop"), wrapped=False)
    assert joined(items) == "No tools here."
    assert items[-2].finish == "stop"


@given(st.text(max_size=20), st.booleans(), st.sampled_from(["tool_calls", "stop", "length"]), st.integers(1, 7))
def test_a_stream_says_what_the_whole_answer_says(text, wrapped, finish, size):
    arguments = json.dumps({"value": text})
    parts = (Text("Well."), ToolCall("1", "answer", arguments))
    whole = from_tool(answered(*parts, finish=finish), wrapped=wrapped).said[0]
    items = turn(streamed(arguments, size, "Well.", finish), wrapped=wrapped)
    assert joined(items) == whole.text
    assert next(item.finish for item in items if isinstance(item, Chunk) and item.finish) == whole.finish


def test_telling_goes_into_the_only_system_prompt():
    alone = by_prompt(chat(OBJECT))
    assert [message.role for message in alone.messages] == ["system", "user"]
    assert '"required"' in alone.messages[0].parts[0].text
    assert alone.shape is None
    asked = chat(OBJECT)
    beside = by_prompt(
        Chat(messages=(Message("system", (Text("Be brief."),)), *asked.messages), shape=asked.shape)
    ).messages
    assert [message.role for message in beside] == ["system", "user"]
    assert beside[0].parts[0] == Text("Be brief.")
    assert "JSON object" in by_prompt(chat(mode="json")).messages[0].parts[0].text


def test_a_repair_shows_the_answer_and_what_is_wrong_with_it():
    again = repairing(chat(OBJECT), '{"a": "x"}', "At `$.a`: not an integer")
    assert [message.role for message in again.messages] == ["user", "assistant", "user"]
    assert again.messages[1].parts == (Text('{"a": "x"}'),)
    assert "not an integer" in again.messages[2].parts[0].text
    assert again.shape is not None
    assert len(repairing(chat(OBJECT), " ", "it is empty").messages) == 2


@pytest.mark.parametrize(
    ("schema", "wrapped"),
    [
        (OBJECT, False),
        (TREE, True),
        ({"$ref": "#/$defs/x"}, True),
        ({"enum": ["a"]}, True),
        (True, True),
        (None, False),
    ],
)
def test_only_an_object_needs_no_wrapper(schema, wrapped):
    assert is_wrapped(chat(schema).shape) is wrapped
