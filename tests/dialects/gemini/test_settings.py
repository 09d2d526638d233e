"""Gemini's language, inwards: what is asked of the model beside the conversation."""

from typing import Any

import pytest
from msgspec import Raw, json

from dialects.gemini.conversations import read
from fairlead.chat import Shape, Tool, ToolChoice
from fairlead.errors import RequestInvalid


def config(**fields: Any) -> Any:
    return read(generationConfig=fields)


def declared(*names: str) -> dict:
    return {"functionDeclarations": [{"name": name} for name in names]}


def choice(mode: str, *allowed: str) -> Any:
    return {"functionCallingConfig": {"mode": mode} | ({"allowedFunctionNames": list(allowed)} if allowed else {})}


def test_sampling():
    chat = config(
        temperature=0.5, topP=0.25, topK=40.0, frequencyPenalty=1, presencePenalty=-1, stopSequences=["END"], seed=7,
        maxOutputTokens=9, candidateCount=2, responseLogprobs=True, logprobs=3,
    )  # fmt: skip
    assert (chat.temperature, chat.top_p, chat.top_k, chat.stop, chat.seed) == (0.5, 0.25, 40, ("END",), 7)
    assert (chat.frequency_penalty, chat.presence_penalty) == (1.0, -1.0)
    assert (chat.max_output_tokens, chat.samples, chat.logprobs) == (9, 2, 3)
    assert not chat.others


def test_logprobs_are_asked_by_their_flag():
    assert config(responseLogprobs=True).logprobs == 0
    assert config(logprobs=3).logprobs is None


def test_thinking():
    assert config(thinkingConfig={"thinkingLevel": "HIGH", "includeThoughts": True}).effort == "high"
    assert config(thinkingConfig={"thinkingBudget": 0}).thinking_tokens == 0
    automatic = config(thinkingConfig={"thinkingBudget": -1, "thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"})
    assert (automatic.thinking_tokens, automatic.effort, automatic.others) == (None, None, {})
    assert config(thinkingConfig={"muse": True}).others == {"generationConfig.thinkingConfig.muse": Raw(b"true")}


def test_the_shape_of_an_answer():
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}
    assert config(responseMimeType="application/json").shape == Shape("json")
    assert config(responseMimeType="text/plain").shape == Shape("text")
    own = config(responseMimeType="application/json", responseSchema=schema).shape
    assert json.decode(own.schema) == {"type": "object", "properties": {"a": {"type": "string"}}}
    plain = config(_responseJsonSchema={"type": "object"}).shape
    assert plain == Shape("schema", schema=Raw(b'{"type": "object"}'))


def test_a_word_of_a_list_is_no_json_and_stays_googles():
    chat = config(responseMimeType="text/x.enum", responseSchema={"type": "STRING", "enum": ["a"]})
    assert chat.shape is None
    assert set(chat.others) == {"generationConfig.responseMimeType", "generationConfig.responseSchema"}


def test_tools():
    schema = {"type": "object", "properties": {}}
    tools = [
        {"functionDeclarations": [{"name": "f", "description": "does", "parametersJsonSchema": schema}, {"name": "g"}]},
        {"functionDeclarations": [{"name": "h", "parameters": {"type": "OBJECT", "nullable": True}}]},
    ]
    chat = read(tools=tools)
    assert chat.tools[:2] == (
        Tool("f", "does", Raw(json.encode(schema).replace(b":", b": ").replace(b",", b", "))),
        Tool("g"),
    )
    assert json.decode(chat.tools[2].parameters or b"") == {"type": ["object", "null"]}
    assert not chat.others


def test_tools_that_run_at_the_provider_are_listed_by_their_path():
    chat = read(tools=[{"googleSearch": {}}, {**declared("f"), "codeExecution": {}}])
    assert chat.tools == (Tool("f"),)
    assert set(chat.others) == {"tools[0]", "tools[1].codeExecution"}


def test_what_else_a_declaration_says_is_listed_too():
    chat = read(tools=[{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}])
    assert set(chat.others) == {"tools[0].functionDeclarations[0].behavior"}


@pytest.mark.parametrize(
    ("asked", "read_as"),
    [
        (choice("AUTO"), ToolChoice("auto")),
        (choice("VALIDATED"), ToolChoice("auto")),
        (choice("NONE"), ToolChoice("none")),
        (choice("ANY"), ToolChoice("required")),
        (choice("ANY", "f"), ToolChoice("named", "f")),
        (choice("ANY", "f", "g"), ToolChoice("required")),
        (choice("MODE_UNSPECIFIED"), None),
        ({}, None),
    ],
)
def test_choices(asked: Any, read_as: ToolChoice | None):
    chat = read(tools=[declared("f", "g")], toolConfig=asked)
    assert (chat.tool_choice, chat.others) == (read_as, {})


def test_a_choice_among_some_tools_has_no_word_in_the_house():
    path = "toolConfig.functionCallingConfig.allowedFunctionNames"
    chat = read(tools=[declared("f", "g", "h")], toolConfig=choice("ANY", "f", "g"))
    assert (chat.tool_choice, set(chat.others)) == (ToolChoice("required"), {path})


def test_what_asks_for_nothing_is_nothing():
    chat = read(
        safetySettings=[],
        labels={},
        cachedContent="",
        generationConfig={"responseModalities": ["TEXT"], "imageConfig": {}, "speechConfig": None},
        toolConfig={"includeServerSideToolInvocations": False},
    )
    assert not chat.others


def test_everything_else_is_listed():
    chat = read(
        cachedContent="cachedContents/1",
        safetySettings=[{"category": "x"}],
        generationConfig={"responseModalities": ["TEXT", "IMAGE"]},
        toolConfig={"retrievalConfig": {"languageCode": "en"}},
    )
    assert set(chat.others) == {
        "cachedContent", "safetySettings", "generationConfig.responseModalities", "toolConfig.retrievalConfig",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"generationConfig": {"maxOutputTokens": 0}}, "generationConfig.maxOutputTokens"),
        ({"generationConfig": {"temperature": "warm"}}, "generationConfig.temperature"),
        ({"generationConfig": []}, "generationConfig"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": "all"}}},
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        ({"tools": [{"functionDeclarations": [{"name": "f"}, {}]}]}, "tools[0].functionDeclarations[1].name"),
        ({"tools": [5]}, "tools[0]"),
        ({"toolConfig": {"functionCallingConfig": {"mode": 1}}}, "toolConfig.functionCallingConfig.mode"),
    ],
)
def test_an_error_names_its_place(fields: dict, param: str):
    with pytest.raises(RequestInvalid) as caught:
        read(**fields)
    assert caught.value.param == param
