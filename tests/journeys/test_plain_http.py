"""What travels over plain HTTP: curl's request, the headers of an answer, traces."""

import http.client
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from typing import Any

import pytest

from fairlead.server.office import KeyMade
from journeys.door import Door, say

pytestmark = pytest.mark.engine
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BODY = json.dumps({"model": "chat", "messages": say("hi"), "max_tokens": 4})


def post(door: Door, key: KeyMade, body: str = BODY, path: str = "/v1/chat/completions", **headers: str) -> Any:
    request = urllib.request.Request(
        door.url + path,
        body.encode(),
        {"Authorization": f"Bearer {key.secret}", "Content-Type": "application/json", **headers},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(request, timeout=30)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_gets_its_answer(door: Door, key: KeyMade) -> None:
    command = ["curl", "-sS", "--noproxy", "*", f"{door.url}/v1/chat/completions", "-d", BODY]
    command += ["-H", f"Authorization: Bearer {key.secret}", "-H", "Content-Type: application/json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(done.stdout)["usage"]["completion_tokens"] == 4


def test_the_callers_trace_goes_on_into_the_books(door: Door, key: KeyMade) -> None:
    with post(door, key, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01") as answer:
        call = door.call(answer.headers["x-fairlead-call"]).call
    version, trace, span, flags = call.trace.split("-")
    assert (version, trace, flags) == ("00", TRACE, "01")
    assert span != "00f067aa0ba902b7"


def test_a_trace_is_begun_where_the_caller_had_none(door: Door, key: KeyMade) -> None:
    with post(door, key) as answer:
        trace = door.call(answer.headers["x-fairlead-call"]).call.trace.split("-")[1]
    assert len(trace) == 32
    assert int(trace, 16)


def test_an_endpoint_that_is_not_served_says_so(door: Door, key: KeyMade) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(door, key, path="/v1/images/generations")
    said = json.loads(caught.value.read())["error"]
    assert (caught.value.code, said["code"]) == (404, "unsupported_endpoint")


def test_broken_json_is_refused_in_openais_shape(door: Door, key: KeyMade) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(door, key, body='{"model": "chat", ')
    said = json.loads(caught.value.read())["error"]
    assert (caught.value.code, said["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/nothing", 404), ("DELETE", "/api/keys", 405)])
def test_the_admin_listener_refuses_in_the_same_shape(door: Door, method: str, path: str, status: int) -> None:
    line = http.client.HTTPConnection("fairlead")
    line.sock = socket.socket(socket.AF_UNIX)
    line.sock.connect(str(door.folder / "data" / "admin.sock"))
    line.request(method, path)
    answer = line.getresponse()
    error = json.loads(answer.read())["error"]
    assert (answer.status, error["code"]) == (status, "not_found") and error["hint"]
    line.close()
