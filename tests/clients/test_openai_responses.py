"""The official openai client, by Responses."""

import base64
import json
from typing import Any

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
    {"type": "function", "strict": False, "name": "weather", "description": DESCRIPTION, "parameters": PARAMETERS}
]
THINKING: Any = {
    "reasoning": {"effort": "high", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "store": False,
}


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


def asked(client: openai.OpenAI, streamed: bool, **asking: Any) -> Any:
    """The response, as the client puts it together where it is streamed."""
    if not streamed:
        return client.responses.create(**asking)
    with client.responses.stream(**asking) as stream:
        return stream.get_final_response()


def given_back(response: Any) -> Any:
    """Its output as an application appends it to the conversation."""
    return [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in response.output]


def results(response: Any) -> Any:
    calls = [item for item in response.output if item.type == "function_call"]
    return [
        {"type": "function_call_output", "call_id": call.call_id, "output": weather(**json.loads(call.arguments))}
        for call in calls
    ]


def test_responses(client: openai.OpenAI, route: str) -> None:
    answer = client.responses.create(model=route, instructions="Be brief.", input="Hello?")
    assert answer.output_text == GREETING
    assert answer.status == "completed"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 20)
    assert answer.usage.input_tokens_details.cached_tokens == 40


def test_responses_streamed(client: openai.OpenAI, route: str) -> None:
    with client.responses.stream(model=route, input="Hello?") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    assert kinds.count("response.output_text.delta") > 5
    assert final.output_text == GREETING


@pytest.mark.parametrize("streamed", [False, True])
def test_responses_with_tools(client: openai.OpenAI, route: str, streamed: bool) -> None:
    for question, answered in ((QUESTION, ANSWERED), (QUESTION_OF_TWO, ANSWERED_OF_TWO)):
        first = asked(client, streamed, model=route, input=says(question), tools=TOOLS)
        told = [*says(question), *given_back(first), *results(first)]
        assert asked(client, streamed, model=route, input=told, tools=TOOLS).output_text == answered


@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_is_continued_by_its_id(client: openai.OpenAI, route: str, streamed: bool) -> None:
    first = asked(client, streamed, model=route, input=says(QUESTION), tools=TOOLS)
    second = asked(
        client, streamed, model=route, input=results(first), tools=TOOLS, previous_response_id=first.id
    )  # fmt: skip
    assert second.output_text == ANSWERED


@pytest.mark.parametrize("streamed", [False, True])
def test_reasoning_is_remembered_where_a_response_is_continued(
    client: openai.OpenAI, route: str, streamed: bool
) -> None:
    thinking: Any = {"tools": TOOLS, "reasoning": {"effort": "high"}}
    first = asked(client, streamed, model=route, input=says(QUESTION), **thinking)
    second = asked(client, streamed, model=route, input=results(first), previous_response_id=first.id, **thinking)
    assert second.output_text == ANSWERED + remembers(route)


def test_responses_parsed(client: openai.OpenAI, route: str) -> None:
    assert client.responses.parse(model=route, input="Hello?", text_format=City).output_parsed == CITY
    with client.responses.stream(model=route, input="Hello?", text_format=City) as stream:
        assert stream.get_final_response().output_parsed == CITY


def test_an_image_and_a_document_are_seen(client: openai.OpenAI, route: str) -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64," + base64.b64encode(PNG).decode()}
    shown: Any = [{"role": "user", "content": [{"type": "input_text", "text": "What is this?"}, image]}]
    assert client.responses.create(model=route, input=shown).output_text == SEEN_PNG
    data = "data:application/pdf;base64," + base64.b64encode(PDF).decode()
    shown = [{"role": "user", "content": [{"type": "input_file", "filename": "paper.pdf", "file_data": data}]}]
    assert client.responses.create(model=route, input=shown).output_text == SEEN_PDF


@pytest.mark.parametrize("streamed", [False, True])
def test_signed_reasoning_comes_back_to_who_signed_it_and_to_nobody_else(
    client: openai.OpenAI, route: str, streamed: bool
) -> None:
    thinking: Any = {"tools": TOOLS, **THINKING}
    told = says(QUESTION)
    first = asked(client, streamed, model=route, input=told, **thinking)
    thoughts = [item for item in first.output if item.type == "reasoning"]
    assert "".join(summary.text for item in thoughts for summary in item.summary) == THOUGHT
    told += [*given_back(first), *results(first)]
    second = asked(client, streamed, model=route, input=told, **thinking)
    assert second.output_text == ANSWERED + remembers(route)
    told += [*given_back(second), *says("Hello?")]
    for other in set(ROUTES) - {route}:
        assert asked(client, streamed, model=other, input=told, **thinking).output_text == GREETING
    third = asked(client, streamed, model=route, input=told, **thinking)
    assert third.output_text == GREETING + remembers(route, spoke=True)


def test_tokens_are_counted(client: openai.OpenAI, route: str) -> None:
    counted = client.responses.input_tokens.count(model=route, input="Hello, how are you?")
    assert counted.input_tokens > 3


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no-such"):
        client.responses.create(model="no-such", input="Hello?")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").responses.create(model="over-openai", input="Hello?")
    with pytest.raises(openai.BadRequestError, match="resp_none"):
        client.responses.create(model="over-openai", input="Hello?", previous_response_id="resp_none")


def test_what_the_provider_refuses_is_the_clients_own_error(client: openai.OpenAI, route: str) -> None:
    with pytest.raises(openai.RateLimitError, match="too much"):
        client.responses.create(model=route, input=TOO_MUCH)
    with pytest.raises(openai.BadRequestError, match="Nobody can do this"):
        client.responses.create(model=route, input=IMPOSSIBLE, stream=True)


def test_a_broken_stream_is_no_answer(client: openai.OpenAI, route: str) -> None:
    kinds = []
    with pytest.raises(openai.APIError):
        for event in client.responses.create(model=route, input=BREAK_OFF, stream=True):
            kinds.append(event.type)
    assert "response.output_text.delta" in kinds and "response.completed" not in kinds


def test_heartbeats_before_the_first_word_disturb_nobody(client: openai.OpenAI, route: str) -> None:
    assert asked(client, True, model=route, input=SLOWLY).output_text == GREETING
    with pytest.raises(openai.APIError, match="too much"):  # too late for a status
        asked(client, True, model=route, input=TOO_MUCH_SLOWLY)
