"""Bedrock's language, inwards: everything that the house has a word for, and the exact path of what is wrong."""

import json

import pytest
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import bedrock
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

PIXEL = "iVBORw0KGgo="
HI = {"role": "user", "content": [{"text": "hi"}]}
SCHEMA = {"type": "object", "properties": {"id": {"type": "integer"}}}


def read(*messages, **fields) -> Chat:
    body = {"messages": list(messages) or [HI], **fields}
    return bedrock.read_chat(read_fields(json.dumps(body).encode()))


def said(*content, role="user"):
    return {"role": role, "content": list(content)}


def call(id="t1", name="f", **rest):
    return {"toolUse": {"toolUseId": id, "name": name, "input": {"a": 1}, **rest}}


def result(*content, id="t1", **rest):
    return {"toolResult": {"toolUseId": id, "content": list(content), **rest}}


def test_a_conversation_of_text():
    chat = read(HI, said({"text": "Yes?"}, role="assistant"), HI, system=[{"text": "Be brief."}])
    assert chat.messages == (
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("hi"),)),
        Message("assistant", (Text("Yes?"),)),
        Message("user", (Text("hi"),)),
    )
    assert chat.dialect == "bedrock"
    assert chat.others == {}


def test_a_system_message_stays_where_it_stands():
    assert [message.role for message in read(HI, said({"text": "Now in German."}, role="system")).messages] == [
        "user",
        "system",
    ]


def test_results_of_tools_are_messages_before_the_rest_of_a_turn():
    chat = read(
        HI,
        said({"text": "I look."}, call(), call("t2"), role="assistant"),
        said(
            {"text": "Well?"},
            result({"text": "one"}, {"json": {"n": 1}}, status="success"),
            result({"image": {"format": "png", "source": {"bytes": PIXEL}}}, id="t2", status="error"),
        ),
    )
    assert chat.messages[1].parts == (Text("I look."), ToolCall("t1", "f", '{"a": 1}'), ToolCall("t2", "f", '{"a": 1}'))
    assert chat.messages[2:] == (
        Message("tool", (Text("one"), Text('{"n": 1}')), tool_call_id="t1"),
        Message("tool", (Media(kind="image", media_type="image/png", data=PIXEL),), tool_call_id="t2", is_error=True),
        Message("user", (Text("Well?"),)),
    )


@pytest.mark.parametrize(
    ("kind", "format", "media_type"),
    [
        ("image", "jpeg", "image/jpeg"),
        ("audio", "mp3", "audio/mpeg"),
        ("audio", "m4a", "audio/mp4"),
        ("video", "three_gp", "video/3gpp"),
        ("video", "mpg", "video/mpeg"),
        ("document", "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("document", "md", "text/markdown"),
        ("image", "avif", "image/avif"),
    ],
)
def test_formats_become_mime_types(kind, format, media_type):
    block = {"format": format, "source": {"bytes": "AAAA"}}
    [part] = read(said({kind: block | ({"name": "n"} if kind == "document" else {})})).messages[0].parts
    assert part == Media(kind=kind, media_type=media_type, data="AAAA", name="n" if kind == "document" else None)


def test_an_object_in_s3_is_a_url():
    block = {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/film.mp4"}}}
    [part] = read(said({"video": block})).messages[0].parts
    assert part == Media(kind="video", media_type="video/mp4", url="s3://bucket/film.mp4")


def test_a_document_of_text_is_one_of_bytes():
    [part] = read(said({"document": {"name": "n", "source": {"text": "Über"}}})).messages[0].parts
    assert part == Media(kind="document", media_type="text/plain", data="w5xiZXI=", name="n")


def test_a_name_that_says_nothing_is_none():
    block = {"format": "txt", "name": "document 2", "source": {"bytes": "AAAA"}}
    [part] = read(said({"document": block})).messages[0].parts
    assert part == Media(kind="document", media_type="text/plain", data="AAAA")


OWNED = {"format": "png", "source": {"s3Location": {"uri": "s3://b/k", "bucketOwner": "123456789012"}}}
CITED = {"format": "pdf", "name": "n", "source": {"bytes": "AAAA"}, "citations": {"enabled": True}}
RAN = {"toolUseId": "s", "name": "nova_code_interpreter", "input": {}, "type": "server_tool_use"}


@pytest.mark.parametrize(
    ("block", "kind"),
    [
        ({"guardContent": {"text": {"text": "x", "qualifiers": ["query"]}}}, "guardContent"),
        ({"citationsContent": {"content": [{"text": "x"}]}}, "citationsContent"),
        ({"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}]}}, "searchResult"),
        ({"image": OWNED}, "image"),
        ({"document": CITED}, "document"),
        ({"document": {"name": "n", "source": {"content": [{"text": "x"}]}}}, "document"),
        ({"toolUse": RAN}, "server_tool_use"),
        ({"ofTomorrow": {"a": 1}}, "ofTomorrow"),
    ],
)
def test_what_the_house_has_no_word_for_stays_whole(block, kind):
    [part] = read(HI, said(block, role="assistant")).messages[1].parts
    assert part == Opaque(kind, Raw(json.dumps(block).encode()), "bedrock")


def test_what_stays_whole_in_a_result_is_found_there():
    block = {"document": CITED}
    chat = read(HI, said(call(), role="assistant"), said({"text": "x"}, result({"text": "a"}, block)))
    assert chat.messages[2].parts == (Text("a"), Opaque("document", Raw(json.dumps(block).encode()), "bedrock"))


def test_reasoning_is_signed_here_or_wrapped_or_by_nobody():
    def reasoning(**content):
        return {"reasoningContent": content}

    blocks = (
        reasoning(reasoningText={"text": "Hm.", "signature": "c2ln"}),
        reasoning(reasoningText={"text": "Hm."}),
        reasoning(redactedContent="c2VjcmV0"),
        reasoning(reasoningText={"text": "", "signature": "~fairlead:gemini:Z2Vt"}),
        reasoning(reasoningText={"text": "So.", "signature": '~fairlead:responses/id:["rs_1","ZW5j"]'}),
        reasoning(reasoningText={"text": "", "signature": "~fairlead:anthropic/hidden:aGlk"}),
    )
    assert read(HI, said(*blocks, role="assistant")).messages[1].parts == (
        Thinking("Hm.", "c2ln", "bedrock"),
        Thinking("Hm."),
        Thinking("", "c2VjcmV0", "bedrock", redacted=True),
        Thinking("", "Z2Vt", "gemini"),
        Thinking("So.", "ZW5j", "responses", id="rs_1"),
        Thinking("", "aGlk", "anthropic", redacted=True),
    )


def test_a_tool_calls_signature_finds_its_call():
    signature = {
        "reasoningContent": {"reasoningText": {"text": "", "signature": '~fairlead:gemini/call:["t1","Z2Vt"]'}}
    }
    chat = read(HI, said(signature, call(), role="assistant"), said(result({"text": "1"})))
    assert chat.messages[1].parts == (ToolCall("t1", "f", '{"a": 1}', "Z2Vt", "gemini"),)


def test_a_cache_point_marks_what_stands_before_it():
    point, hour = {"cachePoint": {"type": "default"}}, {"cachePoint": {"type": "default", "ttl": "1h"}}
    spec = {"toolSpec": {"name": "f", "inputSchema": {"json": SCHEMA}}}
    chat = read(
        said(point, {"text": "a"}, hour),
        said(call(), point, role="assistant"),
        said(result({"text": "1"}), hour, {"text": "b"}),
        system=[{"text": "s"}, point],
        toolConfig={"tools": [spec, hour]},
    )
    assert [part.cache for part in chat.messages[0].parts] == ["5m"]
    assert [part.cache for part in chat.messages[1].parts] == ["1h"]
    assert [part.cache for part in chat.messages[2].parts] == ["5m"]
    assert (chat.messages[3].cache, chat.messages[3].parts[0].cache) == ("1h", None)
    assert chat.tools[0].cache == "1h"


def test_a_mark_after_what_bears_none_goes_to_the_part_before():
    guard = {"guardContent": {"text": {"text": "x"}}}
    chat = read(said({"text": "a"}, guard, {"cachePoint": {"type": "default"}}))
    assert chat.messages[0].parts[0] == Text("a", "5m")


def test_tools_and_their_choice():
    tools = [
        {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": SCHEMA}, "strict": True}},
        {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
        {"systemTool": {"name": "nova_grounding"}},
    ]
    chat = read(toolConfig={"tools": tools, "toolChoice": {"tool": {"name": "f"}}})
    assert chat.tools[0] == Tool("f", "d", Raw(json.dumps(SCHEMA).encode()), True)
    assert chat.tools[1].name == "g"
    assert chat.tool_choice == ToolChoice("named", "f")
    assert dict(chat.others) == {"toolConfig.tools[2]": Raw(b'{"systemTool": {"name": "nova_grounding"}}')}


@pytest.mark.parametrize(
    ("config", "added", "choice", "parallel"),
    [
        ({"any": {}}, None, ToolChoice("required"), None),
        ({"auto": {}}, None, ToolChoice("auto"), None),
        (None, {"type": "none"}, ToolChoice("none"), None),
        (None, {"type": "auto", "disable_parallel_tool_use": True}, None, False),
        (None, {"type": "tool", "name": "f", "disable_parallel_tool_use": True}, ToolChoice("named", "f"), False),
    ],
)
def test_the_choice_of_a_tool_also_in_claudes_words(config, added, choice, parallel):
    fields = {"toolConfig": {"tools": []} | ({"toolChoice": config} if config else {})}
    if added:
        fields["additionalModelRequestFields"] = {"tool_choice": added}
    chat = read(**fields)
    assert (chat.tool_choice, chat.parallel_tool_calls) == (choice, parallel)
    assert chat.others == {}


@pytest.mark.parametrize(
    ("added", "effort", "tokens", "shown"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, None, 2048, None),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "high", None, False),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low", None, None),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, "none", None, None),
        ({"reasoning_config": {"type": "enabled", "budget_tokens": 1024}}, None, 1024, None),
        ({"reasoning_config": "high"}, "high", None, None),
        ({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}, "medium", None, None),
        ({"reasoningConfig": {"type": "disabled"}}, "none", None, None),
        ({"reasoning_effort": "low"}, "low", None, None),
        ({"reasoning": {"effort": "xhigh"}}, "xhigh", None, None),
    ],
)
def test_thinking_is_understood_in_every_familys_words(added, effort, tokens, shown):
    chat = read(additionalModelRequestFields=added)
    assert (chat.effort, chat.thinking_tokens, chat.shows_thinking) == (effort, tokens, shown)
    assert chat.others == {}


def test_converses_own_word_for_effort_counts():
    assert read(outputConfig={"effort": "medium"}).effort == "medium"


def test_of_what_is_understood_in_part_the_rest_stays():
    added = {"reasoning": {"effort": "low", "summary": "auto"}, "thinking": {"type": "of tomorrow"}, "top_k": 3,
             "inferenceConfig": {"topK": 5, "x": 1}, "anthropic_beta": ["b"], "idle": []}  # fmt: skip
    chat = read(additionalModelRequestFields=added)
    stem = "additionalModelRequestFields."
    assert {path: json.loads(bytes(raw)) for path, raw in chat.others.items()} == {
        f"{stem}reasoning.summary": "auto",
        f"{stem}thinking": {"type": "of tomorrow"},
        f"{stem}inferenceConfig": {"topK": 5, "x": 1},
        f"{stem}anthropic_beta": ["b"],
    }
    assert (chat.effort, chat.top_k) == ("low", 3)


def test_novas_top_k_is_understood():
    chat = read(additionalModelRequestFields={"inferenceConfig": {"topK": 20, "x": 1}})
    assert chat.top_k == 20
    assert list(chat.others) == ["additionalModelRequestFields.inferenceConfig.x"]


def test_a_schema_is_a_text_here_and_an_object_in_claudes_words():
    structure = {"jsonSchema": {"schema": json.dumps(SCHEMA), "name": "n", "description": "d"}}
    chat = read(outputConfig={"textFormat": {"type": "json_schema", "structure": structure}})
    assert chat.shape == Shape("schema", "n", Raw(json.dumps(SCHEMA).encode()), None, "d")
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert read(additionalModelRequestFields={"output_config": form}).shape == Shape(
        "schema", schema=Raw(json.dumps(SCHEMA).encode())
    )


def test_sampling_and_limits():
    chat = read(inferenceConfig={"maxTokens": 7, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"], "x": 1})
    assert (chat.max_output_tokens, chat.temperature, chat.top_p, chat.stop) == (7, 0.5, 0.9, ("END",))
    assert list(chat.others) == ["inferenceConfig.x"]


def test_fields_without_a_word_are_listed_and_idle_ones_are_not():
    chat = read(
        guardrailConfig={"guardrailIdentifier": "g", "guardrailVersion": "1"},
        requestMetadata={},
        system=[],
        additionalModelResponseFieldPaths=["/stop_sequence"],
        promptVariables=None,
        modelId="m",
    )
    assert list(chat.others) == ["guardrailConfig"]


def test_other_paths_of_the_answer_are_listed():
    assert list(read(additionalModelResponseFieldPaths=["/x"]).others) == ["additionalModelResponseFieldPaths"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "x"}, "messages"),
        ({"messages": [HI, {"role": "robot", "content": []}]}, "messages[1].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages[0].content"),
        ({"messages": [said({"text": 5})]}, "messages[0].content[0].text"),
        ({"messages": [HI, said({"text": "a"}, {})]}, "messages[1].content[1]"),
        ({"messages": [said({"image": {"format": "png", "source": {"bytes": "?"}}})]},
         "messages[0].content[0].image.source.bytes"),
        ({"messages": [said(result({"text": "x"}))]}, "messages[0].content[0].toolResult.toolUseId"),
        ({"messages": [HI, said(call(), call(), role="assistant")]}, "messages[1]"),
        ({"messages": [HI, said({"toolUse": {"name": "f"}})]}, "messages[1].content[0].toolUse.toolUseId"),
        ({"messages": [HI], "system": [{"text": 1}]}, "system[0].text"),
        ({"messages": [HI], "inferenceConfig": {"maxTokens": 0}}, "inferenceConfig.maxTokens"),
        ({"messages": [HI], "toolConfig": {"tools": [{}, {"toolSpec": {}}]}}, "toolConfig.tools[1].toolSpec.name"),
        ({"messages": [HI], "outputConfig": {"effort": 1}}, "outputConfig.effort"),
        ({"messages": [HI], "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema":
         {"schema": "{"}}}}}, "outputConfig.textFormat.structure.jsonSchema.schema"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_path(fields, param):
    with pytest.raises(RequestInvalid) as caught:
        bedrock.read_chat(read_fields(json.dumps(fields).encode()))
    assert caught.value.param == param
