"""The official client, unchanged, does all that it can do with a model of its own."""

import asyncio
from typing import Literal

import openai
import pytest
from pydantic import BaseModel

from fairlead.money import NUSD
from fairlead.server.office import KeyMade
from journeys.door import Door, say

pytestmark = pytest.mark.engine


class Sorted(BaseModel):
    queue: Literal["billing", "technical"]
    priority: Literal["low", "high"]


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_an_answer_comes_back_and_the_books_agree_with_what_it_says(door: Door, key: KeyMade) -> None:
    raw = door.client(key).chat.completions.with_raw_response.create(model="chat", messages=say("hi"), max_tokens=8)
    answer = raw.parse()
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 8
    shown = door.call(raw.headers["x-fairlead-call"])
    (attempt,) = shown.attempts
    assert (attempt.input_tokens, attempt.output_tokens) == (answer.usage.prompt_tokens, 8)
    assert (shown.call.status, shown.call.key, shown.call.target) == ("ok", key.key.id, "tiny")
    assert raw.headers["x-fairlead-target"] == "tiny"
    cost_nusd = 1000 * answer.usage.prompt_tokens + 2000 * 8
    assert shown.call.cost_nusd == cost_nusd
    assert float(raw.headers["x-fairlead-cost-usd"]) == pytest.approx(cost_nusd / NUSD)


def test_the_async_client_may_ask_many_things_at_once(door: Door, key: KeyMade) -> None:
    async def many() -> list[int]:
        http = openai.DefaultAsyncHttpxClient(trust_env=False)
        async with openai.AsyncOpenAI(
            base_url=f"{door.url}/v1", api_key=key.secret, max_retries=0, http_client=http
        ) as client:
            asked = (
                client.chat.completions.create(model="chat", messages=say(str(n)), max_tokens=4) for n in range(12)
            )
            return [answer.usage.completion_tokens for answer in await asyncio.gather(*asked) if answer.usage]

    assert len(asyncio.run(many())) == 12
    assert [row.status for row in door.calls(key)] == ["ok"] * 12


def test_a_stream_hides_its_usage_from_whoever_did_not_ask_for_it(door: Door, key: KeyMade) -> None:
    chunks = list(door.client(key).chat.completions.create(model="chat", messages=say("hi"), max_tokens=8, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"
    (row,) = door.calls(key)
    assert row.stream
    assert not row.estimated
    assert door.call(row.id).attempts[0].output_tokens == 8


def test_a_stream_ends_with_its_usage_if_it_was_asked_for(door: Door, key: KeyMade) -> None:
    chunks = list(
        door.client(key).chat.completions.create(
            model="chat", messages=say("hi"), max_tokens=8, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8
    assert not chunks[-1].choices


def test_parse_gives_an_object_of_the_callers_own_class(door: Door, key: KeyMade) -> None:
    parsed = door.client(key).chat.completions.parse(model="chat", messages=say("sort"), response_format=Sorted)
    assert isinstance(parsed.choices[0].message.parsed, Sorted)


def test_a_request_with_tools_passes(door: Door, key: KeyMade) -> None:
    answer = door.client(key).chat.completions.create(
        model="chat", messages=say("hi"), max_tokens=8, tools=[WEATHER], tool_choice="auto"
    )
    assert answer.choices[0].finish_reason in ("length", "stop", "tool_calls")


def test_log_probabilities_come_through(door: Door, key: KeyMade) -> None:
    answer = door.client(key).chat.completions.create(
        model="chat", messages=say("hi"), max_tokens=3, logprobs=True, top_logprobs=2
    )
    told = answer.choices[0].logprobs
    assert told is not None and told.content is not None
    assert 1 <= len(told.content) <= 3  # bytes that only together are a character are told together
    assert all(len(one.top_logprobs) == 2 and one.logprob <= 0 for one in told.content)


def test_two_samples_are_two_choices(door: Door, key: KeyMade) -> None:
    answer = door.client(key).chat.completions.create(model="chat", messages=say("hi"), max_tokens=4, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]


def test_completions_continue_a_text(door: Door, key: KeyMade) -> None:
    answer = door.client(key).completions.create(model="chat", prompt="once", max_tokens=4)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 4
    assert door.calls(key)[0].task == "complete"


def test_embeddings_of_two_texts_are_two_vectors(door: Door, key: KeyMade) -> None:
    answer = door.client(key).embeddings.create(model="chat", input=["one", "another"])
    first, second = (one.embedding for one in answer.data)
    assert len(first) == len(second) == 32
    assert first != second
    assert door.calls(key)[0].task == "embed"


def test_texts_embedded_together_get_the_vectors_that_they_get_alone(door: Door, key: KeyMade) -> None:
    client = door.client(key)
    texts = [f"text {number} " + "and more " * number for number in range(6)]
    together = [one.embedding for one in client.embeddings.create(model="chat", input=texts).data]
    alone = [client.embeddings.create(model="chat", input=text).data[0].embedding for text in texts]
    pairs = zip((x for vector in together for x in vector), (x for vector in alone for x in vector), strict=True)
    assert max(abs(one - other) for one, other in pairs) < 0.01


def test_the_list_of_models_holds_the_callers_routes_and_no_others(door: Door) -> None:
    narrow = door.key("lists models", routes=("slow", "chat"))
    assert [model.id for model in door.client(narrow).models.list()] == ["chat", "slow"]
