"""Stands in for providers: one small thing that behaves like a model, asked in every language over real HTTP.

It looks at what it is asked as a model would: where a tool's result is the last thing said it tells the result; where a
tool fits the question it calls it; where a schema is wanted it fills it in; else it answers in words. A wrong path, key
or header is answered as a provider would, so that what reaches it must be right.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from fairlead.chat import Answer, Chat, Chunk, Finish, Head, Item, Part, Said, Text, ToolCall, ToolDelta, Usage
from fairlead.dialects import anthropic, bedrock, gemini, openai, responses
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

KEY = "provider-key-0123456789"
USED = Usage(100, 20, 40)


def think(chat: Chat) -> tuple[Part, ...]:
    """What the model says."""
    last = chat.messages[-1]
    if last.role == "tool":
        told = "".join(part.text for part in last.parts if isinstance(part, Text))
        return (Text(f"The tool says: {told}"),)
    if chat.shape is not None and chat.shape.schema is not None:
        return (Text(json.dumps(_filled(json.loads(chat.shape.schema)))),)
    forced = chat.tool_choice is not None and chat.tool_choice.mode in ("required", "named")
    asked = "".join(part.text for part in last.parts if isinstance(part, Text))
    if chat.tools and (forced or "weather" in asked.lower()):
        tool = next((t for t in chat.tools if chat.tool_choice and t.name == chat.tool_choice.name), chat.tools[0])
        return (ToolCall("call_0", tool.name, json.dumps(_filled(json.loads(tool.parameters or b"{}")))),)
    return (Text("Hello from the other side, in nine words or so."),)


def _filled(schema: Any) -> Any:
    """The smallest value that fits, for the schemas that clients make of simple classes."""
    if "$ref" in schema or "$defs" in schema:
        defs = schema.get("$defs", {})
        schema = defs[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    match schema.get("type"):
        case "object":
            return {name: _filled(inner) for name, inner in schema.get("properties", {}).items()}
        case "array":
            return [_filled(schema.get("items", {}))]
        case "integer" | "number":
            return 7
        case "boolean":
            return True
    return "Paris"


def _finish(parts: tuple[Part, ...]) -> Finish:
    return "tool_calls" if any(isinstance(part, ToolCall) for part in parts) else "stop"


def _answer(parts: tuple[Part, ...]) -> Answer:
    finish = _finish(parts)
    return Answer(id="answer_1", model="stand-in-1", said=(Said(parts, finish),), finish=finish, usage=USED)


def _items(parts: tuple[Part, ...]) -> list[Item]:
    """The same in pieces."""
    items: list[Item] = [Head("answer_1", "stand-in-1")]
    for part in parts:
        if isinstance(part, Text):
            items += [Chunk(text=piece, words=True) for piece in part.text.split(" ")[:1]]
            items += [Chunk(text=" " + piece, words=True) for piece in part.text.split(" ")[1:]]
        elif isinstance(part, ToolCall):
            items.append(Chunk(tool=ToolDelta(0, part.id, part.name), words=True))
            half = len(part.arguments) // 2
            items += [
                Chunk(tool=ToolDelta(0, arguments=piece), words=True)
                for piece in (part.arguments[:half], part.arguments[half:])
                if piece
            ]
    return [*items, Chunk(finish=_finish(parts)), USED]


async def _reply(asked: Asked, language: ModuleType, stream: bool, event_type: str = "text/event-stream") -> Response:
    body = await asked.body()
    try:
        chat = language.read_chat(read_fields(body))
    except RequestInvalid as error:
        told = language.error_body(status=400, message=error.message, type="invalid_request_error", code=error.code)
        return Response(told, 400, media_type="application/json")
    parts = think(chat)
    if not stream:
        return Response(language.write_answer(_answer(parts), created=1_700_000_000), media_type="application/json")
    writer = language.StreamWriter(model="stand-in-1", created=1_700_000_000, include_usage=True)

    async def told() -> AsyncIterator[bytes]:
        for item in _items(parts):
            if piece := writer.write(item):
                yield piece
                await asyncio.sleep(0)
        yield writer.end()

    return StreamingResponse(told(), media_type=event_type)


def _denied(asked: Asked, header: str) -> Response | None:
    if asked.headers.get(header) in (KEY, f"Bearer {KEY}"):
        return None
    return JSONResponse({"error": {"message": f"no key in {header}"}}, 401)


async def _openai(asked: Asked) -> Response:
    return _denied(asked, "authorization") or await _reply(asked, openai, _streams(await asked.body()))


async def _responses(asked: Asked) -> Response:
    return _denied(asked, "authorization") or await _reply(asked, responses, _streams(await asked.body()))


async def _anthropic(asked: Asked) -> Response:
    if "anthropic-version" not in asked.headers:
        return JSONResponse({"type": "error", "error": {"type": "invalid_request_error", "message": "version"}}, 400)
    return _denied(asked, "x-api-key") or await _reply(asked, anthropic, _streams(await asked.body()))


async def _gemini(asked: Asked) -> Response:
    method = asked.url.path.rpartition(":")[2]
    return _denied(asked, "x-goog-api-key") or await _reply(asked, gemini, method == "streamGenerateContent")


async def _bedrock(asked: Asked) -> Response:
    stream = asked.url.path.endswith("-stream")
    event_type = bedrock.STREAM_CONTENT_TYPE.decode()
    return _denied(asked, "authorization") or await _reply(asked, bedrock, stream, event_type)


def _streams(body: bytes) -> bool:
    return bool(json.loads(body).get("stream"))


app = Starlette(
    routes=[
        Route("/v1/chat/completions", _openai, methods=["POST"]),
        Route("/v1/responses", _responses, methods=["POST"]),
        Route("/v1/messages", _anthropic, methods=["POST"]),
        Route("/v1beta/models/{call:path}", _gemini, methods=["POST"]),
        Route("/model/{call:path}", _bedrock, methods=["POST"]),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
