"""The official anthropic client, and the loop that a coding agent makes of it."""

import base64
from typing import Any

import anthropic
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
    MARKED_TOKENS,
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
    WEATHER,
    City,
    remembers,
    seen,
    weather,
)

MARK: Any = {"type": "ephemeral"}
TOOLS: Any = [{"name": "weather", "description": DESCRIPTION, "input_schema": PARAMETERS}]
THINKING: Any = {"type": "enabled", "budget_tokens": 1024}
CODING_AGENT: Any = {
    "system": [
        {"type": "text", "text": "You are a coding agent."},
        {"type": "text", "text": "Be brief.", "cache_control": MARK},
    ],
    "tools": [{**TOOLS[0], "cache_control": MARK}],
    "metadata": {"user_id": "user_0123456789"},
    "max_tokens": 32_000,
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "betas": ["interleaved-thinking-2025-05-14", "context-management-2025-06-27"],
}


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)


@pytest.fixture(scope="module")
def agents_client(gateway: Gateway) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=gateway.url, api_key=None, auth_token=gateway.key, max_retries=0)


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


def file_of(kind: str, media_type: str, data: bytes) -> Any:
    source = {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}
    return {"type": kind, "source": source}


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def said(client: anthropic.Anthropic, streamed: bool, **asked: Any) -> Any:
    asked = {"max_tokens": 2000, **asked}
    if not streamed:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        return stream.get_final_message()


def results(message: Any) -> Any:
    calls = [block for block in message.content if block.type == "tool_use"]
    told = [
        {"type": "tool_result", "tool_use_id": call.id, "content": weather(**dict(call.input))} for call in calls
    ]  # fmt: skip
    return {"role": "user", "content": told}


def test_messages(client: anthropic.Anthropic, route: str) -> None:
    answer = client.messages.create(model=route, max_tokens=200, system="Be brief.", messages=says("Hello?"))
    assert text_of(answer) == GREETING
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (60, 40, 20)


def test_messages_streamed(client: anthropic.Anthropic, route: str) -> None:
    with client.messages.stream(model=route, max_tokens=200, messages=says("Hello?")) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 5
    assert "".join(pieces) == text_of(final) == GREETING
    assert final.stop_reason == "end_turn"
    assert (final.usage.input_tokens, final.usage.cache_read_input_tokens, final.usage.output_tokens) == (60, 40, 20)


@pytest.mark.parametrize("streamed", [False, True])
def test_messages_with_tools(client: anthropic.Anthropic, route: str, streamed: bool) -> None:
    for question, answered in ((QUESTION, ANSWERED), (QUESTION_OF_TWO, ANSWERED_OF_TWO)):
        answer = said(client, streamed, model=route, messages=says(question), tools=TOOLS)
        assert answer.stop_reason == "tool_use"
        told = [*says(question), {"role": "assistant", "content": answer.content}, results(answer)]
        assert text_of(said(client, streamed, model=route, messages=told, tools=TOOLS)) == answered


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
def test_a_tool_is_forced(client: anthropic.Anthropic, route: str, choice: Any) -> None:
    answer = said(client, False, model=route, messages=says("Hello?"), tools=TOOLS, tool_choice=choice)
    assert [block.input for block in answer.content] == [{"city": "Paris"}]


def test_messages_parsed(client: anthropic.Anthropic, route: str) -> None:
    answer = client.messages.parse(model=route, max_tokens=200, messages=says("Hello?"), output_format=City)
    assert answer.parsed_output == CITY
    with client.messages.stream(model=route, max_tokens=200, messages=says("Hello?"), output_format=City) as stream:
        assert stream.get_final_message().parsed_output == CITY


def test_an_image_and_a_document_are_seen(client: anthropic.Anthropic, route: str) -> None:
    image, document = file_of("image", "image/png", PNG), file_of("document", "application/pdf", PDF)
    for part, told in ((image, SEEN_PNG), (document, SEEN_PDF)):
        shown: Any = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, part]}]
        assert text_of(said(client, False, model=route, messages=shown)) == told


@pytest.mark.parametrize("streamed", [False, True])
def test_signed_reasoning_comes_back_to_who_signed_it_and_to_nobody_else(
    client: anthropic.Anthropic, route: str, streamed: bool
) -> None:
    asked: Any = {"tools": TOOLS, "thinking": THINKING}
    told = says(QUESTION)
    answer = said(client, streamed, model=route, messages=told, **asked)
    assert "".join(block.thinking for block in answer.content if block.type == "thinking") == THOUGHT
    told += [{"role": "assistant", "content": answer.content}, results(answer)]
    answer = said(client, streamed, model=route, messages=told, **asked)
    assert text_of(answer) == ANSWERED + remembers(route)
    told += [{"role": "assistant", "content": answer.content}, *says("Hello?")]
    for other in set(ROUTES) - {route}:
        assert text_of(said(client, streamed, model=other, messages=told, **asked)) == GREETING
    answer = said(client, streamed, model=route, messages=told, **asked)
    assert text_of(answer) == GREETING + remembers(route, spoke=True)


def test_the_loop_of_a_coding_agent(agents_client: anthropic.Anthropic, route: str) -> None:
    """Counts, marks of the cache in system, tools and turns, interleaved thinking, an image out of a tool, a failure
    of a tool; by the path and the headers of a beta, with the key as a bearer token."""
    client = agents_client
    asked: Any = {"role": "user", "content": [{"type": "text", "text": QUESTION_OF_TWO, "cache_control": MARK}]}
    prompt = {name: CODING_AGENT[name] for name in ("system", "tools", "thinking", "context_management", "betas")}
    assert client.beta.messages.count_tokens(model=route, messages=[asked], **prompt).input_tokens > 10
    with client.beta.messages.stream(model=route, messages=[asked], **CODING_AGENT) as stream:
        kinds = {event.type for event in stream}
        first = stream.get_final_message()
    assert {"message_start", "content_block_start", "input_json", "message_stop"} <= kinds
    marks = (
        3 if route in ("over-anthropic", "over-bedrock") else 0
    )  # elsewhere the provider finds what it has by itself
    assert first.usage.cache_creation_input_tokens == marks * MARKED_TOKENS
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]
    pictured: Any = [{"type": "text", "text": WEATHER}, file_of("image", "image/png", PNG)]
    told: Any = [
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": pictured},
        {"type": "tool_result", "tool_use_id": calls[1].id, "content": "no such city", "is_error": True,
         "cache_control": MARK},
    ]  # fmt: skip
    conversation: Any = [asked, {"role": "assistant", "content": first.content}, {"role": "user", "content": told}]
    with client.beta.messages.stream(model=route, messages=conversation, **CODING_AGENT) as stream:
        second = stream.get_final_message()
    saw = f"The tool says: {WEATHER} and {seen('image/png', PNG)} and no such city"
    assert text_of(second) == saw + remembers(route)
    assert second.stop_reason == "end_turn"


def test_tokens_are_counted(client: anthropic.Anthropic, route: str) -> None:
    counted = client.messages.count_tokens(model=route, messages=says("Hello, how are you?"), tools=TOOLS)
    assert counted.input_tokens > 4


def test_models_are_the_routes(client: anthropic.Anthropic) -> None:
    assert set(ROUTES) < {model.id for model in client.models.list()}
    assert client.models.retrieve("over-gemini").id == "over-gemini"


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="no-such"):
        client.messages.create(model="no-such", max_tokens=9, messages=says("Hello?"))
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="wrong").messages.create(
            model="over-openai", max_tokens=9, messages=says("Hello?")
        )  # fmt: skip


def test_what_the_provider_refuses_is_the_clients_own_error(client: anthropic.Anthropic, route: str) -> None:
    with pytest.raises(anthropic.RateLimitError, match="too much"):
        client.messages.create(model=route, max_tokens=9, messages=says(TOO_MUCH))
    with pytest.raises(anthropic.BadRequestError, match="Nobody can do this"):
        client.messages.create(model=route, max_tokens=9, messages=says(IMPOSSIBLE), stream=True)


def test_a_broken_stream_is_no_answer(client: anthropic.Anthropic, route: str) -> None:
    kinds = []
    with pytest.raises(anthropic.APIError):
        for event in client.messages.create(model=route, max_tokens=9, messages=says(BREAK_OFF), stream=True):
            kinds.append(event.type)
    assert "content_block_delta" in kinds and "message_stop" not in kinds


def test_heartbeats_before_the_first_word_disturb_nobody(client: anthropic.Anthropic, route: str) -> None:
    assert text_of(said(client, True, model=route, messages=says(SLOWLY))) == GREETING
    with pytest.raises(anthropic.APIError, match="too much"):  # too late for a status
        said(client, True, model=route, messages=says(TOO_MUCH_SLOWLY))


def test_the_clients_own_loop_over_tools(client: anthropic.Anthropic, route: str) -> None:
    """It wants the server to hold the conversation, and goes on by itself when it is told that nobody does."""
    tool = anthropic.beta_tool(weather)
    runner = client.beta.messages.tool_runner(
        model=route, max_tokens=2000, tools=[tool], messages=says(QUESTION_OF_TWO)
    )  # fmt: skip
    assert text_of(runner.until_done()) == ANSWERED_OF_TWO
