"""OpenAI's Responses: a conversation that is continued by the id of its last response."""

import json

import msgspec
import pytest

from fairlead.chat import Text, ToolCall
from fairlead.dialects import responses
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

SAID = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}


def fields(**said):
    return read_fields(json.dumps({"model": "route", **said}).encode())


def response(*output):
    return json.dumps({"id": "resp_1", "object": "response", "output": output}).encode()


def test_the_response_that_is_continued_is_known():
    assert responses.previous_of(fields(previous_response_id="resp_1")) == "resp_1"
    assert responses.previous_of(fields(previous_response_id=None)) is None
    assert responses.previous_of(fields()) is None
    with pytest.raises(RequestInvalid) as caught:
        responses.previous_of(fields(previous_response_id=7))
    assert caught.value.param == "previous_response_id"


@pytest.mark.parametrize(("said", "stored"), [({}, True), ({"store": None}, True), ({"store": False}, False)])
def test_a_response_may_be_kept_unless_the_caller_says_no(said, stored):
    assert responses.wants_store(fields(**said)) is stored


def test_the_id_of_a_response_is_read():
    assert responses.id_of(response()) == "resp_1"
    assert responses.id_of(b'{"id":null,"output":[]}') == ""


def test_a_conversation_grows_turn_by_turn_without_its_instructions():
    first = fields(input="Hello?", instructions="Be brief.")
    kept = responses.kept(first, response(SAID))
    second = responses.continued(
        fields(input=[{"role": "user", "content": "Sure?"}], previous_response_id="resp_1"), kept
    )
    assert "previous_response_id" not in second
    chat = responses.read_chat(second)
    said = [(message.role, message.parts[0].text) for message in chat.messages if isinstance(message.parts[0], Text)]
    assert said == [("user", "Hello?"), ("assistant", "Yes."), ("user", "Sure?")]
    third = responses.continued(fields(previous_response_id="resp_2"), responses.kept(second, response(SAID)))
    assert [message.role for message in responses.read_chat(third).messages] == ["user", "assistant"] * 2


def test_items_are_kept_as_they_stood():
    item = '{"type":"reasoning", "id":"rs_1","summary":[ ],"encrypted_content":"gAAA=","of_tomorrow":1.0e2}'
    body = f'{{"id":"resp_1","output":[{item}]}}'.encode()
    said = responses.continued(fields(input="More."), responses.kept(fields(input=[]), body))
    assert item in bytes(said["input"]).decode()


def test_a_result_answers_a_call_of_the_response_before():
    call = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": "seven"}
    said = responses.continued(fields(input=[result]), responses.kept(fields(input="Go."), response(call)))
    messages = responses.read_chat(said).messages
    assert messages[1].tool_calls == (ToolCall("c", "f", "{}"),)
    assert messages[2].tool_call_id == "c"


def test_a_continued_request_can_be_read_like_any_other():
    said = responses.continued(fields(input="Sure?"), responses.kept(fields(input="Hello?"), response(SAID)))
    request = responses.read_request("chat", msgspec.json.encode(said))
    assert request.route == "route"
    assert request.input_bound is not None
