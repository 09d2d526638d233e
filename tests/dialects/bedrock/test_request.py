"""Bedrock's language, inwards, as much as the road needs."""

import json

import pytest

from fairlead.chat import Chat
from fairlead.dialects import bedrock
from fairlead.errors import RequestInvalid

HI = {"role": "user", "content": [{"text": "hi"}]}
PNG = {"image": {"format": "png", "source": {"bytes": "AAAA"}}}


def read(*content, stream=False, route="r", **fields):
    messages = [{"role": "user", "content": list(content) or [{"text": "hi"}]}]
    return bedrock.read_request(
        "chat", json.dumps({"messages": messages, **fields}).encode(), route=route, stream=stream
    )


def test_route_and_stream_come_from_the_url():
    request = read(stream=True, inferenceConfig={"maxTokens": 7})
    assert (request.route, request.stream, request.max_output_tokens, request.task) == ("r", True, 7, "chat")
    assert request.wants_usage
    assert not read().stream
    assert request.spoken is not None
    assert request.spoken.dialect == "bedrock"


def test_the_body_may_name_the_model_where_nobody_else_does():
    assert read(route=None, modelId="m").route == "m"
    with pytest.raises(RequestInvalid) as caught:
        read(route=None)
    assert caught.value.param == "modelId"


def test_the_full_reading_is_done_once():
    request = read()
    assert request.chat() is request.chat()


def test_a_text_has_a_bound_and_media_have_none():
    request = read()
    assert request.input_bound == request.input_bytes + 1024
    assert read(PNG).input_bound is None
    assert read({"toolResult": {"toolUseId": "t", "content": [{"text": "x"}]}}).input_bound is not None
    assert read({"toolResult": {"toolUseId": "t", "content": [PNG]}}).input_bound is None
    assert read({"guardContent": {"text": {"text": "x"}}}, {"cachePoint": {"type": "default"}}).input_bound is not None
    assert read({"guardContent": {"image": {"format": "png"}}}).input_bound is None
    assert read(system=[{"guardContent": {"image": {"format": "png"}}}]).input_bound is None


@pytest.mark.parametrize(
    "fields", [{"toolConfig": {"tools": [{"systemTool": {"name": "x"}}]}}, {"promptVariables": {"a": {"text": "b"}}}]
)
def test_what_the_provider_adds_has_no_bound(fields):
    assert read(**fields).input_bound is None


@pytest.mark.parametrize(
    "fields",
    [
        {"additionalModelRequestFields": {"tools": [{"type": "computer_20250124"}]}},
        {"additionalModelRequestFields": {"field_of_tomorrow": 1}},
        {"performanceConfig": {"latency": "optimized"}},
        {"serviceTier": {"type": "priority"}},
    ],
)
def test_what_a_model_or_a_tier_adds_to_the_price_has_no_bound(fields):
    assert read(**fields).input_bound is None


@pytest.mark.parametrize(
    "fields",
    [
        {"additionalModelRequestFields": {"top_k": 5, "thinking": {"type": "disabled"}}},
        {"additionalModelRequestFields": {"inferenceConfig": {"topK": 20}}},
        {"performanceConfig": {"latency": "standard"}, "serviceTier": {"type": "flex"}},
    ],
)
def test_settings_of_a_model_leave_a_bound(fields):
    assert read(**fields).input_bound is not None


@pytest.mark.parametrize(
    "name", ["max_tokens", "max_gen_len", "maxTokenCount", "n", "num_generations", "model", "stream"]
)
def test_the_output_limit_is_not_said_again_in_a_models_own_words(name):
    for content in ([], [PNG]):
        with pytest.raises(RequestInvalid) as caught:
            read(*content, additionalModelRequestFields={name: 999_999})
        assert caught.value.param == f"additionalModelRequestFields.{name}"
    with pytest.raises(RequestInvalid) as caught:
        read(additionalModelRequestFields={"inferenceConfig": {"max_new_tokens": 999_999}})
    assert caught.value.param == "additionalModelRequestFields.inferenceConfig.max_new_tokens"


@pytest.mark.parametrize(
    ("content", "fields", "needs"),
    [
        ([], {}, set()),
        ([PNG, {"video": {}}, {"audio": {}}], {}, {"image", "video", "audio"}),
        ([{"toolResult": {"toolUseId": "t", "content": [{"document": {}}]}}], {}, {"document"}),
        ([{"hologram": {"depth": 3}}, {"video": {}}], {}, {"opaque", "video"}),
        ([], {"toolConfig": {"tools": [{"toolSpec": {}}]}}, {"tools"}),
        ([], {"toolConfig": {"tools": []}}, set()),
        ([], {"outputConfig": {"textFormat": {}}}, {"schema"}),
        ([], {"outputConfig": {"effort": "low"}}, {"thinking"}),
        ([], {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1}}}, {"thinking"}),
        ([], {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}}, set()),
        ([], {"additionalModelRequestFields": {"output_config": {"format": {}}}}, {"schema"}),
    ],
)
def test_what_a_model_must_be_able_to_do(content, fields, needs):
    assert read(*content, **fields).needs == needs


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"", "malformed_json", None),
        (b"[]", "invalid_request", None),
        (b"{}", "invalid_request", "messages"),
        (b'{"messages":[]}', "invalid_request", "messages"),
        (b'{"messages":[{"content":[1]}]}', "invalid_request", "messages[0].content[0]"),
        (b'{"messages":[{"content":[]}],"inferenceConfig":{"maxTokens":"x"}}', "invalid_request",
         "inferenceConfig.maxTokens"),
        (b'{"messages":[{"content":[{"text":"\xff"}]}]}', "malformed_json", None),
    ],
)  # fmt: skip
def test_what_is_no_request_is_told(body, code, param):
    with pytest.raises(RequestInvalid) as caught:
        bedrock.read_request("chat", body, route="r")
    assert (caught.value.code, caught.value.param) == (code, param)


def test_there_are_no_embeddings_here():
    with pytest.raises(RequestInvalid):
        bedrock.read_request("embed", b"{}", route="r")


# --- counting --------------------------------------------------------------------------------------------------------


def count(**said):
    return bedrock.read_count_request(json.dumps(said).encode(), route="r")


def test_a_prompt_to_be_counted_is_a_conversation():
    request = count(input={"converse": {"messages": [HI], "system": [{"text": "s"}]}})
    assert (request.task, request.route) == ("count", "r")
    assert [message.role for message in request.chat().messages] == ["system", "user"]


def test_only_what_converse_is_told_can_be_counted():
    with pytest.raises(RequestInvalid) as caught:
        count(input={"invokeModel": {"body": "e30="}})
    assert caught.value.param == "input.invokeModel"
    with pytest.raises(RequestInvalid):
        count(input={})


def test_a_count_is_asked_for_with_the_prompt_alone():
    chat = count(input={"converse": {"messages": [HI], "system": [{"text": "s"}]}}).chat()
    assert isinstance(chat, Chat)
    from fairlead.dialects.losses import Losses

    body = bedrock.write_count_request(
        chat, model="anthropic.claude-x", params={"inferenceConfig": {}}, quirks={}, losses=Losses("Bedrock")
    )
    assert json.loads(body) == {"input": {"converse": {"messages": [HI], "system": [{"text": "s"}]}}}


def test_a_count_goes_both_ways():
    assert bedrock.read_count_answer(bedrock.count_body(375)) == 375
