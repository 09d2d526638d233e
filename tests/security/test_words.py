"""Nobody's words and no secret are written down: not in logs, metrics, traces, rows, spools, or any file of data_dir.

A real server is asked by callers whose every field holds a word that stands nowhere else, through a provider that
repeats all that it is told. Then everything that was left is searched for the word.
"""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx

from journeys.door import Door, until
from security.conftest import HOWS, SECRET

WORD = "xylographic-canary"


def bodies(route: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A path and a body for every language, the word in every place that is a caller's."""
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": json.dumps({"a": WORD})}}
    tool = {
        "name": "look",
        "description": WORD,
        "parameters": {"type": "object", "properties": {WORD: {"enum": [WORD]}}},
    }
    schema = {"name": "s", "schema": {"type": "object", "properties": {WORD: {"const": WORD}}, "required": [WORD]}}
    yield (
        "/v1/chat/completions",
        {
            "model": route,
            "messages": [
                {"role": "system", "content": WORD},
                {"role": "user", "content": [{"type": "text", "text": WORD}]},
                {"role": "assistant", "content": WORD, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c", "content": WORD},
            ],
            "tools": [{"type": "function", "function": tool}],
            "user": WORD,
            "metadata": {WORD: WORD},
            "unheard_of": {WORD: WORD},
        },
    )
    form = {"type": "json_schema", "json_schema": schema}
    yield (
        "/v1/chat/completions",
        {"model": route, "messages": [{"role": "user", "content": WORD}], "response_format": form},
    )
    yield "/v1/completions", {"model": route, "prompt": WORD}
    yield "/v1/embeddings", {"model": route, "input": [WORD]}
    yield "/v1/responses", {"model": route, "input": WORD, "instructions": WORD, "metadata": {WORD: WORD}}
    yield "/v1/responses", {"model": route, "input": WORD, "previous_response_id": WORD}
    message = {"role": "user", "content": WORD}
    yield (
        "/v1/messages",
        {"model": route, "messages": [message], "system": WORD, "max_tokens": 9, "stop_sequences": [WORD]},
    )
    parts = {"contents": [{"role": "user", "parts": [{"text": WORD}]}]}
    yield f"/v1beta/models/{route}:generateContent", parts
    yield f"/model/{route}/converse", {"messages": [{"role": "user", "content": [{"text": WORD}]}]}


def spoilt() -> Iterator[tuple[str, bytes]]:
    """What is no request."""
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1beta/models/well:generateContent"):
        yield path, WORD.encode()
        yield path, b'{"messages": "' + WORD.encode()
        yield path, json.dumps({"model": "well", "messages": WORD, "input": {WORD: 1}, "contents": WORD}).encode()
        yield path, json.dumps({"model": "well", "messages": [{"role": WORD, "content": {WORD: WORD}}]}).encode()
        yield path, json.dumps({"model": "well", "messages": [{"role": "user", "content": [{"type": WORD}]}]}).encode()
        yield path, json.dumps({"model": "well", "messages": [], "max_tokens": WORD, "temperature": WORD}).encode()
    for url in (
        f"http://{WORD}/x",
        f"file:///{WORD}",
        f"https://{WORD}@example.com/{WORD}",
        f"https://127.0.0.1/{WORD}",
    ):
        image = [{"type": "image_url", "image_url": {"url": url, "detail": WORD}}]
        yield (
            "/v1/chat/completions",
            json.dumps({"model": "well", "messages": [{"role": "user", "content": image}]}).encode(),
        )


def left(door: Door) -> dict[str, bytes]:
    """Every file of the data directory and the log; the metrics; each row of the store as text."""
    found = {
        path.name: path.read_bytes() for path in door.folder.rglob("*") if path.is_file() and path.suffix != ".toml"
    }
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(door.folder / "data" / "admin.sock"))) as admin:
        for path in (
            "/metrics",
            "/api/calls?limit=100000",
            "/api/summary",
            "/api/status",
            "/api/config",
            "/api/engines",
        ):
            found[path] = admin.get(f"http://fairlead{path}").content
        for call in admin.get("http://fairlead/api/calls?limit=100000").json():
            found[call["id"]] = admin.get(f"http://fairlead/api/calls/{call['id']}").content
    with sqlite3.connect(door.folder / "data" / "fairlead.db") as books:
        for (table,) in books.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            found[f"table {table}"] = repr(books.execute(f'SELECT * FROM "{table}"').fetchall()).encode()
    return found


def where(found: dict[str, bytes], word: str) -> dict[str, str]:
    """The places that hold it, with what stands around it."""
    at = {name: text.lower().find(word.lower().encode()) for name, text in found.items()}
    return {name: repr(found[name][max(0, place - 150) : place + 80]) for name, place in at.items() if place >= 0}


def test_nobodys_words_and_no_secret_are_left_anywhere(door: Door) -> None:
    key = door.key("app")
    headers = {"authorization": f"Bearer {key.secret}", "x-custom": WORD, "cookie": WORD, "user-agent": WORD}
    asked = 0
    with httpx.Client(base_url=door.url, headers=headers, trust_env=False, timeout=60) as client:
        for route in (*HOWS, "all", "falls"):
            for path, body in bodies(route):
                said = client.post(path, json=body)
                assert said.is_success or SECRET not in said.text
                assert said.status_code < 600 and "something went wrong inside" not in said.text, said.text
                client.post(path, json={**body, "stream": True})
                asked += 2
        for path, raw in spoilt():
            assert "something went wrong inside" not in client.post(path, content=raw).text
        for strange in (f"Bearer {WORD}", WORD):
            said = client.post("/v1/chat/completions", json={}, headers={"authorization": strange, "x-api-key": WORD})
            assert said.status_code == 401 and WORD not in said.text
        client.post(f"/v1beta/models/well:generateContent?key={WORD}", json={})
    until(lambda: len(door.calls(key)) >= min(asked, 200))
    found = left(door)
    assert any(name.startswith("table attempt") for name in found)
    for word in (WORD, SECRET, key.secret, (door.folder / "data" / "admin.key").read_text()):
        places = where({name: text for name, text in found.items() if name != "admin.key"}, word)
        assert places == {}, json.dumps(places, indent=1)[:6000]
