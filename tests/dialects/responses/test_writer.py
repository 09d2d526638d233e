"""OpenAI's Responses: a stream told to a caller, whose official library must be able to follow it."""

import json

import pytest
from msgspec import Raw
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from fairlead.chat import Chunk, Head, Media, Opaque, Thinking, ToolDelta, Usage
from fairlead.dialects import responses
from fairlead.wire.sse import Events

EVENT: TypeAdapter = TypeAdapter(ResponseStreamEvent)
HEAD = Head("a1", "gpt")


def tell(*items, writer=None, ends=True):
    """The events, each valid by the official library's types and followed by its accumulator."""
    writer = writer or responses.StreamWriter(model="m", created=7)
    told = b"".join(map(writer.write, (HEAD, *items))) + (writer.end() if ends else b"")
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    events = []
    for name, data in Events().feed(told):
        events.append(json.loads(data))
        assert events[-1]["type"] == name
        state.handle_event(EVENT.validate_json(data, strict=True))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def types(events):
    return [event["type"].removeprefix("response.") for event in events]


def output(events):
    return events[-1]["response"]["output"]


def test_a_text_is_announced_told_and_told_as_a_whole():
    events = tell(Chunk(text="Ye", words=True), Chunk(text="s", words=True), Chunk(finish="stop"), Usage(3, 2))
    assert types(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    last = events[-1]["response"]
    assert (last["id"], last["model"], last["created_at"], last["status"]) == ("resp_a1", "gpt", 7, "completed")
    assert last["usage"]["total_tokens"] == 5
    (message,) = last["output"]
    assert message["content"] == [{"type": "output_text", "text": "Yes", "annotations": [], "logprobs": []}]
    assert {event["item_id"] for event in events if "item_id" in event} == {message["id"]}


def test_reasoning_is_told_as_a_summary_and_signed_at_its_end():
    signature = Chunk(part=Thinking("", "c2ln", "anthropic"))
    events = tell(
        Chunk(reasoning="Hm", words=True), Chunk(reasoning="."), signature, Chunk(text="a"), Chunk(finish="stop")
    )
    assert types(events)[2:9] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    reasoning, message = output(events)
    assert reasoning["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert reasoning["encrypted_content"] == "~fairlead:anthropic:c2ln"
    assert message["type"] == "message"


def test_reasoning_that_nobody_signed_is_marked_so_that_nobody_looks_it_up():
    (reasoning,) = output(tell(Chunk(reasoning="Hm."), Chunk(finish="stop")))
    assert reasoning["encrypted_content"] == "~fairlead::"


def test_a_signature_with_no_reasoning_before_it_stands_alone():
    text, signature = output(tell(Chunk(text="a"), Chunk(part=Thinking("", "c2ln", "gemini")), Chunk(finish="stop")))
    assert text["content"][0]["text"] == "a"
    assert (signature["summary"], signature["encrypted_content"]) == ([], "~fairlead:gemini:c2ln")


def test_this_providers_own_reasoning_keeps_its_name():
    hidden = Chunk(part=Thinking("", "gAAA=", "responses", redacted=True, id="rs_7"))
    (reasoning,) = output(tell(hidden, Chunk(finish="stop")))
    assert (reasoning["id"], reasoning["encrypted_content"]) == ("rs_7", "gAAA=")
    named = Chunk(part=Thinking("", "gAAA=", "responses", id="rs_7"))
    (reasoning,) = output(tell(Chunk(reasoning="Hm."), named, Chunk(finish="stop")))
    assert reasoning["id"] != "rs_7"
    assert reasoning["encrypted_content"] == '~fairlead:responses/id:["rs_7","gAAA="]'


def test_calls_may_be_told_in_turns():
    events = tell(
        Chunk(text="I look."),
        Chunk(tool=ToolDelta(0, "c1", "f")),
        Chunk(tool=ToolDelta(1, "c2", "g", "{", "c2ln", "gemini")),
        Chunk(tool=ToolDelta(0, arguments="{}")),
        Chunk(tool=ToolDelta(1, arguments="}")),
        Chunk(finish="tool_calls"),
    )
    message, first, signature, second = output(events)
    assert message["content"][0]["text"] == "I look."
    assert (first["call_id"], first["name"], first["arguments"], first["status"]) == ("c1", "f", "{}", "completed")
    assert (second["call_id"], second["arguments"]) == ("c2", "{}")
    assert signature["encrypted_content"] == '~fairlead:gemini/call:["c2","c2ln"]'
    assert types(events).count("function_call_arguments.done") == 2


def test_a_signature_that_comes_after_its_call_is_told():
    late = Chunk(tool=ToolDelta(0, signature="c2ln", origin="gemini"))
    _, signature = output(tell(Chunk(tool=ToolDelta(0, "c1", "f", "{}")), late, Chunk(finish="tool_calls")))
    assert signature["encrypted_content"] == '~fairlead:gemini/call:["c1","c2ln"]'


def test_a_refusal_is_told_beside_the_text():
    events = tell(Chunk(text="Well."), Chunk(refusal="I "), Chunk(refusal="can't."), Chunk(finish="stop"))
    (message,) = output(events)
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]
    assert message["content"][1]["refusal"] == "I can't."
    assert types(events).count("refusal.delta") == 2
    assert types(events).count("refusal.done") == 1


def test_log_probabilities_are_told_with_their_text():
    logprobs = Raw(b'{"content":[{"token":"Yes","logprob":-0.5,"bytes":null,"top_logprobs":[]}],"refusal":null}')
    events = tell(Chunk(text="Yes", logprobs=logprobs), Chunk(finish="stop"))
    token = {"token": "Yes", "logprob": -0.5, "bytes": [89, 101, 115], "top_logprobs": []}
    assert [event["logprobs"] for event in events if "logprobs" in event] == [[token], [token]]
    assert output(events)[0]["content"][0]["logprobs"] == [token]


def test_pictures_and_this_languages_own_items_are_told_whole():
    search = Raw(b'{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"a"}}')
    picture = Media(kind="image", media_type="image/jpeg", data="iVBORw0KGgo=")
    first, second = output(
        tell(Chunk(part=Opaque("web_search_call", search, "responses")), Chunk(part=picture), Chunk(finish="stop"))
    )
    assert first["id"] == "ws_1"
    assert (second["result"], second["output_format"]) == ("iVBORw0KGgo=", "jpeg")


def test_what_only_another_language_knows_is_left_out():
    sound = Media(kind="audio", media_type="audio/wav", data="UklGRg==")
    strange = Opaque("server_tool_use", Raw(b"{}"), "anthropic")
    assert output(tell(Chunk(part=sound), Chunk(part=strange), Chunk(part=Thinking("")), Chunk(finish="stop"))) == []


def test_only_the_first_of_several_samples_is_told():
    assert len(output(tell(Chunk(text="a"), Chunk(1, text="b"), Chunk(finish="stop")))[0]["content"][0]["text"]) == 1


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [("stop", "completed", None), ("length", "incomplete", "max_output_tokens"), (None, "incomplete", None)],
)
def test_no_finish_is_made_up(finish, status, reason):
    events = tell(Chunk(text="a"), *([Chunk(finish=finish)] if finish else []))
    response = events[-1]["response"]
    assert (events[-1]["type"], response["status"]) == (f"response.{status}", status)
    assert response["incomplete_details"] == (reason and {"reason": reason})
    assert response["usage"] is None
    if finish == "length":
        assert response["output"][-1]["status"] == "incomplete"


def test_a_stream_repeats_what_was_asked_for():
    request = responses.read_request("chat", b'{"model":"r","input":"x","stream":true,"instructions":"Be brief."}')
    writer = responses.StreamWriter(model="m", created=7, request=request)
    events = tell(Chunk(text="a"), Chunk(finish="stop"), writer=writer)
    assert [event["response"]["instructions"] for event in events if "response" in event] == ["Be brief."] * 3


def test_a_stream_that_breaks_fails_the_response_and_tells_why():
    writer = responses.StreamWriter(model="m", created=7)
    tell(Chunk(text="a"), Chunk(tool=ToolDelta(0, "c1", "f")), writer=writer, ends=False)
    body = responses.error_body(status=502, message="it died", type="upstream_error", code="stream_broken")
    failed, error = (json.loads(data) for _, data in Events().feed(writer.fail(body)))
    assert failed["type"] == "response.failed"
    assert failed["response"]["status"] == "failed"
    assert failed["response"]["error"] == {
        "code": "server_error",
        "message": "it died",
        "type": "stream_broken",
        "param": None,
    }
    assert [item["type"] for item in failed["response"]["output"]] == ["message"]
    EVENT.validate_python(failed)
    assert (error["type"], error["code"], error["message"]) == ("error", "stream_broken", "it died")
    assert error["error"]["type"] == "upstream_error"
    assert error["sequence_number"] == failed["sequence_number"] + 1
    assert writer.response() is None


def test_a_response_that_fails_before_its_first_word_begins_first():
    """The official library's accumulator knows no response that fails without having been created."""
    body = responses.error_body(status=429, message="too much", type="t", code="rate_limited")
    told = responses.StreamWriter(model="m", created=7).fail(body)
    events = [json.loads(data) for _, data in Events().feed(told)]
    assert [event["type"] for event in events] == [
        "response.created", "response.in_progress", "response.failed", "error",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == [0, 1, 2, 3]
    assert len({event["response"]["id"] for event in events[:3]}) == 1


# --- passed on -------------------------------------------------------------------------------------------------------


def block(name, **fields):
    return b"event: " + name.encode() + b"\ndata: " + json.dumps({"type": name, **fields}).encode() + b"\n\n"


def test_a_stream_in_this_language_goes_on_as_it_came():
    writer = responses.StreamWriter(model="m")
    whole = {"id": "resp_1", "output": [], "of_tomorrow": 1}
    blocks = [block("response.created", response={}), block("x"), block("response.completed", response=whole)]
    items = [Head("resp_1", "gpt", "", "responses", blocks[0]), Chunk(spoken=blocks[1]), Chunk(spoken=blocks[2])]
    assert [writer.write(item) for item in (*items, Usage(3, 2), Chunk(text="b"))] == [*blocks, b"", b""]
    assert writer.end() == b""
    assert json.loads(writer.response() or b"") == whole


def test_a_passed_stream_that_is_not_whole_has_no_response_and_can_fail():
    writer = responses.StreamWriter(model="m")
    writer.write(Head("resp_1", "gpt", "", "responses", block("response.created", response={})))
    assert writer.response() is None
    failed, _ = (json.loads(data) for _, data in Events().feed(writer.fail(b"{}")))
    assert (failed["response"]["id"], failed["sequence_number"]) == ("resp_1", 1)
    assert failed["response"]["error"]["message"] == "the stream broke"


def test_the_whole_response_is_kept_of_a_stream_that_was_written():
    writer = responses.StreamWriter(model="m")
    events = tell(Chunk(text="a"), Chunk(finish="stop"), writer=writer)
    assert json.loads(writer.response() or b"") == events[-1]["response"]
