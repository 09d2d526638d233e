"""OpenAI's agents SDK, by chat completions and by Responses."""

from typing import Any

import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

from clients.conftest import Gateway
from clients.tools import ANSWERED, CITY, GREETING, QUESTION, City
from clients.tools import weather as look_up

set_tracing_disabled(True)
pytestmark = pytest.mark.anyio


@pytest.fixture(params=[OpenAIChatCompletionsModel, OpenAIResponsesModel])
def model(request: pytest.FixtureRequest, gateway: Gateway, route: str) -> Any:
    client = AsyncOpenAI(base_url=gateway.url + "/v1", api_key=gateway.key, max_retries=0)
    return request.param(model=route, openai_client=client)


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return look_up(city)


async def test_run(model: Any) -> None:
    assert (await Runner.run(Agent(name="clerk", model=model), "Hello?")).final_output == GREETING


async def test_run_streamed(model: Any) -> None:
    told = Runner.run_streamed(Agent(name="clerk", model=model), "Hello?")
    kinds = [event.data.type async for event in told.stream_events() if event.type == "raw_response_event"]
    assert kinds.count("response.output_text.delta") > 5
    assert told.final_output == GREETING


async def test_tools(model: Any) -> None:
    agent = Agent(name="clerk", model=model, tools=[weather], model_settings=ModelSettings(parallel_tool_calls=None))
    assert (await Runner.run(agent, QUESTION)).final_output == ANSWERED


async def test_structured_output(model: Any) -> None:
    assert (await Runner.run(Agent(name="clerk", model=model, output_type=City), "Hello?")).final_output == CITY
