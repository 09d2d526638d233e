"""AWS's own client, boto3: Converse, with the gateway's key as the bearer token."""

import json
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

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
    City,
    remembers,
    weather,
)

TOOLS: Any = {
    "tools": [
        {"toolSpec": {"name": "weather", "description": DESCRIPTION, "inputSchema": {"json": PARAMETERS}}},
    ]
}
MARK = {"cachePoint": {"type": "default"}}


def talks(gateway: Gateway, key: str) -> Any:
    """boto3 shows a bearer token over TLS only; here it is shown by hand, as the gateway has no certificate."""
    settings = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    client = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=gateway.url, config=settings)

    def show(request: Any, **_: Any) -> None:
        request.headers["Authorization"] = f"Bearer {key}"

    client.meta.events.register("before-send.bedrock-runtime", show)
    return client


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Any:
    return talks(gateway, gateway.key)


def says(text: str) -> Any:
    return [{"role": "user", "content": [{"text": text}]}]


def text_of(message: Any) -> str:
    return "".join(block["text"] for block in message["content"] if "text" in block)


def said(client: Any, streamed: bool, **asked: Any) -> Any:
    """The message; boto3 has no accumulator, so this is how applications write one."""
    if not streamed:
        return client.converse(**asked)["output"]["message"]
    blocks: dict[int, Any] = {}
    for event in client.converse_stream(**asked)["stream"]:
        if start := event.get("contentBlockStart"):
            blocks[start["contentBlockIndex"]] = {"toolUse": {**start["start"]["toolUse"], "input": ""}}
        elif told := event.get("contentBlockDelta"):
            _add(blocks.setdefault(told["contentBlockIndex"], {}), told["delta"])
    return {"role": "assistant", "content": [_whole(block) for _, block in sorted(blocks.items())]}


def _add(block: Any, delta: Any) -> None:
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    elif "toolUse" in delta:
        block["toolUse"]["input"] += delta["toolUse"]["input"]
    elif "redactedContent" in delta["reasoningContent"]:
        block["reasoningContent"] = {"redactedContent": delta["reasoningContent"]["redactedContent"]}
    else:
        told = block.setdefault("reasoningContent", {}).setdefault("reasoningText", {"text": ""})
        for name, piece in delta["reasoningContent"].items():
            told[name] = told.get(name, "") + piece


def _whole(block: Any) -> Any:
    if "toolUse" in block:
        block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    return block


def results(message: Any) -> Any:
    calls = [block["toolUse"] for block in message["content"] if "toolUse" in block]
    told = [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": weather(**call["input"])}]}}
        for call in calls
    ]
    return {"role": "user", "content": told}


def test_converse(client: Any, route: str) -> None:
    answer = client.converse(
        modelId=route, messages=says("Hello?"), system=[{"text": "Be brief."}], inferenceConfig={"maxTokens": 200}
    )
    assert text_of(answer["output"]["message"]) == GREETING
    assert answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    assert (usage["inputTokens"], usage["cacheReadInputTokens"], usage["outputTokens"]) == (60, 40, 20)


def test_converse_streamed(client: Any, route: str) -> None:
    events = list(client.converse_stream(modelId=route, messages=says("Hello?"))["stream"])
    pieces = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert len(pieces) > 5 and "".join(pieces) == GREETING
    assert [event["messageStop"]["stopReason"] for event in events if "messageStop" in event] == ["end_turn"]
    assert [event["metadata"]["usage"]["outputTokens"] for event in events if "metadata" in event] == [20]


@pytest.mark.parametrize("streamed", [False, True])
def test_converse_with_tools(client: Any, route: str, streamed: bool) -> None:
    for question, answered in ((QUESTION, ANSWERED), (QUESTION_OF_TWO, ANSWERED_OF_TWO)):
        message = said(client, streamed, modelId=route, messages=says(question), toolConfig=TOOLS)
        told = [*says(question), message, results(message)]
        assert text_of(said(client, streamed, modelId=route, messages=told, toolConfig=TOOLS)) == answered


@pytest.mark.parametrize("choice", [{"any": {}}, {"tool": {"name": "weather"}}])
def test_a_tool_is_forced(client: Any, route: str, choice: Any) -> None:
    forced = {**TOOLS, "toolChoice": choice}
    message = said(client, False, modelId=route, messages=says("Hello?"), toolConfig=forced)
    assert [block["toolUse"]["input"] for block in message["content"]] == [{"city": "Paris"}]


@pytest.mark.parametrize("streamed", [False, True])
def test_structured_output(client: Any, route: str, streamed: bool) -> None:
    schema = {"name": "city", "schema": json.dumps(City.model_json_schema())}
    form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
    message = said(client, streamed, modelId=route, messages=says("Hello?"), outputConfig=form)
    assert City.model_validate_json(text_of(message)) == CITY


def test_an_image_and_a_document_are_seen(client: Any, route: str) -> None:
    image = {"image": {"format": "png", "source": {"bytes": PNG}}}
    document = {"document": {"format": "pdf", "name": "paper", "source": {"bytes": PDF}}}
    for part, told in ((image, SEEN_PNG), (document, SEEN_PDF)):
        shown = [{"role": "user", "content": [{"text": "What is this?"}, part]}]
        assert text_of(said(client, False, modelId=route, messages=shown)) == told


@pytest.mark.parametrize("streamed", [False, True])
def test_signed_reasoning_comes_back_to_who_signed_it_and_to_nobody_else(
    client: Any, route: str, streamed: bool
) -> None:
    asked = {
        "toolConfig": TOOLS,
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        "inferenceConfig": {"maxTokens": 2000},
    }
    message = said(client, streamed, modelId=route, messages=says(QUESTION), **asked)
    thoughts = [block["reasoningContent"] for block in message["content"] if "reasoningContent" in block]
    assert "".join(thought["reasoningText"]["text"] for thought in thoughts if "reasoningText" in thought) == THOUGHT
    told = [*says(QUESTION), message, results(message)]
    message = said(client, streamed, modelId=route, messages=told, **asked)
    assert text_of(message) == ANSWERED + remembers(route)
    told += [message, *says("Hello?")]
    for other in set(ROUTES) - {route}:
        assert text_of(said(client, streamed, modelId=other, messages=told, **asked)) == GREETING
    message = said(client, streamed, modelId=route, messages=told, **asked)
    assert text_of(message) == GREETING + remembers(route, spoke=True)


def test_marks_of_the_cache_arrive_where_there_are_any(client: Any, route: str) -> None:
    asked = {
        "system": [{"text": "Be brief."}, MARK],
        "messages": [{"role": "user", "content": [{"text": "Hello?"}, MARK]}],
        "toolConfig": {"tools": [*TOOLS["tools"], MARK]},
    }
    marks = 3 if route in ("over-anthropic", "over-bedrock") else 0
    assert client.converse(modelId=route, **asked)["usage"]["cacheWriteInputTokens"] == marks * MARKED_TOKENS


def test_tokens_are_counted(client: Any, route: str) -> None:
    asked = {"converse": {"messages": says("Hello, how are you?")}}
    assert client.count_tokens(modelId=route, input=asked)["inputTokens"] > 3


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: Any, gateway: Gateway) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.converse(modelId="no-such", messages=says("Hello?"))
    with pytest.raises(ClientError, match=r"AccessDenied|UnrecognizedClient"):
        talks(gateway, "wrong").converse(modelId="over-openai", messages=says("Hello?"))


def test_what_the_provider_refuses_is_the_clients_own_error(client: Any, route: str) -> None:
    with pytest.raises(client.exceptions.ThrottlingException, match="too much"):
        client.converse(modelId=route, messages=says(TOO_MUCH))
    with pytest.raises(client.exceptions.ValidationException, match="Nobody can do this"):
        client.converse_stream(modelId=route, messages=says(IMPOSSIBLE))


def test_a_broken_stream_is_no_answer(client: Any, route: str) -> None:
    events = []
    with pytest.raises(EventStreamError):
        events.extend(client.converse_stream(modelId=route, messages=says(BREAK_OFF))["stream"])
    assert not any("messageStop" in event for event in events)


def test_a_long_silence_before_the_first_word_disturbs_nobody(client: Any, route: str) -> None:
    assert text_of(said(client, True, modelId=route, messages=says(SLOWLY))) == GREETING
