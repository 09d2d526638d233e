"""The endpoints that speak Anthropic: messages, and the count of their tokens."""

from functools import partial

from fairlead.chat import Answer, Request
from fairlead.dialects import anthropic
from fairlead.ids import now_us
from fairlead.server.answering import Tongue, serve
from fairlead.server.data import Endpoint, Exchange


def _body(_: object, answer: Answer, request: Request) -> bytes:
    return anthropic.write_answer(answer, created=now_us() // 1_000_000, model=request.route)


ANTHROPIC = Tongue(anthropic, body=_body, heartbeat=b'event: ping\ndata: {"type": "ping"}\n\n')


def _count_body(_: object, answer: Answer, request: Request) -> bytes:
    return anthropic.count_body(answer.tokens or 0)


COUNTING = Tongue(anthropic, body=_count_body)


async def _messages(exchange: Exchange) -> None:
    await serve(exchange, ANTHROPIC, partial(anthropic.read_request, "chat"))


async def _count_tokens(exchange: Exchange) -> None:
    await serve(exchange, COUNTING, anthropic.read_count_request)


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("POST", "/v1/messages"): _messages,
    ("POST", "/v1/messages/count_tokens"): _count_tokens,
}
