"""OpenAI's Responses, inwards: what a request says in the house language, and the path of what is wrong with it."""

import json

import pytest

from fairlead.chat import Media, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import responses
from fairlead.dialects.losses import Losses
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look_up", "arguments": '{"id":7}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "seven"}


def read(*items, **fields):
    if items:
        fields["input"] = list(items)
    return responses.read_chat(read_fields(json.dumps({"model": "r", "input": "hello", **fields}).encode()))


def others(chat):
    return {path: json.loads(bytes(raw)) for path, raw in chat.others.items()}


def wrong(*items, **fields):
    with pytest.raises(RequestInvalid) as caught:
        read(*items, **fields)
    return caught.value.param


def user(*parts):
    return {"role": "user", "content": list(parts)}


def part(**said):
    """The one part of a user's message."""
    (message,) = read(user(said)).messages
    return message.parts[0]


# --- messages --------------------------------------------------------------------------------------------------------


def test_a_string_is_a_users_message_and_instructions_are_a_systems():
    chat = read(instructions="Be brief.")
    assert chat.dialect == "responses"
    assert chat.messages == (Message("system", (Text("Be brief."),)), Message("user", (Text("hello"),)))
    assert read(instructions="").messages == (Message("user", (Text("hello"),)),)


def test_messages_are_read_in_both_forms():
    full = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": "final_answer"}
    chat = read(
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "hello"},
        {**full, "content": [{"type": "output_text", "text": "Yes.", "annotations": []}]},
        {"role": "assistant", "content": "Sure."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And?"}]},
    )
    assert [(message.role, message.parts[0]) for message in chat.messages] == [
        ("system", Text("Be brief.")),
        ("user", Text("hello")),
        ("assistant", Text("Yes.")),
        ("assistant", Text("Sure.")),
        ("user", Text("And?")),
    ]
    assert chat.others == {}


def test_a_refusal_that_was_given_is_text():
    (message,) = read({"role": "assistant", "content": [{"type": "refusal", "refusal": "I can't."}]}).messages
    assert message.parts == (Text("I can't."),)


def test_what_an_assistant_says_in_a_row_is_one_message():
    chat = read(
        {"role": "user", "content": "Go."},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA="},
        {"role": "assistant", "content": "I look."},
        CALL,
        {**CALL, "call_id": "c2"},
        RESULT,
        {**RESULT, "call_id": "c2"},
        {"role": "assistant", "content": "Seven."},
    )
    assert [message.role for message in chat.messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert chat.messages[1].parts == (
        Thinking("", "gAAA=", "responses", redacted=True, id="rs_1"),
        Text("I look."),
        ToolCall("c1", "look_up", '{"id":7}'),
        ToolCall("c2", "look_up", '{"id":7}'),
    )
    assert chat.messages[2] == Message("tool", (Text("seven"),), tool_call_id="c1")


def test_a_result_may_hold_pictures_and_documents():
    output = [
        {"type": "input_text", "text": "seven"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
    ]
    message = read(CALL, {**RESULT, "output": output}).messages[1]
    assert message.parts == (
        Text("seven"),
        Media(kind="image", media_type="image/png", data="iVBORw0KGgo="),
        Media(kind="document", url="https://example.com/a.pdf"),
    )


def test_arguments_may_come_as_an_object():
    (message,) = read({**CALL, "arguments": {"id": 7}}).messages
    assert message.tool_calls[0].arguments == '{"id":7}'


@pytest.mark.parametrize(
    ("said", "medium"),
    [
        (
            {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "high"},
            Media(kind="image", url="https://example.com/a.png", detail="high"),
        ),
        (
            {"type": "input_image", "file_id": "file-1", "image_url": None},
            Media(kind="image", file="file-1", origin="responses"),
        ),
        (
            {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"},
            Media(kind="document", media_type="application/pdf", data="JVBERg==", name="a.pdf"),
        ),
        ({"type": "input_file", "file_data": "JVBERg=="}, Media(kind="document", data="JVBERg==")),
        ({"type": "input_file", "file_id": "file-1"}, Media(kind="document", file="file-1", origin="responses")),
        (
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            Media(kind="audio", media_type="audio/wav", data="UklGRg=="),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}},
            Media(kind="audio", media_type="audio/mpeg", data="SUQz"),
        ),
    ],
)
def test_media_are_read_wherever_they_are(said, medium):
    assert part(**said) == medium


def test_a_cache_breakpoint_is_a_mark():
    assert part(type="input_text", text="x", prompt_cache_breakpoint={"mode": "explicit"}) == Text("x", "5m")
    longer = {"mode": "explicit", "ttl": "12h"}
    assert part(type="input_text", text="x", prompt_cache_breakpoint=longer) == Text("x", "1h")
    output = [{"type": "input_text", "text": "seven", "prompt_cache_breakpoint": longer}]
    result = read(CALL, {**RESULT, "output": output}).messages[1]
    assert (result.parts, result.cache) == ((Text("seven"),), "1h")


def test_parts_that_nobody_knows_stay_as_they_are():
    said = part(type="input_of_tomorrow", text={"deep": 1})
    assert isinstance(said, Opaque)
    assert (said.kind, said.dialect) == ("input_of_tomorrow", "responses")
    assert json.loads(bytes(said.raw))["text"] == {"deep": 1}


# --- items -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    ["web_search_call", "file_search_call", "computer_call", "code_interpreter_call", "mcp_call", "local_shell_call",
     "mcp_approval_response", "custom_tool_call", "compaction", "additional_tools", "item_reference", "of_tomorrow"],
)  # fmt: skip
def test_items_of_the_provider_keep_their_place(kind):
    item = {"type": kind, "id": "x_1", "arguments": {"any": 1}, "output": ["a", 1]}
    chat = read({"role": "user", "content": "Go."}, {"role": "assistant", "content": "Yes."}, item, CALL)
    parts = chat.messages[1].parts
    assert [type(part) for part in parts] == [Text, Opaque, ToolCall]
    assert isinstance(parts[1], Opaque)
    assert (parts[1].kind, json.loads(bytes(parts[1].raw))) == (kind, item)


def test_an_item_of_only_an_id_is_a_reference_whose_result_may_stand_here():
    chat = read({"id": "fc_1"}, RESULT)
    assert isinstance(chat.messages[0].parts[0], Opaque)
    assert chat.messages[1].tool_call_id == "c1"


def test_what_refers_to_another_conversation_is_refused_wherever_that_is_not():
    reference = {"type": "item_reference", "id": "msg_1"}
    chat = read({"role": "user", "content": "Go."}, reference)
    assert others(chat) == {"item_reference": reference}
    for lossy in (False, True):
        with pytest.raises(RequestInvalid) as caught:
            Losses("another language", lossy=lossy).lose(next(iter(chat.others)), "this field")
        assert caught.value.param == "item_reference"
    body = responses.write_request(
        chat, model="m", max_output_tokens=9, stream=False, params={}, quirks={}, losses=Losses("x")
    )
    assert json.loads(body)["input"][1] == reference
    assert "item_reference" not in json.loads(body)


def test_a_call_out_of_a_namespace_stays_as_it_is_with_its_result():
    chat = read({**CALL, "namespace": "books"}, RESULT, {**CALL, "call_id": "c2"}, {**RESULT, "call_id": "c2"})
    assert [part.kind for part in chat.messages[0].parts if isinstance(part, Opaque)] == [
        "function_call",
        "function_call_output",
    ]
    assert chat.messages[1].tool_call_id == "c2"


def test_reasoning_is_the_providers_whose_signature_it_bears():
    def thought(**said):
        (message,) = read({"type": "reasoning", "id": "rs_1", "summary": [], **said}).messages
        return message.parts[0]

    summary = [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]
    assert thought(summary=summary, encrypted_content="gAAA=") == Thinking(
        "One.\n\nTwo.", "gAAA=", "responses", id="rs_1"
    )
    assert thought(summary=summary) == Thinking("One.\n\nTwo.", None, "responses", id="rs_1")
    told = [{"type": "reasoning_text", "text": "Hm."}]
    assert thought(content=told, encrypted_content=None) == Thinking("Hm.", id="rs_1")
    wrapped = thought(summary=summary[:1], encrypted_content="~fairlead:anthropic:c2ln")
    assert wrapped == Thinking("One.", "c2ln", "anthropic")


def test_the_signature_of_a_call_comes_back_to_it():
    signature = {"type": "reasoning", "id": "rs_2", "summary": []}
    signature["encrypted_content"] = '~fairlead:gemini/call:["c1","c2ln"]'
    (message,) = read(signature, CALL).messages
    assert message.parts == (ToolCall("c1", "look_up", '{"id":7}', "c2ln", "gemini"),)


def test_a_picture_that_another_provider_made_comes_back_as_one():
    item = {"type": "image_generation_call", "status": "completed", "result": "iVBORw0KGgo="}
    (message,) = read({**item, "id": "ig_fairlead_1"}).messages
    assert message.parts == (Media(kind="image", media_type="image/png", data="iVBORw0KGgo="),)
    (message,) = read({**item, "id": "ig_1"}).messages
    assert isinstance(message.parts[0], Opaque)


# --- fields ----------------------------------------------------------------------------------------------------------


def test_sampling_and_limits_are_read():
    chat = read(
        temperature=0.5, top_p=0.9, max_output_tokens=9, parallel_tool_calls=False, user="u", presence_penalty=0.1
    )
    assert (chat.temperature, chat.top_p, chat.max_output_tokens, chat.parallel_tool_calls, chat.user) == (
        0.5,
        0.9,
        9,
        False,
        "u",
    )
    assert chat.presence_penalty == 0.1


@pytest.mark.parametrize(
    ("said", "effort", "shows"),
    [
        (None, None, None),
        ({"effort": "high"}, "high", None),
        ({"effort": "none", "summary": None}, "none", False),
        ({"summary": "detailed"}, None, True),
        ({"generate_summary": "auto"}, None, True),
    ],
)
def test_thinking_is_asked_for_by_effort_and_shown_by_a_summary(said, effort, shows):
    chat = read(reasoning=said)
    assert (chat.effort, chat.shows_thinking, chat.others) == (effort, shows, {})


def test_tools_are_read_and_others_are_kept_by_their_place():
    plain = {"type": "function", "name": "look_up", "description": "d", "parameters": {"type": "object"}}
    search = {"type": "web_search", "search_context_size": "low"}
    chat = read(tools=[{**plain, "strict": True}, search, {**plain, "name": "b", "defer_loading": True}])
    assert [(tool.name, tool.strict) for tool in chat.tools] == [("look_up", True), ("b", None)]
    assert isinstance(chat.tools[0], Tool)
    assert others(chat) == {"tools[1]": search, "tools[2].defer_loading": True}


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        (None, None),
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "f"}, ToolChoice("named", "f")),
    ],
)
def test_the_choice_of_a_tool_is_read(said, choice):
    assert read(tool_choice=said).tool_choice == choice


def test_a_choice_that_the_house_has_no_word_for_is_kept():
    said = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
    chat = read(tool_choice=said)
    assert chat.tool_choice is None
    assert others(chat) == {"tool_choice": said}


def test_the_form_of_the_answer_is_read():
    schema = {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": True, "description": "d"}
    shape = read(text={"format": schema, "verbosity": "low"}).shape
    assert isinstance(shape, Shape)
    assert shape.schema is not None
    assert (shape.mode, shape.name, shape.strict, shape.description) == ("schema", "a", True, "d")
    assert json.loads(bytes(shape.schema)) == {"type": "object"}
    assert read(text={"format": {"type": "json_object"}}).shape == Shape("json")
    assert read(text={"format": {"type": "text"}}).shape == Shape("text")
    assert others(read(text={"format": {"type": "grammar"}, "verbosity": "low"})) == {
        "text.verbosity": "low",
        "text.format": {"type": "grammar"},
    }


def test_what_is_included_says_log_probabilities_and_more():
    assert read(include=["reasoning.encrypted_content"]).others == {}
    assert read(include=["message.output_text.logprobs"]).logprobs == 0
    assert read(include=["message.output_text.logprobs"], top_logprobs=3).logprobs == 3
    assert read(top_logprobs=0).logprobs is None
    assert others(read(include=["file_search_call.results"])) == {"include": ["file_search_call.results"]}


def test_fields_without_a_word_are_kept_if_they_ask_for_something():
    asked = {"background": True, "conversation": "conv_1", "store": False, "metadata": {"a": "b"}, "truncation": "auto"}
    idle = {"prompt": None, "max_tool_calls": None, "safety_identifier": None}
    assert others(read(**asked, **idle)) == asked
    assert read(background=False, truncation="disabled", metadata={}, store=None).others == {}


def test_a_result_may_answer_a_call_that_the_provider_has_kept():
    assert others(read(RESULT, previous_response_id="resp_1")) == {"previous_response_id": "resp_1"}


# --- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "param"),
    [
        ([7], "input[0]"),
        ([{}], "input[0].type"),
        ([{"content": "hello"}], "input[0].type"),
        ([{"type": "message", "content": "hello"}], "input[0].role"),
        ([{"role": "king", "content": "hello"}], "input[0].role"),
        ([{"role": "user"}], "input[0].content"),
        ([{"role": "user", "content": {"text": "hello"}}], "input[0].content"),
        ([user({"text": "hello"})], "input[0].content[0].type"),
        ([user({"type": "input_text"})], "input[0].content[0].text"),
        ([user({"type": "input_text", "text": 7})], "input[0].content[0].text"),
        ([user({"type": "input_image"})], "input[0].content[0].image_url"),
        ([user({"type": "input_image", "image_url": "data:image/png;base64,?"})], "input[0].content[0].image_url"),
        ([user({"type": "input_file"})], "input[0].content[0].file_data"),
        ([user({"type": "input_audio"})], "input[0].content[0].input_audio"),
        ([{**CALL, "call_id": None}], "input[0].call_id"),
        ([{**CALL, "name": None}], "input[0].name"),
        ([CALL, CALL], "input[0]"),
        ([RESULT], "input[0]"),
        ([{"role": "user", "content": "x"}, CALL, {**RESULT, "output": None}], "input[2].output"),
        ([CALL, {"type": "function_call_output", "output": "seven"}], "input[1].call_id"),
    ],
)
def test_every_error_names_its_path(items, param):
    assert wrong(*items) == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"description": "d"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "strict": "yes"}]}, "tools[0].strict"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema"),
        ({"reasoning": {"effort": 7}}, "reasoning.effort"),
        ({"temperature": "warm"}, "temperature"),
        ({"instructions": ["a"]}, "instructions"),
        ({"top_logprobs": -1}, "top_logprobs"),
    ],
)
def test_every_field_that_is_wrong_is_named(fields, param):
    assert wrong(**fields) == param
