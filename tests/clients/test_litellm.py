"""LiteLLM's SDK, as a client of the gateway in two languages."""

import json
from typing import Any

import litellm
import pytest

from clients.conftest import Gateway
from clients.tools import ANSWERED, CITY, DESCRIPTION, GREETING, PARAMETERS, QUESTION, City, weather

HELLO: Any = [{"role": "user", "content": "Hello?"}]
ASKED: Any = [{"role": "user", "content": QUESTION}]
TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "description": DESCRIPTION, "parameters": PARAMETERS}}
]


@pytest.fixture(params=["openai", "anthropic"])
def ask(request: pytest.FixtureRequest, gateway: Gateway, route: str) -> Any:
    url = gateway.url + ("/v1" if request.param == "openai" else "")

    def asked(messages: Any, **rest: Any) -> Any:
        return litellm.completion(
            model=f"{request.param}/{route}",
            messages=messages,
            api_base=url,
            api_key=gateway.key,
            num_retries=0,
            **rest,
        )

    return asked


def test_completion(ask: Any) -> None:
    answer = ask(HELLO)
    assert answer.choices[0].message.content == GREETING
    assert answer.usage.prompt_tokens == 100


def test_completion_streamed(ask: Any) -> None:
    pieces = [chunk.choices[0].delta.content or "" for chunk in ask(HELLO, stream=True)]
    assert len([piece for piece in pieces if piece]) > 5
    assert "".join(pieces) == GREETING


def test_tools(ask: Any) -> None:
    message = ask(ASKED, tools=TOOLS).choices[0].message
    [call] = message.tool_calls
    told = {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
    assert ask([*ASKED, message.model_dump(), told], tools=TOOLS).choices[0].message.content == ANSWERED


def test_structured_output(ask: Any) -> None:
    answer = ask(HELLO, response_format=City)
    assert City.model_validate_json(answer.choices[0].message.content) == CITY
