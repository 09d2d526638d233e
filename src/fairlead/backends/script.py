"""The scripted backend: it says what it was told to say and fails as it was told to, without a network or a model.

It ships: tests, documentation and demonstrations of faults use it, and `standin/` plays the same lines over TCP. It
keeps a target's deadlines as every other backend does. It speaks the house language, so whatever it says is written
anew in the caller's.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairlead.backends.lines import Line
from fairlead.backends.status import error_for
from fairlead.backends.turns import PLAYED, Turns, breaks_at, in_pieces, prompts, whole
from fairlead.chat import Answer, Head, Request, Stream, Usage
from fairlead.errors import (
    RequestInvalid,
    StreamBroken,
    TargetError,
    TargetRejected,
    TargetTimeout,
    TargetUnclear,
    TargetUnreachable,
)
from fairlead.ids import new_id

if TYPE_CHECKING:
    from fairlead.gateway.call import Asking

DIALECT = "house"


class Script:
    """Plays lines, in the order of `turns.py`.

    Conversations, completions and counts; what is no text raises RequestInvalid `unsupported_feature`. Raises
    ConfigInvalid at once where a line makes no sense.
    """

    dialect = DIALECT

    def __init__(self, lines: Sequence[Line]) -> None:
        self._turns = Turns(lines)

    @property
    def plays(self) -> tuple[int, ...]:
        """How often each line was played."""
        return self._turns.plays

    async def answer(self, request: Request, asking: "Asking") -> Answer:
        line, prompt = self._next(request, asking)
        clock = _Clock(asking)
        _fail(line, asking)
        if request.task == "count":
            used = line.used(prompt)
            return Answer(target=asking.target.name, model=asking.target.model, tokens=used.input if used else 0)
        pauses_s = line.latency_s + line.delay_s * max(len(line.cuts) - 1, 0)
        await clock.pause(pauses_s, "total")
        if line.stall_after is not None:
            await clock.stall("total")
        if line.cut_after is not None:
            raise _broken(asking)
        if line.fault is not None:
            await _go_wrong(line, line.fault_row.answer, clock, "total", asking)
        said = whole(line)
        return Answer(
            id=f"script-{new_id()}",
            model=asking.target.model,
            target=asking.target.name,
            dialect=DIALECT,
            said=(said,) * request.samples,
            finish=line.end,
            usage=line.used(prompt),
        )

    async def stream(self, request: Request, asking: "Asking") -> Stream:
        line, prompt = self._next(request, asking)
        clock = _Clock(asking)
        _fail(line, asking)
        await clock.pause(line.latency_s, "first_token")
        wrong = line.fault_row.stream if line.fault is not None else None
        if wrong is not None and line.fault_row.at == "start":
            await _go_wrong(line, wrong, clock, "first_token", asking)
        yield Head(f"script-{new_id()}", asking.target.model, asking.target.name, DIALECT)
        chunks = in_pieces(line, request.samples)
        breaks = breaks_at(line, chunks)
        for count, chunk in enumerate(chunks):
            if count:
                await clock.pause(line.delay_s, "between_tokens")
            if count == breaks:
                if line.cut_after is not None:
                    raise _broken(asking)
                if line.stall_after is not None:
                    await clock.stall("between_tokens" if count else "first_token")
                await _go_wrong(line, wrong, clock, "between_tokens", asking)
            if wrong is not None and chunk.finish is not None:  # all words came, and no end
                raise _broken(asking)
            yield chunk
        usage: Usage | None = line.used(prompt)
        if usage is not None:
            yield usage

    def says(self, request: Request, asking: "Asking") -> bool:
        return request.task in PLAYED

    def _next(self, request: Request, asking: "Asking") -> tuple[Line, str]:
        """The line whose turn it is, and the prompt."""
        if request.task not in PLAYED:
            raise RequestInvalid(
                f"{asking.target.name} plays a script, which has no task {request.task!r}",
                code="unsupported_feature",
                hint="Give the route a target whose backend is no script.",
            )
        prompt, last = prompts(request)
        number = self._turns.next(last)
        if number is None:
            raise TargetRejected(
                f"{asking.target.name} plays a script, and none of its lines fits this text",
                code="script_has_no_line",
                hint="Add a line without `when`: it is played whenever no other fits.",
                target=asking.target.name,
                dialect=DIALECT,
            )
        return self._turns.lines[number].heard(last), prompt


class _Clock:
    """The deadlines of one asking, kept by sleeping no longer than they allow. Raises TargetTimeout."""

    def __init__(self, asking: "Asking") -> None:
        self._asking = asking
        self._loop = asyncio.get_running_loop()
        self._ends = self._loop.time() + asking.target.timeouts.total_s

    async def pause(self, seconds: float, stage: str) -> None:
        left = self._ends - self._loop.time()
        allowed: float = getattr(self._asking.target.timeouts, f"{stage}_s")
        if left < allowed:
            allowed, stage = left, "total"
        if seconds > allowed:
            await asyncio.sleep(max(allowed, 0.0))
            raise _late(self._asking, stage)
        if seconds:
            await asyncio.sleep(seconds)

    async def stall(self, stage: str) -> None:
        await self.pause(float("inf"), stage)


def _fail(line: Line, asking: "Asking") -> None:
    """The faults that happen before anything is said. Raises TargetError, or does nothing."""
    name = asking.target.name
    if line.refuse:
        raise TargetUnreachable(f"{name} refused the connection", target=name, dialect=DIALECT)
    if line.timeout is not None:
        raise _late(asking, line.timeout)
    if line.malformed:
        raise TargetUnclear(f"{name} gave an answer that can't be read", target=name, dialect=DIALECT, body=b"{")
    if line.status is not None:
        said = (line.message or f"scripted status {line.status}", "")
        headers = {} if line.retry_after_s is None else {"retry-after": str(line.retry_after_s)}
        raise error_for(line.status, said, b"", headers, target=name, dialect=DIALECT)


async def _go_wrong(line: Line, kind: type[TargetError] | None, clock: _Clock, stage: str, asking: "Asking") -> None:
    """What a fault on the wire leads to. Raises TargetError, or does nothing where it does no harm."""
    if kind is TargetTimeout:
        await clock.stall(stage)
    if kind is not None:
        name = asking.target.name
        raise kind(f"{name} went wrong: {line.fault_row.says}", target=name, dialect=DIALECT)


def _late(asking: "Asking", stage: str) -> TargetTimeout:
    seconds = getattr(asking.target.timeouts, f"{stage}_s")
    name = asking.target.name
    return TargetTimeout(f"{name} was late: {stage} took over {seconds:g} s", target=name, dialect=DIALECT, stage=stage)


def _broken(asking: "Asking") -> StreamBroken:
    name = asking.target.name
    return StreamBroken(f"{name} broke off in the middle of its answer", target=name, dialect=DIALECT)
