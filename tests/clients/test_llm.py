"""Simon Willison's `llm`, with a model of its own registry made for each route."""

from typing import Any

import llm
import pytest
from llm.default_plugins.openai_models import Chat

from clients.conftest import Gateway
from clients.tools import ANSWERED, CITY, GREETING, QUESTION, City, weather


@pytest.fixture
def model(gateway: Gateway, route: str) -> Any:
    made = Chat(
        route, model_name=route, api_base=gateway.url + "/v1", supports_tools=True, supports_schema=True,
        can_stream=True,
    )  # fmt: skip
    made.key = gateway.key
    return made


@pytest.mark.parametrize("streamed", [False, True])
def test_prompt(model: Any, streamed: bool) -> None:
    answer = model.prompt("Hello?", stream=streamed)
    pieces = list(answer)
    assert "".join(pieces) == answer.text() == GREETING
    assert len(pieces) > 5 or not streamed
    assert answer.usage().input == 100


def test_tools(model: Any) -> None:
    assert isinstance(model, llm.Model)
    chain = model.chain(QUESTION, tools=[weather], stream=False)
    assert chain.text().endswith(ANSWERED)


def test_structured_output(model: Any) -> None:
    assert City.model_validate_json(model.prompt("Hello?", schema=City, stream=False).text()) == CITY
