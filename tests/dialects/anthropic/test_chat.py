"""Anthropic's language, inwards: the full reading of a Messages request."""

import json

import pytest
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Opaque, Shape, Text, Thinking, Tool, ToolCall, ToolChoice
from fairlead.dialects import anthropic
from fairlead.dialects.harmless import is_harmless
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

PIXEL = "iVBORw0KGgo="
USE = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}


def read(*messages, **fields) -> Chat:
    said = messages or ({"role": "user", "content": "hi"},)
    body = {"model": "claude", "max_tokens": 5, "messages": said, **fields}
    return anthropic.read_chat(read_fields(json.dumps(body).encode()))


def parts(*blocks, role="user"):
    """What a turn of these blocks becomes."""
    return read({"role": role, "content": blocks}).messages[0].parts


def wrong(*messages, **fields) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as caught:
        read(*messages, **fields)
    assert caught.value.hint
    return caught.value


def raws(chat):
    return {path: bytes(raw).decode() for path, raw in chat.others.items()}


def test_a_plain_question():
    assert read() == Chat(messages=(Message("user", (Text("hi"),)),), max_output_tokens=5, dialect="anthropic")


def test_a_system_prompt_is_the_first_message():
    mark = {"type": "ephemeral"}
    assert read(system="be").messages[0] == Message("system", (Text("be"),))
    blocks = [{"type": "text", "text": "a", "cache_control": mark}, {"type": "text", "text": "b"}]
    assert read(system=blocks).messages[0] == Message("system", (Text("a", "5m"), Text("b")))
    assert len(read(system="").messages) == len(read(system=[]).messages) == 1


def test_system_messages_amid_the_turns_stay_where_they_stand():
    late = {"role": "system", "content": "late", "output_config": {"effort": "low"}, "clear_at": "next_user_message"}
    messages = read({"role": "user", "content": "hi"}, late, {**late, "content": [{"type": "tool_addition"}]}).messages
    assert [message.role for message in messages] == ["user", "system", "system"]
    assert [part.kind for part in messages[2].parts if isinstance(part, Opaque)] == [
        "system.output_config",
        "system.clear_at",
        "tool_addition",
    ]


def test_the_results_of_tools_are_messages_of_their_own_before_what_else_is_said():
    result = {"type": "tool_result", "tool_use_id": "a"}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    marked = {**result, "tool_use_id": "b", "is_error": True, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    _, called, *answered = read(
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [USE, {**USE, "id": "b"}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "so?"},
                {**result, "content": "one"},
                {**marked, "content": [{"type": "text", "text": "two"}, image]},
            ],
        },
    ).messages
    assert called.tool_calls[0] == ToolCall("a", "f", '{"x": 1}')
    assert answered == [
        Message("tool", (Text("one"),), tool_call_id="a"),
        Message(
            "tool",
            (Text("two"), Media(kind="image", media_type="image/png", data=PIXEL)),
            tool_call_id="b",
            is_error=True,
            cache="1h",
        ),
        Message("user", (Text("so?"),)),
    ]


def test_a_call_without_input_has_an_empty_object():
    call = {"type": "tool_use", "id": "a", "name": "f"}
    assert parts(call, role="assistant") == (ToolCall("a", "f", "{}"),)


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "url", "url": "https://x.org/i"}},
            Media(kind="image", url="https://x.org/i"),
        ),
        (
            {"type": "image", "source": {"type": "file", "file_id": "f1"}, "cache_control": {"ttl": "5m"}},
            Media(kind="image", file="f1", origin="anthropic", cache="5m"),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä"}, "title": "t"},
            Media(kind="document", media_type="text/plain", data="w6Q=", name="t"),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "a"}, "citations": {"enabled": False}},
            Media(kind="document", media_type="text/plain", data="YQ=="),
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}},
            Media(kind="document", media_type="application/pdf", data="JVBERi0x"),
        ),
        (
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            Thinking("hm", "s", "anthropic"),
        ),
        (
            {"type": "redacted_thinking", "data": "d"},
            Thinking("", "d", "anthropic", redacted=True),
        ),
    ],
)
def test_blocks_become_parts(block, part):
    assert parts(block) == (part,)


def test_blocks_that_the_house_has_no_word_for_are_kept_as_they_stand():
    chunks = {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}}
    upload = {"type": "container_upload", "file_id": "f"}
    one, two = parts(chunks, upload)
    assert (one.kind, two.kind, one.dialect) == ("document", "container_upload", "anthropic")
    assert json.loads(bytes(one.raw)) == chunks


def test_fields_that_the_house_has_no_word_for_stand_beside_their_part():
    source = {"type": "url", "url": "https://x.org/d"}
    document = {"type": "document", "source": source, "context": "c", "citations": {"enabled": True}}
    assert [getattr(part, "kind", "") for part in parts(document)] == [
        "document",
        "document.context",
        "document.citations",
    ]
    direct, run = ({**USE, "id": kind, "caller": {"type": kind}} for kind in ("direct", "code_execution_20260120"))
    assert [getattr(part, "kind", "call") for part in parts(direct, run, role="assistant")] == [
        "call",
        "call",
        "tool_use.caller",
    ]


def test_a_mark_on_the_request_is_one_on_its_last_part():
    assert read(cache_control={"type": "ephemeral"}).messages[0].parts == (Text("hi", "5m"),)
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}
    chat = read({"role": "assistant", "content": [USE]}, result, cache_control={"type": "ephemeral", "ttl": "1h"})
    assert chat.messages[1].cache == "1h"


@pytest.mark.parametrize(
    ("said", "choice", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "tool", "name": "f"}, ToolChoice("named", "f"), None),
        ({"type": "none"}, ToolChoice("none"), None),
    ],
)
def test_the_choice_of_tools(said, choice, parallel):
    chat = read(tool_choice=said)
    assert (chat.tool_choice, chat.parallel_tool_calls) == (choice, parallel)


def test_tools_of_the_caller_are_read_and_others_are_listed():
    plain = {"name": "f", "description": "d", "input_schema": {"type": "object"}, "eager_input_streaming": True}
    marked = {**plain, "type": "custom", "strict": True, "cache_control": {"type": "ephemeral"}}
    schema = Raw(b'{"type": "object"}')
    assert read(tools=[plain, marked]).tools == (Tool("f", "d", schema), Tool("f", "d", schema, True, "5m"))
    search = {"type": "web_search_20250305", "name": "web_search"}
    chat = read(tools=[search, {**plain, "defer_loading": True, "allowed_callers": ["direct"]}])
    assert chat.tools == (Tool("f", "d", schema),)
    assert raws(chat) == {"tools[0]": json.dumps(search), "tools[1].defer_loading": "true"}


@pytest.mark.parametrize(
    ("fields", "effort", "budget", "shows"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, None, 2000, None),
        ({"thinking": {"type": "adaptive"}}, "high", None, None),
        (
            {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}},
            "low",
            None,
            False,
        ),
        ({"thinking": {"type": "disabled"}}, "none", None, None),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, "low", 0, None),
        ({"output_config": {"effort": "max"}}, "max", None, None),
    ],
)
def test_thinking_is_effort_or_a_budget(fields, effort, budget, shows):
    chat = read(**fields)
    assert (chat.effort, chat.thinking_tokens, chat.shows_thinking) == (effort, budget, shows)
    assert not chat.others


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_a_schema_is_a_shape_also_in_its_old_place(place):
    form = {"type": "json_schema", "schema": {"type": "object"}}
    chat = read(**{place: {"format": form} if place == "output_config" else form})
    assert chat.shape == Shape("schema", schema=Raw(b'{"type": "object"}'))


def test_sampling_stops_and_the_user():
    chat = read(temperature=0.5, top_p=0.9, top_k=3, stop_sequences=["x"], metadata={"user_id": "u"})
    assert (chat.temperature, chat.top_p, chat.top_k, chat.stop, chat.user) == (0.5, 0.9, 3, ("x",), "u")


def test_fields_that_the_house_has_no_word_for_are_listed_where_they_ask_for_something():
    chat = read(
        mcp_servers=[{"name": "m"}],
        container=None,
        service_tier="auto",
        output_config={"task_budget": {"total": 1}},
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
        thinking={"type": "of_tomorrow"},
        tool_choice={"type": "whatever"},
        metadata={"user_id": "u", "team": "t"},
    )
    assert set(chat.others) == {
        "mcp_servers",
        "service_tier",
        "output_config.task_budget",
        "context_management",
        "thinking",
        "tool_choice",
        "metadata",
    }


def test_what_an_agent_sends_along_with_every_request_asks_nobody_else_for_anything():
    management = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    others = read(context_management=management, betas=["x"], diagnostics={"id": "m"}, speed="fast").others
    assert list(others) == ["betas", "diagnostics", "speed"]
    assert all(is_harmless(path, raw, "anthropic") for path, raw in others.items())


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ([{"role": "tool", "content": "x"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": [{"text": "x"}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "messages[0].content[0].text"),
        (
            [{"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}],
            "messages[0].content[0].source.url",
        ),
        (
            [{"role": "user", "content": [{"type": "image", "source": {"type": "base64", "data": "%"}}]}],
            "messages[0].content[0].source.data",
        ),
        ([{"role": "user", "content": [USE]}], "messages[0].content[0]"),
        ([{"role": "assistant", "content": [{"type": "tool_result", "tool_use_id": "a"}]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}], "messages[0]"),
        ([{"role": "assistant", "content": [USE, USE]}], "messages[0]"),
    ],
)
def test_wrong_messages_are_told_with_their_path(messages, param):
    body = json.dumps({"model": "m", "max_tokens": 1, "messages": messages}).encode()
    with pytest.raises(RequestInvalid) as caught:
        anthropic.read_chat(read_fields(body))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop_sequences": "x"}, "stop_sequences"),
        ({"system": [{"type": "tool_result", "tool_use_id": "a"}]}, "system[0]"),
    ],
)
def test_wrong_fields_are_told_with_their_path(fields, param):
    assert wrong(**fields).param == param
