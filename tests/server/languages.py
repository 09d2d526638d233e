"""How callers of each language ask and read, for tests of the endpoints: rows, and what turns bytes into words."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from fairlead.wire.eventstream import Frames

Events = list[tuple[str, Any]]  # name, data


class Language(NamedTuple):
    """`errors` is how it calls a status. `ends` is whether a stream with these events has come to its end."""

    name: str
    path: str
    body: dict[str, Any]
    stream_path: str
    stream_body: dict[str, Any]
    words: Callable[[Any], str]
    piece: Callable[[str, Any], str]
    ends: Callable[[Events], bool]
    kind: Callable[[Any], str]
    errors: dict[int, str]

    def with_route(self, route: str) -> tuple[str, dict[str, Any]]:
        """Where and how another route is asked."""
        body = {**self.body, "model": route} if "model" in self.body else self.body
        return self.path.replace("/r:", f"/{route}:").replace("/r/", f"/{route}/"), body

    def events(self, body: bytes) -> Events:
        if self.name == "bedrock":
            return [(name, json.loads(data)) for name, data in Frames().feed(body)]
        found = []
        for block in body.decode().replace("\r\n", "\n").split("\n\n"):
            lines = [line.partition(": ") for line in block.splitlines() if not line.startswith(":")]
            said = {name: value for name, _, value in lines}
            if "data" in said:
                data = said["data"]
                found.append((said.get("event", ""), data if data == "[DONE]" else json.loads(data)))
        return found

    def said(self, events: Events) -> str:
        return "".join(self.piece(name, data) for name, data in events)


ASKED = [{"role": "user", "content": "hi"}]
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
CONVERSATION = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
OPENAI_ERRORS = {400: "invalid_request_error", 401: "authentication_error", 404: "invalid_request_error"} | {
    429: "upstream_error",
    502: "upstream_error",
}


def _openai_piece(_: str, data: Any) -> str:
    choices = [] if data == "[DONE]" else data["choices"]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def _gemini_piece(_: str, data: Any) -> str:
    return "".join(part["text"] for one in data.get("candidates", ()) for part in one["content"].get("parts", ()))


OPENAI = Language(
    name="openai",
    path="/v1/chat/completions",
    body={"model": "r", "messages": ASKED},
    stream_path="/v1/chat/completions",
    stream_body={"model": "r", "messages": ASKED, "stream": True},
    words=lambda body: body["choices"][0]["message"]["content"],
    piece=_openai_piece,
    ends=lambda events: events[-1][1] == "[DONE]",
    kind=lambda body: body["error"]["type"],
    errors=OPENAI_ERRORS,
)
RESPONSES = Language(
    name="responses",
    path="/v1/responses",
    body={"model": "r", "input": "hi"},
    stream_path="/v1/responses",
    stream_body={"model": "r", "input": "hi", "stream": True},
    words=lambda body: body["output"][0]["content"][0]["text"],
    piece=lambda name, data: data["delta"] if name == "response.output_text.delta" else "",
    ends=lambda events: events[-1][0] == "response.completed",
    kind=lambda body: body["error"]["type"],
    errors=OPENAI_ERRORS,
)
ANTHROPIC = Language(
    name="anthropic",
    path="/v1/messages",
    body={"model": "r", "messages": ASKED, "max_tokens": 50},
    stream_path="/v1/messages",
    stream_body={"model": "r", "messages": ASKED, "max_tokens": 50, "stream": True},
    words=lambda body: body["content"][0]["text"],
    piece=lambda name, data: data["delta"]["text"] if name == "content_block_delta" else "",
    ends=lambda events: events[-1][0] == "message_stop",
    kind=lambda body: body["error"]["type"],
    errors={400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error"}
    | {429: "rate_limit_error", 502: "api_error"},
)
GEMINI = Language(
    name="gemini",
    path="/v1beta/models/r:generateContent",
    body=CONTENTS,
    stream_path="/v1beta/models/r:streamGenerateContent?alt=sse",
    stream_body=CONTENTS,
    words=lambda body: body["candidates"][0]["content"]["parts"][0]["text"],
    piece=_gemini_piece,
    ends=lambda events: events[-1][1]["candidates"][0].get("finishReason") == "STOP",
    kind=lambda body: body["error"]["status"],
    errors={400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
    | {502: "UNAVAILABLE"},
)
BEDROCK = Language(
    name="bedrock",
    path="/model/r/converse",
    body=CONVERSATION,
    stream_path="/model/r/converse-stream",
    stream_body=CONVERSATION,
    words=lambda body: body["output"]["message"]["content"][0]["text"],
    piece=lambda name, data: data["delta"]["text"] if name == "contentBlockDelta" else "",
    ends=lambda events: [name for name, _ in events[-2:]] == ["messageStop", "metadata"],
    kind=lambda body: body["__type"],
    errors={400: "ValidationException", 401: "UnrecognizedClientException", 404: "ResourceNotFoundException"}
    | {429: "ThrottlingException", 502: "ModelErrorException"},
)
LANGUAGES = (OPENAI, RESPONSES, ANTHROPIC, GEMINI, BEDROCK)
