"""Answers from a cache over HTTP, for callers and targets of every language: they read like what was asked for."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from backends.stages import BEGUN as GEMINI_BEGUN
from backends.stages import (
    METERED,
    OPENED,
    SAID,
    TOLD,
    WORDS,
    completion,
    conversed,
    deltas,
    framed,
    generated,
    happenings,
    message,
    spelled,
)
from backends.stages import RESPONSES as RESPONSE_SCENES
from fairlead.backends.http import Http
from fairlead.gateway.call import CacheRules
from fairlead.wire.pool import Pool
from server.client import CHAT, OTHER_KEY, Client
from server.languages import LANGUAGES, OPENAI, Language
from upstream import Step, Talk, Upstream, events, reply
from world import World, route, target

SPELLED = [json.dumps(json.loads(event), separators=(",", ":")).encode() for event in spelled()]
# (a whole answer, a stream) of each kind of target.
STEPS: dict[str, tuple[Step, Step]] = {
    "openai": (reply(completion()), events(*deltas(*WORDS))),
    "anthropic": (
        reply(message({"type": "text", "text": "Hello there"})),
        events(*happenings(SAID), names=True),
    ),
    "gemini": (reply(generated({"text": "Hello there"})), events(*GEMINI_BEGUN, generated())),
    "bedrock": (
        reply(conversed({"text": "Hello there"})),
        framed(OPENED, *TOLD, ("messageStop", {"stopReason": "end_turn"}), METERED),
    ),
    "responses": (RESPONSE_SCENES["hello"], events(*SPELLED, names=True)),
}


def either(kind: str) -> Step:
    """Answers as it is asked."""
    whole, streamed = STEPS[kind]

    async def step(talk: Talk) -> None:
        is_stream = b'"stream":true' in talk.asked.body or "stream" in talk.asked.path.lower()
        await (streamed if is_stream else whole)(talk)

    return step


def play(kind: str, ask: Callable[[Client], Any], **rules: Any) -> tuple[Any, World, int]:
    async def run() -> tuple[Any, World, int]:
        pool = Pool()
        async with Upstream(either(kind)) as up:
            world = World([route(target("a"), cache=CacheRules(**rules), version="1")], {})
            backend = Http(pool, kind=kind, base_url=up.url, key="sk-test-0123456789")
            world.gateway.generation = replace(world.gateway.generation, backends={"table": backend})
            try:
                return await ask(Client(world)), world, len(up.requests)
            finally:
                await pool.close()

    return asyncio.run(run())


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("first", ["whole", "stream"])
def test_the_same_request_reads_the_same_whole_and_as_a_stream(first: str, kind: str, language: Language) -> None:
    async def ask(client: Client) -> list[tuple[str, str, str]]:
        came: list[tuple[str, str, str]] = []
        for form in (first, "stream", "whole"):
            whole = (language.path, language.body)
            how = whole if form == "whole" else (language.stream_path, language.stream_body)
            status, headers, raw = await client.ask(*how)
            assert status == 200
            if form == "whole":
                said = language.words(json.loads(raw))
            else:
                said = language.said(language.events(raw))
                assert language.ends(language.events(raw))
            came.append((said, headers["x-fairlead-cache"], headers["x-fairlead-target"]))
        return came

    came, world, asked = play(kind, ask)
    assert came == [("Hello there", "miss", "a"), ("Hello there", "hit", "a"), ("Hello there", "hit", "a")]
    assert asked == 1
    assert [(call.cache, call.attempts) for call in world.spool.calls()] == [("miss", 1), ("hit", 0), ("hit", 0)]


def test_what_was_passed_on_as_it_came_is_so_again() -> None:
    async def ask(client: Client) -> list[bytes]:
        return [(await client.ask(OPENAI.path, OPENAI.body))[2] for _ in range(2)]

    first, second = play("openai", ask)[0]
    assert first == second == completion()


def test_a_hit_costs_nothing_and_names_no_request_of_the_providers() -> None:
    async def ask(client: Client) -> list[dict[str, str]]:
        return [(await client.ask(OPENAI.path, OPENAI.body))[1] for _ in range(2)]

    first, second = play("openai", ask)[0]
    assert float(first["x-fairlead-cost-usd"]) > 0 and float(second["x-fairlead-cost-usd"]) == 0
    assert first["x-fairlead-call"] != second["x-fairlead-call"] and "x-fairlead-upstream-id" not in second


def test_a_caller_may_say_how_and_nothing_else() -> None:
    async def ask(client: Client) -> list[str]:
        hows: list[str] = []
        for said in ("", "no-cache", "no-store", ""):
            headers = {"x-fairlead-cache": said} if said else {}
            hows.append((await client.ask(body=CHAT, headers=headers))[1].get("x-fairlead-cache", "-"))
        status, _, body = await client.ask(body=CHAT, headers={"x-fairlead-cache": "only-if-cached"})
        assert status == 400 and json.loads(body)["error"]["param"] == "x-fairlead-cache"
        return hows

    assert play("openai", ask)[0] == ["miss", "miss", "-", "hit"]


@pytest.mark.parametrize(("scope", "second"), [("key", "miss"), ("route", "hit")])
def test_another_key_is_given_it_only_where_the_route_says_so(scope: Any, second: str) -> None:
    async def ask(client: Client) -> str:
        await client.ask(body=CHAT)
        return (await client.ask(body=CHAT, key=OTHER_KEY))[1]["x-fairlead-cache"]

    assert play("openai", ask, scope=scope)[0] == second


def test_the_usage_of_a_stream_is_told_to_those_who_asked_for_it() -> None:
    async def ask(client: Client) -> list[bytes]:
        wants = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
        bodies = [{**CHAT, "stream": True}, wants, wants, {**CHAT, "stream": True}]
        return [(await client.ask(body=body))[2] for body in bodies]

    without, told, again, hidden = play("openai", ask)[0]
    assert b"prompt_tokens" in told and told == again
    assert b"prompt_tokens" not in without and without == hidden
