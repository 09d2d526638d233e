"""The scripted backend: it says what it was told to say and fails as it was told to, without a network or a model.

It ships: tests, documentation and demonstrations of faults use it. It keeps a target's deadlines as every other backend
does. It speaks the house language, so whatever it says is written anew in the caller's.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from fairlead.backends.lines import Line, check
from fairlead.backends.status import error_for
from fairlead.chat import Answer, Chunk, Head, Part, Request, Said, Stream, Text, Thinking, ToolDelta, Usage
from fairlead.errors import (
    RequestInvalid,
    StreamBroken,
    TargetRejected,
    TargetTimeout,
    TargetUnclear,
    TargetUnreachable,
)
from fairlead.ids import new_id

if TYPE_CHECKING:
    from fairlead.gateway.call import Asking

DIALECT = "house"
PLAYED = frozenset({"chat", "complete", "count"})
_PROMPT = msgspec.json.Decoder(str)


class Script:
    """Plays lines. Those whose `when` is found in the last user text come first, else those without one; among several
    the one that was played least, so that they follow each other and begin anew.

    Conversations, completions and counts; what is no text raises RequestInvalid `unsupported_feature`. Raises
    ConfigInvalid at once where a line makes no sense.
    """

    dialect = DIALECT

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = check(tuple(lines))
        self._whens = [re.compile(line.when) if line.when else None for line in self._lines]
        self._plays = [0] * len(self._lines)

    @property
    def plays(self) -> tuple[int, ...]:
        """How often each line was played."""
        return tuple(self._plays)

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
        said = Said(_parts(line), line.end)
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
        yield Head(f"script-{new_id()}", asking.target.model, asking.target.name, DIALECT)
        chunks = _chunks(line, request.samples)
        cut, stall = (None if n is None else min(n, len(chunks) - 1) for n in (line.cut_after, line.stall_after))
        for count, chunk in enumerate(chunks):
            if count:
                await clock.pause(line.delay_s, "between_tokens")
            if count == cut:
                raise _broken(asking)
            if count == stall:
                await clock.stall("between_tokens" if count else "first_token")
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
        prompt, last = _prompts(request)
        fitting = [n for n, when in enumerate(self._whens) if when is not None and when.search(last)]
        fitting = fitting or [n for n, when in enumerate(self._whens) if when is None]
        if not fitting:
            raise TargetRejected(
                f"{asking.target.name} plays a script, and none of its lines fits this text",
                code="script_has_no_line",
                hint="Add a line without `when`: it is played whenever no other fits.",
                target=asking.target.name,
                dialect=DIALECT,
            )
        number = min(fitting, key=self._plays.__getitem__)
        self._plays[number] += 1
        return self._lines[number], prompt


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


def _late(asking: "Asking", stage: str) -> TargetTimeout:
    seconds = getattr(asking.target.timeouts, f"{stage}_s")
    name = asking.target.name
    return TargetTimeout(f"{name} was late: {stage} took over {seconds:g} s", target=name, dialect=DIALECT, stage=stage)


def _broken(asking: "Asking") -> StreamBroken:
    name = asking.target.name
    return StreamBroken(f"{name} broke off in the middle of its answer", target=name, dialect=DIALECT)


def _parts(line: Line) -> tuple[Part, ...]:
    """All that a line says, whole."""
    reasoning = (Thinking(line.reasoning),) if line.reasoning else ()
    text = (Text(line.whole),) if line.whole is not None else ()
    return (*reasoning, *text, *line.calls())


def _chunks(line: Line, samples: int) -> list[Chunk]:
    """All that a line says, piece by piece, for every choice; each one's finish last."""
    calls = line.calls()
    pieces = [Chunk(reasoning=line.reasoning, words=True)] if line.reasoning else []
    pieces += [Chunk(text=cut, words=True) for cut in line.cuts]
    for slot, call in enumerate(calls):
        pieces.append(Chunk(tool=ToolDelta(slot, call.id, call.name), words=True))
        pieces.append(Chunk(tool=ToolDelta(slot, arguments=call.arguments), words=True))
    pieces.append(Chunk(finish=line.end))
    return [msgspec.structs.replace(piece, index=index) for index in range(samples) for piece in pieces]


def _prompts(request: Request) -> tuple[str, str]:
    """All text of the request, and the last thing that the user said."""
    if request.task == "complete":
        raw = request.spoken.fields.get("prompt", Raw(b'""')) if request.spoken is not None else Raw(b'""')
        try:
            prompt = _PROMPT.decode(raw)
        except msgspec.ValidationError:  # several prompts, or tokens
            prompt = bytes(raw).decode()
        return prompt, prompt
    messages = request.chat().messages
    texts = [(m.role, " ".join(part.text for part in m.parts if isinstance(part, Text))) for m in messages]
    last = next((text for role, text in reversed(texts) if role == "user"), "")
    return "\n".join(text for _, text in texts), last
