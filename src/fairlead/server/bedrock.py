"""The endpoints that speak Bedrock's Converse: the model's name and what is asked of it stand in the path."""

from functools import partial

from fairlead.chat import Answer, Request
from fairlead.dialects import bedrock
from fairlead.errors import EndpointUnsupported
from fairlead.server.answering import Tongue, serve
from fairlead.server.data import Endpoint, Exchange

STEM = "/model/"
ID_HEADERS = (b"x-amzn-requestid",)
BEDROCK = Tongue(bedrock, stream_type=bedrock.STREAM_CONTENT_TYPE, heartbeat=b"", id_headers=ID_HEADERS)


def _count_body(_: object, answer: Answer, request: Request) -> bytes:
    return bedrock.count_body(answer.tokens or 0)


COUNTING = Tongue(bedrock, body=_count_body, id_headers=ID_HEADERS)


async def _model_method(exchange: Exchange) -> None:
    """`POST /model/ROUTE/METHOD`; a route's name may hold slashes."""
    exchange.language = bedrock
    route, _, method = exchange.path.removeprefix(STEM).rpartition("/")
    match method:
        case "converse" | "converse-stream":
            stream = method == "converse-stream"
            await serve(exchange, BEDROCK, partial(bedrock.read_request, "chat", route=route, stream=stream))
        case "count-tokens":
            await serve(exchange, COUNTING, partial(bedrock.read_count_request, route=route))
        case _:
            raise EndpointUnsupported(
                f"{exchange.path[:200]} is not served here", hint="use /converse or /converse-stream"
            )


ENDPOINTS: dict[tuple[str, str], Endpoint] = {("POST", STEM): _model_method}
