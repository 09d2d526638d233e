"""Streams that break after their first word: held until they are whole, or continued where they broke."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.chat import Chat, Chunk, Head, Item, Message, Request, Text, Thinking, ToolDelta, Usage
from fairlead.errors import (
    BudgetExceeded,
    FairleadError,
    StreamBroken,
    TargetFailed,
    TargetRejected,
    TargetTimeout,
)
from fairlead.gateway import rescuing
from fairlead.gateway.call import Capabilities, Context, Limit, Target
from fairlead.gateway.retrying import BURST
from world import COST, USAGE, World, caller, request, route, said, target, words

GOES_ON = Capabilities(prefill=True)
ASKED = Chat(messages=(Message("user", (Text("count"),)),))


def goes_on(name: str, **changes: Any) -> Target:
    return target(name, **{"can": GOES_ON, **changes})


def asked(**changes: Any) -> Request:
    return request(stream=True, read=lambda: ASKED, **changes)


def broken(
    *pieces: str | Item | FairleadError, error: FairleadError | None = None
) -> list[Item | FairleadError | float]:
    said = [Chunk(text=piece, words=True) if isinstance(piece, str) else piece for piece in pieces]
    return [Head(model="m-1"), *said, error or StreamBroken("it broke off")]


class InTurn:
    """A target that says one after the other, the last one for ever; `asked` are the requests."""

    def __init__(self, *lines: Any) -> None:
        self._left = list(lines)
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Any:
        self.asked.append(request)
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


def text(items: list[Item]) -> str:
    return "".join(item.text for item in items if isinstance(item, Chunk))


def stream(world: World, **changes: Any) -> list[Item]:
    return asyncio.run(world.stream(asked(**changes)))


def told_before(world: World, error: type[FairleadError], **changes: Any) -> tuple[str, FairleadError]:
    """What came of a stream that failed, and how."""
    came: list[Item] = []

    async def listen() -> None:
        with world.gateway.open(caller(), asked(**changes), Context()) as book:
            async for item in world.gateway.stream(book):
                came.append(item)

    with pytest.raises(error) as caught:
        asyncio.run(listen())
    return text(came), caught.value


# --- as it was -------------------------------------------------------------------------------------------------------


def test_a_route_that_says_nothing_ends_a_broken_stream_with_its_error_and_asks_nobody_else() -> None:
    world = World([route(goes_on("a"), goes_on("b"))], {"a": broken("one "), "b": words("two")})
    assert told_before(world, StreamBroken)[0] == "one "
    assert [intent.purpose for intent in world.spool.intents()] == ["primary"]


# --- held until it is whole ------------------------------------------------------------------------------------------


def test_a_buffered_stream_that_breaks_is_asked_of_the_next_target_and_nobody_hears_the_first() -> None:
    world = World([route(target("a"), target("b"), on_break="buffer")], {"a": broken("one "), "b": words("two")})
    assert text(stream(world)) == "two"
    assert [outcome.outcome for outcome in world.spool.outcomes()] == ["stream_broken", "ok"]
    [call] = world.spool.calls()
    assert (call.status, call.target, call.attempts) == ("ok", "b", 2)


def test_a_buffered_stream_is_passed_on_as_it_came() -> None:
    lines = words("one ", "two")
    world = World([route(target("a"), on_break="buffer")], {"a": lines})
    assert stream(world) == lines


def test_nothing_of_a_buffered_stream_is_told_before_it_is_whole() -> None:
    world = World([route(target("a"), on_break="buffer")], {"a": broken("one ")})
    assert told_before(world, StreamBroken)[0] == ""


def test_the_first_word_of_a_buffered_stream_is_when_the_caller_gets_it() -> None:
    world = World([route(target("a"), on_break="buffer")], {"a": [*words("one ")[:3], 0.05, *words("two")[2:]]})
    stream(world)
    [call], [outcome] = world.spool.calls(), world.spool.outcomes()
    assert call.first_word_us is not None and outcome.first_token_us is not None
    assert call.first_word_us > outcome.first_token_us + 40_000


def test_what_is_longer_than_is_held_streams_on_as_it_comes() -> None:
    piece = "x" * (rescuing.MOST_HELD_BYTES // 4)
    world = World([route(target("a"), target("b"), on_break="buffer")], {"a": broken(*[piece] * 6), "b": words("two")})
    assert told_before(world, StreamBroken)[0] == piece * 6  # and no second voice
    assert len(world.spool.intents()) == 1


def test_unary_answers_know_nothing_of_it() -> None:
    for on_break in ("buffer", "continue"):
        world = World([route(goes_on("a"), on_break=on_break)], {"a": said()})
        assert asyncio.run(world.answer()).spoken == b"hello"


# --- continued where it broke ----------------------------------------------------------------------------------------


def test_a_stream_that_breaks_is_continued_by_the_same_target_with_its_own_words() -> None:
    line = InTurn(broken("one two"), words(" three"))
    world = World([route(goes_on("a"), on_break="continue", max_output_tokens=50)], {"a": line})
    items = stream(world)
    assert text(items) == "one two three"
    second = line.asked[1]
    assert second.chat().messages == (*ASKED.messages, Message("assistant", (Text("one two"),)))
    assert second.spoken is None
    assert [intent.purpose for intent in world.spool.intents()] == ["primary", "continue"]
    assert [outcome.outcome for outcome in world.spool.outcomes()] == ["stream_broken", "ok"]
    assert [type(item) for item in items].count(Head) == 1
    assert [item.finish for item in items if isinstance(item, Chunk) and item.finish] == ["stop"]


def test_the_continuation_may_say_as_much_less_as_was_said_before() -> None:
    line = InTurn(broken("a", "b", "c"), words("d"))
    world = World([route(goes_on("a"), on_break="continue", max_output_tokens=50)], {"a": line})
    stream(world, max_output_tokens=20)
    first, second = world.spool.outcomes()
    assert first.output_tokens == 3 and second.outcome == "ok"
    assert [asking.max_output_tokens for asking in world.table.asked] == [20, 17]


def test_the_caller_is_told_the_sum_and_the_books_each_attempt() -> None:
    line = InTurn(broken("one two"), words(" three"))
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})
    usage = stream(world)[-1]
    first, second = world.spool.outcomes()
    assert isinstance(usage, Usage)
    assert (usage.input, usage.output) == (first.input_tokens + 100, first.output_tokens + 10)
    assert usage.estimated and first.estimated and not second.estimated
    [call] = world.spool.calls()
    assert call.cost_nusd == (first.cost_nusd or 0) + COST and second.cost_nusd == COST


def test_white_space_at_the_break_is_neither_doubled_nor_sent() -> None:
    line = InTurn(broken("one", " \n"), words(" \ntwo", "  ", "three \n"))
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})
    assert text(stream(world)) == "one \ntwo  three \n"
    assert line.asked[1].chat().messages[-1].parts == (Text("one"),)


def test_a_server_that_repeats_the_beginning_does_not_double_it() -> None:
    line = InTurn(broken("once upon a ", "time"), words("once upon", " a time", " there was"))
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})
    assert text(stream(world)) == "once upon a time there was"


def test_a_continuation_that_begins_like_the_answer_is_kept() -> None:
    line = InTurn(broken("once upon a time"), words(" and", " once"), words("!"))
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})
    assert text(stream(world)) == "once upon a time and once"
    line = InTurn(broken("once upon a time"), words("once"))
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})
    assert text(stream(world)) == "once upon a timeonce"


def test_silence_between_words_is_a_break_too() -> None:
    late = TargetTimeout("late", stage="between_tokens")
    line = InTurn(broken("one", error=late), words(" two"))
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})
    assert text(stream(world)) == "one two"


def test_it_breaks_again_and_again_and_is_continued_no_more_than_so_often() -> None:
    line = InTurn(*(broken(str(number)) for number in range(10)))
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})
    came, _ = told_before(world, StreamBroken)
    assert came == "".join(map(str, range(1 + rescuing.MOST_CONTINUATIONS)))
    assert len(world.spool.intents()) == 1 + rescuing.MOST_CONTINUATIONS


def test_where_the_same_target_is_gone_the_same_model_elsewhere_goes_on() -> None:
    route_ = route(goes_on("a"), goes_on("other", model="else"), goes_on("b"), on_break="continue")
    world = World([route_], {"a": InTurn(broken("one"), TargetFailed("500")), "b": words(" two"), "other": words("no")})
    assert text(stream(world)) == "one two"
    assert [(row.purpose, row.target) for row in world.spool.intents()] == [
        ("primary", "a"),
        ("continue", "a"),
        ("continue", "b"),
    ]


def test_no_other_model_ever_goes_on() -> None:
    route_ = route(goes_on("a"), goes_on("b", model="else"), target("c"), on_break="continue")
    line = InTurn(broken("one"), TargetFailed("down"))
    world = World([route_], {"a": line, "b": words("no"), "c": words("no")})
    came, error = told_before(world, StreamBroken)
    assert came == "one" and "could not be continued (target_failed)" in error.message
    assert {row.target for row in world.spool.intents()} == {"a"}


def test_a_refusal_to_go_on_is_told_as_the_break_that_it_follows() -> None:
    line = InTurn(broken("one"), TargetRejected("400: no prefill"))
    world = World([route(goes_on("a"), goes_on("b"), on_break="continue")], {"a": line, "b": words("no")})
    assert "target_rejected" in told_before(world, StreamBroken)[1].message
    assert len(world.spool.intents()) == 2


def test_an_answer_that_a_filter_ended_is_not_continued() -> None:
    line = broken("one", error=TargetRejected("content_filter"))
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})
    told_before(world, TargetRejected)
    assert len(world.spool.intents()) == 1
    world = World([route(goes_on("a"), on_break="continue")], {"a": [Head(), *filtered("one")]})
    assert stream(world)[-2] == Chunk(finish="content_filter")
    assert len(world.spool.intents()) == 1


def filtered(piece: str) -> list[Item]:
    return [Chunk(text=piece, words=True), Chunk(finish="content_filter"), USAGE]


@pytest.mark.parametrize(
    "more",
    [
        Chunk(tool=ToolDelta(0, "t", "f"), words=True),
        Chunk(reasoning="hm", words=True),
        Chunk(part=Thinking("", "sig", "anthropic"), words=True),
        Chunk(refusal="no", words=True),
        Chunk(finish="stop"),
    ],
)
def test_what_is_more_than_text_is_not_continued(more: Chunk) -> None:
    world = World([route(goes_on("a"), on_break="continue")], {"a": InTurn(broken("one", more), words("no"))})
    told_before(world, StreamBroken)
    assert len(world.spool.intents()) == 1


@pytest.mark.parametrize(
    "changes",
    [{"samples": 2}, {"task": "complete"}, {"needs": frozenset({"thinking"})}, {"needs": frozenset({"opaque"})}],
)
def test_requests_for_more_than_a_plain_answer_are_not_continued(changes: dict[str, Any]) -> None:
    world = World([route(goes_on("a"), on_break="continue")], {"a": InTurn(broken("one"), words("no"))})
    told_before(world, StreamBroken, **changes)
    assert len(world.spool.intents()) == 1


def test_a_target_that_is_not_known_to_go_on_is_not_asked_to() -> None:
    for can in (None, Capabilities(), Capabilities(prefill=False)):
        route_ = route(target("a", can=can), goes_on("b"), on_break="continue")
        world = World([route_], {"a": InTurn(broken("one"), words("no")), "b": words("no")})
        told_before(world, StreamBroken)
        assert len(world.spool.intents()) == 1


def test_a_conversation_that_ends_on_the_assistant_is_not_continued() -> None:
    chat = Chat(messages=(*ASKED.messages, Message("assistant", (Text("zero "),))))
    world = World([route(goes_on("a"), on_break="continue")], {"a": InTurn(broken("one"), words("no"))})

    async def listen() -> None:
        await world.stream(request(stream=True, read=lambda: chat))

    with pytest.raises(StreamBroken):
        asyncio.run(listen())
    assert len(world.spool.intents()) == 1


def test_a_stream_that_breaks_before_its_first_word_falls_back_as_ever() -> None:
    route_ = route(goes_on("a"), goes_on("b", model="else"), on_break="continue")
    world = World([route_], {"a": broken(), "b": words("two")})
    assert text(stream(world)) == "two"
    assert [intent.purpose for intent in world.spool.intents()] == ["primary", "fallback"]


def test_a_budget_that_is_spent_ends_the_stream_with_its_break() -> None:
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 1_150_000, "day")  # one worst case, not two
    line = InTurn(broken("one"), words("no"))
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})

    async def listen() -> None:
        await world.stream(asked(), by=caller(limits=(limit,)))

    with pytest.raises(StreamBroken) as caught:
        asyncio.run(listen())
    assert "budget" in caught.value.message and not isinstance(caught.value, BudgetExceeded)
    assert world.held() == 0


def test_continuations_have_the_budget_of_retries_so_that_they_make_no_storm() -> None:
    line = InTurn(*[broken("one")] * 100)
    world = World([route(goes_on("a"), on_break="continue")], {"a": line})

    async def listen() -> None:
        for _ in range(20):
            await asyncio.gather(world.stream(asked()), return_exceptions=True)

    asyncio.run(listen())
    assert 20 + BURST <= len(world.spool.intents()) < 20 * (1 + rescuing.MOST_CONTINUATIONS)  # one comes back a second


@given(st.text(" \nab", max_size=12), st.lists(st.integers(0, 12), max_size=8), st.integers(0, 12))
def test_wherever_it_breaks_and_however_it_is_cut_the_caller_reads_the_same(
    whole: str, cuts: list[int], at: int
) -> None:
    """A model that says the same text, whatever of it was said before."""

    def line(asked: Request) -> Any:
        messages = asked.chat().messages
        [begun] = messages[-1].parts if messages[-1].role == "assistant" else (Text(""),)
        assert isinstance(begun, Text)
        rest = whole.removeprefix(begun.text)
        ends = sorted({min(cut, len(rest)) for cut in cuts} | {len(rest)})
        pieces = [rest[start:end] for start, end in zip([0, *ends], ends, strict=False) if rest[start:end]]
        if messages[-1].role == "assistant" or not whole[:at].strip():
            return words(*pieces)
        return broken(*(piece for piece in _upto(pieces, at)))

    world = World([route(goes_on("a"), on_break="continue")], {"a": line})
    assert text(stream(world)) == whole


def _upto(pieces: list[str], at: int) -> list[str]:
    came = "".join(pieces)[:at]
    kept: list[str] = []
    for piece in pieces:
        if came:
            kept.append(came[: len(piece)])
            came = came[len(piece) :]
    return kept
