"""LiteLLM's SDK as a client of the gateway, in the languages that it speaks itself."""

import base64
import json
import re
from typing import Any

import litellm
import pytest

from clients.conftest import Gateway
from clients.tools import (
    ANSWERED,
    ANSWERED_OF_TWO,
    BREAK_OFF,
    CITY,
    DESCRIPTION,
    GREETING,
    PARAMETERS,
    PNG,
    QUESTION,
    QUESTION_OF_TWO,
    ROUTES,
    SEEN_PNG,
    TOO_MUCH,
    City,
    remembers,
    weather,
)

TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "description": DESCRIPTION, "parameters": PARAMETERS}}
]
BASES = {"openai": "/v1", "anthropic": "", "gemini": "/v1beta"}


@pytest.fixture(params=list(BASES))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def ask(gateway: Gateway, kind: str, route: str) -> Any:
    def asked(text: str | list[Any], model: str = route, **rest: Any) -> Any:
        return litellm.completion(
            model=f"{kind}/{model}",
            messages=says(text) if isinstance(text, str) else text,
            num_retries=0,
            **{"api_base": gateway.url + BASES[kind], "api_key": gateway.key, **rest},
        )

    return asked


def says(text: Any) -> Any:
    return [{"role": "user", "content": text}]


def message_of(answer: Any, streamed: bool) -> Any:
    """By the SDK's own accumulator where it is streamed."""
    whole = litellm.stream_chunk_builder(list(answer)) if streamed else answer
    return whole.choices[0].message


def results(message: Any) -> Any:
    return [
        {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
        for call in message.tool_calls
    ]


def test_completion(ask: Any) -> None:
    answer = ask("Hello?")
    assert answer.choices[0].message.content == GREETING
    assert answer.usage.prompt_tokens == 100


def test_completion_streamed(ask: Any) -> None:
    pieces = [chunk.choices[0].delta.content or "" for chunk in ask("Hello?", stream=True)]
    assert len([piece for piece in pieces if piece]) > 5
    assert "".join(pieces) == GREETING


@pytest.mark.parametrize("streamed", [False, True])
def test_tools(ask: Any, kind: str, streamed: bool) -> None:
    """For Google's language it puts what a tool gave into an object of its own."""
    for question, answered in ((QUESTION, ANSWERED), (QUESTION_OF_TWO, ANSWERED_OF_TWO)):
        message = message_of(ask(question, tools=TOOLS, stream=streamed), streamed)
        told = [*says(question), message.model_dump(), *results(message)]
        said = message_of(ask(told, tools=TOOLS, stream=streamed), streamed).content
        if kind == "gemini":
            said = re.sub(r'\{"content": ?"([^"]*)"}', r"\1", said)
        assert said == answered


def test_structured_output(ask: Any) -> None:
    answer = ask("Hello?", response_format=City)
    assert City.model_validate_json(answer.choices[0].message.content) == CITY


def test_an_image_is_seen(ask: Any) -> None:
    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    shown = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    assert ask(says(shown)).choices[0].message.content == SEEN_PNG


# It loses what a stream of chat completions signs, and of Google's language what is signed beside a call. What it keeps
# of an answer in chat completions, a target of that language does not know.
KEEPS = [
    *(("openai", route, False) for route in ROUTES if route != "over-openai"),
    *(("anthropic", route, streamed) for route in ROUTES for streamed in (False, True)),
    *(("gemini", "over-gemini", streamed) for streamed in (False, True)),
]


@pytest.mark.parametrize(("kind", "route", "streamed"), KEEPS)
def test_signed_reasoning_is_remembered(ask: Any, kind: str, route: str, streamed: bool) -> None:
    asked: Any = {"tools": TOOLS, "stream": streamed, "allowed_openai_params": ["reasoning_effort", "thinking"]}
    if kind == "anthropic":
        asked["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    else:
        asked["reasoning_effort"] = "high"
    message = message_of(ask(QUESTION, **asked), streamed)
    told = [*says(QUESTION), message.model_dump(), *results(message)]
    assert message_of(ask(told, **asked), streamed).content.endswith(remembers(route))


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(ask: Any) -> None:
    with pytest.raises(litellm.NotFoundError, match="no-such"):
        ask("Hello?", model="no-such")
    with pytest.raises(litellm.AuthenticationError):
        ask("Hello?", api_key="wrong")


def test_what_the_provider_refuses_is_the_clients_own_error(ask: Any) -> None:
    with pytest.raises(litellm.RateLimitError, match="too much"):
        ask(TOO_MUCH)


def test_a_broken_stream_is_no_answer(ask: Any) -> None:
    with pytest.raises((litellm.APIError, litellm.exceptions.MidStreamFallbackError)):
        list(ask(BREAK_OFF, stream=True))
