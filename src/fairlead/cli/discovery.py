"""What this machine has to offer: providers whose keys stand in the environment, model servers on their usual ports.

Only names of variables are looked at and handed on, never their values; only loopback is asked.
"""

import http.client
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from fairlead.catalog.providers import Provider, shipped_providers
from fairlead.config import NAME, environment

CONNECT_S = 0.5
MOST_BYTES = 1 << 20
MOST_MODELS = 3  # of one server; an Ollama may have dozens
# How Ollama names models that it passes on to its own cloud: their words would leave the machine.
ELSEWHERE = ("-cloud", ":cloud")


class Usual(Struct, frozen=True):
    """A kind of model server, and the port that it usually listens on."""

    name: str
    port: int


class Found(Struct, frozen=True):
    """A server that answered, and the models that it has on this machine."""

    name: str
    base_url: str
    models: tuple[str, ...]


class _Model(Struct, frozen=True):
    id: str


class _Models(Struct, frozen=True):
    data: tuple[_Model, ...]


# Servers that listen on a port of their own, unless told otherwise.
USUAL = ("ollama", "vllm", "llamacpp", "lmstudio")


def proposed() -> tuple[Provider, ...]:
    """The providers of the catalog that a first configuration may name: a key is all that they need."""
    return tuple(row for row in shipped_providers().values() if row.model)


def usual_servers() -> tuple[Usual, ...]:
    rows = shipped_providers()
    return tuple(Usual(id, urlsplit(rows[id].base_url).port or 0) for id in USUAL)


def find_providers(rows: Sequence[Provider] | None = None) -> list[Provider]:
    """Those whose variable is set."""
    return [row for row in (proposed() if rows is None else rows) if environment(row.env)]


def find_servers(usual: Sequence[Usual] | None = None) -> list[Found]:
    """Those that answer on loopback as a server of models does, asked all at once. Takes half a second at most."""
    usual = usual_servers() if usual is None else usual
    if not usual:
        return []
    with ThreadPoolExecutor(len(usual)) as threads:
        return [found for found in threads.map(_ask, usual) if found]


def _ask(usual: Usual) -> Found | None:
    connection = http.client.HTTPConnection("127.0.0.1", usual.port, timeout=CONNECT_S)
    try:
        connection.request("GET", "/v1/models")
        response = connection.getresponse()
        body = response.read(MOST_BYTES)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    if response.status != 200:
        return None
    try:
        models = msgspec.json.decode(body, type=_Models).data
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    here = (model.id for model in models if not model.id.endswith(ELSEWHERE))
    names = tuple(name for name in here if NAME.match(name))[:MOST_MODELS]
    return Found(usual.name, f"http://127.0.0.1:{usual.port}/v1", names) if names else None
