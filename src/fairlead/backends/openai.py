"""Every server that speaks OpenAI's language: OpenAI, vLLM, Together, Groq, Ollama, the embedded engine and many more.

A request that was said in this language is passed on, every other one is written anew.
"""

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from fairlead.backends.account import Account, needed_url
from fairlead.backends.streams import Reader, read_stream
from fairlead.chat import Answer, Request, Stream, Usage
from fairlead.dialects import openai as dialect
from fairlead.dialects.quirks import check_settings
from fairlead.errors import TargetError
from fairlead.wire.pool import Pool

if TYPE_CHECKING:
    from fairlead.gateway.call import Asking

PATHS = {"chat": "/chat/completions", "complete": "/completions", "embed": "/embeddings"}


class OpenAI:
    """An account at such a server. `base_url` is what stands before `/chat/completions`.

    `headers` are sent with every request and win over our own (an `authorization` of theirs over `key`). Raises
    ConfigInvalid. Where a request can't be said in this language, asking raises RequestInvalid, else TargetError only.
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
        credential = {"authorization": f"Bearer {key}"} if key else {}
        self._account = Account(
            pool,
            base_url=needed_url(base_url, "https://api.openai.com/v1"),
            paths=PATHS,
            headers=credential | {name.lower(): value for name, value in headers.items()},
            secrets=(key, *headers.values()),
            ca_file=ca_file,
            dialect=self.dialect,
            read_error=dialect.read_error,
        )

    async def answer(self, request: Request, asking: "Asking") -> Answer:
        body, full = self._write(request, asking, stream=False)
        try:
            said = await self._account.answer(request.task, body, asking)
            answer = dialect.read_answer(said, task=request.task, full=full)
        except TargetError as error:
            raise self._account.named(error, asking) from None
        return replace(answer, target=asking.target.name, usage=self._counted(answer.usage, request))

    def stream(self, request: Request, asking: "Asking") -> Stream:
        def begin() -> tuple[bytes, Reader]:
            body, full = self._write(request, asking, stream=True)
            return body, dialect.StreamReader(full, request.task, request.samples)

        items = read_stream(self._account, request.task, begin, asking)
        return self._recounted(items, request) if self._miscounts(request) else items

    def _miscounts(self, request: Request) -> bool:
        return request.samples > 1 and bool(self._quirks.get("counts_one_sample"))

    def _counted(self, usage: Usage | None, request: Request) -> Usage | None:
        """Quirk `counts_one_sample`: all samples are taken to be as long as the one that was counted."""
        if usage is None or not self._miscounts(request):
            return usage
        return replace(usage, output=usage.output * request.samples, estimated=True)

    async def _recounted(self, items: Stream, request: Request) -> Stream:
        async with aclosing(items):
            async for item in items:
                yield (self._counted(item, request) or item) if isinstance(item, Usage) else item

    def _write(self, request: Request, asking: "Asking", *, stream: bool) -> tuple[bytes, bool]:
        """The body, and whether the answer must be read in full because somebody else's language was spoken."""
        target = asking.target
        said_here = request.spoken is not None and request.spoken.dialect == self.dialect
        if said_here:
            request = request if request.stream == stream else replace(request, stream=stream)
            body = dialect.pass_request(
                request,
                model=target.model,
                max_output_tokens=asking.max_output_tokens,
                params=target.params,
                quirks=self._quirks,
            )
        else:
            body = dialect.write_request(
                request.chat(),
                model=target.model,
                max_output_tokens=asking.max_output_tokens,
                stream=stream,
                params=target.params,
                quirks=self._quirks,
            )
        return body, not said_here
