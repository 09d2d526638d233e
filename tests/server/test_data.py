"""The data listener without sockets: what each kind of request gets, and that the books are right whatever happens."""

import json
from typing import Any

import pytest

from fairlead.chat import Chunk, Head
from fairlead.errors import StreamBroken, TargetFailed, TargetOverloaded, TargetRejected, TargetUnreachable
from fairlead.gateway.call import Limit, Retry
from fairlead.server.cors import Cors
from pipe import responses
from server.client import CHAT, KEY, Client, ask, code, one
from world import World, caller, route, said, target, words


def test_an_answer_is_passed_on_byte_for_byte_with_its_labels() -> None:
    client = one(said('{"weird":  1}'))
    status, headers, body = ask(client)
    assert (status, body) == (200, b'{"weird":  1}')
    assert headers["x-fairlead-target"] == "a" and headers["x-fairlead-cost-usd"] == "0.00012"
    assert headers["x-fairlead-call"] == client.world.spool.calls()[0].call


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({"body": b"{"}, 400, "malformed_json"),
        ({"body": b"\xff\xfe"}, 400, "malformed_json"),
        ({"body": {**CHAT, "messages": "hi"}}, 400, "invalid_request"),
        ({"body": {**CHAT, "stream": "yes"}}, 400, "invalid_request"),
        ({"body": {**CHAT, "model": "nope"}}, 404, "route_not_found"),
        ({"body": b"[" * 9000}, 400, "invalid_request"),
        ({"body": b"x" * 10_001}, 413, "body_too_large"),
        ({"headers": {"content-length": "99999"}}, 413, "body_too_large"),
        ({"headers": {"content-encoding": "gzip"}}, 400, "invalid_request"),
        ({"key": ""}, 401, "key_missing"),
        ({"headers": {"authorization": "Bearer "}}, 401, "key_missing"),
        ({"key": "fl_other"}, 401, "key_unknown"),
        ({"key": "fl_dead"}, 401, "key_revoked"),
        ({"path": "/v1/audio/speech"}, 404, "unsupported_endpoint"),
        ({"path": "/v1/responses", "method": "GET"}, 404, "unsupported_endpoint"),
        ({"path": "/chat/completions"}, 404, "unsupported_endpoint"),
        ({"path": "/v1/models", "method": "DELETE"}, 404, "unsupported_endpoint"),
    ],
)
def test_bad_input_gets_openais_error_shape_with_a_code_and_a_hint(
    changes: dict[str, Any], status: int, expected: str
) -> None:
    client = one(said())
    got, _, body = ask(client, **changes)
    assert (got, code(body)) == (status, expected)
    error = json.loads(body)["error"]
    assert error["hint"] and error["message"] and error["type"] and "param" in error
    assert client.world.table.asked == []


def test_a_stream_waits_for_its_first_word_so_that_failures_have_a_status() -> None:
    status, headers, body = ask(one(TargetFailed("500")), body={**CHAT, "stream": True})
    assert (status, code(body)) == (502, "target_failed") and headers["x-fairlead-call"]
    broken = [Head(model="m"), Chunk(words=False), StreamBroken("cut")]
    assert ask(one(broken), body={**CHAT, "stream": True})[0] == 502


def test_a_stream_that_breaks_ends_with_an_error_event_and_no_end_mark() -> None:
    broken = [Head(model="m"), Chunk(text="hi", words=True), StreamBroken("cut")]
    status, headers, body = ask(one(broken), body={**CHAT, "stream": True})
    assert status == 200 and headers["content-type"].startswith("text/event-stream")
    events = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    assert json.loads(events[-1])["error"]["code"] == "stream_broken"
    assert "[DONE]" not in body.decode() and '"finish_reason":"stop"' not in body.decode()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("line", [words("hi"), TargetFailed("500"), TargetRejected("bad", status=400)])
def test_who_has_the_end_of_a_response_finds_its_call_in_the_books(line: object, stream: bool) -> None:
    client = one(line if stream or not isinstance(line, list) else said())
    closed_at_the_end: list[bool] = []
    came = bytearray()

    def seen(data: bytes) -> None:
        came.extend(data)
        if responses(came)[-1].whole:
            closed_at_the_end.append(len(client.world.spool.calls()) == 1)

    client.seen = seen
    ask(client, body={**CHAT, "stream": stream})
    assert closed_at_the_end == [True]


def test_a_stream_hides_usage_that_nobody_asked_for() -> None:
    for wanted in (False, True):
        body = {**CHAT, "stream": True, "stream_options": {"include_usage": wanted}}
        _, _, out = ask(one(words("hi")), body=body)
        assert (b'"prompt_tokens":100' in out) == wanted
        assert out.endswith(b"data: [DONE]\n\n")


def test_while_a_model_thinks_the_stream_says_so_and_may_still_fall_back() -> None:
    slow = [0.05, TargetFailed("500")]
    world = World([route(target("a"), target("b"), heartbeat_s=0.01)], {"a": slow, "b": words("hi")})
    status, _, body = ask(Client(world), body={**CHAT, "stream": True})
    assert status == 200 and body.startswith(b": ") and b'"hi"' in body
    world = World([route(target("a"), heartbeat_s=0.01)], {"a": slow})
    status, _, body = ask(Client(world), body={**CHAT, "stream": True})
    assert status == 200 and b'"code":"target_failed"' in body and b"[DONE]" not in body


def test_who_hangs_up_stops_the_work_and_is_booked() -> None:
    client = one([Head(model="m"), Chunk(text="hi", words=True), 5.0])
    ask(client, body={**CHAT, "stream": True}, hang_up_after=1)
    assert client.world.spool.calls()[0].status == "cancelled"
    assert client.world.spool.outcomes()[0].outcome == "cancelled"
    assert client.listener.gateway.ledger.open_calls == 0


def test_a_providers_own_4xx_is_passed_on_where_the_language_is_the_same() -> None:
    rejected = TargetRejected("bad", status=422, body=b'{"error":{"message":"theirs"}}', dialect="openai")
    assert ask(one(rejected))[::2] == (422, b'{"error":{"message":"theirs"}}')
    rejected = TargetRejected("bad", status=400, body=b'{"type":"error"}', dialect="anthropic")
    status, _, body = ask(one(rejected))
    assert status == 400 and code(body) == "target_rejected"


def test_limits_tell_when_to_try_again() -> None:
    status, headers, _ = ask(one(TargetOverloaded("429", retry_after_s=1.2)))
    assert (status, headers["retry-after"]) == (429, "2")
    tight = Limit("key:k1:nusd:day", "key tests", "nusd", 10, "day")
    client = Client(World([route(target("a"))], {"a": said()}), by=caller(limits=(tight,)))
    status, _, body = ask(client)
    error = json.loads(body)["error"]
    assert (status, error["code"], error["amount_nusd"]) == (402, "budget_exhausted", 10)


def test_clients_are_told_whether_asking_again_is_of_use() -> None:
    spent = Client(World([route(target("a"), retry=Retry(backoff_s=0.0))], {"a": TargetFailed("500")}))
    status, headers, _ = ask(spent)
    assert (status, headers["x-should-retry"]) == (502, "false") and len(spent.world.spool.intents()) == 3
    two = (target("a"), target("b"))
    busy = TargetOverloaded("429", retry_after_s=2.5)
    both = Client(World([route(*two, retry=Retry(backoff_s=0.0))], {"a": busy, "b": TargetFailed("500")}))
    status, headers, _ = ask(both)
    assert (status, headers["x-should-retry"], headers["retry-after"]) == (502, "false", "3")
    assert headers["retry-after-ms"] == "2500"
    status, headers, _ = ask(one(TargetFailed("500")))
    assert status == 502 and "x-should-retry" not in headers  # a route that asks once leaves it to the client
    for amount, told in ((1, "true"), (0, "false")):
        places = Limit("key:k1:requests:minute", "key tests", "requests", amount, "minute")
        client = Client(World([route(target("a"))], {"a": said()}), by=caller(limits=(places,)))
        ask(client)
        status, headers, _ = ask(client)
        assert (status, headers["x-should-retry"], "retry-after" in headers) == (429, told, told == "true")


def test_a_caller_may_name_a_deadline_of_its_own() -> None:
    client = one(said())
    assert ask(client, headers={"x-fairlead-timeout-s": "2.5"})[0] == 200
    assert client.world.table.asked[0].target.timeouts.total_s <= 2.5
    assert ask(client, headers={"x-fairlead-timeout-s": "900"})[0] == 200
    assert client.world.table.asked[1].target.timeouts.total_s == pytest.approx(600, abs=60)  # the route's


@pytest.mark.parametrize("said_s", ["", "0", "-1", "nan", "inf", "1e3", "2,5", "5s", "86401", "٣", "1" * 400])
def test_a_deadline_that_is_none_is_refused(said_s: str) -> None:
    client = one(said())
    status, _, body = ask(client, headers={"x-fairlead-timeout-s": said_s})
    assert (status, json.loads(body)["error"]["param"]) == (400, "x-fairlead-timeout-s")
    assert client.world.table.asked == []


def test_models_are_the_routes_that_the_caller_may_use() -> None:
    world = World([route(target("a")), route(target("a"), name="s")], {})
    status, _, body = ask(Client(world, by=caller(routes=("s",))), "/v1/models", method="GET")
    assert status == 200 and [model["id"] for model in json.loads(body)["data"]] == ["s"]


def test_one_model_is_shown_to_who_may_use_it() -> None:
    world = World([route(target("a"), name="team/s"), route(target("a"), name="hidden")], {})
    client = Client(world, by=caller(routes=("team/s",)))
    assert json.loads(ask(client, "/v1/models/team/s", method="GET")[2])["id"] == "team/s"
    status, _, body = ask(client, "/v1/models/hidden", method="GET")
    assert (status, code(body)) == (404, "route_not_found")


def test_a_bug_is_no_ones_business_but_the_logs() -> None:
    def bug(_: object) -> object:
        raise ZeroDivisionError("secret inside")

    client = one(bug)
    status, _, body = ask(client)
    assert status == 500 and b"secret" not in body
    assert client.world.spool.calls()[0].status == "failed" and client.world.held() == 0


def test_the_trace_is_passed_on_or_minted() -> None:
    client = one(said())
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    ask(client, headers={"traceparent": trace, "x-fairlead-tags": "blue, team-x,,", "x-fairlead-session": "s1"})
    ask(client, headers={"traceparent": "nonsense"})
    first, second = client.world.table.asked
    assert first.trace[3:35] == "a" * 32 and first.trace[36:52] != "b" * 16
    assert len(second.trace) == 55 and second.trace[3:35] != "a" * 32
    call = client.world.spool.calls()[0]
    assert call.tags == ("blue", "team-x") and call.session == "s1"


def test_health_needs_no_key_and_a_draining_server_says_so() -> None:
    client = one(said())
    assert ask(client, "/healthz", method="GET", key="")[0] == 200
    status, _, body = ask(client, "/readyz", method="GET", key="")
    assert status == 200 and json.loads(body)["config"] == "c0ffee"
    client.listener.draining = True
    assert ask(client, "/readyz", method="GET", key="")[0] == 503
    assert ask(client)[0] == 200  # who asked before it could be known is answered
    assert ask(client, "/metrics", method="GET", key="")[0] == 404


def test_open_metrics_are_not_for_a_web_page_whose_name_points_here() -> None:
    async def metrics() -> bytes:
        return b"fairlead_up 1"

    client = one(said())
    client.listener.metrics = metrics
    of = {"path": "/metrics", "method": "GET", "key": ""}
    assert ask(client, **of, headers={"host": "127.0.0.1:4000"})[0] == 200
    assert ask(client, **of, headers={"host": "evil.example:4000"})[0] == 404


# --- HTTP ------------------------------------------------------------------------------------------------------------

PAGE = "https://app.example.com"
LISTED = {"origin": PAGE}
ASKING = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}


def test_head_is_answered_where_get_is() -> None:
    status, headers, body = ask(one(said()), "/healthz", method="HEAD", key="", body=b"")
    assert (status, headers["content-length"], body) == (200, "15", b"")
    assert ask(one(said()), "/v1/models", method="HEAD", key="", body=b"")[0] == 401
    assert ask(one(said()), method="HEAD", body=b"")[0] == 404


def test_options_tells_the_methods_of_a_path() -> None:
    status, headers, body = ask(one(said()), "/v1/chat/completions", method="OPTIONS", key="", body=b"")
    assert (status, headers["allow"], body) == (204, "POST, OPTIONS", b"") and "content-length" not in headers
    assert ask(one(said()), "*", method="OPTIONS", key="", body=b"")[0] == 204
    assert ask(one(said()), "/nowhere", method="OPTIONS", key="", body=b"")[0] == 404


def test_a_web_page_may_nothing_unless_its_origin_is_listed() -> None:
    client = one(said())
    for origins in ((), ("https://other.example",)):
        client.listener.cors = Cors(origins) if origins else None
        for how in ({"method": "OPTIONS", "body": b"", "headers": LISTED | ASKING}, {"headers": LISTED}):
            _, headers, _ = ask(client, **how)
            assert not [name for name in headers if name.startswith("access-control")]
            assert headers.get("vary") == ("origin" if origins else None)


def test_a_listed_page_is_told_that_it_may_and_reads_answers_and_errors() -> None:
    client = one(said())
    client.listener.cors = Cors((PAGE,))
    status, headers, _ = ask(client, method="OPTIONS", key="", body=b"", headers=LISTED | ASKING)
    assert (status, headers["access-control-allow-origin"]) == (204, PAGE)
    assert headers["access-control-allow-methods"] == "POST"
    assert headers["access-control-allow-headers"] == "authorization, content-type"
    for key, status in ((KEY, 200), ("fl_wrong", 401)):
        got, headers, _ = ask(client, key=key, headers=LISTED)
        assert (got, headers["access-control-allow-origin"], headers["vary"]) == (status, PAGE, "origin")
        assert "access-control-allow-credentials" not in headers


def test_what_a_page_asks_for_stands_in_no_header_where_it_is_no_name() -> None:
    client = one(said())
    client.listener.cors = Cors((PAGE,))
    odd = LISTED | {"access-control-request-method": "POST", "access-control-request-headers": 'a"; b=<c>'}
    _, headers, _ = ask(client, method="OPTIONS", key="", body=b"", headers=odd)
    assert headers["access-control-allow-headers"] == "authorization, content-type"


def test_a_body_is_not_read_before_its_key_is_known() -> None:
    client = one(said())
    status, headers, _ = ask(
        client, key="fl_wrong", body=b"", headers={"content-length": "9999", "expect": "100-continue"}
    )
    assert (status, headers["connection"]) == (401, "close")


def test_an_error_of_a_kind_that_no_table_knows_is_told_as_the_kind_above_it() -> None:
    class Unheard(TargetUnreachable):
        pass

    status, _, body = ask(one(Unheard("it closed the connection as we asked")))
    assert (status, code(body)) == (502, "target_unreachable")
