"""What every backend keeps, whatever is spoken behind it (the port `Backend` of `gateway/call.py`)."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from msgspec.structs import replace

from backends.stages import KEY, STAGES, WORDS, Stage, asking, completion, deltas, spoken, unspoken
from fairlead.backends.http import Http
from fairlead.chat import Chunk, Head, Item, Request, Usage
from fairlead.errors import (
    RequestInvalid,
    StreamBroken,
    TargetError,
    TargetFailed,
    TargetOverloaded,
    TargetRefused,
    TargetRejected,
    TargetTimeout,
    TargetUnclear,
    TargetUnreachable,
)
from fairlead.gateway.call import Asking, Backend
from fairlead.wire.pool import Pool
from upstream import Upstream, events, raw
from upstream import reply as answered

pytestmark = pytest.mark.anyio
REQUESTS = {"spoken": spoken, "unspoken": unspoken}


@pytest.fixture(params=STAGES, ids=str)
def stage(request: pytest.FixtureRequest) -> Stage:
    return STAGES[request.param]


@pytest.fixture(params=REQUESTS, ids=str)
def ask(request: pytest.FixtureRequest) -> Any:
    return REQUESTS[request.param]


async def hear(backend: Backend, request: Request, how: Asking) -> list[Item]:
    async with aclosing(backend.stream(request, how)) as stream:
        return [item async for item in stream]


async def try_both(backend: Backend, how: Asking) -> list[TargetError]:
    """The errors of asking for an answer and for a stream."""
    with pytest.raises(TargetError) as unary:
        await backend.answer(spoken(), how)
    with pytest.raises(TargetError) as streamed:
        await hear(backend, spoken(stream=True), how)
    return [unary.value, streamed.value]


async def test_an_answer_says_who_gave_it_and_what_it_took(stage: Stage, pool: Pool, ask: Any) -> None:
    async with stage("hello", pool) as backend:
        answer = await backend.answer(ask(), asking())
        assert (answer.target, answer.finish, answer.dialect) == ("mini", "stop", backend.dialect)
        assert answer.usage is not None
        assert (answer.usage.input, answer.usage.output) == (5, 2)
        assert answer.id
        assert answer.model
        assert answer.spoken is not None or answer.said


async def test_an_answer_can_be_read_by_whoever_speaks_another_language(stage: Stage, pool: Pool) -> None:
    async with stage("hello", pool) as backend:
        (said,) = (await backend.answer(unspoken(), asking())).said
        assert (said.text, said.finish) == ("Hello there", "stop")


async def test_a_tool_call_comes_whole(stage: Stage, pool: Pool) -> None:
    async with stage("a tool", pool) as backend:
        (said,) = (await backend.answer(unspoken(), asking())).said
        (call,) = said.tool_calls
        assert (call.id, call.name, call.arguments.replace(" ", "")) == ("t1", "look_up", '{"id":7}')
        assert said.finish == "tool_calls"


async def test_usage_that_was_not_told_is_not_made_up(stage: Stage, pool: Pool) -> None:
    async with stage("no usage", pool) as backend:
        assert (await backend.answer(spoken(), asking())).usage is None
    async with stage("streamed no usage", pool) as backend:
        assert not [item for item in await hear(backend, spoken(stream=True), asking()) if isinstance(item, Usage)]


async def test_a_stream_begins_with_its_head_and_tells_its_usage_once(stage: Stage, pool: Pool, ask: Any) -> None:
    async with stage("streamed hello", pool) as backend:
        head, *rest = await hear(backend, ask(stream=True), asking())
        assert isinstance(head, Head)
        assert (head.target, head.dialect, bool(head.model), bool(head.id)) == ("mini", backend.dialect, True, True)
        usage = [item for item in rest if isinstance(item, Usage)]
        assert [(item.input, item.output) for item in usage] == [(5, 2)]
        chunks = [item for item in rest if isinstance(item, Chunk)]
        assert len(chunks) + len(usage) == len(rest)
        assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]
        assert sum(chunk.words for chunk in chunks) == 2


async def test_a_stream_can_be_read_by_whoever_speaks_another_language(stage: Stage, pool: Pool) -> None:
    async with stage("streamed hello", pool) as backend:
        items = await hear(backend, unspoken(stream=True), asking())
        assert "".join(item.text for item in items if isinstance(item, Chunk)) == "Hello there"


async def test_a_streamed_tool_call_can_be_put_together(stage: Stage, pool: Pool) -> None:
    async with stage("streamed a tool", pool) as backend:
        items = await hear(backend, unspoken(stream=True), asking())
        tools = [item.tool for item in items if isinstance(item, Chunk) and item.tool]
        assert [tool.name for tool in tools if tool.name] == ["look_up"]
        assert "".join(tool.arguments for tool in tools) == '{"id":7}'


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, TargetRejected),
        (401, TargetRefused),
        (402, TargetRefused),
        (403, TargetRefused),
        (404, TargetRefused),
        (408, TargetFailed),
        (413, TargetRejected),
        (422, TargetRejected),
        (429, TargetOverloaded),
        (500, TargetFailed),
        (503, TargetFailed),
        (529, TargetFailed),
        (302, TargetUnclear),
    ],
)
async def test_a_status_says_what_went_wrong(stage: Stage, pool: Pool, status: int, kind: type[TargetError]) -> None:
    async with stage(str(status), pool) as backend:
        for error in await try_both(backend, asking()):
            assert type(error) is kind
            assert (error.target, error.status, error.dialect) == ("mini", status, backend.dialect)
            assert error.retry_after_s == 7
            assert "mini" in str(error)
            assert "no good" in str(error)


async def test_no_error_shows_a_credential(stage: Stage, pool: Pool) -> None:
    async with stage("401", pool) as backend:
        for error in await try_both(backend, asking()):
            shown = f"{error!r} {error} {error.message} {error.hint} {error.details} {error.body} {backend!r}"
            assert KEY not in shown


async def test_nobody_listening_is_unreachable(stage: Stage, pool: Pool) -> None:
    async with stage("refused", pool) as backend:
        for error in await try_both(backend, asking()):
            assert type(error) is TargetUnreachable
            assert (error.target, error.status, error.dialect) == ("mini", None, backend.dialect)


async def test_silence_ends_at_the_deadline_of_the_first_token_or_in_all(stage: Stage, pool: Pool) -> None:
    async with stage("silence", pool) as backend:
        unary, streamed = await try_both(backend, asking(first_token_s=0.05, total_s=0.1))
        assert isinstance(unary, TargetTimeout)
        assert isinstance(streamed, TargetTimeout)
        assert (unary.details["stage"], streamed.details["stage"]) == ("total", "first_token")
        assert unary.target == streamed.target == "mini"


@pytest.mark.parametrize(
    ("limits", "stage_name"),
    [({"between_tokens_s": 0.05}, "between_tokens"), ({"total_s": 0.1}, "total")],
)
async def test_a_stream_that_stalls_ends_at_its_deadline(
    stage: Stage, pool: Pool, limits: dict[str, float], stage_name: str
) -> None:
    async with stage("stall", pool) as backend:
        items: list[Item] = []
        with pytest.raises(TargetTimeout) as caught:
            async with aclosing(backend.stream(spoken(stream=True), asking(**limits))) as stream:
                async for item in stream:
                    items.append(item)
        assert caught.value.details["stage"] == stage_name
        assert sum(item.words for item in items if isinstance(item, Chunk)) == 2


async def test_a_stream_that_is_cut_is_broken_and_has_no_finish(stage: Stage, pool: Pool) -> None:
    async with stage("cut", pool) as backend:
        items: list[Item] = []
        with pytest.raises(StreamBroken) as caught:
            async with aclosing(backend.stream(spoken(stream=True), asking())) as stream:
                async for item in stream:
                    items.append(item)
        assert caught.value.target == "mini"
        assert isinstance(items[0], Head)
        assert sum(item.words for item in items if isinstance(item, Chunk)) == 2
        assert not [item for item in items if isinstance(item, Chunk) and item.finish]


async def test_what_can_not_be_read_is_unclear(stage: Stage, pool: Pool) -> None:
    async with stage("malformed", pool) as backend:
        with pytest.raises(TargetUnclear) as caught:
            await backend.answer(spoken(), asking())
        assert (caught.value.target, caught.value.dialect) == ("mini", backend.dialect)


async def test_a_stream_that_is_none_fails_before_its_first_word(stage: Stage, pool: Pool) -> None:
    async with stage("streamed malformed", pool) as backend:
        with pytest.raises((TargetUnclear, TargetUnreachable)) as caught:
            await hear(backend, spoken(stream=True), asking())
        assert caught.value.target == "mini"


async def test_nothing_is_asked_before_a_stream_is_iterated(stage: Stage, pool: Pool) -> None:
    async with stage("refused", pool) as backend:
        await backend.stream(spoken(stream=True), asking()).aclose()
        assert pool.open_count == 0


async def test_closing_a_stream_closes_its_connection(stage: Stage, pool: Pool) -> None:
    async with stage("stall", pool) as backend:
        async with aclosing(backend.stream(spoken(stream=True), asking())) as stream:
            async for _ in stream:
                break
        await asyncio.sleep(0)
        assert pool.open_count == 0


async def test_cancelling_leaves_nothing_behind(stage: Stage, pool: Pool) -> None:
    async with stage("silence", pool) as backend:
        for work in (backend.answer(spoken(), asking()), hear(backend, spoken(stream=True), asking())):
            task = asyncio.ensure_future(work)
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await asyncio.sleep(0)
        assert pool.open_count == 0


@pytest.mark.parametrize("name", ["anthropic", "script"])
async def test_a_task_that_a_backend_does_not_have_is_left_to_other_targets_with_a_hint(pool: Pool, name: str) -> None:
    async with STAGES[name]("hello", pool) as backend:
        with pytest.raises(RequestInvalid, match="mini") as caught:
            await backend.answer(spoken(task="embed"), asking())
        assert caught.value.code == "unsupported_feature"
        assert caught.value.hint


@pytest.mark.parametrize("name", ["x-request-id", "Request-Id", "X-Amzn-RequestId"])
async def test_the_providers_own_name_of_a_request_is_told(pool: Pool, name: str) -> None:
    named = {name: "req_1\u00e9 2"}
    steps = [
        answered(completion(), headers=named),
        answered(b"{}", 500, headers=named),
        raw(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n%s: req_3\r\n" % name.encode(),
            b"connection: close\r\n\r\n" + b"".join(b"data: " + data + b"\n\n" for data in deltas(*WORDS)),
            then="hang_up",
        ),
    ]
    async with Upstream(*steps) as up:
        backend = Http(pool, kind="openai", base_url=up.url)
        assert (await backend.answer(spoken(), asking())).request_id == "req_12"  # as far as a header can hold it
        with pytest.raises(TargetFailed) as failed:
            await backend.answer(spoken(), asking())
        assert failed.value.request_id == "req_12"
        head, *_ = await hear(backend, spoken(stream=True), asking())
        assert isinstance(head, Head)
        assert head.request_id == "req_3"


@pytest.mark.parametrize("name", ["anthropic", "gemini"])
async def test_how_far_a_target_had_counted_is_told_when_its_stream_is_cut(pool: Pool, name: str) -> None:
    started = {"type": "message_start", "message": {"id": "m", "model": "x", "usage": {"input_tokens": 70}}}
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}
    candidate = {"content": {"role": "model", "parts": [{"text": "Hello"}]}, "index": 0}
    told = {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 70, "totalTokenCount": 70}}
    said = {"anthropic": [started, piece], "gemini": [told]}[name]
    heard: list[Usage] = []
    async with Upstream(events(*(json.dumps(one).encode() for one in said))) as up:
        backend = Http(pool, kind=name, base_url=up.url, key=KEY)
        with pytest.raises(StreamBroken):
            await hear(backend, unspoken(stream=True), replace(asking(), counted=heard.append))
    assert [usage.input for usage in heard] == [70]
