"""The official anthropic client."""

from typing import Any

import anthropic
import pytest

from clients.conftest import Gateway
from clients.tools import ANSWERED, CITY, DESCRIPTION, GREETING, PARAMETERS, QUESTION, City, weather


@pytest.fixture
def client(gateway: Gateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)


HELLO: Any = [{"role": "user", "content": "Hello?"}]
ASKED: Any = [{"role": "user", "content": QUESTION}]
TOOLS: Any = [{"name": "weather", "description": DESCRIPTION, "input_schema": PARAMETERS}]


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_messages(client: anthropic.Anthropic, route: str) -> None:
    answer = client.messages.create(model=route, max_tokens=200, system="Be brief.", messages=HELLO)
    assert text_of(answer) == GREETING
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (60, 40, 20)


def test_messages_streamed(client: anthropic.Anthropic, route: str) -> None:
    with client.messages.stream(model=route, max_tokens=200, messages=HELLO) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 5
    assert "".join(pieces) == text_of(final) == GREETING
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == 20


@pytest.mark.parametrize("streamed", [False, True])
def test_messages_with_tools(client: anthropic.Anthropic, route: str, streamed: bool) -> None:
    if streamed:
        with client.messages.stream(model=route, max_tokens=200, messages=ASKED, tools=TOOLS) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.messages.create(model=route, max_tokens=200, messages=ASKED, tools=TOOLS)
    assert answer.stop_reason == "tool_use"
    [call] = [block for block in answer.content if block.type == "tool_use"]
    told: Any = {"type": "tool_result", "tool_use_id": call.id, "content": weather(**dict(call.input))}
    said: Any = [*ASKED, {"role": "assistant", "content": answer.content}, {"role": "user", "content": [told]}]
    assert text_of(client.messages.create(model=route, max_tokens=200, messages=said, tools=TOOLS)) == ANSWERED


def test_messages_parsed(client: anthropic.Anthropic, route: str) -> None:
    answer = client.messages.parse(model=route, max_tokens=200, messages=HELLO, output_format=City)
    assert answer.parsed_output == CITY


def test_tokens_are_counted(client: anthropic.Anthropic, route: str) -> None:
    assert client.messages.count_tokens(model=route, messages=HELLO).input_tokens > 0


def test_models_are_the_routes(client: anthropic.Anthropic) -> None:
    assert "over-gemini" in [model.id for model in client.models.list()]


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="no-such"):
        client.messages.create(model="no-such", max_tokens=9, messages=HELLO)
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="wrong").messages.create(model="over-openai", max_tokens=9, messages=HELLO)
