"""OpenAI's language: media where a target takes them from a user alone."""

import json

import pytest

from fairlead.chat import Chat, Media, Message, Text, ToolCall
from fairlead.dialects import openai
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid

HI = Message("user", (Text("Look."),))
CALLS = Message("assistant", (ToolCall("a", "see", "{}"), ToolCall("b", "see", "{}")))
PICTURE = Media(kind="image", media_type="image/png", data="AAAA")
URL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def write(*messages, losses=None, quirks=None):
    body = openai.write_request(
        Chat(messages=messages, dialect="anthropic"),
        model="m",
        max_output_tokens=9,
        stream=False,
        params={},
        quirks={"media_from": "user"} if quirks is None else quirks,
        losses=losses or Losses("it"),
    )
    return json.loads(body)["messages"]


def result(id, *parts):
    return Message("tool", parts, tool_call_id=id)


def test_what_tools_gave_is_shown_by_the_user_after_all_results_of_the_turn():
    losses = Losses("it")
    said = write(HI, CALLS, result("a", Text("Seen."), PICTURE), result("b", PICTURE), CALLS, losses=losses)
    assert [message["role"] for message in said] == ["user", "assistant", "tool", "tool", "user", "assistant"]
    assert "".join(part["text"] for part in said[2]["content"]).startswith("Seen.\n\n(What it gave")
    assert said[3]["content"].startswith("(What it gave")
    first, picture, second, other = said[4]["content"]
    assert (picture, other) == (URL, URL)
    assert ("call a" in first["text"], "call b" in second["text"]) == (True, True)
    assert losses.told == ("messages[2].content.place", "messages[3].content.place")


def test_so_it_is_at_the_end_of_a_conversation():
    said = write(HI, CALLS, result("a", PICTURE), result("b", Text("no")))
    assert [message["role"] for message in said[2:]] == ["tool", "tool", "user"]
    assert said[3]["content"] == "no"


def test_what_an_assistant_made_is_lost():
    made = Message("assistant", (Text("Here:"), PICTURE))
    with pytest.raises(RequestInvalid) as caught:
        write(HI, made, HI)
    assert caught.value.param == "messages[1].content"
    losses = Losses("it", lossy=True)
    assert write(HI, made, HI, losses=losses)[1]["content"] == "Here:"
    assert losses.told == ("messages[1].content",)


def test_others_take_them_where_they_stand():
    said = write(HI, CALLS, result("a", PICTURE), quirks={})
    assert said[2] == {"role": "tool", "tool_call_id": "a", "content": [URL]}
    assert write(HI, Message("user", (PICTURE,)))[1]["content"] == [URL]
