"""One target, asked once: hold, intent, ask, outcome, settle.

`Attempts` is the only power that a strategy is given. Every asking reserves its worst case first, appends its intent to
the spool before a byte is sent, and appends its outcome and settles the truth before the last byte goes to the caller.
Settling awaits nothing, so that a caller who hangs up can't interrupt it.
"""

from collections.abc import Mapping
from contextlib import aclosing
from time import monotonic
from types import TracebackType
from typing import Any

from msgspec.structs import replace

from fairlead.chat import Answer, Chunk, Item, Request, Stream, Usage
from fairlead.errors import (
    CostUnbounded,
    FairleadError,
    OutputInvalid,
    RequestInvalid,
    TargetError,
    TargetTimeout,
    Unavailable,
)
from fairlead.gateway import estimating
from fairlead.gateway.breaking import Circuit, Circuits
from fairlead.gateway.call import GENERATING, Asking, Backend, Call, Form, Limit, Purse, Target
from fairlead.gateway.ledger import HANG_UPS, Book
from fairlead.ids import new_id, now_us
from fairlead.money import Price, cost_nusd, worst_case_nusd
from fairlead.records import Intent, Outcome

UNANSWERED = (
    "target_unreachable",
    "connection_stale",
    "target_overloaded",
    "target_failed",
    "target_refused",
    "target_rejected",
)


class Attempts:
    """Asks targets on behalf of one call; its `answer` and `stream` are the `Ask` of the strategies."""

    def __init__(
        self,
        call: Call,
        book: Book,
        backends: Mapping[str, Backend],
        purse: Purse,
        circuits: Circuits,
        whole: bool = False,
    ) -> None:
        """`whole`: answers are read, not just passed on."""
        self._call = call
        self._book = book
        self._backends = backends
        self._purse = purse
        self._circuits = circuits
        self._whole = whole

    async def answer(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Answer:
        attempt = await self._begin(target, request, purpose, form)
        with attempt:
            answer = await self._backends[target.backend].answer(request, attempt.asking)
            attempt.answered(answer)
            if form is not None:
                answer = form.answered(answer)
        estimated = attempt.estimated or answer.estimated
        return replace(
            answer, target=target.name, cost_nusd=attempt.cost_nusd, estimated=estimated, usage=attempt.usage
        )

    async def stream(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Stream:
        attempt = await self._begin(target, request, purpose, form)
        with attempt:
            async with aclosing(self._backends[target.backend].stream(request, attempt.asking)) as items:
                async for item in items:
                    attempt.saw(item)
                    if form is None:
                        yield item
                        continue
                    for told in form.take(item):
                        yield told
            attempt.completed()
            for told in () if form is None else form.end():
                yield told

    async def _begin(self, target: Target, request: Request, purpose: str, form: Form | None) -> "Attempt":
        """Raises CircuitOpen before anything is held, where the target is left alone."""
        circuit = self._circuits.of(target)
        probing = circuit is not None and circuit.admit()
        try:
            attempt = await self._hold(target, request, purpose, form)
        except BaseException:
            if circuit is not None and probing:
                circuit.leave()
            raise
        attempt.circuit, attempt.probing = circuit, probing
        return attempt

    async def _hold(self, target: Target, request: Request, purpose: str, form: Form | None) -> "Attempt":
        """Reserve the worst case, then put the intent on record."""
        at_us = now_us()
        attempt = Attempt(self._call, self._book, self._purse, target, request, form, at_us)
        asking = self._asking(attempt, target, request, whole=self._whole or form is not None)
        price = attempt.price = target.price_at(at_us)
        worst = attempt.worst = self._worst_case(price, request, asking)
        tokens = _worst_tokens(request, asking)
        # A request belongs to the call, so that a fallback is no second one; a place in flight, tokens and money belong
        # to each attempt.
        most = {"nusd": worst or 0, "tokens": tokens, "requests": 0 if self._book.attempts else 1, "concurrent": 1}
        amounts = [(limit, most[limit.unit]) for limit in self._call.limits]
        attempt.hold = await self._purse.reserve(amounts, at_us)
        purpose = purpose or ("fallback" if self._book.attempts else "primary")
        try:
            attempt.start()  # a lease may have been waited for
            attempt.asking = self._in_time(attempt, asking)
            self._book.ledger.spool.append(attempt.intent(tokens, purpose))
        except (Unavailable, TargetTimeout):
            self._purse.settle(attempt.hold, [0] * len(amounts))
            raise
        self._book.attempts += 1
        return attempt

    def _asking(self, attempt: "Attempt", target: Target, request: Request, *, whole: bool) -> Asking:
        allowed = self._call.route.max_output_tokens
        if target.can is not None and target.can.max_output_tokens is not None:
            allowed = min(allowed, target.can.max_output_tokens)
        asked = request.max_output_tokens
        return Asking(
            target=target,
            max_output_tokens=allowed if asked is None else min(asked, allowed),
            trace=self._call.context.trace,
            attempt=attempt.id,
            lossy=self._call.route.lossy,
            whole=whole,
            counted=attempt.counts.append,
        )

    def _in_time(self, attempt: "Attempt", asking: Asking) -> Asking:
        """The route's deadline is shared by all attempts of a call: a later one gets what is left."""
        target = asking.target
        left_s = self._call.route.total_s - attempt.queued_s
        if left_s <= 0:
            raise TargetTimeout("no time is left to ask it", target=target.name, stage="total")
        if left_s >= target.timeouts.total_s:
            return asking
        return replace(asking, target=replace(target, timeouts=replace(target.timeouts, total_s=left_s)))

    def _worst_case(self, price: Price | None, request: Request, asking: Asking) -> int | None:
        """Nano-dollars that this attempt can cost at most; None where that can't be known and no budget asks."""
        if price is None:
            if budgeted := self._budget():
                target = asking.target
                raise CostUnbounded(
                    f"the price of target {target.name!r} is unknown, and {budgeted.scope} has a budget",
                    hint=f"set `price` in [targets.{target.name}], or run `fairlead catalog update`",
                )
            return None
        if request.task == "count":
            return 0  # nothing is generated, and no provider bills it
        output = asking.max_output_tokens if request.task in GENERATING else 0
        if request.input_bound is not None:
            return worst_case_nusd(price, request.input_bound, output, request.samples, request.searches)
        if self._call.route.max_cost_nusd is None and (budgeted := self._budget()):
            raise CostUnbounded(
                f"what this request can cost has no bound (it holds images, files or the provider's own tools, or asks "
                f"for a dearer tier), and {budgeted.scope} has a budget",
                hint=f"set `max_cost_per_call` in [routes.{self._call.route.name}]",
                code="cost_unbounded",
            )
        return self._call.route.max_cost_nusd

    def _budget(self) -> Limit | None:
        return next((limit for limit in self._call.limits if limit.unit == "nusd"), None)


class Attempt:
    """A context manager around one asking; leaving it appends the outcome and settles. Before it is entered it is given
    `asking`, `price`, `worst` and `hold`."""

    asking: Asking
    price: Price | None
    worst: int | None
    hold: Any
    usage: Usage | None = None
    cost_nusd: int | None = 0
    estimated = False
    circuit: Circuit | None = None
    probing = False  # its circuit closes, or stays open, by how this ends
    _first = _last = 0.0  # when words came; 0: never
    _bytes: int | None = None  # of a whole answer
    _model = ""
    _request_id = ""
    _finish: str | None = None
    _ended = False

    def __init__(
        self, call: Call, book: Book, purse: Purse, target: Target, request: Request, form: Form | None, at_us: int
    ) -> None:
        self.id = new_id(at_us)
        self._call = call
        self._book = book
        self._purse = purse
        self._target = target
        self._request = request
        self._form = form
        self._at_us = at_us
        self.start()
        self._words = estimating.Words()
        self.counts: list[Usage] = []  # by the target, until a stream was cut; no method of ours, which were a cycle

    def start(self) -> None:
        self._started = monotonic()
        self.queued_s = self._started - self._book.context.started

    def intent(self, tokens: int, purpose: str) -> Intent:
        call, target, context = self._call, self._target, self._call.context
        return Intent(
            attempt=self.id,
            call=call.id,
            at_us=self._at_us,
            purpose=purpose,
            key=call.caller.key,
            team=call.caller.team,
            route=call.route.name,
            target=target.name,
            backend=target.backend,
            model=target.model,
            zone=target.zone,
            price=self.price.id if self.price else None,
            hold_nusd=self.worst,
            hold_tokens=tokens,
            config=call.config,
            parent=context.parent,
            session=context.session,
            trace=context.trace,
        )

    def __enter__(self) -> "Attempt":
        self._book.target = self._target.name
        return self

    def answered(self, answer: Answer) -> None:
        self._first = self._last = monotonic()
        self._model = answer.model
        self._request_id = answer.request_id
        self._finish = answer.finish
        self._ended = True
        self._bytes = len(answer.spoken) if answer.spoken else sum(len(said.text or "") for said in answer.said)
        self.usage = answer.usage

    def saw(self, item: Item) -> None:
        """An item of the stream is about to be passed on."""
        if isinstance(item, Chunk):
            if item.words:
                self._last = monotonic()
                self._words.add(item)
                if not self._first:
                    self._first = self._last
                    self._book.first_word_us = self._book.first_word_us or self._book.elapsed_us()
                    if self.probing and self.circuit is not None:
                        self.circuit.spoke()
            if item.finish:
                self._finish = item.finish
        elif isinstance(item, Usage):
            self.usage = item
        else:
            self._model = item.model
            self._request_id = item.request_id

    def completed(self) -> None:
        self._ended = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, TargetError):
            error.target = error.target or self._target.name
            self._request_id = self._request_id or error.request_id
        self._book.request_id = self._request_id
        if self.circuit is not None:
            self.circuit.ended(error, probing=self.probing, hurried=error is not None and self._was_hurried())
        self.usage = self.usage or self._estimate(error)
        self.estimated = self.usage.estimated
        self.cost_nusd = self._cost(self.usage)
        if isinstance(error, TargetError):
            error.usage = self.usage
        if isinstance(error, OutputInvalid):
            error.cost_nusd = self.cost_nusd
        outcome = self._outcome(error, self.usage)
        try:
            self._book.ledger.spool.append(outcome)
        finally:
            self._book.attempted(outcome)
            self._purse.settle(self.hold, self._truth(self.usage))

    def _since_start_us(self, moment: float) -> int | None:
        return round((moment - self._started) * 1_000_000) if moment else None

    def _was_hurried(self) -> bool:
        """Whether it had less than half the time that the target and its route give."""
        route = self._call.route
        usual_s = min(self._target.timeouts.total_s, self._call.routes.get(route.name, route).total_s)
        return self.asking.target.timeouts.total_s < usual_s / 2

    def _estimate(self, error: BaseException | None) -> Usage:
        """Tokens where the target did not count, or not to the end; none where it refused."""
        if self._request.task == "count":
            return Usage()
        code = error.code if isinstance(error, FairleadError) else ""
        unsent = isinstance(error, TargetTimeout) and error.details.get("stage") == "connect"
        untold = isinstance(error, RequestInvalid)  # the target's language has no word for it: nothing was sent
        if not self._first and (code in UNANSWERED or unsent or untold):
            return Usage()
        if self._bytes is not None:
            return estimating.of_answer(self._request, self._bytes)
        most = self.asking.max_output_tokens * self._request.samples
        return estimating.of_stream(self._request, self._words, self.counts[-1] if self.counts else None, most)

    def _cost(self, usage: Usage) -> int | None:
        if self._request.task == "count" or (not (usage.input or usage.output) and not self._ended):
            return 0
        return cost_nusd(self.price, usage) if self.price else None

    def _truth(self, usage: Usage) -> list[int | None]:
        """What each reservation turned out to be, in the order in which they were taken; None: as reserved."""
        truth = {"nusd": self.cost_nusd or 0, "tokens": usage.input + usage.output, "requests": None, "concurrent": 0}
        return [truth[limit.unit] for limit in self._call.limits]

    def _outcome(self, error: BaseException | None, usage: Usage) -> Outcome:
        name, why, status = "ok", "", None
        if error is None:
            pass
        elif isinstance(error, HANG_UPS):
            name, why = "cancelled", str(error) or "the caller hung up"
        elif isinstance(error, FairleadError):
            name, why = error.code, error.why
            status = error.status if isinstance(error, TargetError) else None
        else:
            name, why = "internal_error", type(error).__name__
        return Outcome(
            attempt=self.id,
            call=self._call.id,
            outcome=name,
            why=why,
            status=status,
            finish=self._finish,
            shape=self._form.verdict if self._form is not None else "",
            served_model=self._model,
            request_id=self._request_id,
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            reasoning_tokens=usage.reasoning,
            usage_details=usage.details,
            cost_nusd=self.cost_nusd,
            overrun=self.worst is not None and (self.cost_nusd or 0) > self.worst,
            estimated=self.estimated,
            queued_us=round(self.queued_s * 1_000_000),
            first_token_us=self._since_start_us(self._first),
            last_token_us=self._since_start_us(self._last),
            duration_us=round((monotonic() - self._started) * 1_000_000),
        )


def _worst_tokens(request: Request, asking: Asking) -> int:
    """Tokens that an attempt can use at most; where the prompt has no bound, its bytes stand in."""
    if request.task == "count":
        return 0
    prompt = request.input_bound if request.input_bound is not None else request.input_bytes
    return prompt + (asking.max_output_tokens * request.samples if request.task in GENERATING else 0)
