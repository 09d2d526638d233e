"""Answers of a given form: asked for as each target can, judged, asked for once more, and honest in the books."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Raw

from fairlead.chat import Answer, Chat, Chunk, Head, Message, Request, Said, Shape, Text, Tool, ToolCall, ToolDelta
from fairlead.errors import AllTargetsFailed, OutputInvalid, RequestInvalid, TargetTimeout
from fairlead.gateway.call import Capabilities, Context, Limit, Target
from world import COST, USAGE, World, caller, request, route, target, words

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
GOOD, BAD, BROKEN = '{"n": 5}', '{"n": "secret"}', '{"n": '
KNOWS_NO_SCHEMA = Capabilities(schema=False, tools=True)


def chat(schema: Any = SCHEMA, *, mode: Any = "schema", **changes: Any) -> Chat:
    raw = None if schema is None else Raw(json.dumps(schema).encode())
    messages = (Message("user", (Text("how many?"),)),)
    return Chat(**{"messages": messages, "shape": Shape(mode, schema=raw), "dialect": "openai", **changes})


def wanting(said: Chat | None = None, **changes: Any) -> Request:
    asked = said or chat()
    needs = frozenset({asked.shape.mode if asked.shape else "schema"})
    return request(needs=needs, read=lambda: asked, **changes)


def saying(*texts: str, finish: Any = "stop", **changes: Any) -> Callable[[Request], Answer]:
    """A model that says these, one after the other; what it was asked is in `asked`."""
    left = list(texts)

    def line(asked: Request) -> Answer:
        said = tuple(Said((Text(left.pop(0)),), finish, **changes) for _ in range(asked.samples))
        return Answer(model="m-1", dialect="openai", spoken=b"as it came", said=said, finish="stop", usage=USAGE)

    return line


def calling(arguments: str) -> Callable[[Request], Answer]:
    def line(asked: Request) -> Answer:
        (tool,) = asked.chat().tools
        said = Said((ToolCall("1", tool.name, arguments),), "tool_calls")
        return Answer(model="m-1", dialect="openai", spoken=b"{}", said=(said,), finish="tool_calls", usage=USAGE)

    return line


class Watched:
    """Lines that remember what was asked."""

    def __init__(self, line: Callable[[Request], Any]) -> None:
        self.line = line
        self.asked: list[Request] = []

    def __call__(self, asked: Request) -> Any:
        self.asked.append(asked)
        return self.line(asked)


def world(line: Any, one: Target | None = None, **changes: Any) -> World:
    one = one or target("a")
    return World([route(one, **changes)], {"a": line})


def shapes(made: World) -> list[tuple[str, str, str]]:
    purposes = {intent.attempt: intent.purpose for intent in made.spool.intents()}
    return [(purposes[one.attempt], one.outcome, one.shape) for one in made.spool.outcomes()]


def test_a_valid_answer_goes_back_as_it_came() -> None:
    made = world(saying(GOOD))
    answer = asyncio.run(made.answer(wanting()))
    assert answer.spoken == b"as it came"
    assert shapes(made) == [("primary", "ok", "valid")]
    assert made.table.asked[0].whole, "to be judged it must be read"


def test_where_no_form_is_asked_for_nothing_is_judged() -> None:
    made = world(saying("hello"))
    asyncio.run(made.answer(request()))
    assert shapes(made) == [("primary", "ok", "")]
    assert not made.table.asked[0].whole


def test_an_invalid_answer_is_repaired_by_an_attempt_of_its_own() -> None:
    line = Watched(saying(BAD, GOOD))
    made = world(line)
    answer = asyncio.run(made.answer(wanting()))
    assert answer.said[0].text == GOOD
    assert shapes(made) == [("primary", "output_invalid", "invalid"), ("repair", "ok", "valid")]
    said = line.asked[1].chat().messages
    assert [message.role for message in said] == ["user", "assistant", "user"]
    assert "secret" in said[1].parts[0].text  # type: ignore[union-attr]
    assert "integer" in said[2].parts[0].text  # type: ignore[union-attr]
    assert line.asked[1].input_bound > line.asked[0].input_bound  # type: ignore[operator]


def test_what_is_added_to_a_prompt_is_bounded_by_its_bytes() -> None:
    said = "🙂" * 1000
    line = Watched(saying(said, GOOD))
    asyncio.run(world(line).answer(wanting()))
    first, repair = (asked.input_bound or 0 for asked in line.asked)
    assert repair - first > len(said.encode())
    many = {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/a"}] * 500}, "$defs": {"a": {"type": "integer"}}}
    tooled = Watched(calling('{"value": [1]}'))
    asyncio.run(world(tooled, target("a", can=KNOWS_NO_SCHEMA)).answer(wanting(chat(many))))
    [asked] = tooled.asked
    grown = len(asked.chat().tools[0].parameters or b"") - len(json.dumps(many))
    assert grown > 5000
    assert (asked.input_bound or 0) - 1000 > grown


def test_a_repair_is_paid_for() -> None:
    made = world(saying(BAD, GOOD))
    answer = asyncio.run(made.answer(wanting()))
    assert answer.cost_nusd == 2 * COST
    assert made.spool.calls()[0].cost_nusd == 2 * COST
    assert made.spool.calls()[0].attempts == 2


def test_what_a_repair_does_not_mend_is_an_error_that_holds_no_word_of_the_answer() -> None:
    made = world(saying(BAD, BAD, GOOD))
    with pytest.raises(OutputInvalid) as caught:
        asyncio.run(made.answer(wanting()))
    assert caught.value.details == {"rule": "type", "schema_path": "properties.n.type"}
    assert shapes(made) == [("primary", "output_invalid", "invalid"), ("repair", "output_invalid", "invalid")]
    books = repr(made.spool.records) + caught.value.message + caught.value.hint + repr(caught.value.details)
    assert "secret" not in books
    assert made.spool.calls()[0].code == "output_invalid"


def test_a_route_may_do_without_repairs_and_samples_have_none() -> None:
    made = world(saying(BAD, GOOD), repair=False)
    with pytest.raises(OutputInvalid):
        asyncio.run(made.answer(wanting()))
    made = world(saying(GOOD, BAD))
    with pytest.raises(OutputInvalid):
        asyncio.run(made.answer(wanting(samples=2)))
    assert shapes(made) == [("primary", "output_invalid", "invalid")]


def test_a_repair_that_can_not_be_asked_for_leaves_the_first_error() -> None:
    lines = iter([saying(BAD), lambda _: TargetTimeout("late", stage="total")])
    made = world(lambda asked: next(lines)(asked))
    with pytest.raises(OutputInvalid) as caught:
        asyncio.run(made.answer(wanting()))
    assert "target_timeout" in caught.value.message
    budget = Limit("b", "route r", "nusd", 1000 * 1000 + 50 * 2000, "day")
    made = world(saying(BAD, GOOD), limits=(budget,))
    with pytest.raises(OutputInvalid) as caught:
        asyncio.run(made.answer(wanting()))
    assert "budget_exhausted" in caught.value.message
    assert made.held() == 0


def test_another_target_may_do_better() -> None:
    lines = {"a": saying(BAD, BAD), "b": saying(GOOD)}
    made = World([route(target("a"), target("b"))], lines)
    assert asyncio.run(made.answer(wanting())).target == "b"
    assert [purpose for purpose, _, _ in shapes(made)] == ["primary", "repair", "fallback"]
    made = World([route(target("a"), target("b"))], {"a": saying(BAD, BAD), "b": saying(BAD, BAD)})
    with pytest.raises(AllTargetsFailed):
        asyncio.run(made.answer(wanting()))


@pytest.mark.parametrize("finish", ["length", "content_filter", "tool_calls", None])
def test_what_did_not_come_to_its_own_end_is_not_judged(finish: Any) -> None:
    made = world(saying(BROKEN, finish=finish))
    asyncio.run(made.answer(wanting()))
    assert shapes(made) == [("primary", "ok", "")]


def test_a_refusal_is_no_answer_of_a_wrong_form() -> None:
    made = world(saying("", refusal="I'd rather not."))
    asyncio.run(made.answer(wanting()))
    assert shapes(made) == [("primary", "ok", "")]


def test_json_without_a_schema_is_judged_too() -> None:
    made = world(saying(BROKEN, "[1]"))
    asyncio.run(made.answer(wanting(chat(None, mode="json"))))
    assert [shape for _, _, shape in shapes(made)] == ["invalid", "valid"]


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("openai", "response_format.json_schema.schema.properties.n"),
        ("anthropic", "output_config.format.schema.properties.n"),
    ],
)
def test_a_schema_that_is_none_is_refused_before_anything_is_sent(dialect: str, path: str) -> None:
    made = world(saying(GOOD))
    broken = chat({"type": "object", "properties": {"n": {"$ref": "http://169.254.169.254/"}}}, dialect=dialect)
    with pytest.raises(RequestInvalid) as caught:
        asyncio.run(made.answer(wanting(broken)))
    assert caught.value.param == path
    assert made.table.asked == []
    assert made.spool.calls()[0].status == "denied"


# --- how a target is asked ---


def sent(one: Target, said: Chat | None = None, line: Any = None) -> Chat:
    watched = Watched(line or saying(GOOD))
    asyncio.run(world(watched, one).answer(wanting(said)))
    return watched.asked[0].chat()


def test_a_target_is_asked_natively_unless_it_is_known_not_to_be_able() -> None:
    able, told_to = Capabilities(schema=True), target("a", structured="native", can=KNOWS_NO_SCHEMA)
    for one in (target("a"), target("a", can=able), told_to):
        assert sent(one).shape == chat().shape
    assert sent(target("a", can=KNOWS_NO_SCHEMA), line=calling(GOOD)).tool_choice is not None
    told = sent(target("a", can=Capabilities(schema=False, tools=False)))
    assert told.shape is None
    assert told.messages[0].role == "system"


def test_a_tool_is_forced_and_its_arguments_are_the_answer() -> None:
    made = world(Watched(calling(GOOD)), target("a", structured="tool"))
    answer = asyncio.run(made.answer(wanting()))
    assert (answer.said[0].text, answer.said[0].finish, answer.finish) == (GOOD, "stop", "stop")
    assert answer.spoken is None, "the call is nothing that the caller asked for"
    assert shapes(made) == [("primary", "ok", "valid")]


def test_a_value_that_is_no_object_is_wrapped_for_the_tool_and_taken_out_again() -> None:
    asked = chat({"type": "array", "items": {"type": "integer"}})
    answer = asyncio.run(world(calling('{"value": [1, 2]}'), target("a", structured="tool")).answer(wanting(asked)))
    assert answer.said[0].text == "[1, 2]"


def test_the_callers_own_tools_leave_no_room_for_ours() -> None:
    asked = sent(target("a", structured="tool"), chat(tools=(Tool("weather"),)))
    assert [tool.name for tool in asked.tools] == ["weather"]
    assert asked.messages[0].role == "system"


def test_a_repair_is_asked_for_in_the_same_way() -> None:
    line = Watched(calling(BAD))
    with pytest.raises(OutputInvalid):
        asyncio.run(world(line, target("a", structured="tool")).answer(wanting()))
    assert [len(asked.chat().tools) for asked in line.asked] == [1, 1]
    assert line.asked[1].chat().messages[1].parts == (Text(BAD),)


# --- streams ---


def streamed(*pieces: str) -> list[Any]:
    return [Head(model="m-1", dialect="openai", spoken=b"h"), *words(*pieces)[1:]]


async def until_it_fails(made: World, asked: Request) -> list[Any]:
    seen: list[Any] = []
    with pytest.raises(OutputInvalid), made.gateway.open(caller(), asked, Context()) as book:
        async for item in made.gateway.stream(book):
            seen.append(item)
    return seen


def test_a_stream_of_a_valid_answer_is_whole() -> None:
    made = world(streamed('{"n"', ": 5}"))
    items = asyncio.run(made.stream(wanting(stream=True)))
    assert items == streamed('{"n"', ": 5}")
    assert shapes(made) == [("primary", "ok", "valid")]


def test_a_stream_of_an_invalid_answer_never_tells_its_end() -> None:
    made = world(streamed('{"n"', ': "x"}'))
    seen = asyncio.run(until_it_fails(made, wanting(stream=True)))
    assert [item.text for item in seen if isinstance(item, Chunk)] == ["", '{"n"', ': "x"}']
    assert not any(isinstance(item, Chunk) and item.finish for item in seen)
    assert shapes(made) == [("primary", "output_invalid", "invalid")]
    assert made.spool.outcomes()[0].cost_nusd == COST, "all of it was generated"


def test_a_cut_stream_is_not_judged() -> None:
    made = world([*words('{"n"')[:-2], Chunk(finish="length"), USAGE])
    items = asyncio.run(made.stream(wanting(stream=True)))
    assert items[-2].finish == "length"  # type: ignore[union-attr]
    assert shapes(made) == [("primary", "ok", "")]


def test_a_stream_of_a_forced_tool_is_a_stream_of_text() -> None:
    pieces = [Chunk(tool=ToolDelta(0, "1", "answer"), words=True)]
    pieces += [Chunk(tool=ToolDelta(0, arguments=piece), words=True) for piece in ('{"n"', ": 5}")]
    items = [Head(model="m-1", dialect="openai", spoken=b"h"), *pieces, Chunk(finish="tool_calls"), USAGE]
    made = world(items, target("a", structured="tool"))
    seen = asyncio.run(made.stream(wanting(stream=True)))
    assert "".join(item.text for item in seen if isinstance(item, Chunk)) == GOOD
    assert [item.finish for item in seen if isinstance(item, Chunk) and item.finish] == ["stop"]
    assert shapes(made) == [("primary", "ok", "valid")]
