"""Google's own client, google-genai."""

import pytest
from google import genai
from google.genai import errors, types

from clients.conftest import Gateway
from clients.tools import ANSWERED, CITY, GREETING, QUESTION, City, weather


@pytest.fixture
def client(gateway: Gateway) -> genai.Client:
    return genai.Client(api_key=gateway.key, http_options=types.HttpOptions(base_url=gateway.url))


def test_generate(client: genai.Client, route: str) -> None:
    answer = client.models.generate_content(model=route, contents="Hello?")
    assert answer.text == GREETING
    assert answer.candidates and answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count == 100
    assert answer.usage_metadata.cached_content_token_count == 40


def test_generate_streamed(client: genai.Client, route: str) -> None:
    pieces = [piece.text or "" for piece in client.models.generate_content_stream(model=route, contents="Hello?")]
    assert len(pieces) > 5
    assert "".join(pieces) == GREETING


def test_generate_with_tools(client: genai.Client, route: str) -> None:
    """The client calls the function by itself and sends what it gave."""
    settings = types.GenerateContentConfig(tools=[weather])
    assert client.models.generate_content(model=route, contents=QUESTION, config=settings).text == ANSWERED


def test_generate_parsed(client: genai.Client, route: str) -> None:
    settings = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    assert client.models.generate_content(model=route, contents="Hello?", config=settings).parsed == CITY


def test_models_are_the_routes(client: genai.Client) -> None:
    assert "models/over-openai" in [model.name for model in client.models.list(config={"query_base": True})]


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: genai.Client, gateway: Gateway) -> None:
    with pytest.raises(errors.ClientError, match="no-such"):
        client.models.generate_content(model="no-such", contents="Hello?")
    stranger = genai.Client(api_key="wrong", http_options=types.HttpOptions(base_url=gateway.url))
    with pytest.raises(errors.ClientError, match="401"):
        stranger.models.generate_content(model="over-openai", contents="Hello?")
