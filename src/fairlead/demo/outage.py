"""An engine dies while it is asked: who answers then, and when is it back?

The process is killed from outside, as a crash would end it. Nobody is told; the gateway has to find out.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from msgspec import Struct

from fairlead.demo.asking import AT_ONCE, Answered, Question, ask
from fairlead.demo.serving import Served
from fairlead.engines.supervisor import EngineStatus
from fairlead.errors import OperatorError
from fairlead.server.remote import Desk
from fairlead.store.calls import CallShown

if TYPE_CHECKING:
    from openai import AsyncOpenAI

BEFORE = 8  # answers before it is killed
PATIENCE_S = 30.0
LOOK_EVERY_S = 0.05


class Outage(Struct, frozen=True, kw_only=True):
    """`shown` is a call that the second target answered instead; None if there was none, which is a failure."""

    engine: str
    killed_pid: int
    asked: int
    failed: int
    answered_by: dict[str, int]
    back_after_s: float | None
    shown: CallShown | None


async def watch_outage(served: Served, client: "AsyncOpenAI", asked: Sequence[Question], engine: str) -> Outage:
    """Ask without pause; kill the engine; go on until its target answers again. Raises OperatorError if it runs not."""
    answers: list[Answered] = []
    enough = asyncio.Event()
    rest = cycle(asked)
    asking = [asyncio.create_task(_ask_on(client, rest, answers, enough)) for _ in range(AT_ONCE)]
    try:
        await _until(lambda: len(answers) >= BEFORE)
        before = await _engine(served, engine)
        if before.pid is None:
            raise OperatorError(f"engine {engine} is not running: {before.state}", hint=before.last_error)
        os.kill(before.pid, signal.SIGKILL)
        back_after_s = await _until_back(served, engine, before.pid, answers)
    finally:
        enough.set()
        await asyncio.gather(*asking)
    instead = [one.call for one in answers if one.target not in ("", engine)]
    return Outage(
        engine=engine,
        killed_pid=before.pid,
        asked=len(answers),
        failed=sum(bool(one.error) for one in answers),
        answered_by={name: sum(one.target == name for one in answers) for name in sorted({a.target for a in answers})},
        back_after_s=back_after_s,
        shown=await most_telling(served.remote, instead),
    )


async def most_telling(desk: Desk, calls: Sequence[str]) -> CallShown | None:
    """The first of these calls that fell back. Only a few do: a target that fails is soon left alone, and then calls go
    to the next one at once. Where none did, the last of them; None where there are none."""
    shown = None
    for call in calls:
        shown = await desk.call(call)
        if fell_back(shown):
            break
    return shown


def fell_back(shown: CallShown) -> bool:
    """Whether its first attempt failed, and another target answered it."""
    if not shown.attempts:
        return False
    first, last = shown.attempts[0], shown.attempts[-1]
    return first.outcome != "ok" and last.outcome == "ok" and last.target != first.target


async def _ask_on(
    client: "AsyncOpenAI", rest: Iterator[Question], answers: list[Answered], enough: asyncio.Event
) -> None:
    while not enough.is_set():
        answers.append(await ask(client, next(rest)))


async def _until_back(served: Served, engine: str, dead_pid: int, answers: list[Answered]) -> float | None:
    """Seconds until it was ready again; returns once its target has answered. None if it stays away."""
    killed_at = time.monotonic()
    while (status := await _engine(served, engine)).state != "ready" or status.pid == dead_pid:
        if time.monotonic() - killed_at > PATIENCE_S:
            return None
        await asyncio.sleep(LOOK_EVERY_S)
    back_after_s = time.monotonic() - killed_at
    seen = len(answers)
    is_asked_again = await _until(lambda: any(one.target == engine for one in answers[seen:]))
    return back_after_s if is_asked_again else None


async def _until(is_so: Callable[[], bool]) -> bool:
    ends = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > ends:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return True


async def _engine(served: Served, name: str) -> EngineStatus:
    return next(status for status in await served.remote.engines() if status.name == name)
