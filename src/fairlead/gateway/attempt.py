"""One target, asked once: hold, intent, ask, outcome, settle.

`Attempts` is the only power that a strategy is given. Every asking reserves its worst case first, appends its intent to
the spool before a byte is sent, and appends its outcome and settles the truth before the last byte goes to the caller.
Settling awaits nothing, so that a caller who hangs up can't interrupt it.
"""

from collections.abc import Mapping, Sequence
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
from fairlead.gateway.call import GENERATING, Asking, Backend, Call, Form, Limit, Purse, Target, Unit
from fairlead.gateway.ledger import HANG_UPS, Book
from fairlead.ids import new_id, now_us
from fairlead.money import Price, WorstCase, cost_nusd
from fairlead.records import Intent, Outcome

UNITS: tuple[Unit, ...] = ("nusd", "tokens", "requests", "concurrent")  # in which an attempt's amounts are told
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
        "amounts",
        "backend",
        "budget",
        "circuit",
        "intent",
        "most_output",
        "relays",
        "soon",
        "target",
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
        self.amounts = [(limit, UNITS.index(limit.unit)) for limit in call.limits]
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
        self.call = call
        self.book = book
        self.purse = purse
        self._backends = backends
        self._circuits = circuits
        self._whole = whole

    async def answer(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Answer:
        attempt = self._begin(target, request, purpose, form)
        if attempt is None:
            attempt = await self._begin_later(target, request, purpose, form)
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
        attempt = self._begin(target, request, purpose, form)
        if attempt is None:
            attempt = await self._begin_later(target, request, purpose, form)
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

    def _begin(self, target: Target, request: Request, purpose: str, form: Form | None) -> "Attempt | None":
        """Reserve the worst case, then put the intent on record. None, and nothing is done: somebody is to be asked."""
        terms = self.call.terms.get(id(target)) or self._agree(target)
        if terms.circuit is not None and terms.circuit.shut:
            return None
        attempt = Attempt(self, terms, request, form)
        most = attempt.reckon()
        attempt.hold = self.purse.spare([(limit, most[unit]) for limit, unit in terms.amounts], attempt.at_us)
        if attempt.hold is None:
            return None
        self._note(attempt, request, most[1], purpose, form)
        return attempt

    async def _begin_later(self, target: Target, request: Request, purpose: str, form: Form | None) -> "Attempt":
        """The same where a circuit is not closed, or a lease is to be waited for. Raises CircuitOpen before anything is
        held, where the target is left alone."""
        terms = self.call.terms.get(id(target)) or self._agree(target)
        circuit = terms.circuit
        probing = circuit is not None and circuit.admit()
        try:
            attempt = Attempt(self, terms, request, form)
            most = attempt.reckon()
            attempt.hold = await self.purse.reserve([(limit, most[at]) for limit, at in terms.amounts], attempt.at_us)
            attempt.start()
            self._note(attempt, request, most[1], purpose, form)
        except BaseException:
            if probing and circuit is not None:
                circuit.leave()
            raise
        attempt.probing = probing
        return attempt

    def _note(self, attempt: "Attempt", request: Request, tokens: int, purpose: str, form: Form | None) -> None:
        """What is asked of the backend, and the intent. Raises TargetTimeout where no time is left, and Unavailable."""
        call, book, terms = self.call, self.book, attempt.terms
        if book.attempts:
            purpose = purpose or "fallback"
            book.write_down()
        read = self._whole or form is not None
        relay = counted = None
        if request.stream:
            relay = Relay(attempt.saw) if terms.relays and not read else None
            attempt.counts = counts = []
            counted = counts.append
        book.relay = relay
        target, route = terms.target, call.route
        left_s = route.total_s - attempt.queued_s
        trace = call.context.trace
        try:
            if left_s < target.timeouts.total_s:
                target = _hurried(target, left_s)
            attempt.asking = Asking(target, attempt.output, trace, attempt.id, route.lossy, read, counted, relay)
            book.ledger.spool.append(attempt.intent(tokens, purpose or "primary"))
        except (Unavailable, TargetTimeout):
            self.purse.settle(attempt.hold, [0] * len(terms.amounts))
            raise
        book.attempts += 1

    def _agree(self, target: Target) -> Terms:
        """The terms keep the target, so that no other has its id while they are kept."""
        terms = Terms(self.call, target, self._backends[target.backend], self._circuits.of(target))
        self.call.terms[id(target)] = terms
        return terms


class Attempt:
    """A context manager around one asking; leaving it appends the outcome and settles. Before it is entered it is
    reckoned, and given `asking` and `hold`."""

    asking: Asking
    price: Price | None
    worst: int | None
    hold: Any
    output = 0  # tokens that it may generate
    usage: Usage | None = None
    cost_nusd: int | None = 0
    estimated = False
    probing = False  # its circuit closes, or stays open, by how this ends
    counts: Sequence[Usage] = ()  # by the target, until a stream was cut; no method of ours, which were a cycle
    _words: estimating.Words | None = None
    _first = _last = 0.0  # when words came; 0: never
    _bytes: int | None = None  # of a whole answer
    _model = ""
    _request_id = ""
    _finish: str | None = None
    _ended = False

    def __init__(self, asks: Attempts, terms: Terms, request: Request, form: Form | None) -> None:
        self.at_us = at_us = now_us()
        self.id = new_id(at_us)
        self.terms = terms
        self._asks = asks
        self._request = request
        self._form = form
        self._started = started = monotonic()
        self.queued_s = started - asks.book.context.started

    def start(self) -> None:
        """Once more: a lease was waited for."""
        self._started = monotonic()
        self.queued_s = self._started - self._asks.book.context.started

    def reckon(self) -> tuple[int, int, int, int]:
        """The most that it can use, in the order of UNITS. A request belongs to the call, so that a fallback is no
        second one; a place in flight, tokens and money belong to each attempt."""
        terms, request = self.terms, self._request
        output = request.max_output_tokens
        if output is None or output > terms.most_output:
            output = terms.most_output
        self.output = output
        price = self.price = terms.target.price_at(self.at_us)
        first = 0 if self._asks.book.attempts else 1
        bound = request.input_bound
        if request.task == "count":  # nothing is generated, and no provider bills it
            self.worst = 0 if price is not None else self._unbounded()
            return 0, 0, first, 1
        if request.task not in GENERATING:
            output = 0
        if bound is not None and price is not None:
            worst = self.worst = terms.worst(price).nusd(bound, output, request.samples, request.searches)
        else:
            worst = self.worst = self._unbounded()
        # Where the prompt has no bound, its bytes stand in.
        return worst or 0, (request.input_bytes if bound is None else bound) + output * request.samples, first, 1

    def _unbounded(self) -> int | None:
        """Nano-dollars that it can cost at most where that can't be known; None where no budget asks."""
        budget, route = self.terms.budget, self._asks.call.route
        if self.price is None:
            if budget is not None:
                target = self.terms.target
                raise CostUnbounded(
                    f"the price of target {target.name!r} is unknown, and {budget.scope} has a budget",
                    hint=f"set `price` in [targets.{target.name}], or run `fairlead catalog update`",
                )
            return None
        if route.max_cost_nusd is None and budget is not None:
            raise CostUnbounded(
                f"what this request can cost has no bound (it holds images, files or the provider's own tools, or asks "
                f"for a dearer tier), and {budget.scope} has a budget",
                hint=f"set `max_cost_per_call` in [routes.{route.name}]",
                code="cost_unbounded",
            )
        return route.max_cost_nusd

    def intent(self, tokens: int, purpose: str) -> Intent:
        call = self._asks.call
        context = call.context
        return replace(
            self.terms.intent,
            attempt=self.id,
            call=call.id,
            at_us=self.at_us,
            purpose=purpose,
            price=self.price.id if self.price else None,
            hold_nusd=self.worst,
            hold_tokens=tokens,
            parent=context.parent,
            session=context.session,
            trace=context.trace,
        )

    def __enter__(self) -> "Attempt":
        self._asks.book.target = self.terms.target.name
        return self

    def answered(self, answer: Answer) -> None:
        self._first = self._last = monotonic()
        self._model = answer.model
        self._request_id = answer.request_id
        self._finish = answer.finish
        self._ended = True
        spoken = answer.spoken
        self._bytes = len(spoken) if spoken else sum([len(said.text or "") for said in answer.said])
        self.usage = answer.usage

    def saw(self, item: Item) -> None:
        """An item of the stream is about to be passed on."""
        if isinstance(item, Chunk):
            if item.words:
                self._last = monotonic()
                words = self._words
                if words is None:
                    words = self._words = estimating.Words()
                    self._first = self._last
                    book = self._asks.book
                    book.first_word_us = book.first_word_us or book.elapsed_us()
                    if self.probing and self.terms.circuit is not None:
                        self.terms.circuit.spoke()
                words.add(item)
            if item.finish is not None:
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
        terms, book = self.terms, self._asks.book
        if self.asking.relay is not None:
            self.asking.relay.close()
        if isinstance(error, TargetError):
            error.target = error.target or terms.target.name
            self._request_id = self._request_id or error.request_id
        book.request_id = self._request_id
        if terms.circuit is not None:
            hurried = error is not None and self._was_hurried()
            terms.circuit.ended(error, probing=self.probing, hurried=hurried)
        usage = self.usage = self.usage or self._estimate(error)
        self.estimated = usage.estimated
        cost = self.cost_nusd = self._cost(usage)
        if isinstance(error, TargetError):
            error.usage = usage
        if isinstance(error, OutputInvalid):
            error.cost_nusd = cost
        truth = (cost or 0, usage.input + usage.output, None, 0)  # in the order of UNITS; None: as reserved
        try:
            soon = error is None and terms.soon and not self._request.stream
            book.attempted(self._outcome(error, usage), soon=soon)
        finally:
            self._asks.purse.settle(self.hold, [truth[unit] for _, unit in terms.amounts])

    def _was_hurried(self) -> bool:
        """Whether it had less than half the time that the target and its route give."""
        call = self._asks.call
        usual_s = min(self.terms.target.timeouts.total_s, call.routes.get(call.route.name, call.route).total_s)
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
        started, first, last = self._started, self._first, self._last
        first_us = round((first - started) * 1_000_000) if first else None
        ended = Outcome(  # no more names than these: Python makes a dictionary of more than 15, for ten times the time
            attempt=self.id,
            call=self._asks.call.id,
            outcome=name,
            finish=self._finish,
            served_model=self._model,
            request_id=self._request_id,
            input_tokens=usage.input,
            output_tokens=usage.output,
            cost_nusd=self.cost_nusd,
            estimated=self.estimated,
            queued_us=round(self.queued_s * 1_000_000),
            first_token_us=first_us,
            last_token_us=first_us if last == first else round((last - started) * 1_000_000),
            duration_us=round((monotonic() - started) * 1_000_000),
        )
        overrun = self.worst is not None and (self.cost_nusd or 0) > self.worst
        if error is None and not overrun and self._form is None and usage.is_plain:  # as nearly always
            return ended
        return replace(
            ended,
            why=why,
            status=status,
            shape=self._form.verdict if self._form is not None else "",
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            reasoning_tokens=usage.reasoning,
            usage_details=usage.details,
            overrun=overrun,
        )


def _hurried(target: Target, left_s: float) -> Target:
    """The route's deadline is shared by all attempts of a call: a later one gets what is left."""
    if left_s <= 0:
        raise TargetTimeout("no time is left to ask it", target=target.name, stage="total")
    return replace(target, timeouts=replace(target.timeouts, total_s=left_s))
