"""The official openai client, by chat completions and by Responses."""

import json
from typing import Any

import openai
import pytest

from clients.conftest import Gateway
from clients.tools import ANSWERED, CITY, DESCRIPTION, GREETING, PARAMETERS, QUESTION, City, weather


@pytest.fixture
def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=gateway.key, max_retries=0)


TOOL: Any = {"name": "weather", "description": DESCRIPTION, "parameters": PARAMETERS}
HELLO: Any = [{"role": "user", "content": "Hello?"}]
ASKED: Any = [{"role": "user", "content": QUESTION}]


def test_chat(client: openai.OpenAI, route: str) -> None:
    answer = client.chat.completions.create(model=route, messages=HELLO)
    assert answer.choices[0].message.content == GREETING
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (100, 20)
    assert answer.usage.prompt_tokens_details is not None and answer.usage.prompt_tokens_details.cached_tokens == 40


def test_chat_streamed(client: openai.OpenAI, route: str) -> None:
    with client.chat.completions.stream(model=route, messages=HELLO, stream_options={"include_usage": True}) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_completion()
    assert events.count("content.delta") > 5
    assert final.choices[0].message.content == GREETING
    assert final.usage is not None and final.usage.prompt_tokens == 100


@pytest.mark.parametrize("streamed", [False, True])
def test_chat_with_tools(client: openai.OpenAI, route: str, streamed: bool) -> None:
    tools: Any = [{"type": "function", "function": TOOL}]
    if streamed:
        with client.chat.completions.stream(model=route, messages=ASKED, tools=tools) as stream:
            message = stream.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(model=route, messages=ASKED, tools=tools).choices[0].message
    [call] = message.tool_calls or []
    told = {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
    said: Any = [*ASKED, message.model_dump(exclude_none=True, exclude={"parsed"}), told]
    for made in said[1].get("tool_calls", []):
        made["function"].pop("parsed_arguments", None)
    answer = client.chat.completions.create(model=route, messages=said, tools=tools)
    assert answer.choices[0].message.content == ANSWERED


def test_chat_parsed(client: openai.OpenAI, route: str) -> None:
    answer = client.chat.completions.parse(model=route, messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == CITY


def test_responses(client: openai.OpenAI, route: str) -> None:
    answer = client.responses.create(model=route, input="Hello?")
    assert answer.output_text == GREETING
    assert answer.status == "completed"
    assert answer.usage is not None and answer.usage.input_tokens_details.cached_tokens == 40


def test_responses_streamed(client: openai.OpenAI, route: str) -> None:
    with client.responses.stream(model=route, input="Hello?") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert final.output_text == GREETING


def test_responses_with_tools(client: openai.OpenAI, route: str) -> None:
    tools: Any = [{"type": "function", "strict": False, **TOOL}]
    first = client.responses.create(model=route, input=ASKED, tools=tools)
    [call] = [item for item in first.output if item.type == "function_call"]
    told = {"type": "function_call_output", "call_id": call.call_id, "output": weather(**json.loads(call.arguments))}
    said: Any = [*ASKED, *(item.model_dump(exclude_none=True) for item in first.output), told]
    assert client.responses.create(model=route, input=said, tools=tools).output_text == ANSWERED


def test_a_response_is_continued_by_its_id(client: openai.OpenAI, route: str) -> None:
    tools: Any = [{"type": "function", "strict": False, **TOOL}]
    first = client.responses.create(model=route, input=ASKED, tools=tools)
    [call] = [item for item in first.output if item.type == "function_call"]
    told: Any = {"type": "function_call_output", "call_id": call.call_id, "output": weather("Paris")}
    second = client.responses.create(model=route, input=[told], tools=tools, previous_response_id=first.id)
    assert second.output_text == ANSWERED


def test_responses_parsed(client: openai.OpenAI, route: str) -> None:
    assert client.responses.parse(model=route, input="Hello?", text_format=City).output_parsed == CITY


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no-such"):
        client.chat.completions.create(model="no-such", messages=HELLO)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").chat.completions.create(model="over-openai", messages=HELLO)
