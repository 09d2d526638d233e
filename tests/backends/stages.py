"""The same play on every stage: for each wire format a backend, and a world behind it that behaves as a scene says.

A scene is a word of `SCENES`; what it means to the tests is the same everywhere.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fairlead.backends.http import Http
from fairlead.backends.lines import Line, ScriptedCall, ScriptedUsage
from fairlead.backends.script import Script
from fairlead.chat import Chat, Message, Request, Text
from fairlead.dialects import openai
from fairlead.dialects.bedrock.frames import event_frame
from fairlead.gateway.call import Asking, Backend, Target, Timeouts
from fairlead.wire.pool import Pool
from upstream import Step, Upstream, chunk, events, raw, refused_url, reply, silence

KEY = "sk-test-0123456789"
Stage = Callable[[str, Pool], AbstractAsyncContextManager[Backend]]


def asking(**timeouts: float) -> Asking:
    target = Target("mini", "acme", "model-1", "public", timeouts=Timeouts(**timeouts))
    return Asking(target, 64, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", attempt="a1")


def spoken(text: str = "Hello?", *, task: Any = "chat", **fields: Any) -> Request:
    """A request as a caller says it in OpenAI's language."""
    said = {"chat": {"messages": [{"role": "user", "content": text}]}, "complete": {"prompt": text}}
    body = {"model": "route", **said.get(task, {"input": text}), **fields}
    return openai.read_request(task, json.dumps(body).encode())


def unspoken(text: str = "Hello?", *, stream: bool = False) -> Request:
    """A request that was said in no wire format: an evaluation's, a judge's."""
    chat = Chat(messages=(Message("user", (Text(text),)),))
    return Request(task="chat", route="route", stream=stream, read=lambda: chat)


# --- OpenAI's language ---


def completion(content: str | None = "Hello there", usage: bool = True, calls: list[Any] | None = None) -> bytes:
    message = {"role": "assistant", "content": content} | ({"tool_calls": calls} if calls else {})
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    body = {"id": "c1", "object": "chat.completion", "model": "served-1", "choices": [choice]}
    return json.dumps(body | ({"usage": {"prompt_tokens": 5, "completion_tokens": 2}} if usage else {})).encode()


def deltas(*deltas: Any, finish: str | None = "stop", usage: bool = True, done: bool = True) -> list[bytes]:
    """The data of a stream's events."""
    start = {"id": "c1", "object": "chat.completion.chunk", "model": "served-1"}
    first = {"role": "assistant", "content": ""}
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in (first, *deltas)]
    choices += [{"index": 0, "delta": {}, "finish_reason": finish}] if finish else []
    said = [json.dumps(start | {"choices": [choice]}).encode() for choice in choices]
    told = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    return said + [json.dumps(start | told).encode()] * usage + [b"[DONE]"] * done


WORDS = ({"content": "Hello"}, {"content": " there"})
CALL = {"index": 0, "id": "t1", "type": "function", "function": {"name": "look_up", "arguments": '{"id":7}'}}
OPENAI: dict[str, Step] = {
    "hello": reply(completion()),
    "no usage": reply(completion(usage=False)),
    "a tool": reply(completion(None, calls=[CALL])),
    "malformed": reply(b'{"choices": [{"mess'),
    "streamed hello": events(*deltas(*WORDS)),
    "streamed no usage": events(*deltas(*WORDS, usage=False)),
    "streamed a tool": events(*deltas({"tool_calls": [CALL]}, finish="tool_calls")),
    "streamed malformed": raw(b"HTTP/1.1 200 OK\r\nnonsense", then="hang_up"),
    "cut": events(*deltas(*WORDS, finish=None, usage=False, done=False), then="hang_up"),
    "stall": events(*deltas(*WORDS, finish=None, usage=False, done=False), then="stall"),
}

# --- Anthropic's language ---


def message(*content: Any, stop: str = "end_turn", usage: bool = True) -> bytes:
    body = {"type": "message", "id": "m1", "model": "served-1", "content": content, "stop_reason": stop}
    return json.dumps(body | ({"usage": {"input_tokens": 5, "output_tokens": 2}} if usage else {})).encode()


def happenings(*blocks: tuple[Any, list[Any]], stop: str | None = "end_turn", usage: bool = True) -> list[bytes]:
    """The data of a stream's events: blocks are (what it starts as, its deltas)."""
    start: dict[str, Any] = {"id": "m1", "model": "served-1", "content": []}
    told: list[Any] = [
        {"type": "message_start", "message": start | ({"usage": {"input_tokens": 5}} if usage else {})},
        {"type": "ping"},
    ]
    for index, (block, pieces) in enumerate(blocks):
        told.append({"type": "content_block_start", "index": index, "content_block": block})
        told += [{"type": "content_block_delta", "index": index, "delta": piece} for piece in pieces]
    if stop:
        end = {"type": "message_delta", "delta": {"stop_reason": stop}}
        told += [end | ({"usage": {"output_tokens": 2}} if usage else {}), {"type": "message_stop"}]
    return [json.dumps(item, separators=(",", ":")).encode() for item in told]


SAID = ({"type": "text", "text": ""}, [{"type": "text_delta", "text": text} for text in ("Hello", " there")])
USED = (
    {"type": "tool_use", "id": "t1", "name": "look_up", "input": {}},
    [{"type": "input_json_delta", "partial_json": '{"id":7}'}],
)
ANTHROPIC: dict[str, Step] = {
    "hello": reply(message({"type": "text", "text": "Hello there"})),
    "no usage": reply(message({"type": "text", "text": "Hello there"}, usage=False)),
    "a tool": reply(message({**USED[0], "input": {"id": 7}}, stop="tool_use")),
    "malformed": reply(b'{"type": "mess'),
    "streamed hello": events(*happenings(SAID), names=True),
    "streamed no usage": events(*happenings(SAID, usage=False), names=True),
    "streamed a tool": events(*happenings(USED, stop="tool_use"), names=True),
    "streamed malformed": OPENAI["streamed malformed"],
    "cut": events(*happenings(SAID, stop=None), names=True, then="hang_up"),
    "stall": events(*happenings(SAID, stop=None), names=True, then="stall"),
}

# --- Gemini's language ---


def generated(*parts: Any, finish: str | None = "STOP", usage: bool = True) -> bytes:
    """An answer, or an event of a stream: they look alike."""
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
    if finish:
        candidate["finishReason"] = finish
    body: dict[str, Any] = {"candidates": [candidate], "modelVersion": "served-1", "responseId": "g1"}
    if usage:
        body["usageMetadata"] = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}
    return json.dumps(body, separators=(",", ":")).encode()


CALLED = {"functionCall": {"id": "t1", "name": "look_up", "args": {"id": 7}}}
BEGUN = [generated({"text": text}, finish=None, usage=False) for text in ("Hello", " there")]
GEMINI: dict[str, Step] = {
    "hello": reply(generated({"text": "Hello there"})),
    "no usage": reply(generated({"text": "Hello there"}, usage=False)),
    "a tool": reply(generated(CALLED)),
    "malformed": reply(b'{"candidates": [{"cont'),
    "streamed hello": events(*BEGUN, generated()),
    "streamed no usage": events(*BEGUN, generated(usage=False)),
    "streamed a tool": events(generated(CALLED)),
    "streamed malformed": OPENAI["streamed malformed"],
    "cut": events(*BEGUN, then="hang_up"),
    "stall": events(*BEGUN, then="stall"),
}

# --- Bedrock's language ---


def conversed(*content: Any, stop: str = "end_turn", usage: bool = True) -> bytes:
    body = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop}
    return json.dumps(body | ({"usage": BILLED} if usage else {})).encode()


def framed(*told: tuple[str, Any], then: str = "keep") -> Step:
    """A response of binary frames: (event, payload) each."""
    frames = b"".join(event_frame(event, json.dumps(payload).encode()) for event, payload in told)
    kind = b"content-type: application/vnd.amazon.eventstream\r\n"
    if then == "keep":
        return raw(b"HTTP/1.1 200 OK\r\n%scontent-length: %d\r\n\r\n" % (kind, len(frames)) + frames, then=then)
    return raw(b"HTTP/1.1 200 OK\r\n%stransfer-encoding: chunked\r\n\r\n" % kind + chunk(frames), then=then)


def passage(index: int, start: Any, deltas: list[Any]) -> list[tuple[str, Any]]:
    begun = [("contentBlockStart", {"contentBlockIndex": index, "start": start})] if start else []
    pieces = [("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}) for delta in deltas]
    return [*begun, *pieces, ("contentBlockStop", {"contentBlockIndex": index})]


BILLED = {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7}
METERED = ("metadata", {"usage": BILLED, "metrics": {"latencyMs": 1}})
OPENED = ("messageStart", {"role": "assistant"})
TOLD = passage(0, None, [{"text": "Hello"}, {"text": " there"}])
ASKED = passage(0, {"toolUse": {"toolUseId": "t1", "name": "look_up"}}, [{"toolUse": {"input": '{"id":7}'}}])
BEDROCK: dict[str, Step] = {
    "hello": reply(conversed({"text": "Hello there"})),
    "no usage": reply(conversed({"text": "Hello there"}, usage=False)),
    "a tool": reply(conversed({"toolUse": {**ASKED[0][1]["start"]["toolUse"], "input": {"id": 7}}}, stop="tool_use")),
    "malformed": reply(b'{"output": {"mess'),
    "streamed hello": framed(OPENED, *TOLD, ("messageStop", {"stopReason": "end_turn"}), METERED),
    "streamed no usage": framed(OPENED, *TOLD, ("messageStop", {"stopReason": "end_turn"})),
    "streamed a tool": framed(OPENED, *ASKED, ("messageStop", {"stopReason": "tool_use"}), METERED),
    "streamed malformed": OPENAI["streamed malformed"],
    "cut": framed(OPENED, *TOLD, then="hang_up"),
    "stall": framed(OPENED, *TOLD, then="stall"),
}

# --- the language of OpenAI's Responses ---


def responded(*output: Any, usage: bool = True, status: str = "completed") -> dict[str, Any]:
    body: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 1, "model": "served-1"}
    body |= {"status": status, "output": output, "error": None, "incomplete_details": None}
    if usage:
        body["usage"] = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    return body


def happened(item: Any, deltas: list[tuple[str, Any]], usage: bool = True, end: bool = True) -> list[bytes]:
    """The data of a stream's events."""
    place = {"item_id": item["id"], "output_index": 0}
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": responded(usage=False, status="in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": [], "arguments": ""}},
    ]
    told += [{"type": kind, **place, "content_index": 0, "delta": delta} for kind, delta in deltas]
    if end:
        told.append({"type": "response.output_item.done", "output_index": 0, "item": item})
        told.append({"type": "response.completed", "response": responded(item, usage=usage)})
    return [json.dumps(event | {"sequence_number": n}).encode() for n, event in enumerate(told)]


def spelled(usage: bool = True, end: bool = True) -> list[bytes]:
    deltas = [("response.output_text.delta", text) for text in ("Hello", " there")]
    return happened(WRITTEN, deltas, usage, end)


WRITTEN = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hello there", "annotations": []}],
}
CALLING = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "t1",
    "name": "look_up",
    "arguments": '{"id":7}',
    "status": "completed",
}
RESPONSES: dict[str, Step] = {
    "hello": reply(json.dumps(responded(WRITTEN)).encode()),
    "no usage": reply(json.dumps(responded(WRITTEN, usage=False)).encode()),
    "a tool": reply(json.dumps(responded(CALLING)).encode()),
    "malformed": reply(b'{"output": [{"mess'),
    "streamed hello": events(*spelled(), names=True),
    "streamed no usage": events(*spelled(usage=False), names=True),
    "streamed a tool": events(*happened(CALLING, [("response.function_call_arguments.delta", '{"id":7}')]), names=True),
    "streamed malformed": OPENAI["streamed malformed"],
    "cut": events(*spelled(end=False), names=True, then="hang_up"),
    "stall": events(*spelled(end=False), names=True, then="stall"),
}

# --- everywhere ---

SECRET_ERROR = json.dumps({"error": {"message": f"no good: {KEY}", "type": "x"}}).encode()


def failing(scene: str) -> Step | None:
    """The scenes that are the same in every language over HTTP."""
    if scene == "silence":
        return silence()
    if scene.isdecimal():
        return reply(SECRET_ERROR, int(scene), headers={"retry-after": "7"})
    return None


def http_stage(kind: str, scenes: dict[str, Step], path: str = "") -> Stage:
    @asynccontextmanager
    async def stage(scene: str, pool: Pool) -> AsyncIterator[Backend]:
        if scene == "refused":
            yield Http(pool, kind=kind, base_url=refused_url(), key=KEY)
            return
        async with Upstream(failing(scene) or scenes[scene]) as up:
            yield Http(pool, kind=kind, base_url=up.url + path, key=KEY)

    return stage


HELLO = Line(pieces=("Hello", " there"), usage=ScriptedUsage(5, 2))
TOOL = Line(tool_calls=(ScriptedCall("look_up", '{"id":7}', "t1"),), usage=ScriptedUsage(5, 2))
SCRIPT = {
    "hello": HELLO,
    "no usage": Line(text="Hello there", usage="none"),
    "a tool": TOOL,
    "malformed": Line(malformed=True),
    "silence": Line(text="too late", latency_s=60),
    "refused": Line(refuse=True),
    "cut": Line(pieces=("Hello", " there", " you"), cut_after=2),
    "stall": Line(pieces=("Hello", " there", " you"), stall_after=2),
}


@asynccontextmanager
async def script_stage(scene: str, pool: Pool) -> AsyncIterator[Backend]:
    if scene.isdecimal():
        yield Script([Line(status=int(scene), retry_after_s=7, message="no good")])
    else:
        yield Script([SCRIPT[scene.removeprefix("streamed ")]])


STAGES: dict[str, Stage] = {
    "openai": http_stage("openai", OPENAI, "/v1"),
    "anthropic": http_stage("anthropic", ANTHROPIC),
    "gemini": http_stage("gemini", GEMINI, "/v1beta"),
    "bedrock": http_stage("bedrock", BEDROCK),
    "responses": http_stage("responses", RESPONSES, "/v1"),
    "script": script_stage,
}
