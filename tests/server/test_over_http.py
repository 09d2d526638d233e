"""Each language's endpoints over a server that is asked over HTTP: what is sent there, and what of its words comes
back.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from fairlead.backends.http import Http
from fairlead.wire.pool import Pool
from server.client import Client
from server.languages import ANTHROPIC, BEDROCK, GEMINI, LANGUAGES, OPENAI, Language
from upstream import Asked, Step, Upstream, reply
from world import World, route, target

ANSWER = {
    "id": "chatcmpl-1",
    "model": "m-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}


class Said(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Play = Callable[[Client], Awaitable[tuple[int, dict[str, str], bytes]]]


def play(step: Step, asked: Play, *, kind: str = "openai", **settings: Any) -> tuple[Said, list[Asked]]:
    """Ask once over a backend of `kind` whose server does `step`: what came, and what the server was asked."""

    async def run() -> tuple[Said, list[Asked]]:
        pool = Pool()
        async with Upstream(step) as up:
            world = World([route(target("a"), **settings)], {})
            backend = Http(pool, kind=kind, base_url=up.url, key="sk-test")
            world.gateway.generation = replace(world.gateway.generation, backends={"table": backend})
            try:
                return Said(*await asked(Client(world))), up.requests
            finally:
                await pool.close()

    return asyncio.run(run())


def ask(language: Language, **fields: Any) -> Play:
    return lambda client: client.ask(language.path, {**language.body, **fields})


@pytest.mark.parametrize("language", LANGUAGES, ids=[one.name for one in LANGUAGES])
def test_any_language_is_answered_by_a_server_of_another(language: Language) -> None:
    said, asked = play(reply(json.dumps(ANSWER).encode(), headers={"x-request-id": "req_7"}), ask(language))
    assert (said.status, language.words(said.json)) == (200, "hello")
    assert json.loads(asked[0].body)["messages"] == [{"role": "user", "content": "hi"}]
    assert said.headers["x-fairlead-upstream-id"] == "req_7"


HOSTILE = {"a\r\nset-cookie: b=c": {"x": 1}, "b\nc": {"x": 1}, "naïve, too": {"x": 1}}


def test_a_lossy_route_leaves_out_what_can_not_be_said_and_tells_it_in_one_safe_header() -> None:
    said, [asked] = play(reply(json.dumps(ANSWER).encode()), ask(ANTHROPIC, **HOSTILE), lossy=True)
    assert said.status == 200
    told = said.headers["x-fairlead-dropped"]
    assert told.isascii() and told.isprintable() and len(told.split(", ")) == len(HOSTILE)
    assert "set-cookie" not in said.headers and b"set-cookie" not in asked.body


@pytest.mark.parametrize(
    ("language", "field", "value"),
    [(ANTHROPIC, "container", "c_1"), (GEMINI, "labels2", {"a": "b"}), (BEDROCK, "guardrailConfig", {"a": "b"})],
)
def test_any_other_route_refuses_it_with_its_path_and_asks_nobody(language: Language, field: str, value: Any) -> None:
    said, asked = play(reply(json.dumps(ANSWER).encode()), ask(language, **{field: value}))
    assert (said.status, language.kind(said.json)) == (400, language.errors[400])
    assert "unsupported_feature" in said.body.decode().lower() and field in said.body.decode()
    assert asked == []


def test_half_of_a_conversation_is_not_answered_on_a_lossy_route_either() -> None:
    for path, body in (
        ("/v1/responses", {"model": "r", "input": "hi", "previous_response_id": "resp_1"}),
        (GEMINI.path, {**GEMINI.body, "cachedContent": "cachedContents/1"}),
    ):
        said, asked = play(reply(json.dumps(ANSWER).encode()), lambda c, p=path, b=body: c.ask(p, b), lossy=True)
        assert said.status == 400 and b"whole conversation" in said.body and asked == []


THEIRS = {
    "openai": (OPENAI, b'{"error":{"message":"theirs","type":"invalid_request_error","odd":1}}'),
    "anthropic": (ANTHROPIC, b'{"type":"error","error":{"type":"invalid_request_error","message":"theirs"},"odd":1}'),
    "gemini": (GEMINI, b'{"error":{"code":400,"message":"theirs","status":"INVALID_ARGUMENT"},"odd":1}'),
    "bedrock": (BEDROCK, b'{"message":"theirs","odd":1}'),
}


@pytest.mark.parametrize("kind", THEIRS)
def test_a_providers_own_4xx_body_goes_to_a_caller_of_its_language_and_to_no_other(kind: str) -> None:
    language, body = THEIRS[kind]
    said, _ = play(reply(body, 400), ask(language), kind=kind)
    assert (said.status, said.body) == (400, body)
    for other in LANGUAGES:
        if other is not language:
            said, _ = play(reply(body, 400), ask(other), kind=kind)
            assert (said.status, other.kind(said.json)) == (400, other.errors[400])
            assert b"theirs" in said.body and b"odd" not in said.body


@pytest.mark.parametrize("language", LANGUAGES, ids=[one.name for one in LANGUAGES])
def test_when_to_ask_again_is_passed_on(language: Language) -> None:
    step = reply(b'{"error":{"message":"slow down","type":"rate_limit_error"}}', 429, headers={"retry-after": "7"})
    said, _ = play(step, ask(language))
    assert (said.status, said.headers["retry-after"], language.kind(said.json)) == (429, "7", language.errors[429])


def counted(client: Client) -> Awaitable[tuple[int, dict[str, str], bytes]]:
    return client.ask("/v1/messages/count_tokens", ANTHROPIC.body)


def test_tokens_are_counted_by_the_target_where_it_can_else_estimated_and_told() -> None:
    said, [asked] = play(reply(b'{"input_tokens": 41}'), counted, kind="anthropic")
    assert said.json == {"input_tokens": 41} and asked.path == "/v1/messages/count_tokens"
    assert "x-fairlead-estimated" not in said.headers
    said, asked_none = play(reply(b"{}"), counted, kind="openai")
    assert said.json["input_tokens"] > 0 and asked_none == []
    assert said.headers["x-fairlead-estimated"] == "true"
