"""An account at a server that is asked over HTTP: where it is, what every request carries, what its answers mean.

It knows URLs, headers and statuses, and no word of the language in between: that is handed in. What stands above a
body becomes bytes once for each target, so that a request costs no formatting. Whatever leaves as an error has the
target's name on it and no credential in it.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import quote

from fairlead import __version__
from fairlead.backends.formats import Format
from fairlead.backends.status import REQUEST_IDS, error_for, request_id
from fairlead.errors import ConfigInvalid, TargetError, TargetUnclear
from fairlead.wire.address import place, read_proxy, request_head
from fairlead.wire.pool import Pool
from fairlead.wire.response import Deadlines, Response
from fairlead.wire.tunnel import refused

if TYPE_CHECKING:
    from fairlead.gateway.call import Asking, Timeouts

MAX_ERROR_BYTES = 64 * 1024
SHORTEST_SECRET = 8  # shorter words of headers are no credentials, and errors need them
TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
JSON_HEADERS = {"content-type": "application/json", "user-agent": f"fairlead/{__version__}"}
NONE: Mapping[str, str] = MappingProxyType({})
_IDS = {name.encode(): name for name in REQUEST_IDS}
Failure = TypeVar("Failure", bound=TargetError)


class Signer(Protocol):
    """Credentials that are made anew for a request: its header lines, each ended. Raises TargetError."""

    async def lines(self, method: str, url: str, body: bytes) -> bytes: ...


class Account:
    """Raises ConfigInvalid at once where URL, headers or authorities are wrong."""

    def __init__(
        self,
        pool: Pool,
        spoken: Format,
        *,
        base_url: str,
        key: str | None = None,
        auth: str = "",
        paths: Mapping[str, str] = NONE,
        headers: Mapping[str, str] = NONE,
        ca_file: str = "",
        proxy: str = "",
        signer: Signer | None = None,
    ) -> None:
        """`auth` and `paths` win over those of the format; an empty path is a task that is not served there, and
        `stream:chat` the path of a chat that is streamed. `headers` are sent with every request and win over our own;
        what is in them and `key` are taken out of errors."""
        if not base_url:  # nobody is asked by default: a forgotten URL would send private words to a public place
            hint = f'Write where the server is, like base_url = "{spoken.example}".'
            raise ConfigInvalid("base_url is missing", hint=hint, path="base_url")
        self._there = place(base_url.rstrip("/").removesuffix(spoken.trims))
        self._format = spoken
        self._pool = pool
        through = read_proxy(proxy) if proxy else None
        self._origin = pool.origin(self._there, ca_file, through)
        self._paths = {**spoken.paths, **paths}
        self._stream_paths = {**self._paths, **spoken.stream_paths, **_streamed(paths)}
        said = {name.lower(): value for name, value in headers.items()}
        self._headers = JSON_HEADERS | dict(spoken.headers) | _credential(key, auth or spoken.auth) | said
        self._signer = signer
        self._heads: dict[tuple[str, str, bool], tuple[bytes, str]] = {}
        # Of "Bearer KEY" also KEY alone.
        ours = (key, *headers.values(), *(through.secrets if through else ()))
        words = {word for secret in ours for word in (secret or "").split()}
        self._secrets = sorted((word for word in words if len(word) >= SHORTEST_SECRET), key=len, reverse=True)
        for task, path in self._paths.items():
            if path and ":" not in task:
                self._head(task, "model", False)  # what is wrong with a header is found now

    def serves(self, task: str) -> bool:
        return bool(self._paths.get(task))

    async def answer(self, task: str, body: bytes, asking: "Asking") -> tuple[bytes, str]:
        """The body of a success, and the provider's id of the request. Raises TargetError."""
        limits = asking.target.timeouts
        deadlines = Deadlines(limits.connect_s, math.inf, math.inf, limits.total_s)
        response = await self._ask(task, body, asking, deadlines, stream=False)
        answer = await response.body()
        if answer[:1] == b"{":  # as it should be; the dialect reads the rest
            return answer, self.request_id(response)
        if not answer.strip():
            raise self._unclear(response, answer, "nothing", asking)
        if packed := compressed(response):
            raise self._unclear(response, b"", packed, asking)
        if _is_page(response, answer):
            raise self._unclear(response, answer[:MAX_ERROR_BYTES], "a web page", asking)
        return answer, self.request_id(response)

    async def stream(self, task: str, body: bytes, asking: "Asking") -> Response:
        """A success that is an event stream. Whoever holds it ends it. Raises TargetError."""
        response = await self._ask(task, body, asking, _deadlines(asking.target.timeouts), stream=True)
        kind = response.headers.get("content-type", self._format.stream_type)
        if not kind.lower().startswith(self._format.stream_type):
            said = await response.excerpt(MAX_ERROR_BYTES)
            raise self._unclear(response, said, f"{kind or 'nothing'} instead of an event stream", asking)
        return response

    def request_id(self, response: Response) -> str:
        said = dict(response.lines)
        named = _ids_among(tuple(said))
        return request_id({name: said[short].decode("latin-1").strip() for short, name in named}) if named else ""

    def named(self, error: Failure, asking: "Asking") -> Failure:
        """The same error, with the target's name on it and without what nobody may see."""
        error.target = error.target or asking.target.name
        error.dialect = error.dialect or self._format.language.DIALECT
        error.message = self._masked(error.message)
        error.args = (error.message,)
        if error.body is not None:
            error.body = self._masked(error.body.decode("latin-1"))[:MAX_ERROR_BYTES].encode("latin-1")
        return error

    async def _ask(self, task: str, body: bytes, asking: "Asking", deadlines: Deadlines, *, stream: bool) -> Response:
        head, url = self._heads.get((task, asking.target.model, stream)) or self._head(
            task, asking.target.model, stream
        )
        trace = asking.trace
        lines = f"traceparent: {trace}\r\n".encode() if TRACE.match(trace) else b""
        if self._signer is not None:
            lines += await self._signer.lines("POST", url, body)
        response = await self._pool.ask(self._origin, head, body, deadlines, lines)
        if 200 <= response.status < 300:
            return response
        status = response.status
        if status == 407 and self._origin.forwards is not None:
            response.close()
            raise refused(self._there, self._origin.forwards, status)
        said = await response.excerpt(MAX_ERROR_BYTES)
        read = self._format.language.read_error(status, said)
        dialect = self._format.language.DIALECT
        raise error_for(status, read, said, response.headers, target=asking.target.name, dialect=dialect)

    def _head(self, task: str, model: str, stream: bool) -> tuple[bytes, str]:
        """What stands above the body, and the URL; made when first needed, then kept: there are as many as targets."""
        accept = self._format.stream_type if stream else "application/json"
        path = (self._stream_paths if stream else self._paths)[task].replace("{model}", quote(model, safe=""))
        head = request_head("POST", self._there, path, {"accept": accept} | self._headers, self._origin.forwards)
        url = f"{self._there.scheme}://{self._there.authority}{self._there.path}{path}{self._there.query}"
        found = self._heads[task, model, stream] = head, url
        return found

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


@lru_cache(maxsize=256)
def _ids_among(names: tuple[bytes, ...]) -> tuple[tuple[bytes, str], ...]:
    """Which of these headers, the same with nearly every answer of a server, name the request."""
    return tuple([(name, _IDS[short]) for name in names if (short := name.lower()) in _IDS])


def _credential(key: str | None, auth: str) -> dict[str, str]:
    """How a key is shown, in the words of `formats.Auth`."""
    if not key or auth == "none":
        return {}
    return {"authorization": f"Bearer {key}"} if auth == "bearer" else {auth: key}


def _streamed(paths: Mapping[str, str]) -> dict[str, str]:
    """Paths of streams among an account's own: `stream:chat`."""
    return {task.removeprefix("stream:"): path for task, path in paths.items() if task.startswith("stream:")}


def _deadlines(limits: "Timeouts") -> Deadlines:
    return Deadlines(limits.connect_s, limits.first_token_s, limits.between_tokens_s, limits.total_s)


def compressed(response: Response) -> str:
    """What to say of a body that is packed although nobody asked for it; it is not unpacked: it may be a bomb. ""
    where it is not."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    return "" if encoding in ("identity", "") else f"a body packed as {encoding[:20]}, which nobody asked for"


def _is_page(response: Response, body: bytes) -> bool:
    return "text/html" in response.headers.get("content-type", "").lower() or body.lstrip()[:1] == b"<"
