"""Anthropic's language: streams, as they are told to callers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fairlead.chat import Chunk, Head, Media, Text, Thinking, ToolCall, ToolDelta, Usage
from fairlead.dialects import anthropic
from fairlead.errors import StreamBroken

HEAD = Head("m1", "model", dialect="openai")


def events(written: bytes):
    found = []
    for event in written.decode().split("\n\n")[:-1]:
        name, _, data = event.removeprefix("event: ").partition("\ndata: ")
        body = json.loads(data)
        assert body["type"] == name
        found.append(body)
    return found


def tell(*items, writer=None, head=HEAD):
    writer = writer or anthropic.StreamWriter(model="route", created=7)
    return events(b"".join(writer.write(item) for item in (head, *items)) + writer.end())


def blocks_of(told):
    """The content that a client puts together, as it must be: one block after the other."""
    blocks = []
    current = None
    for event in told:
        match event["type"]:
            case "content_block_start":
                assert current is None
                assert event["index"] == len(blocks)
                current = {**event["content_block"]}
            case "content_block_delta":
                assert current is not None
                assert event["index"] == len(blocks)
                delta = event["delta"]
                (field,) = set(delta) - {"type"}
                current[field] = delta[field] if field == "signature" else current.get(field, "") + delta[field]
            case "content_block_stop":
                assert current is not None
                blocks.append(current)
                current = None
    assert current is None
    for block in blocks:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block.pop("partial_json", "") or "{}")
    return blocks


def text(said):
    return {"type": "text", "text": said}


def call(id, name, **said):
    return {"type": "tool_use", "id": id, "name": name, "input": said}


def test_a_stream_of_reasoning_and_text():
    usage = Usage(10, 5, 3, 2, 1)
    told = tell(
        Chunk(reasoning="h", words=True),
        Chunk(reasoning="m", words=True),
        Chunk(text="h", words=True),
        Chunk(text="i", words=True),
        Chunk(finish="stop", stop="END"),
        usage,
    )
    assert told[0] == {
        "type": "message_start",
        "message": {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "model": "route",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 0,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": 0,
            },
        },
    }
    assert blocks_of(told) == [{"type": "thinking", "thinking": "hm", "signature": "~fairlead:openai:"}, text("hi")]
    assert told[-2] == {
        "type": "message_delta",
        "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"},
        "usage": {
            "input_tokens": 5,
            "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 3,
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 1},
        },
    }
    assert told[-1] == {"type": "message_stop"}


def test_words_are_told_at_once():
    writer = anthropic.StreamWriter()
    writer.write(HEAD)
    assert [event["type"] for event in events(writer.write(Chunk(text="a", words=True)))] == [
        "content_block_start",
        "content_block_delta",
    ]
    assert events(writer.write(Chunk(text='"\n', words=True))) == [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '"\n'}}
    ]


def test_a_head_without_an_id_gets_one():
    assert tell(head=Head())[0]["message"]["id"] == "msg_7"


def test_who_was_asked_is_told_as_who_answers_since_some_clients_keep_nothing_from_another():
    asked, unasked = anthropic.StreamWriter(model="route"), anthropic.StreamWriter()
    assert tell(writer=asked)[0]["message"]["model"] == "route"
    assert tell(writer=unasked)[0]["message"]["model"] == "model"


def test_arguments_are_told_as_they_come():
    writer = anthropic.StreamWriter()
    writer.write(HEAD)
    writer.write(Chunk(tool=ToolDelta(0, "a", "f"), words=True))
    (piece,) = events(writer.write(Chunk(tool=ToolDelta(0, arguments='{"x":'), words=True)))
    assert piece["delta"] == {"type": "input_json_delta", "partial_json": '{"x":'}


def test_calls_whose_pieces_are_mixed_come_one_after_the_other():
    told = tell(
        Chunk(tool=ToolDelta(0, "a", "f", '{"x":'), words=True),
        Chunk(tool=ToolDelta(1, "b", "g", '{"y":'), words=True),
        Chunk(text="and", words=True),
        Chunk(tool=ToolDelta(0, arguments="1}"), words=True),
        Chunk(tool=ToolDelta(1, arguments="2}"), words=True),
        Chunk(finish="tool_calls"),
    )
    assert blocks_of(told) == [call("a", "f", x=1), call("b", "g", y=2), text("and")]
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_later_call_need_not_wait_for_one_that_is_whole():
    writer = anthropic.StreamWriter()
    writer.write(HEAD)
    writer.write(Chunk(tool=ToolDelta(0, "a", "f", '{"x":1}'), words=True))
    begun = events(writer.write(Chunk(tool=ToolDelta(1, "b", "g", '{"y"'), words=True)))
    assert [event["type"] for event in begun] == ["content_block_stop", "content_block_start", "content_block_delta"]


def test_a_call_waits_for_its_name():
    told = tell(
        Chunk(tool=ToolDelta(0, "a"), words=True),
        Chunk(tool=ToolDelta(0, arguments='{"x":1}'), words=True),
        Chunk(tool=ToolDelta(0, name="f"), words=True),
        Chunk(finish="tool_calls"),
    )
    assert blocks_of(told) == [call("a", "f", x=1)]


def test_servers_that_number_all_calls_alike_are_understood():
    told = tell(
        Chunk(tool=ToolDelta(0, "a", "f", '{"x":1}'), words=True),
        Chunk(tool=ToolDelta(0, "b", "g", '{"y":2}'), words=True),
        Chunk(finish="tool_calls"),
    )
    assert blocks_of(told) == [call("a", "f", x=1), call("b", "g", y=2)]


def test_calls_without_ids_get_some_and_those_without_arguments_an_empty_input():
    told = tell(
        Chunk(tool=ToolDelta(0, None, "f"), words=True),
        Chunk(tool=ToolDelta(1, "b", "g"), words=True),
        Chunk(finish="stop"),
    )
    assert blocks_of(told) == [call("toolu_m1_0", "f"), call("b", "g")]
    assert told[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_piece_for_a_call_that_was_told_as_whole_breaks_the_stream():
    writer = anthropic.StreamWriter()
    writer.write(HEAD)
    writer.write(Chunk(tool=ToolDelta(0, "a", "f", "{}"), words=True))
    writer.write(Chunk(text="x", words=True))
    assert writer.write(Chunk(tool=ToolDelta(0, arguments=" "), words=True)) == b""
    with pytest.raises(StreamBroken):
        writer.write(Chunk(tool=ToolDelta(0, arguments="x"), words=True))


def test_parts_that_come_whole_are_blocks_of_their_own():
    image = Media(kind="image", media_type="image/png", data="AAAA")
    told = tell(
        Chunk(text="a", words=True),
        Chunk(part=image, words=True),
        Chunk(part=Text("b"), words=True),
        Chunk(part=Thinking("hm", "s", "anthropic"), words=True),
        Chunk(part=ToolCall("t", "f", '{"x":1}'), words=True),
        Chunk(part=Media(kind="audio", data="AAAA"), words=True),
        Chunk(finish="stop"),
    )
    assert blocks_of(told) == [
        text("a"),
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        text("b"),
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        call("t", "f", x=1),
    ]


def test_a_refusal_is_told_at_the_end():
    told = tell(Chunk(refusal="I ", words=True), Chunk(refusal="can't.", words=True), Chunk(finish="stop"))
    assert told[-2]["delta"] == {
        "stop_reason": "refusal",
        "stop_sequence": None,
        "stop_details": {"type": "refusal", "category": None, "explanation": "I can't."},
    }


def test_no_finish_is_made_up():
    told = tell(Chunk(text="a", words=True))
    assert told[-2]["delta"] == {"stop_reason": None, "stop_sequence": None}


def test_of_several_choices_the_first_is_told():
    told = tell(Chunk(text="a", words=True), Chunk(index=1, text="b", words=True), Chunk(finish="stop"))
    assert blocks_of(told) == [text("a")]


def test_an_error_amid_a_stream_is_an_event():
    body = anthropic.error_body(status=529, message="m", type="t", code="c")
    (event,) = events(anthropic.StreamWriter().fail(body))
    assert event["type"] == "error"


def test_another_writers_events_are_not_said_twice():
    writer = anthropic.StreamWriter()
    head = Head("m", "model", dialect="anthropic", spoken=b"event: message_start\ndata: {}\n\n")
    assert writer.write(head) == head.spoken
    assert writer.write(Chunk(text="x", words=True)) == b""
    assert writer.write(Usage(1, 1)) == b""
    assert writer.end() == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


PIECES = some.lists(
    some.one_of(
        some.builds(lambda said: ("text", said), some.text(min_size=1, max_size=5)),
        some.builds(lambda said: ("reasoning", said), some.text(min_size=1, max_size=5)),
        some.builds(
            lambda said, cut: ("call", json.dumps({"x": said}), cut), some.text(max_size=5), some.integers(0, 9)
        ),
        some.just(("rest",)),
    ),
    max_size=12,
)


@given(PIECES)
def test_whatever_order_the_pieces_come_in_nothing_is_lost(pieces):
    chunks, rests, calls = [], [], []
    for kind, *said in pieces:
        match kind:
            case "call":
                arguments, cut = said
                slot = len(calls)
                calls.append(arguments)
                chunks.append(Chunk(tool=ToolDelta(slot, f"c{slot}", "f", arguments[:cut]), words=True))
                rests.append(Chunk(tool=ToolDelta(slot, arguments=arguments[cut:]), words=True))
            case "rest":
                chunks += rests
                rests = []
            case _:
                chunks.append(Chunk(**{kind: said[0]}, words=True))
    blocks = blocks_of(tell(*chunks, *rests, Chunk(finish="stop")))
    for kind, field in (("text", "text"), ("thinking", "reasoning")):
        assert "".join(block[kind] for block in blocks if block["type"] == kind) == "".join(
            getattr(chunk, field) for chunk in chunks
        )
    uses = [block for block in blocks if block["type"] == "tool_use"]
    assert [(use["id"], use["input"]) for use in uses] == [
        (f"c{slot}", json.loads(arguments)) for slot, arguments in enumerate(calls)
    ]
