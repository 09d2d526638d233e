"""Calls that failed are gone at once, with all that they held: a worker hardly ever looks for cycles."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from fairlead.chat import Chat, Message, Text
from fairlead.errors import FairleadError, RequestInvalid, StreamBroken, TargetFailed, TargetRejected
from fairlead.gateway.call import Capabilities, Hedge, Retry
from fairlead.gateway.ledger import Book
from leftovers import living, no_collector
from waiting import HandClock
from world import World, in_turn, request, route, said, target, words

DOWN = TargetFailed("500", status=500)
BAD = TargetRejected("bad", status=400)
CUT = [*words("a")[:3], StreamBroken("cut")]


@pytest.mark.parametrize("names", ["a", "ab"])
@pytest.mark.parametrize(
    "more", [{}, {"retry": Retry(attempts=2)}, {"hedge": Hedge(after_s=60.0)}], ids=["plain", "retry", "hedge"]
)
@pytest.mark.parametrize(
    "lines",
    [(DOWN,), (BAD,), (DOWN, BAD), (DOWN, said()), (RequestInvalid("no", code="unsupported_feature"),)],
    ids=["down", "rejected", "down and rejected", "mended", "unsupported"],
)
def test_nothing_is_left_of_a_call(names: str, more: dict[str, Any], lines: tuple[Any, ...]) -> None:
    made = World([route(*map(target, names), **more)], dict.fromkeys(names, in_turn(*lines)), clock=HandClock())

    async def ask() -> None:
        with suppress(FairleadError):
            await made.answer()

    with no_collector():
        before = living(Book)
        asyncio.run(ask())
        assert living(Book) == before


@pytest.mark.parametrize("names", ["a", "ab"])
@pytest.mark.parametrize("more", [{}, {"retry": Retry(attempts=2)}], ids=["plain", "retry"])
@pytest.mark.parametrize(
    "lines", [(DOWN,), (CUT,), (DOWN, CUT), (DOWN, words("a"))], ids=["down", "cut", "both", "mended"]
)
def test_nothing_is_left_of_a_stream(names: str, more: dict[str, Any], lines: tuple[Any, ...]) -> None:
    made = World([route(*map(target, names), **more)], dict.fromkeys(names, in_turn(*lines)), clock=HandClock())

    async def ask() -> None:
        with suppress(FairleadError):
            await made.stream()

    with no_collector():
        before = living(Book)
        asyncio.run(ask())
        assert living(Book) == before


@pytest.mark.parametrize("after", [DOWN, BAD], ids=["down", "rejected"])
def test_nothing_is_left_of_a_stream_that_could_not_be_continued(after: FairleadError) -> None:
    goes_on = target("a", can=Capabilities(prefill=True))
    made = World([route(goes_on, on_break="continue")], {"a": in_turn(CUT, after)}, clock=HandClock())

    async def ask() -> None:
        with suppress(FairleadError):
            await made.stream(request(stream=True, read=lambda: Chat(messages=(Message("user", (Text("hi"),)),))))

    with no_collector():
        before = living(Book)
        asyncio.run(ask())
        assert living(Book) == before
    assert len(made.spool.intents()) > 1
