"""OpenAI's wire format: what is sent, and the answers that only its servers give."""

import json
from contextlib import aclosing
from typing import Any

import pytest

from backends.stages import KEY, WORDS, asking, completion, deltas, spoken, unspoken
from fairlead import __version__
from fairlead.backends.http import Http
from fairlead.chat import Chunk, Item, Request, Usage
from fairlead.errors import ConfigInvalid, StreamBroken, TargetError, TargetOverloaded, TargetUnclear
from fairlead.wire.pool import Pool
from upstream import Step, Upstream, chunk, drip, events, head, raw, reply

pytestmark = pytest.mark.anyio


async def hear(backend: Http, request: Request, **limits: float) -> list[Item]:
    async with aclosing(backend.stream(request, asking(**limits))) as stream:
        return [item async for item in stream]


async def test_every_request_carries_what_it_must(pool: Pool) -> None:
    async with Upstream(reply(completion()), events(*deltas(*WORDS))) as up:
        backend = Http(pool, kind="openai", base_url=up.url + "/v1/", key=KEY, headers={"X-Team": "a"})
        await backend.answer(spoken(), asking())
        await hear(backend, spoken(stream=True))
        for asked in up.requests:
            assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
            assert asked.headers["authorization"] == f"Bearer {KEY}"
            assert asked.headers["content-type"] == "application/json"
            assert asked.headers["user-agent"] == f"fairlead/{__version__}"
            assert asked.headers["traceparent"] == asking().trace
            assert asked.headers["x-team"] == "a"
        assert [asked.headers["accept"] for asked in up.requests] == ["application/json", "text/event-stream"]
        assert up.connections == 1


async def test_headers_of_the_operator_win(pool: Pool) -> None:
    async with Upstream(reply(completion())) as up:
        backend = Http(pool, kind="openai", base_url=up.url, key=KEY, headers={"Authorization": "Basic x"})
        await backend.answer(spoken(), asking())
        assert up.requests[0].headers["authorization"] == "Basic x"


@pytest.mark.parametrize("trace", ["", "00-short", asking().trace + "\r\nx-evil: 1"])
async def test_a_trace_that_is_none_is_not_sent(pool: Pool, trace: str) -> None:
    async with Upstream(reply(completion())) as up:
        how = type(asking())(asking().target, 64, trace)
        await Http(pool, kind="openai", base_url=up.url).answer(spoken(), how)
        assert not {"traceparent", "x-evil", "authorization"} & set(up.requests[0].headers)


async def test_what_was_said_in_this_language_is_passed_on(pool: Pool) -> None:
    async with Upstream(reply(completion())) as up:
        backend = Http(pool, kind="openai", base_url=up.url)
        answer = await backend.answer(spoken("Größe?", unknown={"a": [1.50]}, temperature=1e0), asking())
        said = up.requests[0].body
        assert json.loads(said)["model"] == "model-1"
        assert json.loads(said)["max_tokens"] == 64
        assert b'{"a": [1.5]}' in said  # byte for byte, the blank too
        assert answer.spoken == completion()


async def test_what_was_said_in_none_is_written(pool: Pool) -> None:
    async with Upstream(events(*deltas(*WORDS))) as up:
        await hear(Http(pool, kind="openai", base_url=up.url), unspoken("Hi", stream=True))
        said = json.loads(up.requests[0].body)
        assert (said["model"], said["stream"], said["messages"]) == (
            "model-1",
            True,
            [{"role": "user", "content": "Hi"}],
        )


async def test_each_task_has_its_path(pool: Pool) -> None:
    text = {"id": "c", "object": "text_completion", "choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]}
    vectors = {"object": "list", "data": [{"index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 3}}
    async with Upstream(reply(json.dumps(text).encode()), reply(json.dumps(vectors).encode())) as up:
        backend = Http(pool, kind="openai", base_url=up.url + "/v1")
        assert (await backend.answer(spoken(task="complete"), asking())).finish == "stop"
        answer = await backend.answer(spoken(task="embed"), asking())
        assert [asked.path for asked in up.requests] == ["/v1/completions", "/v1/embeddings"]
        assert answer.usage is not None
        assert answer.usage.input == 3


async def test_an_answer_is_asked_for_even_where_the_caller_streams(pool: Pool) -> None:
    async with Upstream(reply(completion())) as up:
        await Http(pool, kind="openai", base_url=up.url).answer(spoken(stream=True), asking())
        assert json.loads(up.requests[0].body).get("stream") is not True


async def test_events_are_passed_on_as_they_came(pool: Pool) -> None:
    sent = deltas(*WORDS)
    async with Upstream(events(*sent)) as up:
        items = await hear(Http(pool, kind="openai", base_url=up.url), spoken(stream=True))
        assert [item.spoken for item in items] == sent[:-1]


@pytest.mark.parametrize("size", [1, 5, 64])
async def test_a_stream_may_be_cut_anywhere_by_the_network(pool: Pool, size: int) -> None:
    body = b"".join(b"data: " + data + b"\r\n\r\n" for data in deltas({"content": "größer 🙂"}))
    answer = head(200, {"content-type": "text/event-stream; charset=utf-8", "content-length": str(len(body))})
    async with Upstream(drip(answer + body, size)) as up:
        items = await hear(Http(pool, kind="openai", base_url=up.url), unspoken(stream=True))
        assert "".join(item.text for item in items if isinstance(item, Chunk)) == "größer 🙂"


async def test_a_stream_without_done_is_whole_if_every_choice_has_finished(pool: Pool) -> None:
    async with Upstream(events(*deltas(*WORDS, done=False))) as up:
        items = await hear(Http(pool, kind="openai", base_url=up.url), spoken(stream=True))
        assert isinstance(items[-1], Usage)


async def test_a_stream_without_done_and_finish_is_broken(pool: Pool) -> None:
    async with Upstream(events(*deltas(*WORDS, finish=None, usage=False, done=False))) as up:
        with pytest.raises(StreamBroken, match="before its answer was whole"):
            await hear(Http(pool, kind="openai", base_url=up.url), spoken(stream=True))


@pytest.mark.parametrize("then", ["hang_up", "stall"])
async def test_what_happens_after_the_whole_answer_does_it_no_harm(pool: Pool, then: str) -> None:
    async with Upstream(events(*deltas(*WORDS, done=False), then=then)) as up:
        items = await hear(Http(pool, kind="openai", base_url=up.url), spoken(stream=True), between_tokens_s=0.05)
        assert isinstance(items[-1], Usage)


async def test_an_error_inside_a_stream_keeps_its_kind(pool: Pool) -> None:
    error = json.dumps({"error": {"message": f"slow down {KEY}", "type": "rate_limit_exceeded"}}).encode()
    async with Upstream(events(error)) as up:
        with pytest.raises(TargetOverloaded) as caught:
            await hear(Http(pool, kind="openai", base_url=up.url, key=KEY), spoken(stream=True))
        assert caught.value.target == "mini"
        assert KEY not in f"{caught.value} {caught.value.body!r}"


@pytest.mark.parametrize(
    "step",
    [
        reply(b""),
        reply(b"  \n"),
        reply(b"<!doctype html><p>Welcome", kind="text/html"),
        reply(b" <html>", kind="application/json"),
        reply(b'{"choices": ['),
        reply(b"null"),
        reply(status=204),
        raw(head(200, {"content-length": "5000"}) + completion(), then="hang_up"),
        raw(head(200, {"transfer-encoding": "chunked"}) + chunk(b"{") + b"oops\r\n", then="hang_up"),
    ],
    ids=[
        "empty",
        "blank",
        "a page",
        "a page said to be JSON",
        "half",
        "null",
        "no content",
        "a wrong length",
        "a bad chunk",
    ],
)
async def test_an_answer_that_is_none_is_unclear(pool: Pool, step: Step) -> None:
    async with Upstream(step) as up:
        with pytest.raises(TargetUnclear) as caught:
            await Http(pool, kind="openai", base_url=up.url).answer(spoken(), asking())
        assert (caught.value.target, caught.value.dialect) == ("mini", "openai")


@pytest.mark.parametrize("step", [reply(completion()), reply(b"<html>", kind="text/html"), reply(b"", kind="")])
async def test_a_stream_that_is_answered_with_something_else_is_unclear(pool: Pool, step: Step) -> None:
    async with Upstream(step) as up:
        with pytest.raises(TargetUnclear, match="instead of an event stream") as caught:
            await hear(Http(pool, kind="openai", base_url=up.url), spoken(stream=True))
        assert caught.value.status == 200


async def test_an_error_body_is_bounded(pool: Pool) -> None:
    async with Upstream(reply(b"x" * 300_000, 500)) as up:
        with pytest.raises(TargetError) as caught:
            await Http(pool, kind="openai", base_url=up.url).answer(spoken(), asking())
        assert len(caught.value.body or b"") == 64 * 1024


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"base_url": ""}, "base_url"),
        ({"base_url": "nowhere"}, "base_url"),
        ({"base_url": "http://h", "quirks": {"streem_usage": False}}, "quirks"),
        ({"base_url": "http://h", "headers": {"x-a": "b\r\nc"}}, "headers.x-a"),
        ({"base_url": "http://h", "key": "sk\nx"}, "headers.authorization"),
    ],
)
async def test_wrong_settings_are_found_at_once(pool: Pool, settings: Any, path: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Http(pool, kind="openai", **settings)
    assert caught.value.details.get("path", "") == path


async def test_a_target_that_counts_one_sample_is_multiplied_and_marked(pool: Pool) -> None:
    async with Upstream(reply(completion()), reply(completion()), events(*deltas(*WORDS, usage=True))) as up:
        backend = Http(pool, kind="openai", base_url=up.url, quirks={"counts_one_sample": True})
        one = (await backend.answer(spoken(), asking())).usage
        three = (await backend.answer(spoken(n=3), asking())).usage
        assert one is not None and three is not None
        assert (three.output, three.input) == (3 * one.output, one.input)
        assert (one.estimated, three.estimated) == (False, True)
        usages = [item for item in await hear(backend, spoken(n=3, stream=True)) if isinstance(item, Usage)]
        assert [usage.estimated for usage in usages] == [True]
