"""pydantic-ai, with each of its models that can be told where to ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from google import genai
from google.genai import types
from openai import AsyncOpenAI
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.bedrock import BedrockConverseModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.models.openrouter import OpenRouterModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.bedrock import BedrockProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openrouter import OpenRouterProvider

from clients.conftest import Gateway
from clients.test_boto3 import talks
from clients.tools import (
    CITY,
    GREETING,
    PNG,
    QUESTION,
    QUESTION_OF_TWO,
    SEEN_PNG,
    THOUGHT,
    WEATHER,
    City,
    remembers,
    weather,
)

pytestmark = pytest.mark.anyio
KINDS = ["openai", "responses", "anthropic", "google", "bedrock"]
# What the names of routes don't tell it of their models.
KNOWS: Any = {
    "supports_json_schema_output": True,
    "supports_thinking": True,
    "openai_supports_encrypted_reasoning_content": True,
    "bedrock_supports_tool_choice": True,
    "bedrock_send_back_thinking_parts": True,
    "bedrock_thinking_variant": "anthropic",
}


@dataclass(frozen=True)
class Clients:
    openai: AsyncOpenAI
    anthropic: AsyncAnthropic
    google: genai.Client
    boto3: Any


@asynccontextmanager
async def talking(gateway: Gateway) -> AsyncIterator[Clients]:
    google = genai.Client(api_key=gateway.key, http_options=types.HttpOptions(base_url=gateway.url))
    async with (
        AsyncOpenAI(base_url=gateway.url + "/v1", api_key=gateway.key, max_retries=0) as openai,
        AsyncAnthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as anthropic,
        google.aio,
    ):
        yield Clients(openai, anthropic, google, talks(gateway, gateway.key))


def made(kind: str, route: str, clients: Clients) -> Any:
    match kind:
        case "anthropic":
            return AnthropicModel(route, provider=AnthropicProvider(anthropic_client=clients.anthropic), profile=KNOWS)
        case "google":
            return GoogleModel(route, provider=GoogleProvider(client=clients.google), profile=KNOWS)
        case "bedrock":
            return BedrockConverseModel(route, provider=BedrockProvider(bedrock_client=clients.boto3), profile=KNOWS)
        case "openrouter":
            name = f"loosely/{route}"  # it wants a slash in a name
            return OpenRouterModel(name, provider=OpenRouterProvider(openai_client=clients.openai), profile=KNOWS)
    model = OpenAIChatModel if kind == "openai" else OpenAIResponsesModel
    return model(route, provider=OpenAIProvider(openai_client=clients.openai), profile=KNOWS)


@pytest.fixture(scope="module")
async def clients(gateway: Gateway) -> AsyncIterator[Clients]:
    async with talking(gateway) as made_once:
        yield made_once


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, clients: Clients, route: str) -> Any:
    return made(request.param, route, clients)


async def ran(agent: Agent[Any, Any], streamed: bool, asked: Any, **rest: Any) -> Any:
    if not streamed:
        return (await agent.run(asked, **rest)).output
    async with agent.run_stream(asked, **rest) as told:
        return await told.get_output()


async def test_run(model: Any) -> None:
    told = await Agent(model).run("Hello?")
    assert told.output == GREETING
    assert told.usage.input_tokens == 100


async def test_run_stream(model: Any) -> None:
    async with Agent(model).run_stream("Hello?") as told:
        pieces = [piece async for piece in told.stream_text(delta=True, debounce_by=None)]
    assert len(pieces) > 5
    assert "".join(pieces) == GREETING


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools(model: Any, streamed: bool) -> None:
    """For Google's language it wraps what a tool gave in an object of its own."""
    agent = Agent(model, tools=[weather])
    output = await ran(agent, streamed, QUESTION)
    assert output.startswith("The tool says: ") and f"{WEATHER} in Paris" in output
    output = await ran(agent, streamed, QUESTION_OF_TWO)
    assert f"{WEATHER} in Paris" in output and f"{WEATHER} in Rome" in output


@pytest.mark.parametrize("output_type", [City, NativeOutput(City)])
@pytest.mark.parametrize("streamed", [False, True])
async def test_structured_output(model: Any, output_type: Any, streamed: bool) -> None:
    assert await ran(Agent(model, output_type=output_type), streamed, "Hello?") == CITY


async def test_an_image_is_seen(model: Any) -> None:
    told = await Agent(model).run(["What is this?", BinaryContent(data=PNG, media_type="image/png")])
    assert told.output == SEEN_PNG


# By chat completions it keeps signatures for OpenRouter alone, whose whole answers have fields of its own.
KEEPS = [("openrouter", True), *((kind, streamed) for kind in KINDS[1:] for streamed in (False, True))]


@pytest.mark.parametrize(("model", "streamed"), KEEPS, indirect=["model"])
async def test_signed_reasoning_is_remembered(model: Any, route: str, streamed: bool) -> None:
    """In Google's language it keeps no hidden reasoning."""
    agent = Agent(model, tools=[weather])
    settings: Any = {"thinking": "high", "max_tokens": 20_000}
    output = await ran(agent, streamed, QUESTION, model_settings=settings)
    hides = isinstance(model, GoogleModel) and route in ("over-anthropic", "over-bedrock")
    assert output.endswith(" I remember 1 thoughts and 0 calls." if hides else remembers(route))


async def test_reasoning_is_told(model: Any) -> None:
    told = await Agent(model).run("Hello?", model_settings={"thinking": "high", "max_tokens": 20_000})
    [answer] = [message for message in told.all_messages() if message.kind == "response"]
    assert "".join(part.content for part in answer.parts if part.part_kind == "thinking") == THOUGHT


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(
    clients: Clients, gateway: Gateway, kind: str
) -> None:
    with pytest.raises(ModelHTTPError, match="404"):
        await Agent(made(kind, "no-such", clients)).run("Hello?")
    async with talking(Gateway(gateway.url, "wrong")) as strangers:
        with pytest.raises(ModelHTTPError, match=r"401|403"):
            await Agent(made(kind, "over-openai", strangers)).run("Hello?")
