"""Each language's endpoints over one backend: answers, streams, errors, heartbeats and counts in its own shape."""

import json
from typing import Any

import pytest

from fairlead.chat import Answer, Chunk, Head, Ranked, Said, Text
from fairlead.errors import StreamBroken, TargetFailed, TargetOverloaded
from server.client import KEY, Client, ask, one
from server.languages import ANTHROPIC, BEDROCK, GEMINI, LANGUAGES, OPENAI, RESPONSES, Language
from world import USAGE, World, caller, route, target, words

HELLO = Answer(id="a1", model="m-1", said=(Said((Text("hello"),), "stop"),), finish="stop", usage=USAGE)

every_language = pytest.mark.parametrize("language", LANGUAGES, ids=[one.name for one in LANGUAGES])


def stream(client: Client, language: Language, **how: Any) -> tuple[int, dict[str, str], bytes]:
    return ask(client, language.stream_path, language.stream_body, **how)


# --- answers ---------------------------------------------------------------------------------------------------------


@every_language
def test_an_answer_comes_in_the_language_that_was_asked_in(language: Language) -> None:
    status, headers, body = ask(one(HELLO), language.path, language.body)
    assert status == 200 and headers["content-type"] == "application/json"
    assert language.words(json.loads(body)) == "hello"
    assert headers["x-fairlead-target"] == "a" and headers["x-fairlead-cost-usd"] == "0.00012"


@every_language
def test_a_stream_comes_piece_by_piece_and_to_its_end(language: Language) -> None:
    status, headers, body = stream(one(words("hel", "lo")), language)
    events = language.events(body)
    assert status == 200 and language.said(events) == "hello" and language.ends(events)
    assert len([1 for name, data in events if language.piece(name, data)]) == 2
    frames = "application/vnd.amazon.eventstream"
    assert headers["content-type"] == (frames if language is BEDROCK else "text/event-stream; charset=utf-8")


@every_language
def test_the_id_of_the_call_is_where_the_languages_clients_look_for_it(language: Language) -> None:
    client = one(HELLO)
    _, headers, _ = ask(client, language.path, language.body)
    names = {"anthropic": "request-id", "bedrock": "x-amzn-requestid"}
    assert headers[names.get(language.name, "x-request-id")] == headers["x-fairlead-call"]
    assert headers["x-fairlead-call"] == client.world.spool.calls()[0].call


def test_what_a_provider_calls_a_request_is_told() -> None:
    line = TargetFailed("500", request_id="req_theirs")
    assert ask(one(line), OPENAI.path, OPENAI.body)[1]["x-fairlead-upstream-id"] == "req_theirs"
    assert "x-fairlead-upstream-id" not in ask(one(HELLO), OPENAI.path, OPENAI.body)[1]


# --- errors ----------------------------------------------------------------------------------------------------------


@every_language
@pytest.mark.parametrize(
    ("status", "code", "how"),
    [
        (400, "malformed_json", {"body": b"{"}),
        (401, "key_missing", {"key": ""}),
        (401, "key_unknown", {"key": "fl_nobodys"}),
        (404, "route_not_found", {"route": "nope"}),
        (429, "target_overloaded", {"line": TargetOverloaded("slow down", retry_after_s=7)}),
        (502, "target_failed", {"line": TargetFailed("500")}),
    ],
)
def test_an_error_has_the_languages_shape_and_our_code(
    language: Language, status: int, code: str, how: dict[str, Any]
) -> None:
    path, body = language.with_route(how.get("route", "r"))
    sent = {name: how[name] for name in ("body", "key") if name in how}
    got, headers, raw = ask(one(how.get("line", HELLO)), path, **{"body": body, **sent})
    told = json.loads(raw)
    assert (got, language.kind(told)) == (status, language.errors[status])
    assert code in raw.decode().lower() and headers["content-type"] == "application/json"
    assert ("retry-after" in headers) == (status == 429)
    if language is BEDROCK:
        assert headers["x-amzn-errortype"] == told["__type"]


@every_language
def test_a_stream_that_could_not_begin_has_a_status_of_its_own(language: Language) -> None:
    status, _, body = stream(one(TargetFailed("500")), language)
    assert (status, language.kind(json.loads(body))) == (502, language.errors[502])


@every_language
def test_a_broken_stream_ends_with_an_error_and_without_its_end(language: Language) -> None:
    line = [Head(model="m"), Chunk(text="hel", words=True), StreamBroken("cut off")]
    status, _, body = stream(one(line), language)
    events = language.events(body)
    assert status == 200 and language.said(events[:-1]) == "hel"
    assert "stream_broken" in json.dumps(events[-1]).lower()
    assert not is_ended(language, body)


def is_ended(language: Language, body: bytes) -> bool:
    """Whether a client would take it for a whole answer."""
    marks = {
        "openai": "[DONE]",
        "responses": "response.completed",
        "anthropic": "message_stop",
        "gemini": "finishReason",
        "bedrock": "messageStop",
    }
    return marks[language.name].encode() in body


# --- while nothing is said -------------------------------------------------------------------------------------------

BEATS = {
    "openai": b": still waiting for the first word\n\n",
    "responses": b": still waiting for the first word\n\n",
    "anthropic": b'event: ping\ndata: {"type": "ping"}\n\n',
}


def thinking(*then: object) -> Client:
    return Client(World([route(target("a"), heartbeat_s=0.01)], {"a": [0.05, *then]}))


@every_language
def test_while_a_model_thinks_a_caller_hears_what_his_clients_pass_over(language: Language) -> None:
    status, _, body = stream(thinking(*words("hello")), language)
    beat = BEATS.get(language.name, b"")
    assert status == 200 and body.startswith(beat * 2)
    assert language.said(language.events(body)) == "hello"
    if not beat:
        assert b"waiting" not in body and b"ping" not in body


@every_language
def test_a_failure_after_a_heartbeat_is_an_error_in_the_stream(language: Language) -> None:
    status, _, body = stream(thinking(TargetFailed("500")), language)
    if language.name not in BEATS:  # nothing was sent, so there still is a status
        assert (status, language.kind(json.loads(body))) == (502, language.errors[502])
        return
    assert status == 200 and "target_failed" in json.dumps(language.events(body)[-1])
    assert not is_ended(language, body)


# --- paths that are not served ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "language", "hint"),
    [
        ("POST", "/v1/audio/speech", OPENAI, "audio is not served"),
        ("POST", "/v1/v1/chat/completions", OPENAI, "one /v1"),
        ("POST", "/chat/completions", OPENAI, "ends in /v1"),
        ("POST", "/openai/deployments/x/chat/completions", OPENAI, "Azure"),
        ("POST", "/v1/deployments/x/chat/completions", OPENAI, "Azure"),
        ("POST", "/v2/chat", OPENAI, "rerank"),
        ("GET", "/v1/nothing", OPENAI, "GET /v1/models"),
        ("GET", "/v1/responses/resp_1", RESPONSES, "continued"),
        ("POST", "/v1/conversations", RESPONSES, "previous_response_id"),
        ("POST", "/v1/messages/batches", ANTHROPIC, "batches"),
        ("GET", "/v1/messages", ANTHROPIC, "count_tokens"),
        ("POST", "/v1/v1/messages", ANTHROPIC, "no path"),
        ("POST", "/v1beta/models/r:predict", GEMINI, "generateContent"),
        ("POST", "/v1beta/models/r", GEMINI, "generateContent"),
        ("POST", "/v1/models/r:predict", GEMINI, "generateContent"),
        ("POST", "/v1beta/cachedContents", GEMINI, "caches"),
        ("POST", "/v1beta1/projects/p/models/r:generateContent", GEMINI, "vertexai"),
        ("POST", "/model/r/invoke", BEDROCK, "/converse"),
        ("GET", "/model/r/converse", BEDROCK, "/converse"),
    ],
)
def test_a_path_that_is_not_served_says_what_is_in_the_language_of_who_asks(
    method: str, path: str, language: Language, hint: str
) -> None:
    status, _, body = ask(one(HELLO), path, {}, method=method)
    assert (status, language.kind(json.loads(body))) == (404, language.errors[404])
    assert "unsupported_endpoint" in body.decode().lower() and hint in body.decode()


@pytest.mark.parametrize(
    ("method", "path", "taken"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("PUT", "/v1/models/r", "GET, POST"),
        ("PATCH", "/v1/responses/resp_1", "DELETE"),
        ("DELETE", "/healthz", "GET"),
    ],
)
def test_another_method_is_told_which_ones_there_are(method: str, path: str, taken: str) -> None:
    status, _, body = ask(one(HELLO), path, {}, method=method)
    assert status == 404 and f"it takes {taken}" in json.loads(body)["error"]["message"]


def test_a_gemini_stream_must_be_one_of_events() -> None:
    status, _, body = ask(one(HELLO), "/v1beta/models/r:streamGenerateContent", GEMINI.body)
    assert status == 400 and "alt=sse" in body.decode()


def test_google_answers_at_its_newer_path_too_and_takes_names_with_slashes_and_colons() -> None:
    world = World([route(target("a"), name="team/r:1")], {"a": HELLO})
    for stem in ("/v1", "/v1beta"):
        status, _, body = ask(Client(world), f"{stem}/models/team/r:1:generateContent", GEMINI.body)
        assert (status, GEMINI.words(json.loads(body))) == (200, "hello")
    assert ask(Client(world), "/model/team/r:1/converse", BEDROCK.body)[0] == 200


@every_language
def test_a_server_that_shuts_down_answers_what_raced_in(language: Language) -> None:
    client = one(HELLO)
    client.listener.draining = True
    status, _, body = ask(client, language.path, language.body)
    assert (status, language.words(json.loads(body))) == (200, "hello")


# --- keys ------------------------------------------------------------------------------------------------------------


@every_language
@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-goog-api-key", "api-key"])
def test_a_key_is_found_in_whichever_header_a_client_has_for_it(language: Language, header: str) -> None:
    said = f"Bearer {KEY}" if header == "authorization" else KEY
    assert ask(one(HELLO), language.path, language.body, key="", headers={header: said})[0] == 200


def test_a_key_in_the_url_is_not_taken() -> None:
    assert ask(one(HELLO), f"{GEMINI.path}?key={KEY}", GEMINI.body, key="")[0] == 401


# --- counts ----------------------------------------------------------------------------------------------------------

COUNTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "responses": ("/v1/responses/input_tokens", RESPONSES.body, "input_tokens"),
    "anthropic": ("/v1/messages/count_tokens", ANTHROPIC.body, "input_tokens"),
    "gemini": ("/v1beta/models/r:countTokens", GEMINI.body, "totalTokens"),
    "bedrock": ("/model/r/count-tokens", {"input": {"converse": BEDROCK.body}}, "inputTokens"),
}


@pytest.mark.parametrize("language", COUNTS)
@pytest.mark.parametrize("estimated", [False, True])
def test_tokens_are_counted_for_nothing_and_an_estimate_is_told(language: str, estimated: bool) -> None:
    path, body, name = COUNTS[language]
    client = one(Answer(tokens=12, estimated=estimated))
    status, headers, told = ask(client, path, body)
    assert (status, json.loads(told)[name]) == (200, 12)
    assert headers.get("x-fairlead-estimated") == ("true" if estimated else None)
    assert headers["x-fairlead-cost-usd"] == "0.00" and client.world.spool.calls()[0].task == "count"


def test_tokens_that_a_target_did_not_count_are_told_to_be_estimated() -> None:
    quiet = Answer(id="a1", model="m-1", said=HELLO.said, finish="stop", usage=None)
    assert ask(one(quiet), OPENAI.path, OPENAI.body)[1]["x-fairlead-estimated"] == "true"
    assert "x-fairlead-estimated" not in ask(one(HELLO), OPENAI.path, OPENAI.body)[1]


# --- losses ----------------------------------------------------------------------------------------------------------


@every_language
def test_what_was_left_out_of_a_request_is_told(language: Language) -> None:
    dropped = Answer(id="a1", model="m-1", said=HELLO.said, finish="stop", usage=USAGE, dropped=("seed", "top_k"))
    assert ask(one(dropped), language.path, language.body)[1]["x-fairlead-dropped"] == "seed, top_k"
    head, *rest = words("hello")
    assert isinstance(head, Head)
    line = [Head(model=head.model, dropped=("seed",)), *rest]
    assert stream(one(line), language)[1]["x-fairlead-dropped"] == "seed"


@pytest.mark.parametrize("hostile", ["a\r\nset-cookie: b=c", "a\nb", "naïve", "a, b", "\x00", "x" * 5000])
def test_no_name_of_a_field_breaks_out_of_the_header(hostile: str) -> None:
    dropped = Answer(id="a1", model="m-1", said=HELLO.said, usage=USAGE, dropped=(hostile, "seed"))
    _, headers, _ = ask(one(dropped), OPENAI.path, OPENAI.body)
    told = headers["x-fairlead-dropped"]
    assert told.isascii() and told.isprintable() and len(told) < 200
    assert told.split(", ")[1:] == ["seed"] and "set-cookie" not in headers


def test_many_losses_are_not_a_header_without_end() -> None:
    dropped = Answer(id="a1", model="m-1", said=HELLO.said, usage=USAGE, dropped=tuple(map(str, range(1000))))
    assert len(ask(one(dropped), OPENAI.path, OPENAI.body)[1]["x-fairlead-dropped"].split(", ")) == 32


# --- models ----------------------------------------------------------------------------------------------------------


def two_routes() -> Client:
    world = World([route(target("a")), route(target("a"), name="team/s"), route(target("a"), name="hidden")], {})
    return Client(world, by=caller(routes=("r", "team/s")))


def test_anthropics_clients_get_the_models_in_their_shape() -> None:
    version = {"anthropic-version": "2023-06-01"}
    _, _, body = ask(two_routes(), "/v1/models", method="GET", headers=version)
    listed = json.loads(body)
    assert [(model["type"], model["id"]) for model in listed["data"]] == [("model", "r"), ("model", "team/s")]
    assert listed["has_more"] is False
    _, _, body = ask(two_routes(), "/v1/models/team/s", method="GET", headers=version)
    assert json.loads(body)["type"] == "model"
    status, _, body = ask(two_routes(), "/v1/models/hidden", method="GET", headers=version)
    assert (status, ANTHROPIC.kind(json.loads(body))) == (404, "not_found_error")


@pytest.mark.parametrize(
    ("stem", "headers"),
    [
        ("/v1beta/models", {}),
        ("/v1/models", {"x-goog-api-key": KEY}),
        ("/v1/models", {"x-goog-api-client": "google-genai-sdk/3.4.0"}),
    ],
)
def test_googles_clients_get_the_models_in_their_shape(stem: str, headers: dict[str, str]) -> None:
    listed = json.loads(ask(two_routes(), stem, method="GET", headers=headers)[2])
    assert [model["name"] for model in listed["models"]] == ["models/r", "models/team/s"]
    assert "generateContent" in listed["models"][0]["supportedGenerationMethods"]
    model = json.loads(ask(two_routes(), f"{stem}/team/s", method="GET", headers=headers)[2])
    assert model["name"] == "models/team/s"
    status, _, body = ask(two_routes(), f"{stem}/hidden", method="GET", headers=headers)
    assert (status, GEMINI.kind(json.loads(body))) == (404, "NOT_FOUND")


# --- other tasks -----------------------------------------------------------------------------------------------------


def test_googles_clients_get_one_vector_or_several() -> None:
    vectors = Answer(model="m-1", vectors=((0.5, 1.0),), usage=USAGE)
    content = {"content": {"parts": [{"text": "hi"}]}}
    body = json.loads(ask(one(vectors), "/v1beta/models/r:embedContent", content)[2])
    assert body["embedding"]["values"] == [0.5, 1.0]
    several = {"requests": [{"model": "models/r", **content}]}
    body = json.loads(ask(one(vectors), "/v1beta/models/r:batchEmbedContents", several)[2])
    assert [one["values"] for one in body["embeddings"]] == [[0.5, 1.0]]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_documents_are_ranked_wherever_a_client_asks(path: str) -> None:
    ranked = Answer(model="m-1", ranking=(Ranked(1, 0.9), Ranked(0, 0.1)), usage=USAGE)
    body = {"model": "r", "query": "q", "documents": ["a", "b"]}
    results = json.loads(ask(one(ranked), path, body)[2])["results"]
    assert [(result["index"], result["relevance_score"]) for result in results] == [(1, 0.9), (0, 0.1)]
    status, _, told = ask(one(ranked), path, {**body, "model": "nope"})
    assert (status, json.loads(told)["error"]["code"]) == (404, "route_not_found")
