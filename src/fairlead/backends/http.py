"""Every server that is asked over HTTP: an account there, and the language that it speaks.

A request that was said in this language is passed on, every other one is written anew. Which language is data
(`formats.py`); what it can say is the dialect's knowledge.
"""

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from fairlead.backends.account import NONE, Account, Signer
from fairlead.backends.formats import FORMATS
from fairlead.backends.streams import Reader, read_stream
from fairlead.chat import Answer, Chat, Request, Stream, Task, Usage
from fairlead.dialects.losses import Losses
from fairlead.dialects.quirks import check_settings
from fairlead.dialects.signatures import has_wrapped
from fairlead.dialects.tool_names import NONE as ALL_FIT
from fairlead.dialects.tool_names import Restoring, fitted, restored
from fairlead.errors import RequestInvalid, TargetError
from fairlead.wire.pool import Pool

if TYPE_CHECKING:
    from fairlead.gateway.call import Asking

BYTES_PER_TOKEN = 4  # of English text in common vocabularies; only where a server does not count


class Written(Struct, frozen=True):
    """A request as it goes out. `passed`: it was said in this language, so the answer may go back as it comes.

    `names`: what tools are called there, where their own names are refused.
    """

    task: Task
    body: bytes
    passed: bool
    dropped: tuple[str, ...] = ()
    names: Mapping[str, str] = ALL_FIT


class Http:
    """Raises ConfigInvalid at once where its settings are wrong. Where a request can't be said in its language, asking
    raises RequestInvalid, else TargetError only.

    `origin` names who signs reasoning there, where that is not the provider whose language it is: then nothing is
    passed on as it stands, so that no signature reaches another provider.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        kind: str,
        base_url: str,
        key: str | None = None,
        auth: str = "",
        paths: Mapping[str, str] = NONE,
        headers: Mapping[str, str] = NONE,
        quirks: Mapping[str, Any] = NONE,
        ca_file: str = "",
        proxy: str = "",
        signer: Signer | None = None,
        origin: str = "",
    ) -> None:
        spoken = FORMATS[kind]
        check_settings(kind, params={}, quirks=quirks)
        self.dialect: str = spoken.language.DIALECT
        self._language = spoken.language
        self._has_wrapped: Callable[[bytes], bool] = getattr(spoken.language, "has_wrapped", has_wrapped)
        # Whether what was said in the language suits the model; None where it does not differ by model.
        self._fits: Callable[[Request, str], bool] | None = getattr(spoken.language, "fits", None)
        self._decoder = spoken.decoder
        self._quirks = dict(quirks)
        self._origin = origin or self.dialect
        self._account = Account(
            pool,
            spoken,
            base_url=base_url,
            key=key,
            auth=auth,
            paths=paths,
            headers=headers,
            ca_file=ca_file,
            proxy=proxy,
            signer=signer,
        )
        self._tasks = frozenset(task for task in spoken.language.TASKS if self._account.serves(task)) - {"complete"}

    async def answer(self, request: Request, asking: "Asking") -> Answer:
        if request.task == "count":
            return await self._count(request, asking)
        written = self._write(request, asking, stream=False)
        try:
            said, request_id = await self._account.answer(written.task, written.body, asking)
            answer = self._language.read_answer(
                said, task=written.task, full=asking.whole or not written.passed, origin=self._origin
            )
        except TargetError as error:
            raise self._account.named(error, asking) from None
        return replace(
            restored(answer, written.names) if written.names else answer,
            id=answer.id or asking.attempt,
            model=answer.model or asking.target.model,
            target=asking.target.name,
            usage=self._counted(answer.usage, request) if request.samples > 1 else answer.usage,
            dropped=written.dropped,
            request_id=request_id,
        )

    def stream(self, request: Request, asking: "Asking") -> Stream:
        def begin() -> tuple[bytes, Reader]:
            written = self._write(request, asking, stream=True)
            dropped.extend(written.dropped)
            reader = self._language.StreamReader(
                asking.whole or not written.passed, written.task, request.samples, self._origin
            )
            return written.body, Restoring(reader, written.names) if written.names else reader

        dropped: list[str] = []
        task = self._task(request, asking)
        if self._miscounts(request):
            asking = replace(asking, relay=None)
            return self._recounted(read_stream(self._account, task, begin, self._decoder, asking, dropped), request)
        return read_stream(self._account, task, begin, self._decoder, asking, dropped)

    def says(self, request: Request, asking: "Asking") -> bool:
        """Whether the request has words here. Nothing is sent."""
        try:
            return request.task == "count" or bool(self._write(request, asking, stream=request.stream).body)
        except RequestInvalid:
            return False

    # --- what goes out ---

    def _write(self, request: Request, asking: "Asking", *, stream: bool) -> Written:
        task = request.task if request.task in self._tasks else self._task(request, asking)
        target = asking.target
        if self._passes(request, task, asking):
            request = request if request.stream == stream else replace(request, stream=stream)
            body = self._language.pass_request(
                request,
                model=target.model,
                max_output_tokens=asking.max_output_tokens,
                params=target.params,
                quirks=self._quirks,
            )
            return Written(task, body, True)
        said: dict[str, Any] = {"model": target.model, "params": target.params, "quirks": self._quirks}
        losses = Losses(self._language.LANGUAGE, lossy=asking.lossy)
        names = ALL_FIT
        match task:
            case "embed":
                body = self._language.write_embed(request.embed(), losses=losses, **said)
            case "rerank":
                body = self._language.write_rerank(request.rerank(), losses=losses, **said)
            case _:
                chat, names = self._fitted(request)
                body = self._language.write_request(
                    chat,
                    max_output_tokens=asking.max_output_tokens,
                    stream=stream,
                    losses=losses,
                    origin=self._origin,
                    **said,
                )
        return Written(task, body, False, losses.told, names)

    def _fitted(self, request: Request) -> tuple[Chat, Mapping[str, str]]:
        """The conversation with names of tools that are taken there. Who speaks the language knows them."""
        if request.spoken is not None and request.spoken.dialect == self.dialect:
            return request.chat(), ALL_FIT
        return fitted(request.chat(), self.dialect)

    def _task(self, request: Request, asking: "Asking") -> Task:
        """What is asked here for it: a bare completion becomes a chat where there is no such task."""
        for task in (request.task, "chat") if request.task == "complete" else (request.task,):
            served = task in self._language.TASKS and self._account.serves(task)
            if served and (task != "complete" or self._passes(request, task, asking)):  # a completion is never written
                return task
        raise RequestInvalid(
            f"{asking.target.name} speaks {self._language.LANGUAGE}, which has no task {request.task!r} there.",
            code="unsupported_feature",
            hint="Give the route a target that has it.",
        )

    def _passes(self, request: Request, task: Task, asking: "Asking") -> bool:
        spoken = request.spoken
        return (
            spoken is not None
            and spoken.dialect == self.dialect
            and task == request.task
            and self._origin == self.dialect
            and (self._fits is None or self._fits(request, asking.target.model))
            and not self._has_wrapped(spoken.body or b"\n".join(spoken.fields.values()))  # type: ignore[arg-type]
        )

    # --- what is counted ---

    async def _count(self, request: Request, asking: "Asking") -> Answer:
        """Tokens of a prompt: the server's own count, else an estimate from its length."""
        target = asking.target.name
        if not self._account.serves("count"):
            estimate = -(-request.input_bytes // BYTES_PER_TOKEN)
            return Answer(target=target, model=asking.target.model, tokens=estimate, estimated=True)
        how: dict[str, Any] = {"model": asking.target.model, "params": asking.target.params, "quirks": self._quirks}
        losses = Losses(self._language.LANGUAGE, lossy=True)
        body = self._language.write_count_request(self._fitted(request)[0], losses=losses, **how)
        try:
            said, request_id = await self._account.answer("count", body, asking)
            tokens = self._language.read_count_answer(said)
        except TargetError as error:
            raise self._account.named(error, asking) from None
        return Answer(
            target=target, model=asking.target.model, tokens=tokens, dropped=losses.told, request_id=request_id
        )

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
