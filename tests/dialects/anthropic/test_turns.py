"""Anthropic's language, outwards: what stands in the turns of a request."""

import json

import pytest
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Opaque, Text, Thinking, Tool, ToolCall
from fairlead.dialects import anthropic
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid

PIXEL = "iVBORw0KGgo="
PDF = "JVBERi0x"
HI = Message("user", (Text("hi"),))


def write(*messages, losses=None, quirks=None, origin="anthropic", **fields):
    return json.loads(
        anthropic.write_request(
            Chat(messages=messages, **fields),
            model="claude",
            max_output_tokens=100,
            stream=False,
            params={},
            quirks=quirks or {},
            losses=losses or Losses(anthropic.LANGUAGE),
            origin=origin,
        )
    )


def blocks(*parts, **more):
    """What a user's turn of these parts holds."""
    return write(Message("user", parts), **more)["messages"][0]["content"]


def refused(*parts):
    with pytest.raises(RequestInvalid) as caught:
        blocks(Text("look"), *parts)
    losses = Losses(anthropic.LANGUAGE, lossy=True)
    assert blocks(Text("look"), *parts, losses=losses) == [{"type": "text", "text": "look"}]
    assert losses.told == (caught.value.param,)
    return caught.value


def test_images_stand_where_they_are_said_to():
    images = (
        Media(kind="image", url="https://example.org/x.png"),
        Media(kind="image", media_type="image/png", data=PIXEL),
        Media(kind="image", file="file_1", origin="anthropic"),
        Media(kind="image", data="/9j/4AAQ"),
    )
    assert [block["source"] for block in blocks(*images)] == [
        {"type": "url", "url": "https://example.org/x.png"},
        {"type": "base64", "media_type": "image/png", "data": PIXEL},
        {"type": "file", "file_id": "file_1"},
        {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"},
    ]


def test_documents_have_titles_and_plain_text_is_sent_as_text():
    documents = (
        Media(kind="document", media_type="application/pdf", data=PDF, name="paper.pdf"),
        Media(kind="document", media_type="text/plain", data="w6R0aA=="),
        Media(kind="document", url="https://example.org/x.pdf"),
    )
    assert blocks(*documents) == [
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
            "title": "paper.pdf",
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "äth"}},
        {"type": "document", "source": {"type": "url", "url": "https://example.org/x.pdf"}},
    ]


@pytest.mark.parametrize(
    "part",
    [
        Media(kind="audio", media_type="audio/wav", data="AAAA"),
        Media(kind="video", url="https://example.org/x.mp4"),
        Media(kind="image", url="gs://bucket/x.png"),
        Media(kind="document", file="file-1", origin="openai"),
        Media(kind="document", media_type="text/plain", data="/w=="),
        Opaque("input_audio", Raw(b"{}"), "openai"),
    ],
)
def test_what_has_no_block_is_refused_or_left_out_and_told(part):
    assert refused(part).param == "messages[0].content"


def test_other_text_is_called_plain_where_that_may_be_lost():
    markdown = Media(kind="document", media_type="text/markdown", data="IyBo")
    with pytest.raises(RequestInvalid, match="text/markdown"):
        blocks(markdown)
    (block,) = blocks(markdown, losses=Losses("it", lossy=True))
    assert block["source"] == {"type": "text", "media_type": "text/plain", "data": "# h"}


def test_marks_for_the_prompt_cache_are_kept_wherever_they_stand():
    call = ToolCall("a", "f", "{}", cache="5m")
    body = write(
        Message("system", (Text("s", cache="1h"),)),
        Message("user", (Text("u", cache="5m"), Media(kind="image", url="https://x.org/i", cache="5m"))),
        Message("assistant", (call,)),
        Message("tool", (Text("r"),), tool_call_id="a", cache="1h"),
        tools=(Tool("f", cache="5m"),),
    )
    short, long = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
    asked, called, answered = body["messages"]
    assert body["system"][0]["cache_control"] == long
    assert [block["cache_control"] for block in asked["content"]] == [short, short]
    assert called["content"][0]["cache_control"] == short
    assert answered["content"][0]["cache_control"] == long
    assert body["tools"][0]["cache_control"] == short


def test_ids_of_calls_are_what_the_api_takes_and_each_there_once():
    call = Message("assistant", (ToolCall("functions.f:0", "f", "{}"),))
    result = Message("tool", (Text("r"),), tool_call_id="functions.f:0")
    turns = write(HI, call, result, call, result)["messages"]
    uses = [block["id"] for turn in turns for block in turn["content"] if block["type"] == "tool_use"]
    results = [block["tool_use_id"] for turn in turns for block in turn["content"] if block["type"] == "tool_result"]
    assert uses == results == ["functions_f_0", "functions_f_0_2"]


def test_results_hold_images_and_say_that_a_tool_failed():
    parts = (Text("seen"), Media(kind="image", media_type="image/png", data=PIXEL))
    call = Message("assistant", (ToolCall("a", "f", "{}"),))
    result = write(HI, call, Message("tool", parts, "a", is_error=True))["messages"][2]["content"][0]
    assert [block["type"] for block in result["content"]] == ["text", "image"]
    assert result["is_error"] is True


def test_only_reasoning_of_the_same_origin_goes_back():
    parts = (
        Thinking("mine", "sig", "anthropic"),
        Thinking("", "hidden", "anthropic", redacted=True),
        Thinking("other", "sig", "gemini"),
        Thinking("plain"),
        ToolCall("a", "f", "{}", "sig", "gemini"),
    )
    losses = Losses(anthropic.LANGUAGE)
    said = write(HI, Message("assistant", parts), Message("tool", (Text("r"),), "a"), losses=losses)
    assert said["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "mine", "signature": "sig"},
        {"type": "redacted_thinking", "data": "hidden"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    ]
    assert losses.told == ("messages[1].thinking", "messages[1].tool_calls.signature")


def test_another_provider_of_the_same_language_has_an_origin_of_its_own():
    said = (Thinking("mine", "sig", "acme"), Thinking("other", "sig", "anthropic"), Text("x"))
    turns = write(HI, Message("assistant", said), HI, origin="acme")["messages"]
    assert turns[1]["content"][0] == {"type": "thinking", "thinking": "mine", "signature": "sig"}
    assert turns[1]["content"][1] == {"type": "text", "text": "x"}


def test_system_messages_amid_the_turns_stay_there_for_models_that_take_them():
    late = Message("system", (Text("late"),))
    early = Message("system", (Text("early"),))
    assert [block["text"] for block in write(early, HI, late)["system"]] == ["early", "late"]
    inline = write(early, HI, late, quirks={"system": "inline"})
    assert inline["system"] == [{"type": "text", "text": "early"}]
    assert inline["messages"][1] == {"role": "system", "content": [{"type": "text", "text": "late"}]}
    assert write(early, HI, late, dialect="anthropic")["messages"] == inline["messages"]


def test_turns_of_a_caller_who_speaks_this_language_stay_apart():
    again, call = Message("user", (Text("again"),)), Message("assistant", (ToolCall("a", "f", "{}"),))
    result = Message("tool", (Text("r"),), tool_call_id="a")
    said = (HI, again, call, result, again)
    assert [len(turn["content"]) for turn in write(*said)["messages"]] == [2, 1, 2]
    assert [len(turn["content"]) for turn in write(*said, dialect="anthropic")["messages"]] == [1, 1, 1, 2]


def test_names_and_details_are_left_out_and_told():
    losses = Losses(anthropic.LANGUAGE)
    parts = (Media(kind="image", url="https://x.org/i", detail="low"), Media(kind="image", url="https://x.org/i"))
    write(Message("user", parts, name="ann"), losses=losses)
    assert losses.told == ("messages[0].name", "messages[0].content.detail")


def test_blocks_of_this_language_go_on_byte_for_byte_and_fields_find_their_block_again():
    raw = Raw(b'{"type": "container_upload",  "file_id": "f"}')
    context = Opaque("document.context", Raw(b'"from a book"'), "anthropic")
    document = Media(kind="document", url="https://x.org/d")
    body = anthropic.write_request(
        Chat(messages=(Message("user", (Opaque("container_upload", raw, "anthropic"), document, context)),)),
        model="claude",
        max_output_tokens=1,
        stream=False,
        params={},
        quirks={},
        losses=Losses(anthropic.LANGUAGE),
    )
    assert bytes(raw) in body
    assert json.loads(body)["messages"][0]["content"][1]["context"] == "from a book"
