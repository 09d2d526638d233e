"""The endpoints that list the routes of a key, as each language lists the models that may be asked for.

OpenAI's, Anthropic's and Google's newer clients ask at the same path: whose client it is, its headers say. Google's
older ones have a path of their own.
"""

from types import ModuleType

import msgspec

from fairlead.dialects import anthropic, gemini, openai
from fairlead.errors import RouteUnknown
from fairlead.server.data import JSON, Endpoint, Exchange

STEM = "/v1/models"
GOOGLES_STEM = "/v1beta/models"
_GOOGLES_HEADERS = (b"x-goog-api-key", b"x-goog-api-client")


def _language(exchange: Exchange) -> ModuleType:
    headers = exchange.headers
    if exchange.path.startswith(GOOGLES_STEM) or any(name in headers for name in _GOOGLES_HEADERS):
        return gemini
    return anthropic if b"anthropic-version" in headers else openai


async def _list(exchange: Exchange) -> None:
    exchange.language = language = _language(exchange)
    names = exchange.gateway.generation.routes.visible(exchange.caller())
    exchange.respond(200, language.models_body(names, created=0), [JSON])


async def _one(exchange: Exchange) -> None:
    """One route that the caller may use. A route's name may hold slashes, which clients send as %2F."""
    exchange.language = language = _language(exchange)
    names = exchange.gateway.generation.routes.visible(exchange.caller())
    name = exchange.path.partition("/models/")[2]
    if name not in names:
        stem = exchange.path.partition("/models/")[0] + "/models"
        raise RouteUnknown(f"there is no route {name[:200]!r}", hint=f"GET {stem} lists this key's", param="model")
    listed = msgspec.json.decode(language.models_body([name], created=0))
    [model] = listed["models" if language is gemini else "data"]
    exchange.respond(200, msgspec.json.encode(model), [JSON])


ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", STEM): _list,
    ("GET", STEM + "/"): _one,
    ("GET", GOOGLES_STEM): _list,
    ("GET", GOOGLES_STEM + "/"): _one,
}
