"""LangChain: ChatOpenAI, by chat completions and by Responses, and ChatAnthropic."""

import base64
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import AuthenticationError, BadRequestError, NotFoundError
from pydantic import SecretStr

from clients.conftest import Gateway
from clients.tools import (
    ANSWERED,
    ANSWERED_OF_TWO,
    CITY,
    GREETING,
    PNG,
    QUESTION,
    QUESTION_OF_TWO,
    SEEN_PNG,
    City,
    remembers,
    weather,
)


def made(gateway: Gateway, kind: str, route: str, **settings: Any) -> Any:
    key = SecretStr(gateway.key)
    if kind == "anthropic":
        how: Any = {"base_url": gateway.url, "api_key": key, "max_tokens": 2000, "max_retries": 0}
        return ChatAnthropic(model=route, **{**how, **settings})
    how = {"base_url": gateway.url + "/v1", "api_key": key, "max_retries": 0, "use_responses_api": kind == "responses"}
    return ChatOpenAI(model=route, **{**how, **settings})


@pytest.fixture(params=["openai", "responses", "anthropic"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def model(gateway: Gateway, kind: str, route: str) -> Any:
    return made(gateway, kind, route)


def asked(model: Any, streamed: bool, messages: list[Any]) -> AIMessage:
    if not streamed:
        return model.invoke(messages)
    pieces = list(model.stream(messages))
    answer = pieces[0]
    for piece in pieces[1:]:
        answer += piece
    return answer


def results(answer: AIMessage) -> list[ToolMessage]:
    return [ToolMessage(weather(**call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls]


def test_invoke(model: Any) -> None:
    answer = model.invoke("Hello?")
    assert answer.text == GREETING
    assert answer.usage_metadata["input_tokens"] == 100
    assert answer.usage_metadata["input_token_details"]["cache_read"] == 40


def test_stream(model: Any) -> None:
    pieces = [piece.text for piece in model.stream("Hello?")]
    assert len([piece for piece in pieces if piece]) > 5
    assert "".join(pieces) == GREETING


@pytest.mark.parametrize("streamed", [False, True])
def test_tools(model: Any, streamed: bool) -> None:
    bound = model.bind_tools([weather])
    for question, answered in ((QUESTION, ANSWERED), (QUESTION_OF_TWO, ANSWERED_OF_TWO)):
        told: list[Any] = [HumanMessage(question)]
        answer = asked(bound, streamed, told)
        assert asked(bound, streamed, [*told, answer, *results(answer)]).text == answered


def test_structured_output(model: Any) -> None:
    assert model.with_structured_output(City, method="json_schema").invoke("Hello?") == CITY


def test_structured_output_by_a_function(gateway: Gateway, kind: str, route: str) -> None:
    """ChatOpenAI allows one call at a time then, which Gemini's language can't say; a lossy route lets it go."""
    by_function: Any = {"schema": City, "method": "function_calling"}
    if route == "over-gemini" and kind != "anthropic":
        with pytest.raises(BadRequestError, match="parallel_tool_calls"):
            made(gateway, kind, route).with_structured_output(**by_function).invoke("Hello?")
        route = "loosely/over-gemini"
    assert made(gateway, kind, route).with_structured_output(**by_function).invoke("Hello?") == CITY


def test_an_image_is_seen(model: Any) -> None:
    data = base64.b64encode(PNG).decode()
    shown = [{"type": "text", "text": "What?"}, {"type": "image", "base64": data, "mime_type": "image/png"}]
    assert model.invoke([HumanMessage(shown)]).text == SEEN_PNG


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("anthropic", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        ("responses", {"reasoning": {"effort": "high", "summary": "auto"}, "store": False,
                       "include": ["reasoning.encrypted_content"]}),
    ],
)  # fmt: skip
def test_signed_reasoning_is_remembered(gateway: Gateway, kind: str, settings: Any, route: str, streamed: bool) -> None:
    """By chat completions LangChain keeps nothing of it, whoever answers."""
    bound = made(gateway, kind, route, **settings).bind_tools([weather])
    told: list[Any] = [HumanMessage(QUESTION)]
    answer = asked(bound, streamed, told)
    assert asked(bound, streamed, [*told, answer, *results(answer)]).text == ANSWERED + remembers(route)


@pytest.mark.parametrize("over", ["over-openai", "over-gemini"])
def test_embeddings(gateway: Gateway, over: str) -> None:
    """As text: by default it sends the tokens of OpenAI's own models."""
    embeddings = OpenAIEmbeddings(
        model=over, base_url=gateway.url + "/v1", api_key=SecretStr(gateway.key), check_embedding_ctx_length=False
    )
    assert embeddings.embed_documents(["here", "there"]) == [[1.0, 1.0, 1.0], [1.25, 1.0, 1.0]]


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(gateway: Gateway) -> None:
    with pytest.raises(NotFoundError, match="no-such"):
        made(gateway, "openai", "no-such").invoke("Hello?")
    with pytest.raises(AuthenticationError):
        made(Gateway(gateway.url, "wrong"), "openai", "over-openai").invoke("Hello?")
