"""LangChain's ChatOpenAI, unchanged."""

from typing import Any, Literal

import pytest
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from fairlead.server.office import KeyMade
from journeys.door import Door

pytestmark = pytest.mark.engine


class Sorted(BaseModel):
    """Where a ticket belongs."""

    queue: Literal["billing", "technical"]


@pytest.fixture
def model(door: Door, key: KeyMade) -> ChatOpenAI:
    settings: dict[str, Any] = {"base_url": f"{door.url}/v1", "api_key": key.secret, "max_retries": 0}
    return ChatOpenAI(model="chat", max_completion_tokens=40, **settings)


def test_invoke_answers_and_counts(model: ChatOpenAI, door: Door, key: KeyMade) -> None:
    answer = model.invoke("hi")
    assert answer.usage_metadata is not None
    (row,) = door.calls(key)
    assert row.status == "ok"
    assert answer.usage_metadata["output_tokens"] == door.call(row.id).attempts[0].output_tokens > 0


def test_stream_comes_in_pieces(model: ChatOpenAI) -> None:
    assert len(list(model.stream("hi"))) > 3


def test_structured_output_is_an_object_of_the_class(model: ChatOpenAI) -> None:
    sorting = model.with_structured_output(Sorted, method="json_schema")
    assert isinstance(sorting.invoke("sort"), Sorted)
