"""OpenAI's Responses, inwards: the response object around what was said, and the small bodies beside it.

A response repeats what was asked for, as far as the caller said it, else with the API's own defaults. What it says is
`telling`.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw

from fairlead.chat import Finish, Request, Usage
from fairlead.dialects.reading import is_null
from fairlead.dialects.responses.language import DIALECT
from fairlead.dialects.responses.usage import write_searches, write_usage
from fairlead.ids import new_id

_ENCODER = msgspec.json.Encoder()
_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
_ECHOED_IF_SAID = ("prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store")
_CUTS: dict[Finish | None, str] = {"length": "max_output_tokens", "content_filter": "content_filter"}
# A failed response has a code out of a short list; ours stands in its `type`.
_ERROR_CODES = {"rate_limited": "rate_limit_exceeded", "target_overloaded": "rate_limit_exceeded"}

Body = dict[str, Any]


class Envelope:
    """The response that is being made. `id` and the ids of its items are made of what the provider calls the answer, so
    that the same answer always gets the same ones; where he gave no name, of a fresh one."""

    def __init__(self, *, id: str, model: str, created: int, request: Request | None) -> None:
        self.id = id if id.startswith("resp_") else f"resp_{id or new_id()}"
        self._stem = blake2b(self.id.encode(), digest_size=12).hexdigest()
        self._model = model
        self._created = created
        said = request.spoken if request is not None else None
        fields: Mapping[str, Raw] = said.fields if said is not None and said.dialect == DIALECT else {}
        self._echo = {name: default if _unsaid(fields, name) else fields[name] for name, default in _ECHOED.items()}
        self._echo.update((name, fields[name]) for name in _ECHOED_IF_SAID if not _unsaid(fields, name))

    def item_id(self, prefix: str, position: int) -> str:
        return f"{prefix}_{self._stem}{position:04x}"

    def response(
        self, status: str, output: list[Any], *, usage: Usage | None = None, cut: str | None = None, error: Any = None
    ) -> Body:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": error,
            "incomplete_details": None if cut is None else {"reason": cut},
            "model": self._model,
            "output": output,
            "usage": None if usage is None else write_usage(usage),
            **write_searches(usage),
            **self._echo,
        }

    def finished(self, finish: Finish | None, output: list[Any], usage: Usage | None) -> Body:
        """Without a known finish it is incomplete, for no known reason."""
        return self.response(status_of(finish), output, usage=usage, cut=_CUTS.get(finish))


def _unsaid(fields: Mapping[str, Raw], name: str) -> bool:
    return is_null(fields.get(name))


def status_of(finish: Finish | None) -> str:
    return "completed" if finish in ("stop", "tool_calls") else "incomplete"


def error_body(
    *,
    status: int,
    message: str,
    type: str,
    code: str,
    param: str | None = None,
    hint: str = "",
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """An error in OpenAI's shape, with the house's `hint` and what is in `extra` beside its four fields."""
    error: Body = {"message": message, "type": type, "param": param, "code": code}
    if hint:
        error["hint"] = hint
    return _ENCODER.encode({"error": {**(extra or {}), **error}})


def write_failure(error: Mapping[str, Any]) -> Body:
    """The `error` of a response that failed, of the one in an error's body."""
    code = str(error.get("code") or "")
    return {
        "code": _ERROR_CODES.get(code, "server_error"),
        "message": str(error.get("message") or ""),
        "type": code or None,
        "param": error.get("param"),
    }


def count_body(tokens: int) -> bytes:
    return _ENCODER.encode({"object": "response.input_tokens", "input_tokens": tokens})
