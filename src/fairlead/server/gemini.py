"""The endpoints that speak Gemini: the model's name, what is asked of it and whether it streams stand in the path."""

from collections.abc import Callable
from functools import partial

from fairlead.chat import Answer, Request
from fairlead.dialects import gemini
from fairlead.errors import EndpointUnsupported, RequestInvalid
from fairlead.server.answering import Tongue, serve
from fairlead.server.data import Endpoint, Exchange

STEM = "/v1beta/models/"
NEWER_STEM = "/v1/models/"  # where Google's newer clients send requests
GEMINI = Tongue(gemini, heartbeat=b"")  # Google's client takes no comment line for one
METHODS = ("generateContent", "streamGenerateContent", "embedContent", "batchEmbedContents", "countTokens")


def _count_body(_: object, answer: Answer, request: Request) -> bytes:
    return gemini.count_body(answer.tokens or 0)


def _single_body(_: object, answer: Answer, request: Request) -> bytes:
    return gemini.write_embedding(answer)


COUNTING = Tongue(gemini, body=_count_body)
ONE_VECTOR = Tongue(gemini, body=_single_body)


async def _model_method(exchange: Exchange) -> None:
    """`POST /v1beta/models/ROUTE:METHOD`; a route's name may hold slashes and colons."""
    exchange.language = gemini
    route, _, method = exchange.path.partition("/models/")[2].rpartition(":")
    if not route or method not in METHODS:
        raise EndpointUnsupported(
            f"{exchange.path[:200]} is not served here", hint=f"the methods of a model: {', '.join(METHODS)}"
        )
    stream = method == "streamGenerateContent"
    if stream and b"alt=sse" not in exchange.query.split(b"&"):
        raise RequestInvalid(
            "a stream is given as server-sent events only", param="alt", hint="add ?alt=sse to the URL"
        )
    tongue, read = _served_as(method)
    await serve(exchange, tongue, partial(read, route=route, stream=stream))


def _served_as(method: str) -> tuple[Tongue, Callable[..., Request]]:
    match method:
        case "countTokens":
            return COUNTING, gemini.read_count_request
        case "embedContent":
            return ONE_VECTOR, partial(gemini.read_request, "embed")
        case "batchEmbedContents":
            return GEMINI, partial(gemini.read_request, "embed")
    return GEMINI, partial(gemini.read_request, "chat")


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", STEM): _model_method,
    ("POST", NEWER_STEM): _model_method,
}
