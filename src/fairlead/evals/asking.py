"""One question through the gateway: in this process, or at a running server. Whoever asks can't tell the two apart.

Every question goes the road that every caller goes: it is a call in the books, under limits and zones. What a target
does is no error here, it is an answer with another status. What the house itself says no to (zone, budget, key) has
the status `denied`, which is no target's fault; `waits` tells whether it would be let in later.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from fairlead.chat import Answer, Chunk, Item, Request, Said, ToolCall, Usage
from fairlead.dialects import openai
from fairlead.dialects.retelling import gathered
from fairlead.errors import AllTargetsFailed, FairleadError, TargetError
from fairlead.gateway.call import Caller, Context
from fairlead.gateway.flow import Gateway
from fairlead.gateway.ledger import Book
from fairlead.ids import new_trace, now_us
from fairlead.money import NUSD
from fairlead.wire.address import header_lines, request_head
from fairlead.wire.pool import Origin, Pool
from fairlead.wire.response import Deadlines, Response
from fairlead.wire.sse import Events

Status = Literal["ok", "refused", "invalid", "timeout", "failed", "denied"]
# By the error's code, whoever told it. What is in neither table is the target's failure.
STATUSES: Mapping[str, Status] = {
    "target_timeout": "timeout",
    "output_invalid": "invalid",
    "target_rejected": "refused",
    "target_refused": "refused",
}
UNFIT = frozenset(("invalid_request", "malformed_request", "malformed_json"))  # what was asked: nobody was
DENIED = UNFIT | frozenset(
    "route_denied zone_denied policy_denied budget_exhausted price_unknown cost_unbounded key_missing key_unknown "
    "key_revoked key_expired route_not_found not_running internal_error".split()
)
LATER = "rate_limited budget_held unavailable draining spool_full spool_broken store_unavailable"
WAITS = frozenset([*LATER.split(), "circuit_open"])  # nothing was asked
# What a target may do better a moment later.
PASSING = frozenset(
    "target_overloaded target_unreachable connection_stale target_failed stream_broken target_unclear "
    "target_error all_targets_failed".split()
)
FIRST_TAG = "eval"
LONGEST_S = 3600.0  # that an answer of a server may take: the routes there have deadlines of their own
PATHS = {"chat": "/v1/chat/completions", "embed": "/v1/embeddings"}


class Question(Struct, frozen=True, kw_only=True):
    """`body` is an OpenAI chat body (or one of embeddings) without its model; `route` is a route's name or
    `target:NAME`. `streams`: the time to the first word is wanted, so it is asked for as a stream."""

    route: str
    body: Mapping[str, Any]
    task: Literal["chat", "embed"] = "chat"
    tags: tuple[str, ...] = ()
    session: str = ""
    timeout_s: float | None = None
    streams: bool = False

    def encoded(self) -> bytes:
        asked: dict[str, Any] = {**self.body, "model": self.route}
        if self.streams and self.task == "chat":
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        return msgspec.json.encode(asked)


class Asked(Struct, frozen=True, kw_only=True):
    """What came of a question. `model` and `fingerprint` are what the provider says of itself; money is in
    nano-dollars, None where it is unknown; times are in microseconds, `first_word_us` None where nothing was streamed.
    `code`, `message` and `hint` are of the error, where the status is not ok; `retry_after_s` what was asked for."""

    status: Status = "ok"
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    vectors: tuple[tuple[float, ...], ...] = ()
    finish: str = ""
    model: str = ""
    fingerprint: str = ""
    target: str = ""
    usage: Usage | None = None
    cost_nusd: int | None = None
    estimated: bool = False
    took_us: int = 0
    first_word_us: int | None = None
    call: str = ""
    code: str = ""
    message: str = ""
    hint: str = ""
    retry_after_s: float | None = None

    @property
    def waits(self) -> bool:
        """The house would let it in later."""
        return self.code in WAITS

    @property
    def passes(self) -> bool:
        """The target may do better a moment later."""
        return self.code in PASSING


class Asker(Protocol):
    async def ask(self, question: Question) -> Asked:
        """Never raises for what a target does, nor for what the house denies."""
        ...


class _Marked(Struct):
    system_fingerprint: str | None = None


_ERROR = b'{"error":'
_MARKED = msgspec.json.Decoder(_Marked)


def _fingerprint(body: bytes | None) -> str:
    try:
        return (_MARKED.decode(body).system_fingerprint or "") if body else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _status(code: str) -> Status:
    if code in DENIED or code in WAITS:
        return "denied"
    return STATUSES.get(code, "failed")


def _told(answer: Answer, fingerprint: str, **of_the_call: Any) -> Asked:
    """A whole answer, read in full."""
    said = answer.said[0] if answer.said else Said()
    refused = said.refusal is not None or said.finish == "content_filter"
    return Asked(
        status="refused" if refused else "ok",
        code="content_filter" if refused else "",
        text=said.text or said.refusal or "",
        reasoning=said.reasoning or "",
        tool_calls=said.tool_calls,
        vectors=answer.vectors or (),
        finish=said.finish or "",
        model=answer.model,
        fingerprint=fingerprint,
        usage=answer.usage,
        **of_the_call,
    )


class _Error(Struct):
    message: str = ""
    code: str = ""
    hint: str = ""


class _Body(Struct):
    error: _Error


def _error(body: bytes) -> _Error | None:
    """What the house says of a failure; None: it does not speak so."""
    try:
        said = msgspec.json.decode(body, type=_Body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return said if said.code else None


class _Heard:
    """The bytes of a stream in OpenAI's language, until they are an answer."""

    def __init__(self) -> None:
        self._events = Events()
        self._reader = openai.StreamReader(full=True)
        self._items: list[Item] = []
        self.fingerprint = ""
        self.has_words = False

    def feed(self, chunk: bytes) -> None:
        """Raises the error that the stream tells, in the house's own words."""
        for name, data in self._events.feed(chunk):
            self.event(name, data)

    def event(self, name: str, data: bytes) -> None:
        if not self._items:
            self.fingerprint = _fingerprint(data)
        if data[:9] == _ERROR and (error := _error(data)) is not None:
            raise FairleadError(error.message, hint=error.hint, code=error.code)
        items = self._reader.read(name, data)
        self._items += items
        self.has_words = self.has_words or any(isinstance(item, Chunk) and item.words for item in items)

    def answer(self) -> Answer:
        return gathered([*self._items, *self._reader.close()])


class GatewayAsker:
    """Asks the gateway of this process, as `caller`."""

    def __init__(self, gateway: Gateway, caller: Caller) -> None:
        self._gateway = gateway
        self._caller = caller

    async def ask(self, question: Question) -> Asked:
        body = question.encoded()
        began = time.monotonic()
        trace, span = new_trace()
        context = Context(
            at_us=now_us(),
            started=began,
            trace=f"00-{trace}-{span}-01",
            tags=(FIRST_TAG, *question.tags),
            session=question.session or None,
            timeout_s=question.timeout_s,
        )
        book: Book | None = None
        try:
            request = openai.read_request(question.task, body)
            book = self._gateway.open(self._caller, request, context)
            with book:
                answer, mark = await (self._stream(book) if request.stream else self._answer(book, request))
            return _told(answer, mark, **_of(book, began))
        except FairleadError as error:
            return _failed(error, **({"took_us": _since(began)} if book is None else _of(book, began)))

    async def _answer(self, book: Book, request: Request) -> tuple[Answer, str]:
        answer = await self._gateway.answer(book)
        if request.task == "embed":
            body = openai.write_answer(answer, created=0, task="embed", encoding="float")
        else:
            body = openai.write_answer(answer, created=0)
        return openai.read_answer(body, task=request.task, full=True), _fingerprint(body)

    async def _stream(self, book: Book) -> tuple[Answer, str]:
        heard, writer = _Heard(), openai.StreamWriter(model=book.request.route, include_usage=True)
        async with aclosing(self._gateway.stream(book)) as items:
            async for item in items:
                heard.feed(writer.write(item))
        heard.feed(writer.end())
        return heard.answer(), heard.fingerprint


def _of(book: Book, began: float) -> dict[str, Any]:
    return {
        "target": book.target,
        "call": book.id,
        "cost_nusd": book.cost_nusd,
        "estimated": book.estimated,
        "took_us": _since(began),
        "first_word_us": book.first_word_us,
    }


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1_000_000)


def _failed(error: FairleadError, **of_the_call: Any) -> Asked:
    last = error.failures[-1] if isinstance(error, AllTargetsFailed) and error.failures else error
    wait_s = last.retry_after_s if isinstance(last, TargetError) else last.details.get("retry_after_s")
    return Asked(
        status=_status(last.code),
        code=last.code,
        message=error.message,
        hint=error.hint,
        retry_after_s=wait_s if isinstance(wait_s, int | float) else None,
        **of_the_call,
    )


class RemoteAsker:
    """Asks the data listener of a running server at `origin`, with a key. `cost` looks up what a call cost whose answer
    could not say so, because it was streamed or failed; None: that stays unknown."""

    def __init__(
        self, origin: Origin, key: str, pool: Pool, cost: Callable[[str], Awaitable[int | None]] | None = None
    ) -> None:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._heads = {task: request_head("POST", origin.place, path, headers) for task, path in PATHS.items()}
        self._origin = origin
        self._pool = pool
        self._cost = cost

    async def ask(self, question: Question) -> Asked:
        began = time.monotonic()
        beside = {"x-fairlead-tags": ",".join((FIRST_TAG, *question.tags))}
        if question.session:
            beside["x-fairlead-session"] = question.session
        if question.timeout_s is not None:
            beside["x-fairlead-timeout-s"] = f"{question.timeout_s:.9g}"
        try:
            response = await self._pool.ask(
                self._origin,
                self._heads[question.task],
                question.encoded(),
                Deadlines(total_s=LONGEST_S),
                header_lines(beside),
            )
        except TargetError as error:
            return self._gone(error, began)
        try:
            if response.status >= 400:
                return await self._refused(response, began)
            if question.streams and question.task == "chat":
                return await self._streamed(response, began)
            body = await response.body()
            answer = openai.read_answer(body, task=question.task, full=True)
            return _told(answer, _fingerprint(body), **self._told_by(response, began))
        except TargetError as error:  # of the server itself: it told everything else in its own words
            return self._gone(error, began)
        finally:
            response.release()

    async def _streamed(self, response: Response, began: float) -> Asked:
        heard, first_word_us = _Heard(), None
        told = self._told_by(response, began)
        try:
            async for batch in response.events(Events()):
                for name, data in batch:
                    heard.event(name, data)
                    if first_word_us is None and heard.has_words:
                        first_word_us = _since(began)
        except FairleadError as error:
            told |= {"cost_nusd": await self._looked_up(told["call"])}
            return _failed(error, **told | {"took_us": _since(began), "first_word_us": first_word_us})
        told |= {"took_us": _since(began), "first_word_us": first_word_us}
        told |= {"cost_nusd": await self._looked_up(told["call"])}
        return _told(heard.answer(), heard.fingerprint, **told)

    async def _refused(self, response: Response, began: float) -> Asked:
        told = self._told_by(response, began)
        unknown = _Error(f"the server answered {response.status}, in no language that is known here", "not_running")
        error = _error(await response.body()) or unknown
        if told["target"]:
            told["cost_nusd"] = await self._looked_up(told["call"])
        wait = response.headers.get("retry-after", "")
        return Asked(
            status=_status(error.code),
            code=error.code,
            message=error.message,
            hint=error.hint,
            retry_after_s=float(wait) if wait.replace(".", "", 1).isdigit() else None,
            **told,
        )

    def _told_by(self, response: Response, began: float) -> dict[str, Any]:
        said = response.headers
        cost = said.get("x-fairlead-cost-usd")
        return {
            "target": said.get("x-fairlead-target", ""),
            "call": said.get("x-fairlead-call", ""),
            "cost_nusd": None if cost is None else round(float(cost) * NUSD),
            "estimated": said.get("x-fairlead-estimated") == "true",
            "took_us": _since(began),
        }

    async def _looked_up(self, call: str) -> int | None:
        return await self._cost(call) if self._cost is not None and call else None

    def _gone(self, error: TargetError, began: float) -> Asked:
        return Asked(
            status="denied",
            code="not_running",
            message=f"the server that was asked is gone: {error.message}",
            hint="start it again, and resume the run",
            took_us=_since(began),
        )
