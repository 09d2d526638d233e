"""What becomes of a stream that breaks after its first word, where the route says more than that it fails.

Two Asks around the Ask, each for one `on_break`. `Buffered` holds a stream until it is whole, so that a break is a
failure before the first word: it is asked again, or another target is. `Continued` asks for the rest with the words so
far as the beginning of the answer: of the same target, or of the same model elsewhere on the route, never of another.
Neither makes up an end: what can't be rescued ends with the error of the break.

A continuation joins seamlessly: white space at the end of what came is held back until more comes, and is left to the
continuation to say again, since servers refuse or trim a beginning that ends in it; and a server that repeats the
beginning has it taken away.
"""

from collections.abc import Iterable, Iterator
from contextlib import aclosing
from copy import copy

from msgspec import UNSET
from msgspec.structs import replace

from fairlead.chat import OPAQUE, Answer, Chunk, Head, Item, Message, Request, Stream, Text, Usage
from fairlead.errors import (
    BudgetExceeded,
    FairleadError,
    LimitExceeded,
    RequestInvalid,
    TargetError,
    Unavailable,
)
from fairlead.gateway.call import Ask, Call, Form, Target
from fairlead.gateway.ledger import Book
from fairlead.gateway.retrying import SPENT, RetryBudgets

MOST_HELD_BYTES = 4 * 1024 * 1024  # of a stream that is held back; what is longer streams on as it comes
ITEM_BYTES = 250  # what an item takes beside what is said in it
MOST_CONTINUATIONS = 3  # of one stream
SHORTEST_ECHO = 12  # letters: what is shorter may well be said twice
NOT_PLAIN = frozenset({"schema", "json", "thinking", OPAQUE})  # needs of an answer that can't be continued
DENIED = (LimitExceeded, BudgetExceeded, RequestInvalid, Unavailable)


def rescuing(ask: Ask, call: Call, book: Book, budgets: RetryBudgets) -> Ask:
    """The same power where there is nothing to rescue; else one that keeps to the route's `on_break`."""
    if not call.request.stream:
        return ask
    match call.route.on_break:
        case "buffer":
            return Buffered(ask, book)
        case "continue" if _is_plain(call.request):
            return Continued(ask, call, budgets)
    return ask


def continues(target: Target) -> bool:
    """Whether it is known to go on with an answer that has been begun."""
    return target.can is not None and target.can.prefill is True


def _is_plain(request: Request) -> bool:
    return request.task == "chat" and request.samples == 1 and request.needs.isdisjoint(NOT_PLAIN)


def size_of(item: Item) -> int:
    """About how many bytes it takes."""
    size = ITEM_BYTES + len(item.spoken or b"")
    if isinstance(item, Chunk):
        size += len(item.text) + len(item.reasoning) + (len(item.tool.arguments) if item.tool is not None else 0)
    return size


# --- held until it is whole ------------------------------------------------------------------------------------------


class Buffered:
    def __init__(self, ask: Ask, book: Book) -> None:
        self._ask = ask
        self._book = book

    async def answer(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Answer:
        return await self._ask.answer(target, request, purpose, form)

    async def stream(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Stream:
        """Nothing, until all is there; or until it is more than is held: then the rest as it comes."""
        held: list[Item] = []
        size = 0
        async with aclosing(self._ask.stream(target, request, purpose, form)) as items:
            async for item in items:
                held.append(item)
                size += size_of(item)
                if size > MOST_HELD_BYTES:
                    break
            if self._book.first_word_us is not None:
                self._book.first_word_us = self._book.elapsed_us()  # the caller's first word, not the target's
            for item in held:
                yield item
            held.clear()
            async for item in items:
                yield item


# --- continued where it broke ----------------------------------------------------------------------------------------


class Reading:
    """The `Form` of an answer of any form: it is read, and passed on as it is."""

    verdict = ""

    def anew(self) -> "Reading":
        return self

    def answered(self, answer: Answer) -> Answer:
        return answer

    def take(self, item: Item) -> Iterable[Item]:
        return (item,)

    def end(self) -> Iterable[Item]:
        return ()


READING = Reading()


class Continued:
    """An Ask around the Ask. What has a form, and targets that don't go on with a begun answer, pass through."""

    def __init__(self, ask: Ask, call: Call, budgets: RetryBudgets) -> None:
        self._ask = ask
        self._call = call
        self._budgets = budgets

    async def answer(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Answer:
        return await self._ask.answer(target, request, purpose, form)

    async def stream(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Stream:
        """Written anew where it can be continued: of two streams as they came nobody can make one."""
        if form is not None or not (continues(target) and _is_plain(request)):
            async with aclosing(self._ask.stream(target, request, purpose, form)) as items:
                async for item in items:
                    yield item
            return
        begun = Begun()
        rescue = _Rescue(self._call, target, request, begun, self._budgets)
        while True:
            try:
                async with aclosing(self._ask.stream(rescue.target, rescue.asked, purpose, READING)) as items:
                    async for item in items:
                        for told in begun.take(item):
                            yield told
            except (TargetError, *DENIED) as error:
                rescue.after(error)
                purpose = "continue"
                continue
            for told in begun.end():
                yield told
            return


class _Rescue:
    """One stream and its continuations: who is asked next, and for what."""

    def __init__(self, call: Call, target: Target, request: Request, begun: "Begun", budgets: RetryBudgets) -> None:
        self.asked = request
        self._budgets = budgets
        self._call = call
        self._request = request
        self._begun = begun
        self._places = [target, *_twins(target, call)]
        self._left = MOST_CONTINUATIONS
        self._length = 0  # of what was said before the present asking
        self._broken: FairleadError | None = None  # what is told if nothing helps; a copy, since one that holds its
        # frames would be a cycle with them

    @property
    def target(self) -> Target:
        return self._places[0]

    def after(self, error: FairleadError) -> None:
        """An asking failed. Raises what broke the stream where it can't go on."""
        begun, said_more = self._begun, self._begun.length > self._length
        begun.broke(error)
        if self._broken is None or said_more:
            self._broken = copy(error)
        else:
            self._broken.message += f"; it could not be continued ({error.code})"
            self._places.pop(0)  # there it did not even go on: is the same model somewhere else?
        may_help = isinstance(error, TargetError) and error.retryable
        rest = self._rest() if may_help and begun.can_go_on and self._left and self._places else None
        if rest is None:
            raise copy(self._broken)
        if not self._budgets.of(self.target.name).withdraw(self._budgets.clock.now()):
            self._broken.hint = f"{self._broken.hint} {SPENT}".strip()
            raise copy(self._broken)
        self.asked = rest
        self._left -= 1
        self._length = begun.length

    def _rest(self) -> Request | None:
        """The same request with its answer begun; None where that can't be asked for."""
        request, text = self._request, self._begun.text
        try:
            chat = request.chat()
        except RequestInvalid:  # only its own provider understands it
            return None
        left = _output_limit(self._call, self.target, request) - self._begun.output
        if left < 1 or not chat.messages or chat.messages[-1].role == "assistant":
            return None
        chat = replace(chat, messages=(*chat.messages, Message("assistant", (Text(text),))))
        added = len(text.encode("utf-8", "surrogatepass"))
        return replace(
            request,
            spoken=None,
            read=lambda: chat,
            max_output_tokens=left,
            input_bound=None if request.input_bound is None else request.input_bound + added,
            input_bytes=request.input_bytes + added,
        )


def _twins(target: Target, call: Call) -> list[Target]:
    """The same model elsewhere on the route."""
    others = (other for other in call.targets if other.name != target.name and other.model == target.model)
    return [other for other in others if continues(other)]


def _output_limit(call: Call, target: Target, request: Request) -> int:
    most = [call.route.max_output_tokens, request.max_output_tokens, target.can and target.can.max_output_tokens]
    return min(limit for limit in most if limit is not None)


class Begun:
    """A plain answer, as far as it came: what may be passed on of it, and whether it can go on.

    `text` is what was passed on, never with white space at its end; `output` the tokens of the askings that broke.
    """

    def __init__(self) -> None:
        self.text = ""
        self.output = 0
        self._plain = True
        self._finished = False
        self._echo: str | None = None  # what a continuation has repeated so far, as long as it may be no more
        self._introduced = False
        self._held: list[Chunk] = []  # white space that nothing has followed yet
        self._usage: Usage | None = None  # of the present asking
        self._spent: list[Usage] = []  # of those that broke

    @property
    def length(self) -> int:
        return len(self.text)

    @property
    def can_go_on(self) -> bool:
        return self._plain and not self._finished and bool(self.text)

    def take(self, item: Item) -> Iterator[Item]:
        """What may be passed on now."""
        if isinstance(item, Usage):
            self._usage = item
        elif isinstance(item, Head):
            if not self._introduced:
                self._introduced = True
                yield replace(item, spoken=None)
        elif item.words or item.finish is not None or item.logprobs is not UNSET or item.part is not None:
            yield from self._said(item)

    def broke(self, error: FairleadError) -> None:
        """The present asking came to nothing more: white space that was held back is the continuation's to say."""
        self._held.clear()
        self._echo = "" if len(self.text) >= SHORTEST_ECHO else None
        self._usage = None
        spent = error.usage if isinstance(error, TargetError) else None
        if isinstance(spent, Usage):
            self._spent.append(spent)
            self.output += spent.output

    def end(self) -> Iterator[Item]:
        yield from self._held
        if self._usage is not None:
            yield _sum([*self._spent, self._usage]) if self._spent else self._usage

    def _unrepeated(self, chunk: Chunk) -> Chunk | None:
        """The chunk without the beginning of the answer; None while nothing else was said."""
        said = (self._echo or "") + chunk.text
        if self.text.startswith(said) and _is_text(chunk) and chunk.finish is None:
            self._echo = said if len(said) < len(self.text) else None
            return None
        self._echo = None
        return replace(chunk, text=said.removeprefix(self.text))

    def _said(self, whole: Chunk) -> Iterator[Chunk]:
        chunk = whole if self._echo is None else self._unrepeated(whole)
        if chunk is None:
            return
        self._plain = self._plain and _is_text(chunk)
        self._finished = self._finished or chunk.finish is not None
        if self._finished or not self._plain:
            yield from self._held
            self._held.clear()
            yield chunk
            return
        stays = chunk.text.rstrip()
        if not stays:
            self._held.append(chunk)
            return
        self.text += "".join(held.text for held in self._held) + stays
        yield from self._held
        self._held.clear()
        if stays == chunk.text:
            yield chunk
            return
        self._held.append(Chunk(text=chunk.text[len(stays) :], words=True))
        yield replace(chunk, text=stays)


def _is_text(chunk: Chunk) -> bool:
    return not (chunk.index or chunk.tool or chunk.reasoning or chunk.refusal or chunk.part)


def _sum(usages: list[Usage]) -> Usage:
    units = {unit for usage in usages for unit in usage.details}
    return Usage(
        input=sum(usage.input for usage in usages),
        output=sum(usage.output for usage in usages),
        cache_read=sum(usage.cache_read for usage in usages),
        cache_write=sum(usage.cache_write for usage in usages),
        reasoning=sum(usage.reasoning for usage in usages),
        estimated=any(usage.estimated for usage in usages),
        details={unit: sum(usage.details.get(unit, 0) for usage in usages) for unit in units},
    )
