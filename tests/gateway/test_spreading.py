"""Several accounts of one target: who is asked, who is passed over, and where conversations stay."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.chat import Request
from fairlead.dialects import anthropic, openai
from fairlead.errors import FairleadError, TargetFailed, TargetOverloaded, TargetRefused, TargetRejected
from fairlead.gateway.call import BreakerRules, Context, Limit, Retry, Target
from fairlead.gateway.spreading import MARGIN
from waiting import HandClock
from world import Table, World, caller, in_turn, request, route, said, target, words

NAMES = ("x", "y", "z")
RULES = BreakerRules(min_attempts=2, in_a_row=2)


def spread(*names: str, **changes: Any) -> Target:
    accounts = tuple(target("a", backend=name, account=f"a@{name}", breaker=RULES, **changes) for name in names)
    return target("a", backend=names[0], accounts=accounts)


def world(lines: dict[str, Any], **changes: Any) -> World:
    """A target at as many accounts as there are lines."""
    made = World([route(spread(*lines), spreads=True, **changes)], {}, clock=HandClock())
    backends: Any = made.gateway.generation.backends
    backends.update({name: Table({"a": line}) for name, line in lines.items()})
    return made


def asked_at(made: World) -> list[str]:
    return [intent.backend for intent in made.spool.intents()]


def chat(*turns: str, system: str = "be brief", **more: str) -> Request:
    """In OpenAI's words, each turn in turn by user and assistant."""
    said = [f'{{"role": "{"assistant" if at % 2 else "user"}", "content": "{text}"}}' for at, text in enumerate(turns)]
    fields = "".join(f', "{name}": "{value}"' for name, value in more.items())
    messages = ", ".join([f'{{"role": "system", "content": "{system}"}}', *said])
    return openai.read_request("chat", f'{{"model": "r", "messages": [{messages}]{fields}}}'.encode())


def asks(made: World, *requests: Request, session: str | None = None) -> list[str]:
    async def all_of_them() -> None:
        for asked in requests:
            with made.gateway.open(caller(), asked, Context(session=session)) as book:
                await made.gateway.answer(book)

    before = len(asked_at(made))
    asyncio.run(all_of_them())
    return asked_at(made)[before:]


def test_a_conversation_stays_with_one_account_and_many_are_spread_over_all() -> None:
    made = world(dict.fromkeys(NAMES, said()))
    homes = Counter[str]()
    for number in range(60):
        first = f"question {number}"
        turns = [chat(first), chat(first, "answer", "more"), chat(first, "answer", "more", "yes", "and?")]
        at = set(asks(made, *turns))
        assert len(at) == 1
        homes.update(at)
    assert set(homes) == set(NAMES) and min(homes.values()) >= 8


def test_every_language_marks_its_turns_so_that_conversations_stay() -> None:
    made = world(dict.fromkeys(NAMES, said()))
    for number in range(20):
        first = b'{"role":"user","content":[{"type":"text","text":"n%d"}]}' % number
        more = b',{"role":"assistant","content":"a"},{"role":"user","content":"b"}'
        turns = [
            anthropic.read_request(
                "chat", b'{"model":"r","max_tokens":5,"system":"s","messages":[%s%s]}' % (first, rest)
            )
            for rest in (b"", more, more + more)
        ]
        assert len(set(asks(made, *turns))) == 1


def test_a_session_or_a_cache_key_says_more_than_what_is_said() -> None:
    made = world(dict.fromkeys(NAMES, said()))
    different = [chat(f"question {number}") for number in range(20)]
    assert len(set(asks(made, *different, session="s1"))) == 1
    hinted = [chat(f"question {number}", prompt_cache_key="agent-7") for number in range(20)]
    assert len(set(asks(made, *hinted))) == 1
    assert len(set(asks(made, *different))) == 3


def test_an_account_that_comes_moves_no_conversation_between_the_others() -> None:
    two, three = world(dict.fromkeys("xy", said())), world(dict.fromkeys("xyz", said()))
    for number in range(40):
        asked = chat(f"question {number}")
        [before], [after] = asks(two, asked), asks(three, asked)
        assert after in (before, "z")


def at_once(made: World, count: int, **how: Any) -> Counter[str]:
    async def many() -> None:
        await asyncio.gather(*(made.answer(**how) for _ in range(count)), return_exceptions=True)

    asyncio.run(many())
    return Counter(asked_at(made))


def test_what_has_no_conversation_goes_to_the_least_busy() -> None:
    made = world(dict.fromkeys(NAMES, said()))
    assert at_once(made, 30, asked=request(task="embed")) == {"x": 10, "y": 10, "z": 10}


def test_a_conversation_leaves_an_account_that_is_busier_by_more_than_the_margin() -> None:
    made = world(dict.fromkeys("xy", said()))
    count = 3 * MARGIN
    found = at_once(made, count, asked=chat("one question"))
    assert found.total() == count and sorted(found.values()) == [count // 2 - MARGIN // 2, count // 2 + MARGIN // 2]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "failure",
    [TargetFailed("500"), TargetOverloaded("429", retry_after_s=60.0), TargetRefused("401", status=401)],
    ids=lambda failure: failure.code,
)
def test_an_account_that_fails_hands_the_call_to_another_at_once(failure: FairleadError, stream: bool) -> None:
    good = words("hi") if stream else said()
    made = world({"x": failure, "y": good}, retry=Retry())
    for _ in range(6):
        asyncio.run(made.stream() if stream else made.answer())
    assert [call.status for call in made.spool.calls()] == ["ok"] * 6
    assert set(asked_at(made)) == {"x", "y"}


def test_the_callers_own_mistake_is_asked_at_one_account() -> None:
    made = world(dict.fromkeys("xy", TargetRejected("bad", status=400)), retry=Retry())
    with pytest.raises(TargetRejected):
        asyncio.run(made.answer())
    assert len(asked_at(made)) == 1


def test_an_account_that_is_left_alone_is_passed_over_without_being_asked() -> None:
    made = world({"x": TargetFailed("500"), "y": said()}, retry=Retry())
    for number in range(20):
        asks(made, chat(f"question {number}"))
    assert asked_at(made).count("x") == 2


def test_after_all_accounts_the_next_target_is_asked() -> None:
    made = world({"x": TargetFailed("500"), "y": TargetFailed("500")}, retry=Retry(attempts=1))
    everything = route(spread("x", "y"), target("b"), spreads=True, retry=Retry(attempts=5))
    made.gateway.generation.routes._routes["r"] = everything  # type: ignore[index]
    made.table.lines = {"b": said()}
    assert asyncio.run(made.answer()).target == "b"
    assert [(intent.target, intent.purpose) for intent in made.spool.intents()] == [
        ("a", "primary"),
        ("a", "retry"),
        ("b", "fallback"),
    ]


@settings(max_examples=40, deadline=None)
@given(
    lines=st.lists(st.sampled_from(["ok", "failed", "refused", "rejected"]), min_size=1, max_size=6),
    attempts=st.integers(0, 3),
    stream=st.booleans(),
)
def test_nothing_stays_in_flight_or_held_and_attempts_are_bounded(
    lines: list[str], attempts: int, stream: bool
) -> None:
    failures: dict[str, Any] = {
        "failed": TargetFailed("500"),
        "refused": TargetRefused("401", status=401),
        "rejected": TargetRejected("bad", status=400),
    }
    good: Any = words("hi") if stream else said()
    line = in_turn(*(failures.get(one, good) for one in lines))
    made = world(dict.fromkeys(NAMES, line), retry=Retry(attempts=attempts))
    limit = Limit("key:k1:nusd:day", "key tests", "nusd", 10**12, "day")
    try:
        asyncio.run((made.stream if stream else made.answer)(by=caller(limits=(limit,))))
    except FairleadError as error:
        assert error.code.startswith("target_")
    assert len(asked_at(made)) <= 1 + attempts
    assert made.held() == 0
    assert [made.gateway._loads.of(f"a@{name}") for name in NAMES] == [0, 0, 0]  # pyright: ignore[reportPrivateUsage]
