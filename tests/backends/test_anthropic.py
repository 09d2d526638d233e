"""Anthropic's wire format: what is sent, and the streams that only it has."""

import json
from contextlib import aclosing

import pytest

from backends.stages import KEY, SAID, asking, happenings, message, spoken
from fairlead.backends.http import Http
from fairlead.chat import Chunk
from fairlead.dialects import anthropic, gemini
from fairlead.errors import ConfigInvalid, RequestInvalid, StreamBroken, TargetOverloaded
from fairlead.gateway.call import Asking, Target, Timeouts
from fairlead.wire.pool import Pool
from upstream import Upstream, events, reply

pytestmark = pytest.mark.anyio
HELLO = reply(message({"type": "text", "text": "Hello there"}))


@pytest.mark.parametrize("prefix", ["", "/", "/v1", "/v1/"])
async def test_every_request_carries_what_it_must(pool: Pool, prefix: str) -> None:
    async with Upstream(HELLO) as up:
        await Http(pool, kind="anthropic", base_url=up.url + prefix, key=KEY, headers={"anthropic-beta": "x"}).answer(
            spoken(), asking()
        )
        (asked,) = up.requests
        assert (asked.method, asked.path) == ("POST", "/v1/messages")
        assert asked.headers["x-api-key"] == KEY
        assert asked.headers["anthropic-version"] == "2023-06-01"
        assert asked.headers["anthropic-beta"] == "x"
        assert asked.headers["traceparent"] == asking().trace
        assert "authorization" not in asked.headers
        body = json.loads(asked.body)
        assert (body["model"], body["max_tokens"], body.get("stream", False)) == ("model-1", 64, False)


async def test_a_stream_is_asked_for_as_one(pool: Pool) -> None:
    async with Upstream(events(*happenings(SAID), names=True)) as up:
        backend = Http(pool, kind="anthropic", base_url=up.url)
        async with aclosing(backend.stream(spoken(stream=True), asking())) as stream:
            items = [item async for item in stream]
        assert json.loads(up.requests[0].body)["stream"] is True
        assert up.requests[0].headers["accept"] == "text/event-stream"
        assert "".join(item.text for item in items if isinstance(item, Chunk)) == "Hello there"


async def test_an_overload_inside_a_stream_is_one(pool: Pool) -> None:
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    async with Upstream(events(*happenings(SAID, stop=None), error, names=True)) as up:
        backend = Http(pool, kind="anthropic", base_url=up.url)
        with pytest.raises(TargetOverloaded, match="Overloaded") as caught:
            async with aclosing(backend.stream(spoken(stream=True), asking())) as stream:
                async for _ in stream:
                    pass
        assert (caught.value.target, caught.value.dialect) == ("mini", "anthropic")


async def test_a_stream_without_its_last_event_is_broken(pool: Pool) -> None:
    async with Upstream(events(*happenings(SAID)[:-1], names=True)) as up:
        backend = Http(pool, kind="anthropic", base_url=up.url)
        with pytest.raises(StreamBroken):
            async with aclosing(backend.stream(spoken(stream=True), asking())) as stream:
                async for _ in stream:
                    pass


async def test_what_can_not_be_said_in_it_is_the_callers_to_know(pool: Pool) -> None:
    async with Upstream(HELLO) as up:
        backend = Http(pool, kind="anthropic", base_url=up.url)
        with pytest.raises(RequestInvalid) as caught:
            await backend.answer(spoken(logit_bias={"1": 5}), asking())
        assert caught.value.code == "unsupported_feature"
        assert not up.requests


async def test_words_for_another_model_are_said_anew_and_others_passed_on(pool: Pool) -> None:
    said = {"model": "route", "max_tokens": 3000, "messages": [{"role": "user", "content": "hi"}]}
    body = json.dumps({**said, "thinking": {"type": "adaptive"}}).encode()
    async with Upstream(HELLO, HELLO) as up:
        backend = Http(pool, kind="anthropic", base_url=up.url)
        for model in ("claude-haiku-4-5", "claude-opus-5"):
            target = Target("mini", "acme", model, "public", timeouts=Timeouts())
            asked = Asking(target, 3000, asking().trace, attempt="a1")
            answer = await backend.answer(anthropic.read_request("chat", body), asked)
            assert answer.spoken is not None
        first, second = (json.loads(request.body)["thinking"] for request in up.requests)
        assert (first, second) == ({"type": "enabled", "budget_tokens": 2400}, {"type": "adaptive"})


async def test_a_tool_is_called_there_as_the_language_takes_it_and_here_by_its_own_name(pool: Pool) -> None:
    tool = {"functionDeclarations": [{"name": "files.read"}]}
    body = json.dumps({"contents": [{"role": "user", "parts": [{"text": "go"}]}], "tools": [tool]}).encode()
    call = {"type": "tool_use", "id": "t1", "name": "files_read", "input": {}}
    async with Upstream(reply(message(call)), events(*happenings((call, []), stop="tool_use"), names=True)) as up:
        backend = Http(pool, kind="anthropic", base_url=up.url)
        request = gemini.read_request("chat", body, route="r", stream=False)
        answer = await backend.answer(request, asking())
        request = gemini.read_request("chat", body, route="r", stream=True)
        async with aclosing(backend.stream(request, asking())) as stream:
            told = [item.tool.name async for item in stream if isinstance(item, Chunk) and item.tool]
        assert [json.loads(asked.body)["tools"][0]["name"] for asked in up.requests] == ["files_read"] * 2
    assert [call.name for call in answer.said[0].tool_calls] == ["files.read"]
    assert told[0] == "files.read"


async def test_a_quirk_that_nobody_knows_is_refused(pool: Pool) -> None:
    with pytest.raises(ConfigInvalid):
        Http(pool, kind="anthropic", base_url="http://h", quirks={"stream_usage": True})
