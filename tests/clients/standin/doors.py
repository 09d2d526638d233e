"""The paths of every provider, and how what the stand-in says is told there.

A wrong path, key or header is answered as a provider would, so that what reaches the stand-in must be right.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from types import ModuleType

from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from clients.standin.mind import Asking, Refused, Reply, count_tokens, reply
from fairlead.chat import Answer, Chunk, Head, Item, Ranked, Said, Text, Thinking, ToolCall, ToolDelta, Usage
from fairlead.dialects import anthropic, bedrock, gemini, openai, rerank, responses
from fairlead.errors import RequestInvalid

KEY = "provider-key-0123456789"
MODEL = "stand-in-1"
CREATED = 1_700_000_000
LONG_S = 0.35  # longer than a few heartbeats of the gateway
_KINDS = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}

Serve = Callable[[bytes], Response]


def vector(text: str) -> tuple[float, ...]:
    """Three numbers that floats of any width hold exactly."""
    return (len(text) / 4, text.count("e") / 2, 1.0)


# --- how it is told --------------------------------------------------------------------------------------------------


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _failed(language: ModuleType, status: int, message: str) -> Response:
    kind = _KINDS.get(status, "api_error")
    answer = _json(language.error_body(status=status, message=message, type=kind, code=kind), status)
    if language is bedrock:
        answer.headers["x-amzn-errortype"] = bedrock.error_type(status)
    return answer


async def _told(language: ModuleType, said: Reply) -> AsyncIterator[bytes]:
    writer = language.StreamWriter(model=MODEL, created=CREATED, include_usage=True)
    for item in _pieces(said):
        if piece := writer.write(item):
            yield piece
    if not said.breaks:
        yield writer.end()


def _pieces(said: Reply) -> list[Item]:
    """An answer as a stream brings it."""
    items: list[Item] = [Head(said.id, MODEL)]
    slot = 0
    for part in said.parts:
        if isinstance(part, Text):
            items += [Chunk(text=piece, words=True) for piece in _words(part.text)]
            if said.breaks:
                return items[:4]
        elif isinstance(part, Thinking):
            items += [Chunk(reasoning=piece, words=True) for piece in _words(part.text)]
            if part.signature is not None:
                items.append(Chunk(part=replace(part, text=""), words=True))
        elif isinstance(part, ToolCall):
            items += _call_pieces(part, slot)
            slot += 1
    return [*items, Chunk(finish=said.finish), said.usage]


def _words(text: str) -> list[str]:
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)] if text else []


def _call_pieces(call: ToolCall, slot: int) -> list[Item]:
    begun = ToolDelta(slot, call.id, call.name, signature=call.signature, origin=call.origin)
    half = len(call.arguments) // 2
    pieces = [ToolDelta(slot, arguments=piece) for piece in (call.arguments[:half], call.arguments[half:]) if piece]
    return [Chunk(tool=delta, words=True) for delta in (begun, *pieces)]


# --- what is asked ---------------------------------------------------------------------------------------------------


async def _served(asked: Asked, language: ModuleType, header: str, serve: Serve) -> Response:
    """Raises nothing that a provider would answer."""
    if asked.headers.get(header) not in (KEY, f"Bearer {KEY}"):
        return _failed(language, 401, f"no key in {header}")
    if language is anthropic and "anthropic-version" not in asked.headers:
        return _failed(language, 400, "anthropic-version: header is required")
    body = await asked.body()
    if b"take your time" in body:
        await asyncio.sleep(LONG_S)
    try:
        return serve(body)
    except RequestInvalid as error:
        return _failed(language, 400, f"{error.message} ({error.param})")
    except Refused as error:
        return _failed(language, error.status, error.message)


def _chat(language: ModuleType, body: bytes, stream: bool | None = None) -> Response:
    request = language.read_request("chat", body, route=MODEL, stream=stream)
    if language is anthropic and "thread" in request.chat().others:
        why = {"message": "No threads here.", "type": "", "code": "unsupported_feature", "param": "thread"}
        return _json(anthropic.error_body(status=400, **why), 400)
    said = reply(Asking(request.chat(), language.DIALECT, body))
    if request.stream:
        kind = bedrock.STREAM_CONTENT_TYPE.decode() if language is bedrock else "text/event-stream"
        return StreamingResponse(_told(language, said), media_type=kind)
    choice = Said(said.parts, said.finish)
    answer = Answer(id=said.id, model=MODEL, said=(choice,), finish=said.finish, usage=said.usage)
    return _json(language.write_answer(answer, created=CREATED))


def _count(language: ModuleType, body: bytes) -> Response:
    """A count is asked for without a model's name in some languages, and in one without what else must be said."""
    named = language is anthropic or language is responses
    request = language.read_count_request(body) if named else language.read_count_request(body, route=MODEL)
    return _json(language.count_body(count_tokens(request.chat())))


def _embed(language: ModuleType, body: bytes) -> Response:
    embed = language.read_request("embed", body, route=MODEL).embed()
    vectors = tuple(vector(str(text)) for text in embed.inputs)
    answer = Answer(model=MODEL, vectors=vectors, usage=Usage(input=7))
    if language is openai:
        return _json(openai.write_answer(answer, created=CREATED, task="embed", encoding=embed.encoding))
    return _json(language.write_answer(answer, created=CREATED, task="embed"))


def _rank(body: bytes) -> Response:
    """The longer a document, the better."""
    asked = rerank.read_request("rerank", body).rerank()
    order = sorted(enumerate(asked.documents), key=lambda pair: -len(str(pair[1])))[: asked.top]
    ranking = tuple(
        Ranked(at, len(str(text)) / 100, str(text) if asked.returns_documents else None) for at, text in order
    )
    return _json(rerank.write_answer(Answer(id="ranked", model=MODEL, ranking=ranking, usage=Usage(input=9))))


# --- the paths -------------------------------------------------------------------------------------------------------


async def _model_method(asked: Asked) -> Response:
    serves: dict[str, Serve] = {
        "generateContent": partial(_chat, gemini),
        "streamGenerateContent": partial(_chat, gemini, stream=True),
        "countTokens": partial(_count, gemini),
        "batchEmbedContents": partial(_embed, gemini),
    }
    model, _, method = asked.path_params["call"].rpartition(":")
    if model != MODEL or method not in serves:
        return _failed(gemini, 404, f"no {method} of {model}")
    return await _served(asked, gemini, "x-goog-api-key", serves[method])


async def _invoked(asked: Asked) -> Response:
    serves: dict[str, Serve] = {
        "converse": partial(_chat, bedrock),
        "converse-stream": partial(_chat, bedrock, stream=True),
        "count-tokens": partial(_count, bedrock),
    }
    model, method = asked.path_params["model"], asked.path_params["method"]
    if model != MODEL or method not in serves:
        return _failed(bedrock, 404, f"no {method} of {model}")
    return await _served(asked, bedrock, "authorization", serves[method])


def _door(path: str, language: ModuleType, serve: Serve, header: str = "authorization") -> Route:
    async def endpoint(asked: Asked) -> Response:
        return await _served(asked, language, header, serve)

    return Route(path, endpoint, methods=["POST"])


APP = Starlette(
    routes=[
        _door("/v1/chat/completions", openai, partial(_chat, openai)),
        _door("/v1/embeddings", openai, partial(_embed, openai)),
        _door("/v1/rerank", rerank, _rank),
        _door("/v1/responses", responses, partial(_chat, responses)),
        _door("/v1/responses/input_tokens", responses, partial(_count, responses)),
        _door("/v1/messages", anthropic, partial(_chat, anthropic), "x-api-key"),
        _door("/v1/messages/count_tokens", anthropic, partial(_count, anthropic), "x-api-key"),
        Route("/v1beta/models/{call:path}", _model_method, methods=["POST"]),
        Route("/model/{model}/{method}", _invoked, methods=["POST"]),
    ]
)
