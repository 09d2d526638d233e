"""What is nested without end is a mistake of whoever sent it: it ends no process, and no bug answers."""

import json
from typing import Any

import httpx
import pytest

from journeys.door import Door
from security.conftest import KINDS

DEEP = 100_000
NESTED = "[" * DEEP + "]" * DEEP
OBJECTS = '{"a":' * DEEP + "1" + "}" * DEEP
BODIES = {
    "/v1/chat/completions": [
        '{"model": "ROUTE", "messages": HERE}',
        '{"model": "ROUTE", "messages": [{"role": "user", "content": HERE}]}',
        '{"model": "ROUTE", "messages": [{"role": "user", "content": "x"}], "tools": HERE}',
        '{"model": "ROUTE", "messages": [{"role": "user", "content": "x"}], "metadata": HERE}',
        '{"model": "ROUTE", "messages": [{"role": "user", "content": "x"}], "response_format":'
        ' {"type": "json_schema", "json_schema": {"name": "x", "schema": HERE}}}',
        '{"model": "ROUTE", "messages": [{"role": "assistant", "tool_calls": [{"id": "c", "type": "function",'
        ' "function": {"name": "f", "arguments": TEXT}}]}]}',
    ],
    "/v1/completions": ['{"model": "ROUTE", "prompt": HERE}'],
    "/v1/embeddings": ['{"model": "ROUTE", "input": HERE}'],
    "/v1/rerank": ['{"model": "ROUTE", "query": "x", "documents": HERE}'],
    "/v1/responses": [
        '{"model": "ROUTE", "input": HERE}',
        '{"model": "ROUTE", "input": "x", "text": {"format": HERE}}',
        '{"model": "ROUTE", "input": "x", "tools": [{"type": "function", "name": "f", "parameters": HERE}]}',
    ],
    "/v1/messages": [
        '{"model": "ROUTE", "max_tokens": 9, "messages": HERE}',
        '{"model": "ROUTE", "max_tokens": 9, "messages": [{"role": "user", "content": HERE}]}',
        '{"model": "ROUTE", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],'
        ' "tools": [{"name": "f", "input_schema": HERE}]}',
    ],
    "/v1beta/models/ROUTE:generateContent": [
        '{"contents": HERE}',
        '{"contents": [{"role": "user", "parts": [{"text": "x"}]}], "generationConfig": {"responseSchema": HERE}}',
        '{"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": HERE}}]}]}',
    ],
    "/model/ROUTE/converse": [
        '{"messages": HERE}',
        '{"messages": [{"role": "user", "content": [{"text": "x"}]}], "toolConfig": HERE}',
        '{"messages": [{"role": "user", "content": [{"text": "x"}]}], "additionalModelRequestFields": HERE}',
    ],
}


@pytest.fixture(scope="module")
def client(door: Door) -> httpx.Client:
    secret = door.key("deep").secret
    return httpx.Client(base_url=door.url, headers={"authorization": f"Bearer {secret}"}, trust_env=False, timeout=60)


def is_told(said: httpx.Response) -> bool:
    """Whether it is an answer or somebody's mistake, but no bug of ours."""
    return said.status_code != 500 and "something went wrong inside" not in said.text


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("nested", [NESTED, OBJECTS], ids=["arrays", "objects"])
def test_a_request_that_is_nested_without_end_is_its_callers_mistake(
    path: str, nested: str, client: httpx.Client
) -> None:
    for route in ("well", *(f"deep-{kind}" for kind in KINDS)):
        for body in BODIES[path]:
            sent = body.replace("ROUTE", route).replace("HERE", nested).replace("TEXT", json.dumps(nested))
            said = client.post(path.replace("ROUTE", route), content=sent)
            assert is_told(said), (route, body, said.text[:500])


@pytest.mark.parametrize("text", [NESTED, OBJECTS], ids=["arrays", "objects"])
@pytest.mark.parametrize("path", BODIES)
def test_a_body_that_is_nothing_else_is_malformed(path: str, text: str, client: httpx.Client) -> None:
    said = client.post(path.replace("ROUTE", "well"), content=text)
    assert said.status_code == 400, said.text[:500]


def requests() -> dict[str, dict[str, Any]]:
    user = [{"role": "user", "content": "x"}]
    return {
        "/v1/chat/completions": {"messages": user},
        "/v1/embeddings": {"input": "x"},
        "/v1/rerank": {"query": "x", "documents": ["y"]},
        "/v1/responses": {"input": "x"},
        "/v1/messages": {"messages": user, "max_tokens": 9},
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_is_nested_without_end_is_its_targets_mistake(kind: str, client: httpx.Client) -> None:
    for path, body in requests().items():
        for stream in (False, True):
            said = client.post(path, json={"model": f"deep-{kind}", "stream": stream, **body})
            assert is_told(said), (path, stream, said.text[:500])


def test_after_all_that_the_server_stands(door: Door, client: httpx.Client) -> None:
    before = door.status().workers
    assert client.get("/v1/models").status_code == 200
    assert "starting another" not in (door.folder / "serve.log").read_text()
    assert len(before) == 1
