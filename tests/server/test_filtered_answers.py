"""What a content filter ended or refused is an answer: no second target is asked for a better one, whatever the route
does about failures.
"""

import asyncio
import json
from typing import Any

import pytest
from msgspec.structs import replace

from backends.stages import BEGUN, METERED, OPENED, TOLD, conversed, deltas, framed, generated, happenings, message
from backends.stages import responded as response
from fairlead.backends.http import Http
from fairlead.gateway.call import Capabilities, OnBreak, Retry
from fairlead.wire.pool import Pool
from server.client import Client
from server.languages import ANTHROPIC, BEDROCK, GEMINI, LANGUAGES, OPENAI, RESPONSES, Language
from upstream import Step, Upstream, events, reply
from world import World, route, target

OWN = {language.name: language for language in (OPENAI, ANTHROPIC, GEMINI, BEDROCK, RESPONSES)}
BLOCKED = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 5}}).encode()


def chosen(finish: str, **said: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **said}, "finish_reason": finish}
    return json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()


def filtered_response() -> dict[str, Any]:
    return response(status="incomplete") | {"incomplete_details": {"reason": "content_filter"}}


def incomplete() -> list[bytes]:
    begun = {"type": "response.created", "response": response(usage=False, status="in_progress")}
    return [
        json.dumps(one).encode() for one in (begun, {"type": "response.incomplete", "response": filtered_response()})
    ]


# (language, what comes): whole answers, then streams.
ANSWERS: dict[str, tuple[str, Step]] = {
    "openai, nothing said": ("openai", reply(chosen("content_filter"))),
    "openai, cut off": ("openai", reply(chosen("content_filter", content="Hel"))),
    "openai, a refusal": ("openai", reply(chosen("stop", refusal="No."))),
    "anthropic, a refusal": ("anthropic", reply(message(stop="refusal"))),
    "gemini, the prompt": ("gemini", reply(BLOCKED)),
    "gemini, the answer": ("gemini", reply(generated(finish="SAFETY"))),
    "bedrock, a guardrail": ("bedrock", reply(conversed({"text": "No."}, stop="guardrail_intervened"))),
    "bedrock, a filter": ("bedrock", reply(conversed(stop="content_filtered"))),
    "responses": ("responses", reply(json.dumps(filtered_response()).encode())),
}
STREAMS: dict[str, tuple[str, Step]] = {
    "openai, nothing said": ("openai", events(*deltas(finish="content_filter"))),
    "openai, cut off": ("openai", events(*deltas({"content": "Hel"}, finish="content_filter"))),
    "openai, a refusal": ("openai", events(*deltas({"refusal": "No."}))),
    "anthropic, a refusal": ("anthropic", events(*happenings(stop="refusal"), names=True)),
    "gemini, the prompt": ("gemini", events(BLOCKED)),
    "gemini, the answer": ("gemini", events(*BEGUN, generated(finish="SAFETY"))),
    "bedrock": ("bedrock", framed(OPENED, *TOLD, ("messageStop", {"stopReason": "content_filtered"}), METERED)),
    "responses": ("responses", events(*incomplete(), names=True)),
}
# What providers answer with a status of an error.
AZURE = {
    "error": {
        "message": "The response was filtered due to the prompt triggering the content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}},
    }
}
XAI = {
    "code": "The caller does not have permission to execute the specified operation",
    "error": "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO",
}
OPENROUTER = {"error": {"code": 403, "message": "moderation", "metadata": {"reasons": ["x"], "flagged_input": "y"}}}
DASHSCOPE = {"error": {"code": "data_inspection_failed", "message": "Input data may contain inappropriate content."}}
REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "Azure": (400, AZURE),
    "xAI": (403, XAI),
    "OpenRouter": (403, OPENROUTER),
    "DashScope": (400, DASHSCOPE),
}


def play(
    kind: str, step: Step, language: Language, *, stream: bool, on_break: OnBreak = "error"
) -> tuple[int, bytes, World, int]:
    async def run() -> tuple[int, bytes, World, int]:
        pool = Pool()
        async with Upstream(step) as up:
            first = target("a", can=Capabilities(prefill=True))
            rules = route(first, replace(first, name="b"), on_break=on_break, retry=Retry(backoff_s=0.001))
            world = World([rules], {})
            backend = Http(pool, kind=kind, base_url=up.url, key="sk-test-0123456789")
            world.gateway.generation = replace(world.gateway.generation, backends={"table": backend})
            path, body = language.path, language.body
            if stream:
                path, body = language.stream_path, language.stream_body
            try:
                status, _, came = await Client(world).ask(path, body)
                return status, came, world, len(up.requests)
            finally:
                await pool.close()

    return asyncio.run(run())


@pytest.mark.parametrize("of", ANSWERS)
@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_a_filtered_answer_goes_to_the_caller_and_nobody_else_is_asked(language: Language, of: str) -> None:
    status, _, world, asked = play(*ANSWERS[of], language, stream=False)
    assert (status, asked) == (200, 1)
    [call], [outcome] = world.spool.calls(), world.spool.outcomes()
    assert (call.status, call.attempts, outcome.outcome) == ("ok", 1, "ok")
    assert outcome.finish == ("stop" if "openai, a refusal" in of else "content_filter")


@pytest.mark.parametrize("of", STREAMS)
@pytest.mark.parametrize("on_break", ["error", "buffer", "continue"])
@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_a_filtered_stream_goes_to_the_caller_and_nobody_else_is_asked(
    language: Language, on_break: OnBreak, of: str
) -> None:
    status, _, world, asked = play(*STREAMS[of], language, stream=True, on_break=on_break)
    assert (status, asked) == (200, 1)
    assert [call.status for call in world.spool.calls()] == ["ok"]


@pytest.mark.parametrize("of", REFUSALS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_filter_that_answers_with_an_error_is_an_answer_whatever_its_status(of: str, stream: bool) -> None:
    status, refusal = REFUSALS[of]
    raw = json.dumps(refusal).encode()
    came, body, world, asked = play("openai", reply(raw, status), OPENAI, stream=stream, on_break="buffer")
    assert (came, body, asked) == (status, raw, 1)
    assert [outcome.outcome for outcome in world.spool.outcomes()] == ["target_rejected"]


@pytest.mark.parametrize("of", REFUSALS)
def test_a_filter_that_speaks_up_in_a_stream_before_its_first_word_is_not_asked_again(of: str) -> None:
    stream = events(*deltas(finish=None, usage=False, done=False), json.dumps(REFUSALS[of][1]).encode())
    _, _, world, asked = play("openai", stream, OPENAI, stream=True, on_break="buffer")
    assert asked == 1 and [outcome.outcome for outcome in world.spool.outcomes()] == ["target_rejected"]


def test_a_key_that_may_not_is_still_a_failure() -> None:
    body = json.dumps({"error": {"message": "no access to this model", "type": "permission_error", "code": "403"}})
    _, _, world, asked = play("openai", reply(body.encode(), 403), OPENAI, stream=False)
    assert asked == 2 and {outcome.outcome for outcome in world.spool.outcomes()} == {"target_refused"}
