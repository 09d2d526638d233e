"""One question, asked in process and at a running server: what comes is the same."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from fairlead.chat import Answer, Chunk, Head, Said, Text, ToolCall, ToolDelta, Usage
from fairlead.errors import (
    BudgetExceeded,
    FairleadError,
    OutputInvalid,
    TargetFailed,
    TargetOverloaded,
    TargetRefused,
    TargetTimeout,
)
from fairlead.evals.asking import Asked, Asker, GatewayAsker, Question, RemoteAsker
from fairlead.gateway.call import Limit
from fairlead.wire.address import place
from fairlead.wire.inbound import Bounds
from fairlead.wire.listener import Listener
from fairlead.wire.pool import Origin, Pool
from server.client import KEY, Client
from world import COST, USAGE, World, caller, route, target, words

BODY = {"messages": [{"role": "user", "content": "hi"}]}
SPOKEN = {
    "id": "chatcmpl-1",
    "model": "m-1-2026-01-01",
    "system_fingerprint": "fp_7",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 100, "completion_tokens": 10},
}
HELLO = Answer(model="m-1", dialect="openai", spoken=json.dumps(SPOKEN).encode(), usage=USAGE)
Ask = Callable[..., Asked]


async def in_process(world: World, by: Any, use: Callable[[Asker], Awaitable[Asked]]) -> Asked:
    return await use(GatewayAsker(world.gateway, by))


async def at_a_server(world: World, by: Any, use: Callable[[Asker], Awaitable[Asked]]) -> Asked:
    listener = Listener(Client(world, by=by).listener, Bounds())
    sock = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    pool = Pool()
    await listener.open(sock)
    try:
        return await use(RemoteAsker(Origin(place(url)), KEY, pool))
    finally:
        await pool.close()
        await listener.close(1)


@pytest.fixture(params=[in_process, at_a_server], ids=["in_process", "at_a_server"])
def ask(request: pytest.FixtureRequest) -> Ask:
    def asking(line: Any, question: Question | None = None, by: Any = None, **world: Any) -> Asked:
        here = world.pop("world", None) or World([route(target("a"), **world)], {"a": line})
        asked = question or Question(route="r", body=BODY)
        found = asyncio.run(request.param(here, by or caller(), lambda asker: asker.ask(asked)))
        asking.world = here  # type: ignore[attr-defined]
        return found

    return asking


def test_an_answer_tells_who_gave_it_what_it_cost_and_which_call_it_was(ask: Ask) -> None:
    asked = ask(HELLO, Question(route="r", body=BODY, tags=("mail",), session="run-1"))
    assert (asked.status, asked.text, asked.finish) == ("ok", "hello", "stop")
    assert (asked.model, asked.fingerprint, asked.target) == ("m-1-2026-01-01", "fp_7", "a")
    assert asked.usage is not None and (asked.usage.input, asked.usage.output) == (100, 10)
    assert (asked.cost_nusd, asked.estimated, asked.first_word_us) == (COST, False, None) and asked.took_us > 0
    (closed,) = ask.world.spool.calls()  # type: ignore[attr-defined]
    assert (closed.call, closed.tags, closed.session) == (asked.call, ("eval", "mail"), "run-1")


def test_a_stream_is_the_same_answer_with_the_time_of_its_first_word(ask: Ask) -> None:
    asked = ask(words("hel", "lo"), Question(route="r", body=BODY, streams=True))
    assert (asked.status, asked.text, asked.finish, asked.model, asked.target) == ("ok", "hello", "stop", "m-1", "a")
    assert asked.usage is not None and asked.usage.output == USAGE.output
    assert asked.first_word_us is not None and 0 < asked.first_word_us <= asked.took_us


def test_tool_calls_come_whole_from_an_answer_and_from_a_stream(ask: Ask) -> None:
    call = ToolCall("call_1", "look", '{"at":1}')
    answer = Answer(model="m-1", said=(Said((Text("well"), call), "tool_calls"),), usage=USAGE)
    pieces = [
        Head(model="m-1"),
        Chunk(text="well", words=True),
        Chunk(tool=ToolDelta(0, "call_1", "look", '{"at":'), words=True),
        Chunk(tool=ToolDelta(0, arguments="1}"), words=True),
        Chunk(finish="tool_calls"),
        USAGE,
    ]
    for line, streams in ((answer, False), (pieces, True)):
        asked = ask(line, Question(route="r", body=BODY, streams=streams))
        assert (asked.text, asked.tool_calls, asked.finish) == ("well", (call,), "tool_calls")


@pytest.mark.parametrize(
    ("error", "status", "passes"),
    [
        (TargetTimeout("too late", stage="total"), "timeout", False),
        (OutputInvalid("no JSON"), "invalid", False),
        (TargetRefused("no such model"), "refused", False),
        (TargetFailed("500"), "failed", True),
        (TargetOverloaded("slow down", retry_after_s=3.0), "failed", True),
    ],
)
def test_what_a_target_does_is_an_answer_with_another_status(
    ask: Ask, error: FairleadError, status: str, passes: bool
) -> None:
    asked = ask(error)
    assert (asked.status, asked.code, asked.passes, asked.waits) == (status, error.code, passes, False)
    assert asked.target == "a" and asked.call
    assert asked.retry_after_s == getattr(error, "retry_after_s", None)


def test_a_stream_that_breaks_after_its_first_word_failed(ask: Ask) -> None:
    asked = ask([*words("hel")[:3], TargetFailed("gone")], Question(route="r", body=BODY, streams=True))
    assert (asked.status, asked.code, asked.passes) == ("failed", "target_failed", True)
    assert asked.first_word_us is not None


def test_a_model_that_refuses_to_answer_has_refused(ask: Ask) -> None:
    no = Answer(model="m-1", said=(Said((), "stop", "I can't help with that."),), usage=USAGE)
    filtered = Answer(model="m-1", said=(Said((Text("Well,"),), "content_filter"),), usage=USAGE)
    assert (ask(no).status, ask(no).text) == ("refused", "I can't help with that.")
    assert (ask(filtered).status, ask(filtered).code) == ("refused", "content_filter")


def test_what_the_house_denies_is_no_targets_fault(ask: Ask) -> None:
    abroad = World([route(target("a", zone="public"), zone="private")], {"a": HELLO})
    no_zone = ask(HELLO, world=abroad)
    assert (no_zone.status, no_zone.code, no_zone.waits) == ("denied", "zone_denied", False) and no_zone.hint
    unknown = ask(HELLO, Question(route="other", body=BODY))
    assert (unknown.status, unknown.code) == ("denied", "route_not_found")
    poor = caller(limits=(Limit("key:k1:nusd:total", "key tests", "nusd", 1, "total"),))
    spent = ask(HELLO, by=poor)
    assert (spent.status, spent.code, spent.waits) == ("denied", BudgetExceeded.code, False)
    busy = caller(limits=(Limit("key:k1:requests:minute", "key tests", "requests", 0, "minute"),))
    later = ask(HELLO, by=busy)
    assert (later.status, later.code, later.waits) == ("denied", "rate_limited", True)


def test_vectors_of_texts_come_as_numbers(ask: Ask) -> None:
    answer = Answer(model="m-1", vectors=((0.5, -1.0), (0.0, 1.0)), usage=Usage(input=4))
    embedding = route(target("a"))
    here = World([embedding], {"a": answer})
    asked = ask(answer, Question(route="r", task="embed", body={"input": ["a", "b"]}), world=here)
    assert (asked.status, asked.vectors) == ("ok", ((0.5, -1.0), (0.0, 1.0)))


def test_a_server_that_is_gone_is_told_so_and_is_no_targets_fault() -> None:
    async def asking() -> Asked:
        pool = Pool()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        return await RemoteAsker(Origin(place(f"http://127.0.0.1:{port}")), KEY, pool).ask(
            Question(route="r", body=BODY)
        )

    asked = asyncio.run(asking())
    assert (asked.status, asked.code, asked.hint) == ("denied", "not_running", "start it again, and resume the run")


def test_what_a_stream_cost_is_looked_up_at_a_server() -> None:
    seen: list[str] = []

    async def cost(call: str) -> int | None:
        seen.append(call)
        return 7

    async def use(asker: Asker) -> Asked:
        asker._cost = cost  # type: ignore[attr-defined]
        return await asker.ask(Question(route="r", body=BODY, streams=True))

    asked = asyncio.run(at_a_server(World([route(target("a"))], {"a": words("hi")}), caller(), use))
    assert asked.cost_nusd == 7 and seen == [asked.call]


def test_a_question_names_its_route_whatever_its_body_says() -> None:
    question = Question(route="target:a", body={**BODY, "model": "other"})
    assert json.loads(question.encoded())["model"] == "target:a"
    assert json.loads(replace(question, streams=True).encoded())["stream"] is True
