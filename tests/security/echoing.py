"""A provider that repeats whatever it is told: in answers, in errors, in headers and in bodies that are broken.

What it does stands in the path of its base URL: `/STATUS/HOW/…`. It is the worst provider for whoever promises that
nobody's words are written down.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DEEP = 100_000
FIELDS = ("choices", "content", "candidates", "output", "results", "data", "usage", "error", "type")  # of any language


def _answer(said: str, path: str) -> Any:
    if path.endswith("/embeddings"):
        data = [{"index": 0, "embedding": [0.5], "object": "embedding"}]
        return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": json.dumps({"q": said})}}
    message = {"role": "assistant", "content": said, "reasoning_content": said, "tool_calls": [call]}
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls", "logprobs": None}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def _events(said: str) -> list[Any]:
    def event(delta: dict[str, Any], finish: str | None = None) -> Any:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}

    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": json.dumps([said])}}
    return [event({"role": "assistant", "content": said}), event({"tool_calls": [call]}), event({}, "tool_calls")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
        _, status, how, *_ = self.path.split("/")
        said = " ".join((sent, *(f"<{name.lower()}: {value}>" for name, value in self.headers.items()), self.path))
        match how:
            case "error":
                body = json.dumps({"error": {"message": said, "type": "invalid", "code": "bad", "param": said}})
                self._send(int(status), "application/json", body.encode())
            case "html":
                self._send(int(status), "text/html", f"<html>{said}".encode())
            case "cut":
                self._send(int(status), "application/json", json.dumps(_answer(said, self.path)).encode()[:-9])
            case "other":
                self._send(int(status), "application/json", json.dumps({"choices": [{"message": said}]}).encode())
            case "form":
                answer = _answer("", self.path)
                answer["choices"][0]["message"] = {
                    "role": "assistant",
                    "content": json.dumps({said: [said], "b": said}),
                }
                self._send(200, "application/json", json.dumps(answer).encode())
            case "deep":
                deep = DEEP * "[" + DEEP * "]"
                body = ", ".join(f'"{name}": {deep}' for name in FIELDS)
                if "stream" in sent or "stream" in self.path.lower():
                    self._stream([f"data: {{{body}}}"])
                else:
                    self._send(200, "application/json", f"{{{body}}}".encode())
            case "broken":
                self._stream([f"data: {json.dumps(event)}" for event in _events(said)[:1]] + [f"data: {{{said}"])
            case "error-event":
                error = {"error": {"message": said, "code": "bad"}}
                self._stream([f"data: {json.dumps(event)}" for event in (*_events(said)[:1], error)])
            case _ if '"stream":true' in sent.replace(" ", ""):
                self._stream([*(f"data: {json.dumps(event)}" for event in _events(said)), "data: [DONE]"])
            case _:
                self._send(int(status), "application/json", json.dumps(_answer(said, self.path)).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, lines: list[str]) -> None:
        self._send(200, "text/event-stream", "".join(f"{line}\n\n" for line in lines).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Who hangs up on what is said here does well."""


@contextmanager
def echoing() -> Iterator[str]:
    """Where it stands: `http://127.0.0.1:PORT`."""
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
