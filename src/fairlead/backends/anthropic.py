"""Anthropic's Messages API, and whatever else speaks its language. Conversations only."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from fairlead.backends.account import Account, needed_url
from fairlead.backends.streams import Reader, read_stream
from fairlead.chat import Answer, Request, Stream
from fairlead.dialects import anthropic as dialect
from fairlead.dialects.quirks import check_settings
from fairlead.errors import RequestInvalid, TargetError
from fairlead.wire.pool import Pool

if TYPE_CHECKING:
    from fairlead.gateway.call import Asking

VERSION = "2023-06-01"
PATHS = {"chat": "/v1/messages"}


class Anthropic:
    """An account there. `base_url` is what stands before `/v1/messages`; with `/v1` at its end it means the same.

    `headers` are sent with every request and win over our own (`anthropic-beta` belongs there). Raises ConfigInvalid.
    Where a request can't be said in this language, asking raises RequestInvalid, else TargetError only.
    """

    dialect = dialect.DIALECT

    def __init__(
        self,
        pool: Pool,
        *,
        base_url: str,
        key: str | None = None,
        headers: Mapping[str, str] = {},
        quirks: Mapping[str, Any] = {},
        ca_file: str = "",
    ) -> None:
        check_settings(self.dialect, params={}, quirks=quirks)
        self._quirks = dict(quirks)
        credential = {"x-api-key": key} if key else {}
        self._account = Account(
            pool,
            base_url=needed_url(base_url, "https://api.anthropic.com").rstrip("/").removesuffix("/v1"),
            paths=PATHS,
            headers={"anthropic-version": VERSION}
            | credential
            | {name.lower(): value for name, value in headers.items()},
            secrets=(key, *headers.values()),
            ca_file=ca_file,
            dialect=self.dialect,
            read_error=dialect.read_error,
        )

    async def answer(self, request: Request, asking: "Asking") -> Answer:
        body = self._write(request, asking, stream=False)
        try:
            answer = dialect.read_answer(await self._account.answer("chat", body, asking))
        except TargetError as error:
            raise self._account.named(error, asking) from None
        return replace(answer, target=asking.target.name)

    def stream(self, request: Request, asking: "Asking") -> Stream:
        def begin() -> tuple[bytes, Reader]:
            return self._write(request, asking, stream=True), dialect.StreamReader()

        return read_stream(self._account, "chat", begin, asking)

    def _write(self, request: Request, asking: "Asking", *, stream: bool) -> bytes:
        target = asking.target
        if request.task != "chat":
            raise RequestInvalid(
                f"{target.name} speaks Anthropic's language, which has no task {request.task!r}",
                code="unsupported_feature",
                hint="Give the route a target whose backend is of kind openai.",
            )
        return dialect.write_request(
            request.chat(),
            model=target.model,
            max_output_tokens=asking.max_output_tokens,
            stream=stream,
            params=target.params,
            quirks=self._quirks,
        )
