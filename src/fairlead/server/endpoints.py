"""All that the data listener serves: the endpoints of every language, and health."""

import msgspec

from fairlead import __version__
from fairlead.errors import EndpointUnsupported
from fairlead.server import anthropic, bedrock, gemini, models, openai, responses
from fairlead.server.data import JSON, Endpoint, Exchange
from fairlead.server.premises import names_loopback


async def _healthz(exchange: Exchange) -> None:
    exchange.respond(200, b'{"status":"ok"}', [JSON])


async def _readyz(exchange: Exchange) -> None:
    """Whether this worker takes calls, and under which configuration."""
    draining = exchange.listener.draining
    config = exchange.gateway.generation.routes.config
    body = {"status": "draining" if draining else "ready", "config": config, "version": __version__}
    exchange.respond(503 if draining else 200, msgspec.json.encode(body), [JSON])


async def _metrics(exchange: Exchange) -> None:
    asked_of = exchange.headers.get(b"host", b"").decode("latin-1")
    if exchange.listener.metrics is None or not names_loopback(asked_of):
        raise EndpointUnsupported("metrics are on the admin listener", hint="`admin` in [server] says where")
    body = await exchange.listener.metrics()
    exchange.respond(200, body, [b"content-type: text/plain; version=0.0.4; charset=utf-8"])


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    **openai.ENDPOINTS,
    **responses.ENDPOINTS,
    **anthropic.ENDPOINTS,
    **gemini.ENDPOINTS,
    **bedrock.ENDPOINTS,
    **models.ENDPOINTS,
    ("GET", "/healthz"): _healthz,
    ("GET", "/readyz"): _readyz,
    ("GET", "/metrics"): _metrics,
}
