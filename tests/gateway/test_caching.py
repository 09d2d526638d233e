"""Answers that are kept: what is the same, what is kept, who is given it, and what is in the books."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import Answer, Chunk, Head, Item, Request, Said, Spoken, ToolCall, Usage
from fairlead.errors import (
    BudgetExceeded,
    LimitExceeded,
    TargetFailed,
    TargetRejected,
)
from fairlead.gateway import caching
from fairlead.gateway.call import CacheRules, Context, Limit
from fairlead.gateway.flow import Generation
from fairlead.gateway.routes import Routes
from fairlead.gateway.strategies import STRATEGIES
from gateway.repeats import Clock, Numbered, asked, cached, how, pieces, text, whole
from world import COST, USAGE, World, caller, request, route, target

# --- what is kept ----------------------------------------------------------------------------------------------------


def test_the_same_request_is_answered_from_what_is_there_and_costs_nothing() -> None:
    world = World([cached()], {"a": Numbered()})

    async def twice() -> list[Answer]:
        return [await world.answer(asked()) for _ in range(2)]

    first, second = asyncio.run(twice())
    assert first.said == second.said and first.id == second.id and first.usage == second.usage
    assert (first.cost_nusd, second.cost_nusd) == (COST, 0)
    assert how(world) == ["miss", "hit"]
    assert [(call.attempts, call.cost_nusd, call.target, call.status) for call in world.spool.calls()] == [
        (1, COST, "a", "ok"),
        (0, 0, "a", "ok"),
    ]


def test_a_route_that_does_not_say_so_keeps_nothing() -> None:
    world = World([route(target("a"))], {"a": Numbered()})

    async def twice() -> None:
        for _ in range(2):
            await world.answer(asked())

    asyncio.run(twice())
    assert how(world) == ["", ""] and len(world.table.asked) == 2 and not world.table.asked[0].whole


@pytest.mark.parametrize("first", [False, True])
def test_a_stream_and_its_unary_twin_share_what_is_kept(first: bool) -> None:
    world = World([cached()], {"a": Numbered()})

    async def both() -> list[str]:
        said: list[str] = []
        for stream in (first, not first, first):
            if stream:
                items = await world.stream(asked(stream=True, fields={"stream": b"true", "stream_options": b"{}"}))
                assert isinstance(items[0], Head) and isinstance(items[-1], Usage)
                assert [item.finish for item in items if isinstance(item, Chunk) and item.finish] == ["stop"]
                said.append(text(items))
            else:
                answer = await world.answer(asked())
                assert (answer.finish, answer.usage) == ("stop", USAGE)
                said.append(answer.said[0].text or "")
        return said

    assert asyncio.run(both()) == ["1!", "1!", "1!"]
    assert how(world) == ["miss", "hit", "hit"]
    assert [asking.whole for asking in world.table.asked] == [True]


def test_a_stream_is_replayed_as_it_came_but_for_the_providers_name_of_it() -> None:
    world = World([cached()], {"a": pieces("one ", "two")})

    async def twice() -> list[list[Item]]:
        return [await world.stream(asked(stream=True)) for _ in range(2)]

    first, second = asyncio.run(twice())
    assert isinstance(second[0], Head) and second[0].request_id == ""
    assert second[1:] == first[1:] == pieces("one ", "two")[1:]
    assert world.spool.calls()[1].first_word_us is not None


def test_calls_of_tools_are_replayed_in_both_forms() -> None:
    call = ToolCall("t1", "look_up", '{"id":7}')
    answer = replace(whole(finish="tool_calls"), said=(Said((call,), "tool_calls"),))
    world = World([cached()], {"a": answer})

    async def both() -> tuple[list[Item], Answer]:
        await world.answer(asked())
        return await world.stream(asked(stream=True)), await world.answer(asked())

    items, again = asyncio.run(both())
    tools = [item.tool for item in items if isinstance(item, Chunk) and item.tool]
    assert "".join(tool.arguments for tool in tools) == '{"id":7}' and tools[0].name == "look_up"
    assert again.said == answer.said and how(world) == ["miss", "hit", "hit"]


@pytest.mark.parametrize(
    "line",
    [
        whole(finish="length"),
        whole(finish="content_filter"),
        replace(whole(), said=(Said((), "stop", refusal="no"),)),
        TargetFailed("500"),
        TargetRejected("400"),
    ],
)
def test_what_did_not_come_to_its_own_end_is_not_kept(line: Any) -> None:
    world = World([cached()], {"a": line})

    async def twice() -> None:
        for _ in range(2):
            await asyncio.gather(world.answer(asked()), return_exceptions=True)

    asyncio.run(twice())
    assert how(world) == ["miss", "miss"]


@pytest.mark.parametrize("finish", ["length", "content_filter", None])
def test_nor_is_a_stream_that_did_not(finish: str | None) -> None:
    world = World([cached()], {"a": pieces("one", finish=finish)})

    async def twice() -> None:
        for _ in range(2):
            await world.stream(asked(stream=True))

    asyncio.run(twice())
    assert how(world) == ["miss", "miss"]


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": 2},
        {"input_bound": None},
        {"fields": {"store": b"true"}},
        {"fields": {"previous_response_id": b'"resp_1"'}},
        {"fields": {"background": b"true"}},
    ],
)
def test_what_is_more_than_a_question_is_always_asked(changes: dict[str, Any]) -> None:
    world = World([cached()], {"a": Numbered()})

    async def twice() -> None:
        for _ in range(2):
            await world.answer(asked(**changes))

    asyncio.run(twice())
    assert how(world) == ["", ""] and len(world.table.asked) == 2


def test_a_response_that_is_to_be_continued_is_always_asked() -> None:
    def response(store: bytes | None) -> Request:
        fields = {"input": Raw(b'"hi"'), **({"store": Raw(store)} if store else {})}
        return request(spoken=Spoken("responses", fields))

    world = World([cached(keep_responses_s=60.0)], {"a": Numbered()})

    async def ask() -> None:
        for store in (None, None, b"false", b"false"):
            await world.answer(response(store))

    asyncio.run(ask())
    assert how(world) == ["", "", "miss", "hit"]


def test_what_changes_no_answer_makes_no_difference_and_what_is_repeated_does() -> None:
    world = World([cached()], {"a": Numbered()})

    def response(name: bytes) -> Request:
        return request(spoken=Spoken("responses", {"input": Raw(b'"hi"'), "metadata": Raw(name)}))

    async def ask() -> None:
        for name in (b"{}", b'{"a":"b"}'):
            await world.answer(asked(fields={"user": name, "metadata": name, "stream_options": name}))
            await world.answer(response(name))

    asyncio.run(ask())
    assert how(world) == ["miss", "miss", "hit", "miss"]


def test_it_is_forgotten_after_its_time_and_for_what_was_used_later() -> None:
    clock = Clock()
    kept = caching.Kept("a", whole("x" * 200))
    shelf = caching.Shelf(CacheRules(ttl_s=10, most_bytes=2 * kept.size), clock)
    for key in (b"1", b"2"):
        shelf.keep(key, kept)
    assert shelf.find(b"1") and shelf.size == 2 * kept.size
    shelf.keep(b"3", kept)
    assert shelf.find(b"2") is None and shelf.find(b"1") and shelf.find(b"3")
    clock.at = 10.0
    assert shelf.find(b"1") is None and shelf.find(b"3") is None and (len(shelf), shelf.size) == (0, 0)
    shelf.keep(b"4", caching.Kept("a", whole("x" * 5_000)))
    assert len(shelf) == 0
    never = caching.Shelf(CacheRules(ttl_s=0), clock)
    never.keep(b"1", kept)
    assert len(never) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 900)), max_size=40))
def test_a_shelf_never_holds_more_than_it_may_and_counts_right(entries: list[tuple[int, int]]) -> None:
    shelf = caching.Shelf(CacheRules(most_bytes=3_000), Clock())
    for key, size in entries:
        shelf.keep(b"%d" % key, caching.Kept("a", whole("x" * size)))
        held = [kept.size for number in range(6) if (kept := shelf.find(b"%d" % number))]
        assert shelf.size == sum(held) <= 3_000 and len(shelf) == len(held)


def test_a_caller_may_want_it_fresh_or_not_kept() -> None:
    world = World([cached()], {"a": Numbered()})

    async def ask(cache: Any) -> str:
        with world.gateway.open(caller(), asked(), Context(cache=cache)) as book:
            return (await world.gateway.answer(book)).said[0].text or ""

    async def all_of_them() -> list[str]:
        return [await ask(cache) for cache in ("no-store", "", "no-cache", "", "no-store")]

    assert asyncio.run(all_of_them()) == ["1!", "2!", "3!", "3!", "4!"]
    assert how(world) == ["", "miss", "miss", "hit", ""]


def test_a_reload_forgets_a_route_that_changed_and_no_other() -> None:
    world = World([cached(), cached(name="s")], {"a": Numbered()})
    before = world.gateway.generation

    async def ask() -> list[str]:
        for name in ("r", "s"):
            await world.answer(asked(route=name))
        book = world.gateway.open(caller(), asked(), Context())
        with book:
            late = world.gateway.answer(book)  # it came before the reload
            routes = {"r": cached(version="2"), "s": cached(name="s")}
            world.gateway.take(Generation(Routes(routes), before.backends, STRATEGIES))
            await late
        for name in ("r", "s", "r"):
            await world.answer(asked(route=name))
        return how(world)

    assert asyncio.run(ask()) == ["miss", "miss", "hit", "miss", "hit", "hit"]


CASES = st.tuples(
    st.sampled_from(["k1", "k2"]),
    st.sampled_from(["", "t1", "t2"]),
    st.sampled_from(["private", "contract", "public"]),
    st.sampled_from(["r", "s", "t"]),
    st.sampled_from(["chat", "complete"]),
    st.sampled_from(["openai", "anthropic"]),
    st.dictionaries(st.sampled_from(["messages", "seed", "tools"]), st.sampled_from([b"1", b"2", b'"1"', b"[1]"])),
    st.booleans(),
)


@given(st.lists(CASES, max_size=30))
@settings(deadline=None, max_examples=60)
def test_nobody_is_ever_given_what_was_said_to_somebody_else(calls: list[Any]) -> None:
    scopes: dict[str, Any] = {"r": "key", "s": "team", "t": "route"}
    world = World([cached(name=name, rules={"scope": scope}) for name, scope in scopes.items()], {"a": Numbered()})
    first: dict[Any, str] = {}

    async def ask() -> None:
        for key, team, zone, name, task, dialect, fields, stream in calls:
            spoken = Spoken(dialect, {one: Raw(value) for one, value in fields.items()})
            by = caller(key=key, team=team, zone=zone)
            wanted = request(task=task, route=name, spoken=spoken, stream=stream)
            if stream:
                said = text(await world.stream(wanted, by))
            else:
                said = (await world.answer(wanted, by)).said[0].text or ""
            owner = {"r": ("key", key), "s": ("team", team) if team else ("key", key), "t": ("", "")}[name]
            same = (owner, zone, name, task, dialect, tuple(sorted(fields.items())))
            assert first.setdefault(same, said) == said
        assert len(set(first.values())) == len(first)

    asyncio.run(ask())


def test_no_two_lists_of_values_look_alike() -> None:
    seen: set[bytes | None] = set()
    for fields in ({"a": b"1", "b": b"2"}, {"a": b"1b2"}, {"a": b"1", "b2": b""}, {"a1": b"b", "x": b"2"}, {}):
        world = World([cached()], {})
        by = world.gateway.generation.routes.call("id", caller(), asked(fields=fields), Context())
        seen.add(caching.key_of(by))
    assert len(seen) == 5


# --- limits ----------------------------------------------------------------------------------------------------------


def test_whoever_is_served_counts_as_a_request_and_as_nothing_else() -> None:
    limits = (
        Limit("key:k1:requests:minute", "key tests", "requests", 2, "minute"),
        Limit("key:k1:nusd:day", "key tests", "nusd", 10**9, "day"),
        Limit("key:k1:concurrent", "key tests", "concurrent", 1, "total"),
    )
    world = World([cached()], {"a": whole()})

    async def thrice() -> None:
        for _ in range(3):
            await world.answer(asked(), by=caller(limits=limits))

    with pytest.raises(LimitExceeded):
        asyncio.run(thrice())
    assert how(world) == ["miss", "hit", ""]
    assert world.spent() == {limits[0].id: 2, limits[1].id: COST, limits[2].id: 0} and world.held() == 0


def test_a_budget_that_is_spent_still_allows_what_costs_nothing() -> None:
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 1_200_000, "day")  # one worst case
    world = World([cached()], {"a": whole(usage=Usage(input=1000, output=50))})

    async def thrice() -> None:
        for one in ("hi", "hi", "other"):
            await world.answer(asked(one), by=caller(limits=(limit,)))

    with pytest.raises(BudgetExceeded):
        asyncio.run(thrice())
    assert how(world) == ["miss", "hit", "miss"]
