"""AWS's own client, boto3: Converse, with the gateway's key as the bearer token."""

from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from clients.conftest import Gateway
from clients.tools import ANSWERED, DESCRIPTION, GREETING, PARAMETERS, QUESTION, weather


def talks(gateway: Gateway, key: str) -> Any:
    """boto3 shows a bearer token over TLS only; here it is shown by hand, as the gateway has no certificate."""
    settings = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    client = boto3.client("bedrock-runtime", region_name="us-east-1", endpoint_url=gateway.url, config=settings)

    def show(request: Any, **_: Any) -> None:
        request.headers["Authorization"] = f"Bearer {key}"

    client.meta.events.register("before-send.bedrock-runtime", show)
    return client


@pytest.fixture
def client(gateway: Gateway) -> Any:
    return talks(gateway, gateway.key)


HELLO = [{"role": "user", "content": [{"text": "Hello?"}]}]
ASKED = [{"role": "user", "content": [{"text": QUESTION}]}]
TOOLS = {
    "tools": [
        {"toolSpec": {"name": "weather", "description": DESCRIPTION, "inputSchema": {"json": PARAMETERS}}},
    ]
}


def test_converse(client: Any, route: str) -> None:
    answer = client.converse(modelId=route, messages=HELLO, inferenceConfig={"maxTokens": 200})
    assert answer["output"]["message"]["content"][0]["text"] == GREETING
    assert answer["stopReason"] == "end_turn"
    assert (answer["usage"]["inputTokens"], answer["usage"]["cacheReadInputTokens"]) == (60, 40)


def test_converse_streamed(client: Any, route: str) -> None:
    stream = client.converse_stream(modelId=route, messages=HELLO)["stream"]
    events = list(stream)
    text = "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)
    assert text == GREETING
    assert [event["messageStop"]["stopReason"] for event in events if "messageStop" in event] == ["end_turn"]
    assert [event["metadata"]["usage"]["outputTokens"] for event in events if "metadata" in event] == [20]


def test_converse_with_tools(client: Any, route: str) -> None:
    answer = client.converse(modelId=route, messages=ASKED, toolConfig=TOOLS)
    assert answer["stopReason"] == "tool_use"
    said = answer["output"]["message"]
    [call] = [block["toolUse"] for block in said["content"] if "toolUse" in block]
    told = {"toolUseId": call["toolUseId"], "content": [{"text": weather(**call["input"])}]}
    result = {"role": "user", "content": [{"toolResult": told}]}
    answer = client.converse(modelId=route, messages=[*ASKED, said, result], toolConfig=TOOLS)
    assert answer["output"]["message"]["content"][0]["text"] == ANSWERED


def test_a_tool_is_forced(client: Any, route: str) -> None:
    forced = {**TOOLS, "toolChoice": {"tool": {"name": "weather"}}}
    answer = client.converse(modelId=route, messages=HELLO, toolConfig=forced)
    assert [block["toolUse"]["input"] for block in answer["output"]["message"]["content"] if "toolUse" in block] == [
        {"city": "Paris"}
    ]


def test_a_wrong_key_and_an_unknown_route_are_the_clients_own_errors(client: Any, gateway: Gateway) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.converse(modelId="no-such", messages=HELLO)
    with pytest.raises(ClientError, match=r"AccessDenied|UnrecognizedClient"):
        talks(gateway, "wrong").converse(modelId="over-openai", messages=HELLO)
