"""Streams that break over real HTTP, for callers of every language: what is rescued reads like one that never broke."""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from fairlead.backends.http import Http
from fairlead.gateway.call import Capabilities, OnBreak
from fairlead.wire.pool import Pool
from server.client import Client
from server.languages import LANGUAGES, Language
from server.test_spoilt_streams import BEGUN, REST, answered
from upstream import Step, Upstream
from world import World, route, target

GOES_ON = ("openai", "anthropic", "bedrock")
MODEL = {"anthropic": "claude-haiku-4-5", "bedrock": "anthropic.claude-haiku-4-5-20251001-v1:0"}
QUIRKS: dict[str, dict[str, Any]] = {"openai": {"prefill": "vllm"}}


def play(kind: str, language: Language, on_break: OnBreak, *steps: Step) -> tuple[int, bytes, World, list[Any]]:
    async def run() -> tuple[int, bytes, World, list[Any]]:
        pool = Pool()
        async with Upstream(*steps) as up:
            asked = target("a", model=MODEL.get(kind, "m"), can=Capabilities(prefill=True))
            world = World([route(asked, replace(asked, name="b"), on_break=on_break)], {})
            quirks = QUIRKS.get(kind, {})
            backend = Http(pool, kind=kind, base_url=up.url, key="sk-test-0123456789", quirks=quirks)
            world.gateway.generation = replace(world.gateway.generation, backends={"table": backend})
            try:
                status, _, body = await Client(world).ask(language.stream_path, language.stream_body)
                return status, body, world, [json.loads(one.body) for one in up.requests]
            finally:
                await pool.close()

    return asyncio.run(run())


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
@pytest.mark.parametrize("kind", GOES_ON)
def test_a_stream_that_is_cut_is_continued_and_reads_like_one(kind: str, language: Language) -> None:
    cut, whole = answered(kind, *BEGUN[kind], then="hang_up"), answered(kind, *BEGUN[kind], *REST[kind])
    status, body, world, requests = play(kind, language, "continue", cut, whole)
    events = language.events(body)
    once = language.said(language.events(play(kind, language, "continue", whole)[1]))
    assert status == 200 and language.ends(events)
    assert once and language.said(events) == once.rstrip() + once
    assert [row.purpose for row in world.spool.intents()] == ["primary", "continue"]
    said = requests[1]["messages"][-1]
    begun = said["content"] if isinstance(said["content"], str) else said["content"][0]["text"]
    assert (said["role"], begun) == ("assistant", once.rstrip())
    assert ("continue_final_message" in requests[1]) is (kind == "openai")


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
@pytest.mark.parametrize("kind", ["openai", "anthropic", "gemini", "bedrock", "responses"])
def test_a_buffered_stream_that_is_cut_is_asked_for_again_and_goes_out_as_it_came(
    kind: str, language: Language
) -> None:
    cut, whole = answered(kind, *BEGUN[kind], then="hang_up"), answered(kind, *BEGUN[kind], *REST[kind])
    status, body, world, _ = play(kind, language, "buffer", cut, whole)
    _, once, _, _ = play(kind, language, "buffer", whole)
    assert status == 200 and language.ends(language.events(body))
    assert language.said(language.events(body)) == language.said(language.events(once))
    assert [row.target for row in world.spool.intents()] == ["a", "b"]
