"""Calls and results in every language, also in conversations that are made to take long."""

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from fairlead.chat import Message, Text, ToolCall
from fairlead.dialects import gemini
from fairlead.dialects.bedrock.formats import DocumentNames
from fairlead.dialects.conversation import check_tools, places, with_ids
from fairlead.dialects.openai.ids import with_nine
from fairlead.errors import RequestInvalid

MANY = 30_000
SIGNED = base64.b64encode(b"~fairlead:anthropic:c2ln").decode()
TABOO = re.compile(r"[^a-zA-Z0-9_-]")


def turns(*ids: str) -> list[Message]:
    return [one for id in ids for one in (Message("assistant", (ToolCall(id, "f", "{}"),)), Message("tool", (), id))]


def took(what: Callable[[], Any]) -> float:
    began = time.process_time()
    what()
    return time.process_time() - began


def test_an_id_that_comes_again_gets_one_of_its_own_and_its_result_follows() -> None:
    made = with_ids(turns("a", "a", "a_2", "a", "b!"), taboo=TABOO, longest=64)
    calls = [message.tool_calls[0].id for message in made if message.tool_calls]
    assert calls == ["a", "a_2", "a_2_2", "a_3", "b_"]
    assert [message.tool_call_id for message in made if message.role == "tool"] == calls


def test_names_of_documents_are_told_apart() -> None:
    names = DocumentNames()
    assert [names.give(name) for name in ("a", "a", "a 2", "a", None)] == ["a", "a 2", "a 2 2", "a 3", "document 1"]


def test_an_id_that_comes_twice_in_one_message_is_named() -> None:
    calls = tuple(ToolCall(id, "f", "{}") for id in (*map(str, range(MANY)), "x", "x"))
    messages = [Message("assistant", calls)]

    def check() -> None:
        with pytest.raises(RequestInvalid, match="'x'"):
            check_tools(messages, ["messages[0]"])

    assert took(check) < 2


def test_places_are_named_however_many_there_are() -> None:
    assert places("messages", 3) == ["messages[0]", "messages[1]", "messages[2]"]
    assert places("messages", MANY)[-1] == f"messages[{MANY - 1}]"


@pytest.mark.parametrize(
    "rename",
    [
        lambda: with_ids(turns(*["c"] * MANY), taboo=TABOO, longest=64),
        lambda: with_nine(turns(*["call_1"] * MANY)),
        lambda: [names.give("a") for names in [DocumentNames()] for _ in range(MANY)],
    ],
    ids=["ids", "nine letters", "documents"],
)
def test_what_is_called_alike_is_renamed_in_one_go(rename: Callable[[], Any]) -> None:
    """However often it comes: to try every number anew for each would take hours."""
    assert took(rename) < 5


def test_many_turns_of_another_providers_reasoning_are_put_together_in_one_go() -> None:
    said = {"role": "model", "parts": [{"text": "x", "thought": True, "thoughtSignature": SIGNED}]}
    contents = [{"role": "user", "parts": [{"text": "a"}]}, *[said] * MANY]
    request = gemini.read_request("chat", json.dumps({"contents": contents}).encode(), route="r")
    assert took(request.chat) < 5
    assert len(request.chat().messages) == 2
    assert request.chat().messages[0] == Message("user", (Text("a"),))
