"""The endpoints that speak OpenAI: chat completions, completions, embeddings, models; and rerank, which has its errors.

How a request is served is in `answering.py`; translation is in `dialects/`.
"""

from functools import partial

import msgspec

from fairlead.chat import Answer, Request, Task
from fairlead.dialects import anthropic, openai, rerank
from fairlead.errors import RouteUnknown
from fairlead.server.answering import Tongue, serve
from fairlead.server.data import JSON, Endpoint, Exchange


def _vectors(_: object, answer: Answer, request: Request) -> bytes:
    spoken = answer.spoken is not None and answer.dialect == openai.DIALECT
    encoding = "float" if spoken else request.embed().encoding
    return openai.write_answer(answer, created=0, task="embed", encoding=encoding)


OPENAI = Tongue(openai)
EMBEDDINGS = Tongue(openai, body=_vectors)
RERANK = Tongue(rerank)


def _asks(task: Task, tongue: Tongue = OPENAI) -> Endpoint:
    async def endpoint(exchange: Exchange) -> None:
        await serve(exchange, tongue, partial(openai.read_request, task))

    return endpoint


async def _rerank(exchange: Exchange) -> None:
    await serve(exchange, RERANK, partial(rerank.read_request, "rerank"))


async def _models(exchange: Exchange) -> None:
    """The routes of this key. Anthropic's clients ask at the same path, and say so in a header."""
    exchange.language = language = anthropic if b"anthropic-version" in exchange.headers else openai
    names = exchange.gateway.generation.routes.visible(exchange.caller())
    await exchange.respond(200, language.models_body(names, created=0), [JSON])


async def _model(exchange: Exchange) -> None:
    """One route that the caller may use. A route's name may hold slashes, which clients send as %2F."""
    exchange.language = language = anthropic if b"anthropic-version" in exchange.headers else openai
    names = exchange.gateway.generation.routes.visible(exchange.caller())
    name = exchange.path.removeprefix("/v1/models/")
    if name not in names:
        raise RouteUnknown(f"there is no route {name[:200]!r}", hint="GET /v1/models lists this key's", param="model")
    [model] = msgspec.json.decode(language.models_body([name], created=0))["data"]
    await exchange.respond(200, msgspec.json.encode(model), [JSON])


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/chat/completions"): _asks("chat"),
    ("POST", "/v1/completions"): _asks("complete"),
    ("POST", "/v1/embeddings"): _asks("embed", EMBEDDINGS),
    ("POST", "/v1/rerank"): _rerank,
    ("POST", "/v2/rerank"): _rerank,
    ("POST", "/rerank"): _rerank,
    ("GET", "/v1/models"): _models,
    ("GET", "/v1/models/"): _model,
}
