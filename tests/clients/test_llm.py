"""Simon Willison's `llm`, with a model of its own registry made for each route."""

from typing import Any

import llm
import pytest
from llm.default_plugins.openai_models import Chat
from openai import AuthenticationError, NotFoundError

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
    weather,
)


def knows(gateway: Gateway, route: str) -> Any:
    made: Any = Chat(
        route, model_name=route, api_base=gateway.url + "/v1", supports_tools=True, supports_schema=True,
        can_stream=True, vision=True,
    )  # fmt: skip
    made.key = gateway.key
    return made


@pytest.fixture
def model(gateway: Gateway, route: str) -> Any:
    return knows(gateway, route)


@pytest.mark.parametrize("streamed", [False, True])
def test_prompt(model: Any, streamed: bool) -> None:
    answer = model.prompt("Hello?", stream=streamed)
    pieces = list(answer)
    assert "".join(pieces) == answer.text() == GREETING
    assert len(pieces) > 5 or not streamed
    assert answer.usage().output == 20


@pytest.mark.parametrize("streamed", [False, True])
def test_tools(model: Any, streamed: bool) -> None:
    for question, answered in ((QUESTION, ANSWERED), (QUESTION_OF_TWO, ANSWERED_OF_TWO)):
        assert model.chain(question, tools=[weather], stream=streamed).text().endswith(answered)


@pytest.mark.parametrize("streamed", [False, True])
def test_structured_output(model: Any, streamed: bool) -> None:
    assert City.model_validate_json(model.prompt("Hello?", schema=City, stream=streamed).text()) == CITY


def test_an_image_is_seen(model: Any) -> None:
    shown = [llm.Attachment(content=PNG, type="image/png")]
    assert model.prompt("What is this?", attachments=shown, stream=False).text() == SEEN_PNG


def test_a_conversation_goes_on(model: Any) -> None:
    conversation = model.conversation()
    assert [conversation.prompt("Hello?", stream=False).text() for _ in range(2)] == [GREETING, GREETING]


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(gateway: Gateway) -> None:
    with pytest.raises(NotFoundError, match="no-such"):
        knows(gateway, "no-such").prompt("Hello?", stream=False).text()
    with pytest.raises(AuthenticationError):
        knows(Gateway(gateway.url, "wrong"), "over-openai").prompt("Hello?", stream=False).text()
