"""LangChain: ChatOpenAI and ChatAnthropic."""

from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from clients.conftest import Gateway
from clients.tools import ANSWERED, CITY, GREETING, QUESTION, City, weather


@pytest.fixture(params=["openai", "responses", "anthropic"])
def model(request: pytest.FixtureRequest, gateway: Gateway, route: str) -> Any:
    key = SecretStr(gateway.key)
    if request.param == "anthropic":
        return ChatAnthropic(model=route, base_url=gateway.url, api_key=key, max_tokens=200, max_retries=0)  # type: ignore[call-arg]
    by_responses = request.param == "responses"
    return ChatOpenAI(
        model=route, base_url=gateway.url + "/v1", api_key=key, max_retries=0, use_responses_api=by_responses
    )


def test_invoke(model: Any) -> None:
    answer = model.invoke("Hello?")
    assert answer.text == GREETING
    assert answer.usage_metadata["input_tokens"] == 100
    assert answer.usage_metadata["input_token_details"]["cache_read"] == 40


def test_stream(model: Any) -> None:
    pieces = [piece.text for piece in model.stream("Hello?")]
    assert len(pieces) > 5
    assert "".join(pieces) == GREETING


@pytest.mark.parametrize("streamed", [False, True])
def test_tools(model: Any, streamed: bool) -> None:
    bound = model.bind_tools([weather])
    asked = [HumanMessage(QUESTION)]
    if streamed:
        answer = None
        for piece in bound.stream(asked):
            answer = piece if answer is None else answer + piece
    else:
        answer = bound.invoke(asked)
    assert answer is not None
    [call] = answer.tool_calls
    told = ToolMessage(weather(**call["args"]), tool_call_id=call["id"])
    assert bound.invoke([*asked, answer, told]).text == ANSWERED


def test_structured_output(model: Any) -> None:
    for method in ("json_schema", "function_calling"):
        assert model.with_structured_output(City, method=method).invoke("Hello?") == CITY
