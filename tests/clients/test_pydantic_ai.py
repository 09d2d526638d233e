"""pydantic-ai, with each of its models that can be told where to ask."""

from typing import Any

import pytest
from anthropic import AsyncAnthropic
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from clients.conftest import Gateway
from clients.tools import ANSWERED, CITY, GREETING, QUESTION, City, weather


@pytest.fixture(params=["openai", "responses", "anthropic", "google"])
def model(request: pytest.FixtureRequest, gateway: Gateway, route: str) -> Any:
    match request.param:
        case "anthropic":
            client = AsyncAnthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
            return AnthropicModel(route, provider=AnthropicProvider(anthropic_client=client))
        case "google":
            return GoogleModel(route, provider=GoogleProvider(api_key=gateway.key, base_url=gateway.url))
    provider = OpenAIProvider(base_url=gateway.url + "/v1", api_key=gateway.key)
    return (OpenAIChatModel if request.param == "openai" else OpenAIResponsesModel)(route, provider=provider)


def test_run(model: Any) -> None:
    told = Agent(model).run_sync("Hello?")
    assert told.output == GREETING
    assert told.usage().input_tokens == 100


async def _streamed(agent: Agent) -> list[str]:
    async with agent.run_stream("Hello?") as told:
        return [piece async for piece in told.stream_text(delta=True, debounce_by=None)]


@pytest.mark.anyio
async def test_run_stream(model: Any) -> None:
    pieces = await _streamed(Agent(model))
    assert len(pieces) > 5
    assert "".join(pieces) == GREETING


def test_tools(model: Any) -> None:
    assert Agent(model, tools=[weather]).run_sync(QUESTION).output == ANSWERED


def test_structured_output(model: Any) -> None:
    assert Agent(model, output_type=City).run_sync("Hello?").output == CITY
    assert Agent(model, output_type=NativeOutput(City)).run_sync("Hello?").output == CITY
