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

from fairlead.chat import Answer, Chunk, Item, Relay, Request, Stream, Usage
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
from fairlead.money import Price, WorstCase, cost_nusd
from fairlead.records import Intent, Outcome

UNANSWERED = (
    "target_unreachable",
    "connection_stale",
    "target_overloaded",
    "target_failed",
    "target_refused",
    "target_rejected",
)


class Terms:
    """What is the same for all attempts at one target that a caller makes on a route: found out once for them."""

    __slots__ = (
        "_price",
        "_worst",
        "backend",
        "budget",
        "circuit",
        "intent",
        "most_output",
        "relays",
        "soon",
        "target",
        "units",
    )

    def __init__(self, call: Call, target: Target, backend: Backend, circuit: Circuit | None) -> None:
        route, can = call.route, target.can
        self.target = target
        self.backend = backend
        self.circuit = circuit
        self.most_output = route.max_output_tokens
        if can is not None and can.max_output_tokens is not None:
            self.most_output = min(self.most_output, can.max_output_tokens)
        self.budget: Limit | None = next((limit for limit in call.limits if limit.unit == "nusd"), None)
        self.units = [limit.unit for limit in call.limits]
        self.relays = route.hedge is None and route.on_break == "error"  # all layers hand on what follows a first word
        self.soon = route.hedge is None and route.cache is None  # a whole answer ends its call, and nobody is awaited
        self.intent = Intent(
            attempt="",
            call="",
            at_us=0,
            key=call.caller.key,
            team=call.caller.team,
            route=route.name,
            target=target.name,
            backend=target.backend,
            model=target.model,
            zone=target.zone,
            config=call.config,
        )
        self._price: Price | None = None
        self._worst: WorstCase | None = None

    def worst(self, price: Price) -> WorstCase:
        """Of the price of the moment."""
        if self._worst is None or self._price is not price:
            self._price, self._worst = price, WorstCase(price)
        return self._worst


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
            answer = await attempt.terms.backend.answer(request, attempt.asking)
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
            async with aclosing(attempt.terms.backend.stream(request, attempt.asking)) as items:
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
        terms = self._call.terms.get(id(target)) or self._agree(target)
        circuit = terms.circuit
        if circuit is None or not circuit.admit():
            return await self._hold(terms, request, purpose, form)
        try:
            attempt = await self._hold(terms, request, purpose, form)
        except BaseException:
            circuit.leave()
            raise
        attempt.probing = True
        return attempt

    def _agree(self, target: Target) -> Terms:
        """The terms keep the target, so that no other has its id while they are kept."""
        terms = Terms(self._call, target, self._backends[target.backend], self._circuits.of(target))
        self._call.terms[id(target)] = terms
        return terms

    async def _hold(self, terms: Terms, request: Request, purpose: str, form: Form | None) -> "Attempt":
        """Reserve the worst case, then put the intent on record."""
        call, book = self._call, self._book
        at_us = now_us()
        attempt = Attempt(call, book, self._purse, terms, request, form, at_us)
        output = request.max_output_tokens
        if output is None or output > terms.most_output:
            output = terms.most_output
        generated = output if request.task in GENERATING else 0
        price = attempt.price = terms.target.price_at(at_us)
        worst = attempt.worst = self._worst_case(terms, price, request, generated)
        tokens = _worst_tokens(request, generated)
        # A request belongs to the call, so that a fallback is no second one; a place in flight, tokens and money belong
        # to each attempt.
        most = {"nusd": worst or 0, "tokens": tokens, "requests": 0 if book.attempts else 1, "concurrent": 1}
        amounts = [(limit, most[limit.unit]) for limit in call.limits]
        hold = self._purse.spare(amounts, at_us)
        if hold is None:
            hold = await self._purse.reserve(amounts, at_us)
            attempt.start()
        attempt.hold = hold
        if book.attempts:
            purpose = purpose or "fallback"
            book.write_down()
        read = self._whole or form is not None
        relay = book.relay = Relay(attempt.saw) if request.stream and terms.relays and not read else None
        try:
            attempt.asking = Asking(
                self._in_time(terms.target, attempt),
                output,
                call.context.trace,
                attempt.id,
                call.route.lossy,
                read,
                attempt.counts.append,
                relay,
            )
            book.ledger.spool.append(attempt.intent(tokens, purpose or "primary"))
        except (Unavailable, TargetTimeout):
            self._purse.settle(hold, [0] * len(amounts))
            raise
        book.attempts += 1
        return attempt

    def _in_time(self, target: Target, attempt: "Attempt") -> Target:
        """The route's deadline is shared by all attempts of a call: a later one gets what is left."""
        left_s = self._call.route.total_s - attempt.queued_s
        if left_s <= 0:
            raise TargetTimeout("no time is left to ask it", target=target.name, stage="total")
        if left_s >= target.timeouts.total_s:
            return target
        return replace(target, timeouts=replace(target.timeouts, total_s=left_s))

    def _worst_case(self, terms: Terms, price: Price | None, request: Request, output: int) -> int | None:
        """Nano-dollars that this attempt can cost at most; None where that can't be known and no budget asks."""
        if price is None:
            if terms.budget is not None:
                target = terms.target
                raise CostUnbounded(
                    f"the price of target {target.name!r} is unknown, and {terms.budget.scope} has a budget",
                    hint=f"set `price` in [targets.{target.name}], or run `fairlead catalog update`",
                )
            return None
        if request.task == "count":
            return 0  # nothing is generated, and no provider bills it
        if request.input_bound is not None:
            return terms.worst(price).nusd(request.input_bound, output, request.samples, request.searches)
        if self._call.route.max_cost_nusd is None and terms.budget is not None:
            raise CostUnbounded(
                f"what this request can cost has no bound (it holds images, files or the provider's own tools, or asks "
                f"for a dearer tier), and {terms.budget.scope} has a budget",
                hint=f"set `max_cost_per_call` in [routes.{self._call.route.name}]",
                code="cost_unbounded",
            )
        return self._call.route.max_cost_nusd


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
    probing = False  # its circuit closes, or stays open, by how this ends
    _first = _last = 0.0  # when words came; 0: never
    _bytes: int | None = None  # of a whole answer
    _model = ""
    _request_id = ""
    _finish: str | None = None
    _ended = False

    def __init__(
        self, call: Call, book: Book, purse: Purse, terms: Terms, request: Request, form: Form | None, at_us: int
    ) -> None:
        self.id = new_id(at_us)
        self.terms = terms
        self._call = call
        self._book = book
        self._purse = purse
        self._target = terms.target
        self._request = request
        self._form = form
        self._at_us = at_us
        self._started = monotonic()
        self.queued_s = self._started - book.context.started
        self._words: estimating.Words | None = None
        self.counts: list[Usage] = []  # by the target, until a stream was cut; no method of ours, which were a cycle

    def start(self) -> None:
        """Once more: a lease was waited for."""
        self._started = monotonic()
        self.queued_s = self._started - self._book.context.started

    def intent(self, tokens: int, purpose: str) -> Intent:
        context = self._call.context
        return replace(
            self.terms.intent,
            attempt=self.id,
            call=self._call.id,
            at_us=self._at_us,
            purpose=purpose,
            price=self.price.id if self.price else None,
            hold_nusd=self.worst,
            hold_tokens=tokens,
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
                words = self._words
                if words is None:
                    words = self._words = estimating.Words()
                words.add(item)
                if not self._first:
                    self._first = self._last
                    self._book.first_word_us = self._book.first_word_us or self._book.elapsed_us()
                    if self.probing and self.terms.circuit is not None:
                        self.terms.circuit.spoke()
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
        if self.asking.relay is not None:
            self.asking.relay.close()
        if isinstance(error, TargetError):
            error.target = error.target or self._target.name
            self._request_id = self._request_id or error.request_id
        self._book.request_id = self._request_id
        circuit = self.terms.circuit
        if circuit is not None:
            circuit.ended(error, probing=self.probing, hurried=error is not None and self._was_hurried())
        usage = self.usage = self.usage or self._estimate(error)
        self.estimated = usage.estimated
        self.cost_nusd = self._cost(usage)
        if isinstance(error, TargetError):
            error.usage = usage
        if isinstance(error, OutputInvalid):
            error.cost_nusd = self.cost_nusd
        outcome = self._outcome(error, usage)
        truth = {"nusd": self.cost_nusd or 0, "tokens": usage.input + usage.output, "requests": None, "concurrent": 0}
        try:
            self._book.attempted(outcome, soon=error is None and self.terms.soon and not self._request.stream)
        finally:  # in the order in which they were taken; None: as reserved
            self._purse.settle(self.hold, [truth[unit] for unit in self.terms.units])

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
        words = self._words or estimating.Words()
        return estimating.of_stream(self._request, words, self.counts[-1] if self.counts else None, most)

    def _cost(self, usage: Usage) -> int | None:
        if self._request.task == "count" or (not (usage.input or usage.output) and not self._ended):
            return 0
        return cost_nusd(self.price, usage) if self.price else None

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
        ended = Outcome(
            attempt=self.id,
            call=self._call.id,
            outcome=name,
            why=why,
            status=status,
            finish=self._finish,
            shape=self._form.verdict if self._form is not None else "",
            served_model=self._model,
            request_id=self._request_id,
            queued_us=round(self.queued_s * 1_000_000),
            first_token_us=round((self._first - self._started) * 1_000_000) if self._first else None,
            last_token_us=round((self._last - self._started) * 1_000_000) if self._last else None,
            duration_us=round((monotonic() - self._started) * 1_000_000),
        )
        return (
            replace(  # in two steps: Python makes a dictionary of more than 15 named arguments, for ten times the time
                ended,
                input_tokens=usage.input,
                output_tokens=usage.output,
                cache_read_tokens=usage.cache_read,
                cache_write_tokens=usage.cache_write,
                reasoning_tokens=usage.reasoning,
                usage_details=usage.details,
                cost_nusd=self.cost_nusd,
                overrun=self.worst is not None and (self.cost_nusd or 0) > self.worst,
                estimated=self.estimated,
            )
        )


def _worst_tokens(request: Request, output: int) -> int:
    """Tokens that an attempt can use at most; where the prompt has no bound, its bytes stand in."""
    if request.task == "count":
        return 0
    prompt = request.input_bound if request.input_bound is not None else request.input_bytes
    return prompt + output * request.samples
