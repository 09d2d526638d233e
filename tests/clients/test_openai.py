"""The official openai client: chat completions, embeddings, errors. Its Responses are in `test_openai_responses.py`."""

import base64
import json
from typing import Any

import httpx
import openai
import pytest

from clients.conftest import Gateway
from clients.tools import (
    ANSWERED,
    ANSWERED_OF_TWO,
    BREAK_OFF,
    CITY,
    DESCRIPTION,
    GREETING,
    IMPOSSIBLE,
    PARAMETERS,
    PDF,
    PNG,
    QUESTION,
    QUESTION_OF_TWO,
    ROUTES,
    SEEN_PDF,
    SEEN_PNG,
    SLOWLY,
    THOUGHT,
    TOO_MUCH,
    TOO_MUCH_SLOWLY,
    City,
    remembers,
    weather,
)


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key=gateway.key, max_retries=0)


TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "description": DESCRIPTION, "parameters": PARAMETERS}}
]
HELLO: Any = [{"role": "user", "content": "Hello?"}]
ASKED: Any = [{"role": "user", "content": QUESTION}]


def asks(text: str) -> Any:
    return [{"role": "user", "content": text}]


def shows(part: Any) -> Any:
    return [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}]


def said(client: openai.OpenAI, streamed: bool, **asked: Any) -> Any:
    """The message, by the client's own accumulator where it is streamed."""
    if not streamed:
        return client.chat.completions.create(**asked).choices[0].message
    with client.chat.completions.stream(**asked) as stream:
        return stream.get_final_completion().choices[0].message


def given_back(message: Any) -> Any:
    """A message as an application appends it to the conversation."""
    told = message.model_dump(exclude_none=True, exclude={"parsed"})
    for call in told.get("tool_calls", []):
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    return told


def results(message: Any) -> Any:
    return [
        {"role": "tool", "tool_call_id": call.id, "content": weather(**json.loads(call.function.arguments))}
        for call in message.tool_calls
    ]


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
    message = said(client, streamed, model=route, messages=ASKED, tools=TOOLS)
    told = [*ASKED, given_back(message), *results(message)]
    answer = said(client, streamed, model=route, messages=told, tools=TOOLS)
    assert answer.content == ANSWERED


@pytest.mark.parametrize("streamed", [False, True])
def test_two_tools_at_once(client: openai.OpenAI, route: str, streamed: bool) -> None:
    message = said(client, streamed, model=route, messages=asks(QUESTION_OF_TWO), tools=TOOLS)
    told = [*asks(QUESTION_OF_TWO), given_back(message), *results(message)]
    assert said(client, streamed, model=route, messages=told, tools=TOOLS).content == ANSWERED_OF_TWO


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_tool_is_forced(client: openai.OpenAI, route: str, choice: Any) -> None:
    message = said(client, False, model=route, messages=HELLO, tools=TOOLS, tool_choice=choice)
    assert [call.function.arguments for call in message.tool_calls] == ['{"city":"Paris"}']
    message = said(client, False, model=route, messages=ASKED, tools=TOOLS, tool_choice="none")
    assert not message.tool_calls and message.content == GREETING


def test_chat_parsed(client: openai.OpenAI, route: str) -> None:
    answer = client.chat.completions.parse(model=route, messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == CITY
    with client.chat.completions.stream(model=route, messages=HELLO, response_format=City) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == CITY


def test_any_json(client: openai.OpenAI, route: str) -> None:
    message = said(client, False, model=route, messages=HELLO, response_format={"type": "json_object"})
    assert City.model_validate_json(message.content) == CITY


def test_an_image_and_a_document_are_seen(client: openai.OpenAI, route: str) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(PNG).decode()}}
    assert said(client, False, model=route, messages=shows(image)).content == SEEN_PNG
    data = "data:application/pdf;base64," + base64.b64encode(PDF).decode()
    document = {"type": "file", "file": {"filename": "paper.pdf", "file_data": data}}
    assert said(client, False, model=route, messages=shows(document)).content == SEEN_PDF


@pytest.mark.parametrize("streamed", [False, True])
def test_signed_reasoning_comes_back_to_who_signed_it_and_to_nobody_else(
    client: openai.OpenAI, route: str, streamed: bool
) -> None:
    """The client keeps what it does not know (`reasoning_details`, `extra_content`) and sends it back."""
    asked: Any = {"tools": TOOLS, "reasoning_effort": "high"}
    message = said(client, streamed, model=route, messages=ASKED, **asked)
    assert message.reasoning_content == THOUGHT
    told = [*ASKED, given_back(message), *results(message)]
    answer = said(client, streamed, model=route, messages=told, **asked)
    assert answer.content == ANSWERED + remembers(route)
    told += [given_back(answer), *HELLO]
    for other in set(ROUTES) - {route}:
        assert said(client, streamed, model=other, messages=told, **asked).content == GREETING
    answer = said(client, streamed, model=route, messages=told, **asked)
    assert answer.content == GREETING + remembers(route, spoke=True)


def test_the_stand_in_would_notice_a_signature_that_is_not_its_own(client: openai.OpenAI) -> None:
    """What was said in a target's own language is passed on as it stands, so here it can be given anything."""
    message = said(client, False, model="over-openai", messages=ASKED, tools=TOOLS, reasoning_effort="high")
    told = [*ASKED, given_back(message), *results(message)]
    [detail] = told[1]["reasoning_details"]
    forged = detail["signature"][:-4] + "AAA="
    gemini = base64.b64encode(b"signed by gemini: 0123").decode()
    for signature, noticed in ((forged, "gave no signature"), (gemini, "gemini's was sent to openai")):
        told[1]["reasoning_details"] = [{**detail, "signature": signature}]
        with pytest.raises(openai.BadRequestError, match=noticed):
            client.chat.completions.create(model="over-openai", messages=told, tools=TOOLS)


@pytest.mark.parametrize("encoding", ["float", "base64"])
@pytest.mark.parametrize("over", ["over-openai", "over-gemini"])
def test_embeddings(client: openai.OpenAI, over: str, encoding: Any) -> None:
    """The client asks for base64 unless it is told otherwise, and reads both."""
    asked: Any = {} if encoding == "base64" else {"encoding_format": "float"}
    answer = client.embeddings.create(model=over, input=["here", "there"], **asked)
    assert [vector.embedding for vector in answer.data] == [[1.0, 1.0, 1.0], [1.25, 1.0, 1.0]]
    assert client.embeddings.create(model=over, input="here", **asked).data[0].embedding == [1.0, 1.0, 1.0]


def test_embeddings_are_refused_where_there_are_none(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="embed"):
        client.embeddings.create(model="over-anthropic", input="here")


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_rerank(gateway: Gateway, path: str) -> None:
    """There is no official client that all rerankers share."""
    asked = {"model": "over-rerank", "query": "what?", "documents": ["short", "a longer one", "long one"], "top_n": 2}
    answer = httpx.post(gateway.url + path, json=asked, headers={"authorization": f"Bearer {gateway.key}"})
    assert [(one["index"], one["relevance_score"]) for one in answer.json()["results"]] == [(1, 0.12), (2, 0.08)]


def test_models_are_the_routes(client: openai.OpenAI) -> None:
    assert set(ROUTES) < {model.id for model in client.models.list()}
    assert client.models.retrieve("over-gemini").id == "over-gemini"


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no-such"):
        client.chat.completions.create(model="no-such", messages=HELLO)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").chat.completions.create(model="over-openai", messages=HELLO)


def test_what_the_provider_refuses_is_the_clients_own_error(client: openai.OpenAI, route: str) -> None:
    with pytest.raises(openai.RateLimitError, match="too much"):
        client.chat.completions.create(model=route, messages=asks(TOO_MUCH))
    with pytest.raises(openai.BadRequestError, match="Nobody can do this"):
        client.chat.completions.create(model=route, messages=asks(IMPOSSIBLE), stream=True)


def test_a_broken_stream_is_no_answer(client: openai.OpenAI, route: str) -> None:
    pieces = []
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(model=route, messages=asks(BREAK_OFF), stream=True):
            pieces += [choice.delta.content for choice in chunk.choices if choice.delta.content]
            assert not any(choice.finish_reason for choice in chunk.choices)
    assert pieces == ["Hello", " from", " the"]


def test_heartbeats_before_the_first_word_disturb_nobody(client: openai.OpenAI, route: str) -> None:
    chunks = list(client.chat.completions.create(model=route, messages=asks(SLOWLY), stream=True))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == GREETING
    with pytest.raises(openai.APIError, match="too much"):  # too late for a status
        list(client.chat.completions.create(model=route, messages=asks(TOO_MUCH_SLOWLY), stream=True))
