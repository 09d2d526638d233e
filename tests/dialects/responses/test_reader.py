"""OpenAI's Responses: a target's stream, one event at a time."""

import json

import pytest

from fairlead import errors
from fairlead.chat import Chunk, Head, Media, Opaque, Thinking, ToolDelta, Usage
from fairlead.dialects import responses

CREATED = ("response.created", {"response": {"id": "resp_1", "model": "gpt", "status": "in_progress", "output": []}})
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "content": []}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": ""}
USAGE = {"input_tokens": 3, "output_tokens": 2}


def event(name, **fields):
    return name, json.dumps({"type": name, **fields}).encode()


def text(delta, place=0):
    return event("response.output_text.delta", output_index=place, content_index=0, delta=delta, logprobs=[])


def added(item, place=0):
    return event("response.output_item.added", output_index=place, item=item)


def done(item, place=0):
    return event("response.output_item.done", output_index=place, item=item)


def whole(*texts):
    return {**MESSAGE, "content": [{"type": "output_text", "text": said, "annotations": []} for said in texts]}


def end(*output, status="completed", usage=USAGE, **more):
    response = {"id": "resp_1", "model": "gpt", "status": status, "output": output, "usage": usage, "error": None}
    return event(f"response.{status}", response={**response, **more})


BEGIN = event(CREATED[0], **CREATED[1])


def read(*events, full=True, begun=True, **more):
    """The items after the Head, without what was spoken."""
    reader = responses.StreamReader(full, **more)
    items = [item for name, data in ((BEGIN, *events) if begun else events) for item in reader.read(name, data)]
    items += reader.close()
    assert isinstance(items[0], Head)
    return [without_spoken(item) for item in items[1:]]


def without_spoken(item):
    return (
        Chunk(**{name: getattr(item, name) for name in item.__struct_fields__ if name != "spoken"})
        if isinstance(item, Chunk)
        else item
    )


def said(*events, **more):
    """Only what tells something."""
    return [item for item in read(*events, **more) if item != Chunk()]


@pytest.mark.parametrize("full", [False, True])
def test_every_event_is_spoken_exactly_once_with_its_name(full):
    events = [BEGIN, event("response.in_progress"), added(MESSAGE), text("Yes"), done(whole("Yes")), end(whole("Yes"))]
    reader = responses.StreamReader(full)
    items = [reader.read(name, data) for name, data in events]
    assert [[item.spoken for item in group if item.spoken is not None] for group in items] == [
        [b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"] for name, data in events
    ]
    assert items[0] == (Head("resp_1", "gpt", "", "responses", items[0][0].spoken),)
    assert items[-1][-1] == Usage(3, 2)


def test_an_event_without_a_name_goes_on_without_one_but_for_the_last():
    reader = responses.StreamReader()
    for name in ("", "message"):
        (first, *_) = reader.read(name, text("a")[1])
        assert first.spoken is not None
        assert first.spoken.startswith(b"data: {")
    (last, _) = reader.read("message", end()[1])
    assert last.spoken is not None
    assert last.spoken.startswith(b"event: response.completed\ndata: ")


def test_data_of_several_lines_stays_so():
    (head,) = responses.StreamReader().read("x", b'{"a":1,\n"b":2}')
    assert head.spoken == b'event: x\ndata: {"a":1,\ndata: "b":2}\n\n'


def test_for_the_books_words_and_the_end_are_known():
    events = [added(CALL), text("Yes"), event("response.code_interpreter_call.in_progress"), done(CALL), end(CALL)]
    items = read(*events, full=False)
    assert [item.words for item in items if isinstance(item, Chunk)] == [True, True, False, False, False]
    assert [item.finish for item in items if isinstance(item, Chunk)][-1] == "tool_calls"
    assert items[-1] == Usage(3, 2)


def test_text_comes_in_pieces():
    events = [added(MESSAGE), text("Ye"), text("s"), event("response.output_text.done"), done(whole("Yes"))]
    assert said(*events) == [Chunk(text="Ye", words=True), Chunk(text="s", words=True)]


def test_log_probabilities_come_with_their_text():
    token = {"token": "Yes", "logprob": -0.5, "top_logprobs": []}
    (chunk,) = said(event("response.output_text.delta", output_index=0, delta="Yes", logprobs=[token]))
    assert json.loads(bytes(chunk.logprobs)) == {"content": [token], "refusal": None}


def test_what_came_in_no_piece_is_told_when_the_item_is_done():
    assert said(done(whole("Yes", "!"))) == [Chunk(text="Yes!", words=True)]
    assert said(text("Ye"), done(whole("Yes"))) == [Chunk(text="Ye", words=True), Chunk(text="s", words=True)]
    assert said(text("No"), done(whole("Yes"))) == [Chunk(text="No", words=True)]
    assert said(done({**CALL, "arguments": "{}"})) == [
        Chunk(tool=ToolDelta(0, "c1", "f"), words=True),
        Chunk(tool=ToolDelta(0, arguments="{}"), words=True),
    ]
    refusal = {**MESSAGE, "content": [{"type": "refusal", "refusal": "I can't."}]}
    assert said(done(refusal)) == [Chunk(refusal="I can't.", words=True)]


def test_a_server_that_only_tells_the_end_is_heard():
    items = said(end(whole("Yes")))
    assert items == [Chunk(text="Yes", words=True), Chunk(finish="stop"), Usage(3, 2)]


def test_a_refusal_comes_in_pieces():
    refusal = {**MESSAGE, "content": [{"type": "refusal", "refusal": "I can't."}]}
    events = [event("response.refusal.delta", output_index=0, delta="I can't."), done(refusal)]
    assert said(*events) == [Chunk(refusal="I can't.", words=True)]


def test_calls_come_in_pieces_each_in_its_slot():
    def arguments(delta, place):
        return event("response.function_call_arguments.delta", output_index=place, item_id="any", delta=delta)

    other = {**CALL, "call_id": "c2", "name": "g"}
    events = [added(CALL, 1), arguments("{", 1), added(other, 2), arguments("{}", 2), arguments("}", 1)]
    events += [done({**CALL, "arguments": "{}"}, 1), done({**other, "arguments": "{}"}, 2)]
    assert said(*events) == [
        Chunk(tool=ToolDelta(0, "c1", "f"), words=True),
        Chunk(tool=ToolDelta(0, arguments="{"), words=True),
        Chunk(tool=ToolDelta(1, "c2", "g"), words=True),
        Chunk(tool=ToolDelta(1, arguments="{}"), words=True),
        Chunk(tool=ToolDelta(0, arguments="}"), words=True),
    ]


def test_a_calls_signature_finds_it_before_and_after():
    signature = {"type": "reasoning", "id": "rs_1", "summary": []}
    signature["encrypted_content"] = '~fairlead:gemini/call:["c1","c2ln"]'
    (first,) = said(added(signature), done(signature), added(CALL, 1))
    assert first == Chunk(tool=ToolDelta(0, "c1", "f", "", "c2ln", "gemini"), words=True)
    _, second = said(added(CALL, 0), done(signature, 1))
    assert second == Chunk(tool=ToolDelta(0, signature="c2ln", origin="gemini"))


def reasoning(*summary, **more):
    texts = [{"type": "summary_text", "text": said} for said in summary]
    return {"type": "reasoning", "id": "rs_1", "summary": texts, **more}


def summary(delta, part=0):
    return event("response.reasoning_summary_text.delta", output_index=0, summary_index=part, delta=delta)


def test_a_summary_comes_in_pieces_and_then_its_signature():
    events = [added(reasoning()), summary("One"), summary("."), summary("Two.", 1)]
    events += [done(reasoning("One.", "Two.", encrypted_content="gAAA="))]
    assert said(*events, origin="azure") == [
        Chunk(reasoning="One", words=True),
        Chunk(reasoning=".", words=True),
        Chunk(reasoning="\n\nTwo.", words=True),
        Chunk(part=Thinking("", "gAAA=", "azure", id="rs_1")),
    ]


def test_reasoning_that_is_told_bare_is_heard_once():
    def bare(delta):
        return event("response.reasoning_text.delta", output_index=0, content_index=0, delta=delta)

    item = reasoning("Hm.", content=[{"type": "reasoning_text", "text": "Hm."}])
    assert said(bare("Hm."), summary("Hm."), done(item)) == [Chunk(reasoning="Hm.", words=True)]


def test_hidden_reasoning_comes_whole():
    (chunk,) = said(added(reasoning()), done(reasoning(encrypted_content="gAAA=")))
    assert chunk == Chunk(part=Thinking("", "gAAA=", "responses", redacted=True, id="rs_1"))


def test_pictures_and_items_of_the_provider_come_whole():
    picture = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBORw0KGgo="}
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    first, second = said(added(picture), done(picture), done(search, 1))
    assert first.part == Media(kind="image", media_type="image/png", data="iVBORw0KGgo=")
    assert isinstance(second.part, Opaque)
    assert json.loads(bytes(second.part.raw)) == search


@pytest.mark.parametrize("full", [False, True])
def test_the_end_says_why(full):
    cut = {"incomplete_details": {"reason": "max_output_tokens"}}
    assert said(end(whole("a"), status="incomplete", **cut), full=full)[-2:] == [Chunk(finish="length"), Usage(3, 2)]
    assert said(added(CALL), done(CALL), end(usage=None), full=full)[-1] == Chunk(finish="tool_calls")


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("last", [end(whole("Yes")), end(status="incomplete", incomplete_details={"reason": "new"})])
def test_a_stream_is_complete_with_its_last_event_alone(full, last):
    reader = responses.StreamReader(full)
    for name, data in (BEGIN, added(MESSAGE), text("Yes"), done(whole("Yes"))):
        reader.read(name, data)
        assert not reader.complete
    reader.read(*last)
    assert reader.complete


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("name", "fields", "kind"),
    [
        ("error", {"code": "rate_limit_exceeded", "message": "slow down"}, errors.TargetOverloaded),
        ("error", {"error": {"code": "server_error", "message": "oops"}}, errors.TargetFailed),
        (
            "response.failed",
            {"response": {"id": "r", "error": {"code": "invalid_prompt", "message": "no"}}},
            errors.TargetRejected,
        ),
    ],
)
def test_an_error_in_the_stream_is_typed(full, name, fields, kind):
    reader = responses.StreamReader(full)
    reader.read(*BEGIN)
    with pytest.raises(kind):
        reader.read(*event(name, **fields))
    assert not reader.complete


def test_an_error_without_a_type_is_one_too():
    with pytest.raises(errors.TargetFailed):
        responses.StreamReader().read("", b'{"error":{"message":"oops"}}')


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"type":7}', b'{"type":"x","a":"\xff"}'])
def test_what_can_not_be_read_breaks_the_stream(full, data):
    reader = responses.StreamReader(full)
    reader.read(*BEGIN)
    with pytest.raises(errors.StreamBroken):
        reader.read("x", data)


@pytest.mark.parametrize("full", [False, True])
def test_an_end_whose_output_can_not_be_read_breaks_the_stream(full):
    with pytest.raises(errors.StreamBroken):
        read(text("Yes."), end("Yes."), full=full)


def test_log_probabilities_of_a_piece_that_are_no_list_are_none():
    name, data = text("Yes.")
    assert said((name, data[:-1] + b',"logprobs":"AAAA"}'))[0].logprobs is Chunk().logprobs


@pytest.mark.parametrize("full", [False, True])
def test_events_of_tomorrow_only_go_on(full):
    assert said(event("response.of_tomorrow", delta={"a": 1}, item={"type": "new"}), full=full) == []


@pytest.mark.parametrize("full", [False, True])
def test_nulls_are_nothing(full):
    odd = event("response.output_text.delta", output_index=None, delta=None, logprobs=None)
    begun = event("response.created", response={"id": None, "model": None, "output": None, "usage": None})
    assert said(begun, odd, end(usage=None, tool_usage=None), full=full, begun=False) == [Chunk(finish="stop")]


def test_an_end_mark_of_chat_completions_goes_on():
    assert said(("message", b"[DONE]")) == []
