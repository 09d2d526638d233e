"""What this machine has to offer: providers whose keys stand in the environment, model servers on their usual ports.

Only names of variables are looked at and handed on, never their values; only loopback is asked.
"""

import http.client
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec import Struct

from fairlead.config import NAME, environment

CONNECT_S = 0.5
MOST_BYTES = 1 << 20
MOST_MODELS = 3  # of one server; an Ollama may have dozens
# How Ollama names models that it passes on to its own cloud: their words would leave the machine.
ELSEWHERE = ("-cloud", ":cloud")


class Provider(Struct, frozen=True):
    """A row: whoever has `variable` has an account there. `model` is an inexpensive one that they offer."""

    variable: str
    name: str
    kind: str
    base_url: str
    catalog: str  # its name in the list of prices
    model: str


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


PROVIDERS = (
    Provider("OPENAI_API_KEY", "openai", "openai", "https://api.openai.com/v1", "openai", "gpt-5-mini"),
    Provider(
        "ANTHROPIC_API_KEY", "anthropic", "anthropic", "https://api.anthropic.com", "anthropic", "claude-haiku-4-5"
    ),
    Provider("GROQ_API_KEY", "groq", "openai", "https://api.groq.com/openai/v1", "groq", "openai/gpt-oss-20b"),
    Provider(
        "TOGETHER_API_KEY", "together", "openai", "https://api.together.xyz/v1", "together",
        "meta-llama/Llama-3.3-70B-Instruct-Turbo",
    ),
    Provider("MISTRAL_API_KEY", "mistral", "openai", "https://api.mistral.ai/v1", "mistral", "mistral-small-latest"),
    Provider("DEEPSEEK_API_KEY", "deepseek", "openai", "https://api.deepseek.com/v1", "deepseek", "deepseek-chat"),
    Provider(
        "OPENROUTER_API_KEY", "openrouter", "openai", "https://openrouter.ai/api/v1", "openrouter",
        "openai/gpt-4.1-mini",
    ),
    Provider(
        "FIREWORKS_API_KEY", "fireworks", "openai", "https://api.fireworks.ai/inference/v1", "fireworks",
        "accounts/fireworks/models/gpt-oss-20b",
    ),
    Provider("XAI_API_KEY", "xai", "openai", "https://api.x.ai/v1", "x-ai", "grok-4-fast"),
    Provider("CEREBRAS_API_KEY", "cerebras", "openai", "https://api.cerebras.ai/v1", "cerebras", "gpt-oss-120b"),
    Provider(
        "GEMINI_API_KEY", "gemini", "openai", "https://generativelanguage.googleapis.com/v1beta/openai", "google",
        "gemini-2.5-flash",
    ),
)  # fmt: skip

USUAL = (Usual("ollama", 11434), Usual("vllm", 8000), Usual("llamacpp", 8080), Usual("lmstudio", 1234))


def find_providers(rows: Sequence[Provider] = PROVIDERS) -> list[Provider]:
    """Those whose variable is set."""
    return [row for row in rows if environment(row.variable)]


def find_servers(usual: Sequence[Usual] = USUAL) -> list[Found]:
    """Those that answer on loopback as a server of models does, asked all at once. Takes half a second at most."""
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
