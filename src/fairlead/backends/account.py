"""An account at a server that is asked over HTTP: where it is, what every request carries, what its answers mean.

It knows URLs, headers and statuses, and no word of the language in between: that is handed in by the backend. Static
headers become bytes once, here, so that a request costs no formatting. Whatever leaves as an error has the target's
name on it and no credential in it.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from fairlead import __version__
from fairlead.backends.status import error_for
from fairlead.errors import ConfigInvalid, TargetError, TargetUnclear
from fairlead.wire.address import place, request_head
from fairlead.wire.pool import Pool
from fairlead.wire.response import Deadlines, Response

if TYPE_CHECKING:
    from fairlead.gateway.call import Asking, Timeouts

MAX_ERROR_BYTES = 64 * 1024
SHORTEST_SECRET = 8  # shorter words of headers are no credentials, and errors need them
TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
JSON_HEADERS = {"content-type": "application/json", "user-agent": f"fairlead/{__version__}"}
Failure = TypeVar("Failure", bound=TargetError)


class Account:
    """Raises ConfigInvalid at once where URL, headers or authorities are wrong."""

    def __init__(
        self,
        pool: Pool,
        *,
        base_url: str,
        paths: Mapping[str, str],
        headers: Mapping[str, str],
        secrets: tuple[str | None, ...],
        ca_file: str,
        dialect: str,
        read_error: Callable[[int, bytes], tuple[str, str]],
    ) -> None:
        """`paths`: by task, below `base_url`. `headers` are sent with every request, `secrets` taken out of errors."""
        there = place(base_url)
        self._pool = pool
        self._origin = pool.origin(there, ca_file)
        every = JSON_HEADERS | {name.lower(): value for name, value in headers.items()}
        unary, stream = {"accept": "application/json"} | every, every | {"accept": "text/event-stream"}
        self._unary = {task: request_head("POST", there, path, unary) for task, path in paths.items()}
        self._stream = {task: request_head("POST", there, path, stream) for task, path in paths.items()}
        self._dialect = dialect
        self._read_error = read_error
        words = {word for secret in secrets for word in (secret or "").split()}  # of "Bearer KEY" also KEY alone
        self._secrets = sorted((word for word in words if len(word) >= SHORTEST_SECRET), key=len, reverse=True)

    async def answer(self, task: str, body: bytes, asking: "Asking") -> bytes:
        """The body of a success. Raises TargetError."""
        limits = asking.target.timeouts
        deadlines = Deadlines(connect_s=limits.connect_s, total_s=limits.total_s)
        response = await self._ask(self._unary[task], body, asking, deadlines)
        answer = await response.body()
        if answer[:1] == b"{":  # as it should be; the dialect reads the rest
            return answer
        if not answer.strip():
            raise self._unclear(response, answer, "nothing", asking)
        if _is_page(response, answer):
            raise self._unclear(response, answer[:MAX_ERROR_BYTES], "a web page", asking)
        return answer

    async def stream(self, task: str, body: bytes, asking: "Asking") -> Response:
        """A success that is an event stream. Whoever holds it ends it. Raises TargetError."""
        response = await self._ask(self._stream[task], body, asking, _deadlines(asking.target.timeouts))
        kind = response.headers.get("content-type", "text/event-stream")
        if not kind.lower().startswith("text/event-stream"):
            said = await response.excerpt(MAX_ERROR_BYTES)
            raise self._unclear(response, said, f"{kind or 'nothing'} instead of an event stream", asking)
        return response

    def named(self, error: Failure, asking: "Asking") -> Failure:
        """The same error, with the target's name on it and without what nobody may see."""
        error.target = error.target or asking.target.name
        error.dialect = error.dialect or self._dialect
        error.message = self._masked(error.message)
        error.args = (error.message,)
        if error.body is not None:
            error.body = self._masked(error.body.decode("latin-1"))[:MAX_ERROR_BYTES].encode("latin-1")
        return error

    async def _ask(self, head: bytes, body: bytes, asking: "Asking", deadlines: Deadlines) -> Response:
        trace = asking.trace
        lines = f"traceparent: {trace}\r\n".encode() if TRACE.match(trace) else b""
        response = await self._pool.ask(self._origin, head, body, deadlines, lines)
        if 200 <= response.status < 300:
            return response
        status = response.status
        said = await response.excerpt(MAX_ERROR_BYTES)
        read = self._read_error(status, said)
        raise error_for(status, read, said, response.headers, target=asking.target.name, dialect=self._dialect)

    def _unclear(self, response: Response, body: bytes, what: str, asking: "Asking") -> TargetUnclear:
        return TargetUnclear(
            f"{asking.target.name} answered {response.status} with {what}",
            hint="Check that the backend's base_url points at the API (often it ends in /v1).",
            status=response.status,
            body=body,
        )

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def needed_url(base_url: str, example: str) -> str:
    """Nobody is asked by default: a forgotten URL would send private words to a public place."""
    if not base_url:
        raise ConfigInvalid(
            "base_url is missing", hint=f'Write where the server is, like base_url = "{example}".', path="base_url"
        )
    return base_url


def _deadlines(limits: "Timeouts") -> Deadlines:
    return Deadlines(limits.connect_s, limits.first_token_s, limits.between_tokens_s, limits.total_s)


def _is_page(response: Response, body: bytes) -> bool:
    return "text/html" in response.headers.get("content-type", "").lower() or body.lstrip()[:1] == b"<"
