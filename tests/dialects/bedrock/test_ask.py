"""Bedrock's language, outwards: requests that are passed on, and those that are written anew."""

import json

import pytest
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import bedrock
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

CLAUDE, OLD_CLAUDE = "eu.anthropic.claude-opus-4-6-v1", "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA, LLAMA, GPT = "us.amazon.nova-2-lite-v1:0", "meta.llama4-maverick-17b-instruct-v1:0", "openai.gpt-oss-120b-1:0"
HI = Message("user", (Text("hi"),))
LOOK_UP = Tool("look_up", "Looks up.", Raw(b'{"type":"object"}'))
CALL = Message("assistant", (ToolCall("t1", "look_up", '{"id": 7}'),))
RESULT = Message("tool", (Text("seven"),), tool_call_id="t1")


def write(
    *messages: Message, model=CLAUDE, lossy=False, params=None, quirks=None, losses=None, origin="bedrock", **rest
):
    chat = Chat(messages=messages or (HI,), **rest)
    body = bedrock.write_request(
        chat,
        model=model,
        max_output_tokens=rest.get("max_output_tokens") or 4096,
        stream=False,
        params=params or {},
        quirks=quirks or {},
        losses=losses or Losses("Bedrock", lossy=lossy),
        origin=origin,
    )
    return json.loads(body)


def content(*messages, **rest):
    return write(*messages, **rest)["messages"][-1]["content"]


def test_a_conversation_of_text():
    said = write(Message("system", (Text("Be brief."),)), HI, Message("assistant", (Text("Yes?"),)), HI, stop=("END",))
    assert said == {
        "messages": [
            {"role": "user", "content": [{"text": "hi"}]},
            {"role": "assistant", "content": [{"text": "Yes?"}]},
            {"role": "user", "content": [{"text": "hi"}]},
        ],
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 4096, "stopSequences": ["END"]},
        "additionalModelResponseFieldPaths": ["/stop_sequence", "/delta/stop_sequence"],
    }


def test_turns_of_one_side_are_merged_and_empty_ones_left_out():
    said = write(HI, Message("user", (Text(" "), Text("there"))), Message("assistant", (Text(""),)), HI)
    assert said["messages"] == [{"role": "user", "content": [{"text": "hi"}, {"text": "there"}, {"text": "hi"}]}]


def test_a_system_message_further_on_goes_to_the_top_or_stays():
    messages = (Message("system", (Text("a"),)), HI, Message("system", (Text("b"),)))
    assert write(*messages)["system"] == [{"text": "a"}, {"text": "b"}]
    inline = {"role": "system", "content": [{"text": "b"}]}
    assert write(*messages, quirks={"system": "inline"})["messages"][-1] == inline
    assert write(*messages, dialect="bedrock")["messages"][-1] == inline


def test_calls_and_results():
    failed = Message("tool", (), tool_call_id="t2", is_error=True)
    two = Message("assistant", (Text("I look."), *CALL.parts, ToolCall("t2", "look_up", "[1]")))
    said = write(HI, two, RESULT, failed, HI, tools=(LOOK_UP,))
    assert said["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"text": "I look."},
                {"toolUse": {"toolUseId": "t1", "name": "look_up", "input": {"id": 7}}},
                {"toolUse": {"toolUseId": "t2", "name": "look_up", "input": {"invalid_json": "[1]"}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"text": "seven"}]}},
                {"toolResult": {"toolUseId": "t2", "content": [{"json": {}}], "status": "error"}},
                {"text": "hi"},
            ],
        },
    ]
    spec = {"name": "look_up", "description": "Looks up.", "inputSchema": {"json": {"type": "object"}}}
    assert said["toolConfig"] == {"tools": [{"toolSpec": spec}]}


def test_ids_that_are_not_taken_here_are_made_to_fit():
    called = Message("assistant", (ToolCall("a/" + "x" * 80, "look_up", ""),))
    answered = Message("tool", (Text("x"),), tool_call_id="a/" + "x" * 80)
    _, turn, results = write(HI, called, answered, tools=(LOOK_UP,))["messages"]
    id = turn["content"][0]["toolUse"]["toolUseId"]
    assert id == "a_" + "x" * 62
    assert results["content"][0]["toolResult"]["toolUseId"] == id


def test_a_tools_name_that_is_not_taken_here_is_refused_or_the_tool_left_out():
    tools = (Tool("a.b"), LOOK_UP)
    with pytest.raises(RequestInvalid) as caught:
        write(tools=tools)
    assert caught.value.param == "tools[0].name"
    assert [tool["toolSpec"]["name"] for tool in write(tools=tools, lossy=True)["toolConfig"]["tools"]] == ["look_up"]


# --- media -----------------------------------------------------------------------------------------------------------


def medium(kind, media_type="", data="AAAA", **rest) -> Message:
    return Message("user", (Text("?"), Media(kind=kind, media_type=media_type, data=data, **rest)))


@pytest.mark.parametrize(
    ("media", "format"),
    [
        (Media(kind="image", media_type="image/jpg", data="AAAA"), "jpeg"),
        (Media(kind="image", data="iVBORw0KGgo="), "png"),
        (Media(kind="image", data="/9j/4AAQ"), "jpeg"),
        (Media(kind="audio", media_type="audio/mpeg", data="AAAA"), "mp3"),
        (Media(kind="audio", media_type="audio/x-wav; rate=8000", data="AAAA"), "wav"),
        (Media(kind="video", media_type="video/quicktime", data="AAAA"), "mov"),
        (Media(kind="video", url="s3://bucket/a.3gp"), "three_gp"),
    ],
)
def test_mime_types_beginnings_and_ends_of_names_become_formats(media, format):
    block = content(Message("user", (media,)))[0][media.kind]
    source = {"bytes": media.data} if media.data else {"s3Location": {"uri": media.url}}
    assert block == {"format": format, "source": source}


@pytest.mark.parametrize(
    ("media_type", "format"),
    [("application/pdf", "pdf"), ("text/x-python", "txt"), ("application/json", "txt"), ("text/csv", "csv")],
)
def test_documents_have_formats_and_every_text_can_be_read_as_text(media_type, format):
    assert content(medium("document", media_type, name="n"))[1]["document"]["format"] == format


def test_documents_get_names_that_are_taken_here_and_no_two_alike():
    parts = [Media(kind="document", media_type="text/plain", data="AAAA", name=name)
             for name in ("The  report_2024.pdf", "The report-2024-pdf", None, "", "a [b] (c)-d")]  # fmt: skip
    names = [block["document"]["name"] for block in content(Message("user", (Text("?"), *parts)))[1:]]
    assert names == ["The report-2024-pdf", "The report-2024-pdf 2", "document 1", "document 2", "a [b] (c)-d"]


def test_beside_a_document_there_is_a_text():
    alone = Message("user", (Media(kind="document", media_type="text/plain", data="AAAA", name="notes"),))
    assert content(alone)[1] == {"text": "notes"}
    assert len(content(alone, HI)) == 2


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (medium("image", url="https://example.com/a.png", data=None), "messages[0].content"),
        (medium("document", "application/pdf", data=None, file="file_1", origin="anthropic"), "messages[0].content"),
        (medium("image", "image/tiff"), "messages[0].content"),
        (Message("system", medium("image", "image/png").parts), "messages[0].content"),
        (Message("user", (Opaque("audio", Raw(b"{}"), "openai"),)), "messages[0].content"),
    ],
)
def test_what_has_no_word_is_refused_with_its_place_or_left_out(message, path):
    with pytest.raises(RequestInvalid) as caught:
        write(message, HI)
    assert (caught.value.param, caught.value.code) == (path, "unsupported_feature")
    losses = Losses("Bedrock", lossy=True)
    assert {"text": "hi"} in content(message, HI, losses=losses)
    assert losses.told == (path,)


def test_a_result_may_hold_an_image_and_no_sound():
    image = Media(kind="image", media_type="image/png", data="AAAA")
    sound = Media(kind="audio", media_type="audio/wav", data="AAAA")
    said = content(HI, CALL, Message("tool", (image, sound), "t1"), tools=(LOOK_UP,), lossy=True)
    assert said[0]["toolResult"]["content"] == [{"image": {"format": "png", "source": {"bytes": "AAAA"}}}]


# --- marks and reasoning ---------------------------------------------------------------------------------------------


def test_marks_become_cache_points_after_what_is_marked():
    messages = (
        Message("system", (Text("s", cache="1h"),)),
        Message("user", (Text("a", cache="5m"), Text("b"))),
        Message("assistant", (ToolCall("t1", "look_up", "{}", cache="5m"),)),
        Message("tool", (Text("x", cache="1h"), Text("y")), tool_call_id="t1"),
    )
    said = write(*messages, tools=(Tool("look_up", cache="5m"),))
    point, hour = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert said["system"][1] == hour
    assert said["messages"][0]["content"] == [{"text": "a"}, point, {"text": "b"}]
    assert said["messages"][1]["content"][1] == point
    assert said["messages"][2]["content"][0]["toolResult"]["content"] == [{"text": "x"}, {"text": "y"}]
    assert said["messages"][2]["content"][1] == hour
    assert said["toolConfig"]["tools"][1] == point


@pytest.mark.parametrize(
    ("model", "quirks", "places"),
    [
        (CLAUDE, {}, "mt"),
        (NOVA, {}, "m"),
        (LLAMA, {}, ""),
        (LLAMA, {"cache": "all"}, "mt"),
        (CLAUDE, {"cache": "off"}, ""),
    ],
)
def test_marks_stand_only_where_a_model_takes_them(model, quirks, places):
    marked = Message("user", (Text("a", cache="5m"),))
    said = write(marked, tools=(Tool("f", cache="5m"),), model=model, quirks=quirks)
    assert ("m" * (len(said["messages"][0]["content"]) - 1) + "t" * (len(said["toolConfig"]["tools"]) - 1)) == places


def thought(*parts) -> tuple[Message, ...]:
    return HI, Message("assistant", (*parts, Text("Yes."))), HI


def test_only_what_was_signed_here_goes_back():
    losses = Losses("Bedrock")
    parts = (
        Thinking("Hm.", "c2ln", "bedrock"),
        Thinking("", "c2Vj", "bedrock", redacted=True),
        Thinking("Ha.", "Z2Vt", "gemini"),
        Thinking("Nobody's."),
    )
    said = write(*thought(*parts), losses=losses)["messages"][1]["content"]
    assert said == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "c2Vj"}},
        {"text": "Yes."},
    ]
    assert losses.told == ("messages[1].thinking",)
    other = write(*thought(*parts), origin="gemini")["messages"][1]["content"]
    assert other[0]["reasoningContent"]["reasoningText"]["signature"] == "Z2Vt"


def test_models_that_take_unsigned_reasoning_get_it_back():
    said = write(*thought(Thinking("Hm.")), model=GPT)["messages"][1]["content"]
    assert said[0] == {"reasoningContent": {"reasoningText": {"text": "Hm."}}}


def test_white_space_at_the_end_of_what_claude_is_to_go_on_with_is_cut():
    begun = Message("assistant", (Text("So: \n"),))
    assert content(HI, begun, model=OLD_CLAUDE) == [{"text": "So:"}]
    assert content(HI, begun, model=LLAMA) == [{"text": "So: \n"}]


# --- tools and form --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice("auto"), {"auto": {}}),
        (ToolChoice("required"), {"any": {}}),
        (ToolChoice("named", "look_up"), {"tool": {"name": "look_up"}}),
    ],
)
def test_the_choice_of_a_tool(choice, said):
    assert write(tools=(LOOK_UP,), tool_choice=choice)["toolConfig"]["toolChoice"] == said


def test_that_no_tool_may_be_called_is_told_to_claude():
    said = write(tools=(LOOK_UP,), tool_choice=ToolChoice("none"))
    assert said["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}
    assert "toolChoice" not in said["toolConfig"]


def test_that_no_tool_may_be_called_means_no_tools_to_others_unless_some_were_called():
    losses = Losses("Bedrock")
    none = {"tools": (LOOK_UP,), "tool_choice": ToolChoice("none"), "model": LLAMA}
    assert "toolConfig" not in write(losses=losses, **none)
    assert losses.told == ("tools",)
    with pytest.raises(RequestInvalid) as caught:
        write(HI, CALL, RESULT, **none)
    assert caught.value.param == "tool_choice"
    assert "toolConfig" in write(HI, CALL, RESULT, lossy=True, **none)


def test_calls_without_tools_get_the_tools_that_were_called():
    said = write(HI, CALL, RESULT)
    empty = {"type": "object", "properties": {}}
    assert said["toolConfig"] == {"tools": [{"toolSpec": {"name": "look_up", "inputSchema": {"json": empty}}}]}
    assert said["additionalModelRequestFields"] == {"tool_choice": {"type": "none"}}


def test_one_call_at_a_time_is_told_to_claude_alone():
    named = {"tools": (LOOK_UP,), "tool_choice": ToolChoice("named", "look_up"), "parallel_tool_calls": False}
    said = write(**named)
    assert said["additionalModelRequestFields"]["tool_choice"] == {
        "type": "tool", "name": "look_up", "disable_parallel_tool_use": True,
    }  # fmt: skip
    assert "toolChoice" not in said["toolConfig"]
    with pytest.raises(RequestInvalid) as caught:
        write(model=LLAMA, **named)
    assert caught.value.param == "parallel_tool_calls"


def test_a_strict_tool_is_said_and_another_only_where_the_caller_speaks_this_language():
    def spec(strict, dialect=""):
        return write(tools=(Tool("f", strict=strict),), dialect=dialect)["toolConfig"]["tools"][0]["toolSpec"]

    assert spec(True)["strict"] is True
    assert "strict" not in spec(False)
    assert spec(False, "bedrock")["strict"] is False


def test_a_schema_is_said_as_text():
    shape = Shape("schema", "answer", Raw(b'{"type": "object"}'), True, "What it is.")
    assert write(shape=shape)["outputConfig"]["textFormat"] == {
        "type": "json_schema",
        "structure": {"jsonSchema": {"schema": '{"type": "object"}', "name": "answer", "description": "What it is."}},
    }


# --- what can't be said ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rest", "param"),
    [
        ({"samples": 2}, "n"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": -1.0}, "presence_penalty"),
        ({"seed": 7}, "seed"),
        ({"logprobs": 0}, "logprobs"),
        ({"temperature": 1.5}, "temperature"),
        ({"temperature": 0.5, "top_p": 0.5}, "top_p"),
        ({"shape": Shape("json")}, "response_format"),
        ({"top_k": 5, "model": LLAMA}, "top_k"),
        ({"temperature": 0.5, "effort": "low"}, "temperature"),
        ({"top_k": 5, "effort": "low"}, "top_k"),
        ({"top_p": 0.5, "effort": "low"}, "top_p"),
        ({"stop": ("\n", "END")}, "stop"),
        ({"others": {"logit_bias": Raw(b"{}")}, "dialect": "openai"}, "logit_bias"),
    ],
)
def test_what_cannot_be_said_is_refused_or_left_out_and_told(rest, param):
    with pytest.raises(RequestInvalid) as caught:
        write(**rest)
    assert (caught.value.param, caught.value.code) == (param, "unsupported_feature")
    losses = Losses("Bedrock", lossy=True)
    write(losses=losses, **rest)
    assert losses.told == (param,)


def test_sampling_that_claude_takes_beside_thinking_is_kept():
    said = write(temperature=1.0, effort="low")
    assert said["inferenceConfig"]["temperature"] == 1.0
    assert write(top_p=0.99, effort="low")["inferenceConfig"]["topP"] == 0.99
    assert write(temperature=0.1, top_p=0.5, model=LLAMA)["inferenceConfig"] == {
        "maxTokens": 4096, "temperature": 0.1, "topP": 0.5,
    }  # fmt: skip


def test_top_k_is_said_in_the_familys_words():
    assert write(top_k=5)["additionalModelRequestFields"] == {"top_k": 5}
    assert write(top_k=5, model=NOVA)["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 5}}


def test_fields_that_do_no_harm_are_let_go():
    others = {"metadata": Raw(b"{}"), "service_tier": Raw(b'"auto"'), "prompt_cache_key": Raw(b'"k"')}
    losses = Losses("Bedrock")
    write(others=others, dialect="openai", user="u", losses=losses)
    assert losses.told == ()


def test_fields_of_this_language_go_on_as_they_stood():
    others = {
        "guardrailConfig": Raw(b'{"a":  1}'),
        "additionalModelRequestFields.anthropic_beta": Raw(b'["b"]'),
        "toolConfig.tools[1]": Raw(b'{"systemTool":{"name":"x"}}'),
    }
    said = write(others=others, dialect="bedrock", tools=(LOOK_UP, Tool("g")), top_k=3)
    assert said["guardrailConfig"] == {"a": 1}
    assert said["additionalModelRequestFields"] == {"top_k": 3, "anthropic_beta": ["b"]}
    assert [next(iter(tool)) for tool in said["toolConfig"]["tools"]] == ["toolSpec", "systemTool", "toolSpec"]


def test_somebody_must_say_something():
    with pytest.raises(RequestInvalid) as caught:
        write(Message("system", (Text("s"),)), lossy=True)
    assert caught.value.param == "messages"


# --- the target's settings -------------------------------------------------------------------------------------------


def test_parameters_are_merged_and_never_widen_the_limit():
    params = {
        "inferenceConfig": {"temperature": 0.2, "maxTokens": 9999},
        "additionalModelRequestFields": {"inferenceConfig": {"topK": 9}},
        "serviceTier": {"type": "flex"},
        "messages": [],
        "modelId": "x",
    }
    said = write(temperature=0.9, top_p=0.5, model=NOVA, params=params, max_output_tokens=100)
    assert said["inferenceConfig"] == {"maxTokens": 100, "temperature": 0.2, "topP": 0.5}
    assert said["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 9}}
    assert said["serviceTier"] == {"type": "flex"}
    assert said["messages"]
    assert "modelId" not in said


@pytest.mark.parametrize(
    "params",
    [
        {"inferenceConfig": 5, "additionalModelRequestFields": 5},
        {"inferenceConfig": {"topP": "x"}, "additionalModelRequestFields": {"thinking": {"type": "adaptive"}}},
    ],
)
def test_odd_parameters_are_sent_for_the_api_to_judge(params):
    assert write(params=params)["inferenceConfig"]["maxTokens"] == 4096


@pytest.mark.parametrize("params", [{"max_tokens": 50}, {"inferenceConfig": {"maxTokens": 50}}])
def test_a_parameter_that_names_the_limit_narrows_it(params):
    assert write(params=params, max_output_tokens=100)["inferenceConfig"]["maxTokens"] == 50


def test_fields_are_renamed_and_dropped_also_inside_others():
    quirks = {"rename": {"inferenceConfig.topP": "additionalModelRequestFields.top_p"},
              "drop": ["inferenceConfig.temperature", "system", "no.such"]}  # fmt: skip
    said = write(Message("system", (Text("s"),)), HI, temperature=0.2, top_p=0.5, model=LLAMA, quirks=quirks)
    assert said["inferenceConfig"] == {"maxTokens": 4096}
    assert said["additionalModelRequestFields"] == {"top_p": 0.5}
    assert "system" not in said


# --- passing on ------------------------------------------------------------------------------------------------------

ODD = (
    b'{"messages":[ {"role":"user","content":[{"text":"\\u0068i"}]} ],"inferenceConfig":{ "maxTokens" : 50,"topP":1.0},'
    b'"ofTomorrow":{"a" : 1},"modelId":"mine"}'
)


def passed(body=ODD, limit=100, params=None, quirks=None) -> bytes:
    request = bedrock.read_request("chat", body, route="r", stream=False)
    return bedrock.pass_request(request, model="m", max_output_tokens=limit, params=params or {}, quirks=quirks or {})


def test_what_is_passed_on_stays_byte_for_byte():
    fields, before = read_fields(passed()), read_fields(ODD)
    del before["modelId"]
    assert fields == before


def test_the_limit_is_narrowed_and_set_where_there_is_none():
    assert b'"inferenceConfig":{"maxTokens":20,"topP":1.0}' in passed(limit=20)
    assert json.loads(passed(b'{"messages":[{"content":[]}]}'))["inferenceConfig"] == {"maxTokens": 100}


def test_parameters_and_quirks_change_what_is_passed_on_too():
    said = json.loads(passed(params={"inferenceConfig": {"temperature": 0.1, "maxTokens": 70}}, limit=60))
    assert said["inferenceConfig"] == {"maxTokens": 50, "topP": 1.0, "temperature": 0.1}
    assert "topP" not in json.loads(passed(quirks={"drop": ["inferenceConfig.topP"]}))["inferenceConfig"]


def test_only_what_was_said_in_this_language_can_be_passed_on():
    with pytest.raises(TypeError):
        from fairlead.chat import Request

        bedrock.pass_request(Request(task="chat", route="r"), model="m", max_output_tokens=1, params={}, quirks={})
