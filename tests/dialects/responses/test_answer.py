"""OpenAI's Responses: whole answers, heard from a target and told to a caller, and the small bodies beside them."""

import json

import pytest
from msgspec import Raw
from msgspec.structs import replace
from openai.types.responses import Response

from fairlead import errors
from fairlead.chat import Answer, Media, Opaque, Said, Text, Thinking, ToolCall, Usage
from fairlead.dialects import responses

TEXT = {"type": "output_text", "text": "Yes.", "annotations": []}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [TEXT]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"}
SUMMARY = [{"type": "summary_text", "text": "Hm."}]


def body(*output, status="completed", **more):
    said = {"id": "resp_1", "object": "response", "model": "gpt", "status": status, "output": output, "error": None}
    return json.dumps({**said, **more}).encode()


def heard(*output, full=True, origin="responses", **more):
    return responses.read_answer(body(*output, **more), full=full, origin=origin)


def told(*parts, created=1, request=None, usage=None, **said):
    answer = Answer(id="a1", model="m", said=(Said(parts, **{"finish": "stop"} | said),), usage=usage)
    written = responses.write_answer(answer, created=created, request=request)
    Response.model_validate_json(written, strict=True)
    return json.loads(written)


# --- heard -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True])
def test_an_answer_is_read_for_the_books(full):
    answer = heard(MESSAGE, full=full)
    assert (answer.id, answer.model, answer.dialect, answer.finish) == ("resp_1", "gpt", "responses", "stop")
    assert answer.spoken == body(MESSAGE)
    assert bool(answer.said) is full


def test_items_are_heard_in_their_order():
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": SUMMARY, "encrypted_content": "gAAA="}
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    (said,) = heard(reasoning, search, MESSAGE, CALL).said
    assert said.parts[0] == Thinking("Hm.", "gAAA=", "responses", id="rs_1")
    assert isinstance(said.parts[1], Opaque)
    assert (said.parts[1].kind, json.loads(bytes(said.parts[1].raw))) == ("web_search_call", search)
    assert said.parts[2:] == (Text("Yes."), ToolCall("c1", "f", "{}"))
    assert said.finish == "tool_calls"


def test_reasoning_is_signed_by_whoever_is_asked_there():
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA="}
    (said,) = heard(reasoning, MESSAGE, origin="azure").said
    assert said.parts[0] == Thinking("", "gAAA=", "azure", redacted=True, id="rs_1")


def test_reasoning_that_nobody_signed_is_text():
    content = [{"type": "reasoning_text", "text": "Hm."}]
    for item in ({"summary": SUMMARY}, {"summary": [], "content": content}):
        (said,) = heard({"type": "reasoning", "id": "rs_1", **item}).said
        assert said.parts == (Thinking("Hm."),)
    assert heard({"type": "reasoning", "id": "rs_1", "summary": []}).said[0].parts == ()


def test_a_refusal_is_no_text():
    (said,) = heard({**MESSAGE, "content": [{"type": "refusal", "refusal": "I can't."}]}).said
    assert (said.text, said.refusal, said.finish) == (None, "I can't.", "stop")


def test_pictures_are_media_where_they_are_whole():
    item = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "output_format": "jpeg"}
    (said,) = heard({**item, "result": "iVBORw0KGgo="}).said
    assert said.parts == (Media(kind="image", media_type="image/jpeg", data="iVBORw0KGgo="),)
    for result in (None, "?"):
        assert isinstance(heard({**item, "result": result}).said[0].parts[0], Opaque)


def test_log_probabilities_are_kept_in_the_houses_form():
    token = {"token": "Yes", "logprob": -0.5, "bytes": [89, 101, 115], "top_logprobs": []}
    (said,) = heard({**MESSAGE, "content": [{**TEXT, "logprobs": [token]}, {**TEXT, "logprobs": []}]}).said
    assert said.logprobs is not None
    assert json.loads(bytes(said.logprobs)) == {"content": [token], "refusal": None}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("status", "reason", "finish"),
    [
        ("completed", None, "stop"),
        ("incomplete", "max_output_tokens", "length"),
        ("incomplete", "content_filter", "content_filter"),
        ("incomplete", "of_tomorrow", "incomplete"),
        ("queued", None, "queued"),
        ("in_progress", None, "in_progress"),
    ],
)
def test_no_finish_is_made_up(full, status, reason, finish):
    answer = heard(MESSAGE, full=full, status=status, incomplete_details=reason and {"reason": reason})
    assert answer.finish == finish
    known = finish in ("stop", "length", "content_filter")
    assert [said.finish for said in answer.said] == ([finish if known else None] if full else [])


@pytest.mark.parametrize("full", [False, True])
def test_tokens_are_counted(full):
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }
    assert heard(MESSAGE, full=full, usage=usage).usage == Usage(10, 5, 4, 3, 2)
    assert heard(MESSAGE, full=full).usage is None
    beside = {**usage, "total_tokens": 17}
    assert heard(MESSAGE, full=full, usage=beside).usage == Usage(10, 7, 4, 3, 2)


@pytest.mark.parametrize("full", [False, True])
def test_an_odd_usage_makes_no_answer_unreadable(full):
    odd = {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": [], "output_tokens_details": "none"}
    assert heard(MESSAGE, full=full, usage=odd, tool_usage=7).usage == Usage(10, 5)
    assert heard(MESSAGE, full=full, usage={**odd, "input_tokens": "10"}).usage is None
    assert heard(MESSAGE, full=full, usage=[], id=None, model=None).usage is None


@pytest.mark.parametrize(
    ("usage", "more"),
    [
        ({}, {"tool_usage": {"web_search": {"num_requests": 3}}}),
        ({"server_side_tool_usage_details": {"web_search_calls": 3}}, {}),
        ({"tool_calls_details": {"search_web": {"invocation": 3}}}, {}),
    ],
)
def test_searches_are_counted_where_the_provider_tells_them(usage, more):
    counted = heard(MESSAGE, usage={"input_tokens": 1, "output_tokens": 1, **usage}, **more).usage
    assert counted is not None
    assert counted.details == {"web_searches": 3}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow down"}, errors.TargetOverloaded),
        ({"code": "server_error", "message": "oops"}, errors.TargetFailed),
        ({"code": "invalid_prompt", "message": "no"}, errors.TargetRejected),
        ({"code": "image_too_large", "message": "no"}, errors.TargetRejected),
        ({"code": "bio_policy", "message": "no"}, errors.TargetRejected),
    ],
)
def test_a_response_that_failed_is_an_error(error, kind):
    with pytest.raises(kind) as caught:
        responses.read_answer(body(status="failed", error=error))
    assert error["message"] in caught.value.message
    assert caught.value.dialect == "responses"


@pytest.mark.parametrize("said", [b"", b"<html>", b"[]", b'{"id":"x"}', b'{"output":[7]}', b'{"output":["\xff"]}'])
@pytest.mark.parametrize("full", [False, True])
def test_what_is_no_response_is_unclear(said, full):
    with pytest.raises(errors.TargetUnclear):
        responses.read_answer(said, full=full)


def test_an_item_that_can_not_be_read_makes_the_answer_unclear():
    with pytest.raises(errors.TargetUnclear):
        heard({"type": "function_call", "call_id": "c1", "arguments": "{}"})


@pytest.mark.parametrize("odd", ["AAAA", {"a": 1}, True, 7, [], None])
def test_log_probabilities_that_are_no_list_are_none(odd):
    (said,) = heard({**MESSAGE, "content": [{**TEXT, "logprobs": odd}]}).said
    assert said.logprobs is None


# --- told ------------------------------------------------------------------------------------------------------------


def test_an_answer_in_this_language_goes_on_as_it_came():
    answer = responses.read_answer(body(MESSAGE))
    assert responses.write_answer(answer, created=1) == body(MESSAGE)


def test_every_part_becomes_an_item_with_an_id_of_its_own():
    parts = (
        Thinking("Hm.", "c2ln", "anthropic"),
        Text("a"),
        Text("b"),
        ToolCall("c1", "f", "{}", "c2ln", "gemini"),
        Media(kind="image", media_type="image/png", data="iVBORw0KGgo="),
    )
    said = told(*parts, finish="tool_calls")
    assert [item["type"] for item in said["output"]] == [
        "reasoning",
        "message",
        "reasoning",
        "function_call",
        "image_generation_call",
    ]
    assert [item["id"].partition("_")[0] for item in said["output"]] == ["rs", "msg", "rs", "fc", "ig"]
    assert len({item["id"] for item in said["output"]}) == 5
    assert all(len(item["id"]) <= 64 for item in said["output"])
    assert [part["text"] for part in said["output"][1]["content"]] == ["a", "b"]
    assert said == told(*parts, finish="tool_calls")  # the same answer, the same ids


def test_ids_come_of_the_providers_own():
    assert told(Text("a"))["id"] == "resp_a1"
    own = Answer(id="resp_7", said=(Said((Text("a"),), "stop"),))
    assert json.loads(responses.write_answer(own, created=1))["id"] == "resp_7"
    nameless = replace(own, id="")
    first, second = (json.loads(responses.write_answer(nameless, created=1))["id"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
        (None, "incomplete", None),
    ],
)
def test_the_finish_is_a_status(finish, status, details):
    said = told(Text("a"), finish=finish)
    assert (said["status"], said["incomplete_details"]) == (status, details)
    assert said["output"][-1]["status"] == status


def test_a_refusal_stands_in_the_message():
    said = told(Text("Well."), refusal="I can't.")
    assert said["output"][0]["content"][1] == {"type": "refusal", "refusal": "I can't."}
    assert told(refusal="I can't.")["output"][0]["content"] == [{"type": "refusal", "refusal": "I can't."}]


def test_log_probabilities_stand_with_the_text_and_have_bytes():
    logprobs = Raw(b'{"content":[{"token":"\xc3\xa4","logprob":-0.5}],"refusal":null}')
    (content,) = told(Text("ä"), logprobs=logprobs)["output"][0]["content"]
    assert content["logprobs"] == [{"token": "ä", "logprob": -0.5, "bytes": [195, 164], "top_logprobs": []}]


def test_tokens_are_told():
    assert told(Text("a"), usage=Usage(10, 5, 4, 3, 2))["usage"] == {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }


def test_a_response_repeats_what_was_asked_for():
    asked = {
        "instructions": "Be brief.",
        "temperature": 0.5,
        "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "metadata": {"a": "b"},
        "text": {"format": {"type": "json_object"}},
        "reasoning": {"effort": "low"},
        "max_output_tokens": 9,
        "store": False,
    }
    request = responses.read_request("chat", json.dumps({"model": "r", "input": "x", "top_p": None, **asked}).encode())
    said = told(Text("a"), request=request, created=7)
    assert {name: said[name] for name in asked} == asked
    assert (said["created_at"], said["top_p"]) == (7, 1.0)
    plain = told(Text("a"))
    assert (plain["tools"], plain["tool_choice"], plain["parallel_tool_calls"]) == ([], "auto", True)


def test_an_error_has_openais_shape():
    said = responses.error_body(
        status=400, message="no", type="invalid_request_error", code="c", param="input[0]", hint="h", extra={"rule": 1}
    )
    assert json.loads(said)["error"] == {
        "message": "no",
        "type": "invalid_request_error",
        "code": "c",
        "param": "input[0]",
        "hint": "h",
        "rule": 1,
    }


def test_counts_are_told_and_heard():
    assert json.loads(responses.count_body(7)) == {"object": "response.input_tokens", "input_tokens": 7}
    assert responses.read_count_answer(responses.count_body(7)) == 7
    for said in (b"{}", b"", b'{"input_tokens":"7"}'):
        with pytest.raises(errors.TargetUnclear):
            responses.read_count_answer(said)
