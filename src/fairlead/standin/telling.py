"""A script's line in the words of a language: status, headers, and the body in the pieces that it comes in.

What goes wrong on the way is `spoiling.py`'s business.
"""

from types import ModuleType
from typing import Any

from msgspec import Struct

from fairlead.backends.lines import Line
from fairlead.backends.turns import in_pieces, whole
from fairlead.chat import Answer, Head, Request, Usage
from fairlead.dialects import openai, responses
from fairlead.errors import FairleadError
from fairlead.ids import new_id, now_us
from fairlead.standin.asked import Said

JSON = "application/json"
KIND = {429: "rate_limit_error", 401: "authentication_error", 403: "permission_error"}


class Told(Struct, frozen=True):
    """`body` is a whole answer; a stream is `opening`, `pieces` (one for each of `turns.in_pieces`) and `closing`,
    and `error` is how it would say that something went wrong."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    stream: bool = False
    opening: bytes = b""
    pieces: tuple[bytes, ...] = ()
    closing: bytes = b""
    error: bytes = b""


def tell(line: Line, said: Said, prompt: str) -> Told:
    """A line, as an answer to this request."""
    language, request = said.place.language, said.request
    if line.status is not None:
        return refuse(language, line.status, line.message or f"scripted status {line.status}", line.retry_after_s)
    error = _error(language, 500, "something went wrong in the middle")
    if request.task == "count":
        used = line.used(prompt)
        return Told(200, {"content-type": JSON}, language.count_body(used.input if used else 0), error=error)
    if request.stream:
        return _streamed(line, said, prompt, error)
    answer = Answer(
        id=f"script-{new_id()}",
        model=request.route,
        said=(whole(line),) * request.samples,
        finish=line.end,
        usage=line.used(prompt),
    )
    more = {"request": request} if language is responses else {}
    body = language.write_answer(answer, created=now_us() // 1_000_000, task=request.task, **more)
    return Told(200, {"content-type": JSON}, body, error=error)


def refuse(language: ModuleType, status: int, message: str, retry_after_s: float | None = None) -> Told:
    headers = {"content-type": JSON}
    if retry_after_s is not None:
        headers["retry-after"] = f"{retry_after_s:g}"
    if 300 <= status < 400:
        headers["location"] = "/elsewhere"
    return Told(status, headers, _error(language, status, message))


def refused(error: FairleadError, language: ModuleType = openai) -> Told:
    """What was asked makes no sense to a script."""
    return refuse(language, 404 if error.code == "unsupported_endpoint" else 400, error.message)


def _streamed(line: Line, said: Said, prompt: str, error: bytes) -> Told:
    language, request = said.place.language, said.request
    writer = _writer(language, request)
    opening = writer.write(Head(f"script-{new_id()}", request.route))
    pieces = tuple([writer.write(chunk) for chunk in in_pieces(line, request.samples)])
    usage: Usage | None = line.used(prompt)
    closing = (writer.write(usage) if usage is not None else b"") + writer.end()
    broken = _writer(language, request)
    broken.write(Head(f"script-{new_id()}", request.route))
    error = broken.fail(error)
    return Told(200, {"content-type": said.place.stream_type}, b"", True, opening, pieces, closing, error)


def _writer(language: ModuleType, request: Request) -> Any:
    more = {"request": request} if language is responses else {"include_usage": request.wants_usage}
    return language.StreamWriter(created=now_us() // 1_000_000, task=request.task, **more)


def _error(language: ModuleType, status: int, message: str) -> bytes:
    kind = KIND.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return language.error_body(status=status, message=message, type=kind, code=f"scripted_{status}")
