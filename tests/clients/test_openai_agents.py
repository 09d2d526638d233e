"""OpenAI's agents SDK, by chat completions and by Responses."""

from collections.abc import AsyncIterator
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
from openai import AsyncOpenAI, AuthenticationError, NotFoundError
from openai.types.shared import Reasoning

from clients.conftest import Gateway
from clients.tools import ANSWERED, ANSWERED_OF_TWO, CITY, GREETING, QUESTION, QUESTION_OF_TWO, City, remembers
from clients.tools import weather as look_up

set_tracing_disabled(True)
pytestmark = pytest.mark.anyio
KINDS = [OpenAIChatCompletionsModel, OpenAIResponsesModel]


@pytest.fixture(scope="module")
async def client(gateway: Gateway) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=gateway.url + "/v1", api_key=gateway.key, max_retries=0) as made:
        yield made


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, client: AsyncOpenAI, route: str) -> Any:
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


async def ran(agent: Any, streamed: bool, asked: Any) -> Any:
    if not streamed:
        return await Runner.run(agent, asked)
    told = Runner.run_streamed(agent, asked)
    async for _ in told.stream_events():
        pass
    return told


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools(model: Any, streamed: bool) -> None:
    agent = Agent(name="clerk", model=model, tools=[weather])
    for question, answered in ((QUESTION, ANSWERED), (QUESTION_OF_TWO, ANSWERED_OF_TWO)):
        assert (await ran(agent, streamed, question)).final_output == answered


@pytest.mark.parametrize("streamed", [False, True])
async def test_structured_output(model: Any, streamed: bool) -> None:
    assert (await ran(Agent(name="clerk", model=model, output_type=City), streamed, "Hello?")).final_output == CITY


@pytest.mark.parametrize("streamed", [False, True])
async def test_signed_reasoning_is_remembered(client: AsyncOpenAI, route: str, streamed: bool) -> None:
    settings = ModelSettings(
        reasoning=Reasoning(effort="high", summary="auto"),
        response_include=["reasoning.encrypted_content"],
        store=False,
    )
    model = OpenAIResponsesModel(model=route, openai_client=client)
    agent = Agent(name="clerk", model=model, tools=[weather], model_settings=settings)
    told = await ran(agent, streamed, QUESTION)
    assert told.final_output == ANSWERED + remembers(route)
    again = await ran(agent, streamed, [*told.to_input_list(), {"role": "user", "content": "Hello?"}])
    assert again.final_output == GREETING + remembers(route, spoke=True)


async def test_one_agent_hands_over_to_another(model: Any) -> None:
    """The call that hands over is a tool's as any other."""
    expert = Agent(name="expert", model=model, handoff_description="Knows the weather.")
    clerk = Agent(
        name="clerk", model=model, handoffs=[expert], model_settings=ModelSettings(tool_choice="transfer_to_expert")
    )
    told = await Runner.run(clerk, "Hello?")
    assert told.last_agent is expert


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: AsyncOpenAI, kind: Any) -> None:
    with pytest.raises(NotFoundError, match="no-such"):
        await Runner.run(Agent(name="clerk", model=kind(model="no-such", openai_client=client)), "Hello?")
    stranger = client.with_options(api_key="wrong")
    with pytest.raises(AuthenticationError):
        await Runner.run(Agent(name="clerk", model=kind(model="over-openai", openai_client=stranger)), "Hello?")
