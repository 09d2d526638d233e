"""Google's own client, google-genai."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from clients.conftest import Gateway
from clients.tools import (
    ANSWERED,
    ANSWERED_OF_TWO,
    BREAK_OFF,
    CITY,
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
    City,
    remembers,
    weather,
)

DECLARED = types.FunctionDeclaration(name="weather", description="The weather.", parameters_json_schema=PARAMETERS)
TOOLS: Any = [types.Tool(function_declarations=[DECLARED])]


def knows(gateway: Gateway, key: str) -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=gateway.url))


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[genai.Client]:
    with knows(gateway, gateway.key) as made:
        yield made


def said(chat: Any, streamed: bool, message: Any) -> list[Any]:
    """The parts of what the model says next; the chat keeps them as they come."""
    answers = list(chat.send_message_stream(message)) if streamed else [chat.send_message(message)]
    found = [answer.candidates[0].content for answer in answers if answer.candidates]
    return [part for content in found if content is not None for part in content.parts or []]


def text_of(parts: list[Any]) -> str:
    return "".join(part.text for part in parts if part.text and not part.thought)


def results(parts: list[Any]) -> list[Any]:
    calls = [part.function_call for part in parts if part.function_call]
    told = []
    for call in calls:
        part = types.Part.from_function_response(name=call.name, response={"result": weather(**call.args)})
        assert part.function_response is not None
        part.function_response.id = call.id
        told.append(part)
    return told


def test_generate(client: genai.Client, route: str) -> None:
    settings = types.GenerateContentConfig(system_instruction="Be brief.", max_output_tokens=200)
    answer = client.models.generate_content(model=route, contents="Hello?", config=settings)
    assert answer.text == GREETING
    assert answer.candidates and answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count == 100
    assert answer.usage_metadata.cached_content_token_count == 40


def test_generate_streamed(client: genai.Client, route: str) -> None:
    answers = list(client.models.generate_content_stream(model=route, contents="Hello?"))
    pieces = [answer.text for answer in answers if answer.text]
    assert len(pieces) > 5
    assert "".join(pieces) == GREETING
    assert answers[-1].candidates and answers[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert answers[-1].usage_metadata is not None and answers[-1].usage_metadata.prompt_token_count == 100


def test_a_function_is_called_by_the_client_itself(client: genai.Client, route: str) -> None:
    """It describes the function with the schema of what it gives, and sends that."""
    settings = types.GenerateContentConfig(tools=[weather])
    assert client.chats.create(model=route, config=settings).send_message(QUESTION).text == ANSWERED


@pytest.mark.parametrize("streamed", [False, True])
def test_generate_with_tools(client: genai.Client, route: str, streamed: bool) -> None:
    for question, answered in ((QUESTION, ANSWERED), (QUESTION_OF_TWO, ANSWERED_OF_TWO)):
        chat = client.chats.create(model=route, config=types.GenerateContentConfig(tools=TOOLS))
        parts = said(chat, streamed, question)
        assert text_of(said(chat, streamed, results(parts))) == answered


def test_a_tool_is_forced(client: genai.Client, route: str) -> None:
    forced = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["weather"])
    settings = types.GenerateContentConfig(tools=TOOLS, tool_config=types.ToolConfig(function_calling_config=forced))
    answer = client.models.generate_content(model=route, contents="Hello?", config=settings)
    assert [call.args for call in answer.function_calls or []] == [{"city": "Paris"}]


@pytest.mark.parametrize("form", [{"response_schema": City}, {"response_json_schema": City.model_json_schema()}])
def test_generate_parsed(client: genai.Client, route: str, form: Any) -> None:
    settings = types.GenerateContentConfig(response_mime_type="application/json", **form)
    answer = client.models.generate_content(model=route, contents="Hello?", config=settings)
    assert City.model_validate_json(answer.text or "") == CITY
    pieces = client.models.generate_content_stream(model=route, contents="Hello?", config=settings)
    assert City.model_validate_json("".join(piece.text or "" for piece in pieces)) == CITY


def test_an_image_and_a_document_are_seen(client: genai.Client, route: str) -> None:
    for media_type, data, told in (("image/png", PNG, SEEN_PNG), ("application/pdf", PDF, SEEN_PDF)):
        shown: Any = ["What is this?", types.Part.from_bytes(data=data, mime_type=media_type)]
        assert client.models.generate_content(model=route, contents=shown).text == told


@pytest.mark.parametrize("streamed", [False, True])
def test_signed_reasoning_comes_back_to_who_signed_it_and_to_nobody_else(
    client: genai.Client, route: str, streamed: bool
) -> None:
    """The client decodes signatures and encodes them again; its chat keeps every piece of a stream as it came."""
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_level=types.ThinkingLevel.HIGH)
    settings = types.GenerateContentConfig(tools=TOOLS, thinking_config=thinking)
    chat = client.chats.create(model=route, config=settings)
    parts = said(chat, streamed, QUESTION)
    assert "".join(part.text for part in parts if part.thought and part.text) == THOUGHT
    parts = said(chat, streamed, results(parts))
    assert text_of(parts) == ANSWERED + remembers(route)
    before = chat.get_history()
    for other in set(ROUTES) - {route}:
        elsewhere = client.chats.create(model=other, config=settings, history=list(before))
        assert text_of(said(elsewhere, streamed, "Hello?")) == GREETING
    assert text_of(said(chat, streamed, "Hello?")) == GREETING + remembers(route, spoke=True)


@pytest.mark.parametrize("over", ["over-gemini", "over-openai"])
def test_embeddings(client: genai.Client, over: str) -> None:
    """For a model with `gemini` in its name the client makes one content of several strings, hence the contents."""
    texts: Any = [types.UserContent("here"), types.UserContent("there")]
    answer = client.models.embed_content(model=over, contents=texts)
    assert [vector.values for vector in answer.embeddings or []] == [[1.0, 1.0, 1.0], [1.25, 1.0, 1.0]]


def test_tokens_are_counted(client: genai.Client, route: str) -> None:
    counted = client.models.count_tokens(model=route, contents="Hello, how are you?")
    assert counted.total_tokens is not None and counted.total_tokens > 3


def test_models_are_the_routes(client: genai.Client) -> None:
    assert {f"models/{name}" for name in ROUTES} < {model.name for model in client.models.list()}
    assert client.models.get(model="over-openai").name == "models/over-openai"


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: genai.Client, gateway: Gateway) -> None:
    with pytest.raises(errors.ClientError, match=r"404 NOT_FOUND.*no-such"):
        client.models.generate_content(model="no-such", contents="Hello?")
    with knows(gateway, "wrong") as stranger, pytest.raises(errors.ClientError, match="401 UNAUTHENTICATED"):
        stranger.models.generate_content(model="over-openai", contents="Hello?")


def test_what_the_provider_refuses_is_the_clients_own_error(client: genai.Client, route: str) -> None:
    with pytest.raises(errors.ClientError, match=r"429 RESOURCE_EXHAUSTED.*too much"):
        client.models.generate_content(model=route, contents=TOO_MUCH)
    with pytest.raises(errors.ClientError, match=r"400 INVALID_ARGUMENT.*Nobody can do this"):
        list(client.models.generate_content_stream(model=route, contents=IMPOSSIBLE))


def test_a_broken_stream_is_no_answer(client: genai.Client, route: str) -> None:
    pieces = []
    with pytest.raises((errors.APIError, httpx.HTTPError)):
        for answer in client.models.generate_content_stream(model=route, contents=BREAK_OFF):
            pieces.append(answer.text)
            assert not (answer.candidates and answer.candidates[0].finish_reason)
    assert pieces == ["Hello", " from", " the"]


def test_a_long_silence_before_the_first_word_disturbs_nobody(client: genai.Client, route: str) -> None:
    pieces = client.models.generate_content_stream(model=route, contents=SLOWLY)
    assert "".join(piece.text or "" for piece in pieces) == GREETING
