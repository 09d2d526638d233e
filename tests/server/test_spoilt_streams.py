"""What goes wrong in a provider's stream, for every pair of languages: the caller is told a typed error in his own, and
never an end that nobody said. What only looks odd harms no answer.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from backends import stages
from fairlead.backends.http import Http
from fairlead.dialects.bedrock.frames import event_frame, exception_frame
from fairlead.wire.pool import Pool
from server.client import Client
from server.languages import LANGUAGES, Language
from upstream import LAST, Step, Upstream, chunk, drip, head, raw
from world import World, route, target

KINDS = ("openai", "anthropic", "gemini", "bedrock", "responses")
FRAMES = "application/vnd.amazon.eventstream"


def event(data: bytes) -> bytes:
    name = json.loads(data).get("type") if data[:1] == b"{" else None
    return (b"event: %s\n" % name.encode() if isinstance(name, str) else b"") + b"data: " + data + b"\n\n"


def frame(told: tuple[str, Any]) -> bytes:
    return event_frame(told[0], json.dumps(told[1]).encode())


# Two words, and the rest of a whole answer.
BEGUN: dict[str, list[bytes]] = {
    "openai": [event(one) for one in stages.deltas(*stages.WORDS, finish=None, usage=False, done=False)],
    "anthropic": [event(one) for one in stages.happenings(stages.SAID, stop=None)],
    "gemini": [event(one) for one in stages.BEGUN],
    "bedrock": [frame(one) for one in (stages.OPENED, *stages.TOLD)],
    "responses": [event(one) for one in stages.spelled(end=False)],
}
REST: dict[str, list[bytes]] = {
    "openai": [event(one) for one in stages.deltas()[1:]],
    "anthropic": [event(one) for one in stages.happenings()[2:]],
    "gemini": [event(stages.generated())],
    "bedrock": [frame(("messageStop", {"stopReason": "end_turn"})), frame(stages.METERED)],
    "responses": [event(one) for one in stages.spelled()[-2:]],
}
ERRORS: dict[str, bytes] = {
    "openai": event(b'{"error":{"message":"overloaded","type":"server_error","code":"x"}}'),
    "anthropic": event(b'{"type":"error","error":{"type":"overloaded_error","message":"overloaded"}}'),
    "gemini": event(b'{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}'),
    "bedrock": exception_frame("serviceUnavailableException", b'{"message":"overloaded"}'),
    "responses": event(b'{"type":"error","code":"server_error","message":"overloaded","sequence_number":9}'),
}
SPOILT = frame(("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "x"}}))
SPOILT = SPOILT[:-1] + bytes([SPOILT[-1] ^ 1])  # its checksum is wrong


def broken(kind: str, data: bytes) -> bytes:
    """The same trouble in either framing."""
    return SPOILT if kind == "bedrock" else data


# What comes after two words, by trouble.
TROUBLES: dict[str, Callable[[str], bytes]] = {
    "the end, unsaid": lambda kind: b"",
    "an error": lambda kind: ERRORS[kind],
    "an error, then an end": lambda kind: ERRORS[kind] + b"".join(REST[kind]),
    "half of an event": lambda kind: REST[kind][0][:-7],
    "no JSON": lambda kind: broken(kind, b'data: {"choices": [{"de\n\n'),
    "no UTF-8": lambda kind: broken(kind, b'data: {"x": "\xc3"}\n\n'),
    "a list": lambda kind: broken(kind, b"data: [1]\n\n"),
    "a page": lambda kind: broken(kind, b"data: <html>gateway timeout</html>\n\n"),
    "no JSON, then an end": lambda kind: broken(kind, b"data: {{{\n\n") + b"".join(REST[kind]),
    "comments alone": lambda kind: b"" if kind == "bedrock" else b": alive\n\n" * 3,
}


def answered(kind: str, *pieces: bytes, then: str = "end") -> Step:
    start = head(200, {"content-type": FRAMES if kind == "bedrock" else "text/event-stream",
                       "transfer-encoding": "chunked"})  # fmt: skip
    return raw(
        start,
        *(chunk(piece) for piece in pieces if piece),
        *([LAST] if then == "end" else []),
        delay_s=0.005,
        then=then,
    )


def play(step: Step, kind: str, language: Language) -> tuple[int, bytes, World]:
    async def run() -> tuple[int, bytes, World]:
        pool = Pool()
        async with Upstream(step) as up:
            world = World([route(target("a"))], {})
            backend = Http(pool, kind=kind, base_url=up.url, key="sk-test-0123456789")
            world.gateway.generation = replace(world.gateway.generation, backends={"table": backend})
            try:
                status, _, body = await Client(world).ask(language.stream_path, language.stream_body)
                return status, body, world
            finally:
                await pool.close()

    return asyncio.run(run())


ENDS = {
    "openai": (b"[DONE]", b'finish_reason":"stop"'),
    "responses": (b"response.completed", b"response.incomplete"),
    "anthropic": (b"message_stop", b'stop_reason":"end_turn"'),
    "gemini": (b'finishReason":"STOP"',),
    "bedrock": (b"messageStop",),
}
every_language = pytest.mark.parametrize("language", LANGUAGES, ids=[one.name for one in LANGUAGES])
every_kind = pytest.mark.parametrize("kind", KINDS)


@every_kind
@every_language
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_stream_that_is_spoilt_ends_with_an_error_and_never_with_an_end(
    trouble: str, kind: str, language: Language
) -> None:
    status, body, world = play(answered(kind, b"".join(BEGUN[kind]), TROUBLES[trouble](kind)), kind, language)
    assert status == 200
    told = language.events(body)
    assert language.said(told[:-1]) == "Hello there"
    assert any(word in json.dumps(told[-1]).lower() for word in ("stream_broken", "target_")), told[-1]
    assert not any(end in body.replace(b": ", b":") for end in ENDS[language.name])
    [outcome] = world.spool.outcomes()
    assert outcome.outcome != "ok" and outcome.estimated and outcome.output_tokens > 0


@every_kind
@every_language
def test_a_connection_that_breaks_is_no_end(kind: str, language: Language) -> None:
    for then in ("hang_up", "reset"):
        status, body, world = play(answered(kind, b"".join(BEGUN[kind]), then=then), kind, language)
        if status == 200:  # a reset may overtake what was sent before it
            assert not any(end in body.replace(b": ", b":") for end in ENDS[language.name])
        else:
            assert status == 502
        assert world.spool.outcomes()[0].outcome in ("stream_broken", "target_unreachable")


@every_kind
@every_language
@pytest.mark.parametrize("nothing", [b"", b": alive\n\n: alive\n\n", b"\n\n\n"])
def test_a_stream_without_a_word_has_a_status_of_its_own(nothing: bytes, kind: str, language: Language) -> None:
    status, body, _ = play(answered(kind, b"" if kind == "bedrock" else nothing), kind, language)
    assert (status, language.kind(json.loads(body))) == (502, language.errors[502])


@every_kind
@every_language
@pytest.mark.parametrize("wrong", ["text/html", "application/json", "text/event-stream;", FRAMES, ""])
def test_what_is_said_to_be_no_stream_is_not_read_as_one(wrong: str, kind: str, language: Language) -> None:
    if wrong.startswith(FRAMES if kind == "bedrock" else "text/event-stream"):
        return
    lines = {"content-type": wrong} if wrong else {}
    start = head(200, {**lines, "transfer-encoding": "chunked"})
    status, body, _ = play(raw(start, chunk(b"<html>sk-test-0123456789"), LAST), kind, language)
    assert (status, language.kind(json.loads(body))) == (502, language.errors[502])
    assert b"sk-test" not in body


@every_kind
@every_language
def test_what_only_looks_odd_harms_no_answer(kind: str, language: Language) -> None:
    whole = b"".join(BEGUN[kind] + REST[kind])
    kind_of = FRAMES if kind == "bedrock" else "text/event-stream"
    steps = [drip(head(200, {"content-type": kind_of, "content-length": str(len(whole))}) + whole, size=97)]
    steps.append(answered(kind, whole, ERRORS[kind] if kind == "anthropic" else b""))
    if kind != "bedrock":
        steps.append(answered(kind, b"\xef\xbb\xbf" + whole.replace(b"\n", b"\r\n")))
        steps.append(answered(kind, whole.replace(b"\n\n", b"\n: alive\n\n: alive\n\nid: 7\nretry: 1\n\n")))
    for step in steps:
        status, body, world = play(step, kind, language)
        told = language.events(body)
        assert status == 200 and "".join(language.piece(*one) for one in told) == "Hello there"
        assert any(end in body.replace(b": ", b":") for end in ENDS[language.name])
        [outcome] = world.spool.outcomes()
        assert (outcome.outcome, outcome.input_tokens, outcome.output_tokens) == ("ok", 5, 2)


def test_an_event_without_end_is_not_held_without_end() -> None:
    piece = chunk(b"data: " + b"x" * 1_000_000)
    start = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
    status, _, _ = play(raw(start, *[piece] * 10, then="stall"), "openai", LANGUAGES[0])
    assert status == 502
