"""The same play on every stage: for each wire format a backend, and a world behind it that behaves as a scene says.

A scene is a word of `SCENES`; what it means to the tests is the same everywhere.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fairlead.backends.anthropic import Anthropic
from fairlead.backends.lines import Line, ScriptedCall, ScriptedUsage
from fairlead.backends.openai import OpenAI
from fairlead.backends.script import Script
from fairlead.chat import Chat, Message, Request, Text
from fairlead.dialects import openai
from fairlead.gateway.call import Asking, Backend, Target, Timeouts
from fairlead.wire.pool import Pool
from upstream import Step, Upstream, events, raw, refused_url, reply, silence

KEY = "sk-test-0123456789"
Stage = Callable[[str, Pool], AbstractAsyncContextManager[Backend]]


def asking(**timeouts: float) -> Asking:
    target = Target("mini", "acme", "model-1", "public", timeouts=Timeouts(**timeouts))
    return Asking(target, 64, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


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

# --- everywhere ---

SECRET_ERROR = json.dumps({"error": {"message": f"no good: {KEY}", "type": "x"}}).encode()


def failing(scene: str) -> Step | None:
    """The scenes that are the same in every language over HTTP."""
    if scene == "silence":
        return silence()
    if scene.isdecimal():
        return reply(SECRET_ERROR, int(scene), headers={"retry-after": "7"})
    return None


@asynccontextmanager
async def openai_stage(scene: str, pool: Pool) -> AsyncIterator[Backend]:
    if scene == "refused":
        yield OpenAI(pool, base_url=refused_url(), key=KEY)
        return
    async with Upstream(failing(scene) or OPENAI[scene]) as up:
        yield OpenAI(pool, base_url=up.url + "/v1", key=KEY)


@asynccontextmanager
async def anthropic_stage(scene: str, pool: Pool) -> AsyncIterator[Backend]:
    if scene == "refused":
        yield Anthropic(pool, base_url=refused_url(), key=KEY)
        return
    async with Upstream(failing(scene) or ANTHROPIC[scene]) as up:
        yield Anthropic(pool, base_url=up.url, key=KEY)


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


STAGES: dict[str, Stage] = {"openai": openai_stage, "anthropic": anthropic_stage, "script": script_stage}
