"""The demonstration from beginning to end: serve, ask, edit the configuration, ask again, kill an engine, check.

Whoever shows it is told as it goes (a `Stage`); what is found is a `Report`. How either looks is not known here.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from fairlead.demo import configuration
from fairlead.demo.asking import Answered, Question, ask_all, check_client, open_client, questions
from fairlead.demo.configuration import FIRST, SECOND, TASKS
from fairlead.demo.measuring import Measured, compare, measure
from fairlead.demo.outage import Outage, watch_outage
from fairlead.demo.serving import Served, free_address, serving
from fairlead.errors import InUse
from fairlead.ids import new_id, now_us
from fairlead.server.office import KeyMade, KeyWanted
from fairlead.stats.intervals import Interval
from fairlead.store.calls import Summary

if TYPE_CHECKING:
    from openai import AsyncOpenAI

BUDGET = "1usd/day"


class Stage(Protocol):
    """Where the demonstration is shown."""

    def say(self, text: str) -> None: ...
    def progress(self, what: str, total: int) -> AbstractContextManager[Callable[[], object]]:
        """What is given is called after each of `total` steps."""
        ...


class Report(Struct, frozen=True, kw_only=True):
    """`sent` requests were made and `in_books` calls stand in the ledger. `problems`: what did not hold, for people."""

    key: str  # the name of the key that asked
    targets: tuple[Measured, Measured]
    difference: Interval
    outage: Outage
    sent: int
    in_books: int
    problems: tuple[str, ...]


class Running(Struct, frozen=True):
    """The demonstration's server, and a key for it that is good until it is revoked."""

    served: Served
    key: KeyMade


@asynccontextmanager
async def running(folder: Path, port: int, stage: Stage) -> AsyncIterator[Running]:
    """A server on a fresh `fairlead.toml` in `folder`. Raises ExtraMissing, OperatorError, ConfigInvalid, InUse."""
    check_client()
    file = folder / "fairlead.toml"
    if file.exists():
        raise InUse(f"{file} is there already", hint="name another folder with --dir, or remove the file")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(configuration.write(str(file), free_address(port)), encoding="utf-8")
    stage.say(f"fairlead serve -c {file}")
    async with serving(file) as served:
        key = await served.remote.new_key(KeyWanted(name=f"demo-{new_id()}", routes=TASKS, budget=BUDGET))
        stage.say(f"It serves on {served.url}/v1: two models on this machine, no account, no key but its own.")
        yield Running(served, key)


async def play(here: Running, requests: int, stage: Stage) -> Report:
    """Everything but the beginning and the end. Raises OperatorError."""
    begun_us = now_us()
    asked = questions(requests)
    async with open_client(here.served.url, here.key.secret) as client:
        first = await _ask_through(here.served, client, FIRST, asked, stage)
        await _edit(here.served, stage, SECOND)
        second = await _ask_through(here.served, client, SECOND, asked, stage)
        await _edit(here.served, stage, SECOND, FIRST)
        stage.say(f"The engine of {SECOND} is killed while it is asked.")
        outage = await watch_outage(here.served, client, [one for one in asked if not one.with_schema], SECOND)
    books = await here.served.remote.summary(("key",), begun_us)
    in_books = sum(one.calls for one in books if one.group["key"] == here.key.key.id)
    sent = 2 * len(asked) + outage.asked
    return Report(
        key=here.key.key.name,
        targets=(first, second),
        difference=compare(first, second),
        outage=outage,
        sent=sent,
        in_books=in_books,
        problems=tuple(_problems((first, second), outage, sent, in_books)),
    )


async def _ask_through(
    served: Served, client: "AsyncOpenAI", target: str, asked: Sequence[Question], stage: Stage
) -> Measured:
    begun_us = now_us()
    with stage.progress(f"asked of {target}", len(asked)) as tell:
        answers = await ask_all(client, asked, tell)
    books = await served.remote.summary(("target",), begun_us)
    return measure(
        target, _only_by(target, answers), next((one for one in books if one.group["target"] == target), Summary({}))
    )


def _only_by(target: str, answers: Sequence[Answered]) -> list[Answered]:
    """An answer from elsewhere counts as none."""
    wrong = f"answered by another target than {target}"
    return [one if one.error or one.target == target else Answered(one.question, error=wrong) for one in answers]


async def _edit(served: Served, stage: Stage, *targets: str) -> None:
    """Change the file as a user would, and have it taken."""
    file = served.config_file
    file.write_text(configuration.aim(file.read_text(encoding="utf-8"), *targets), encoding="utf-8")
    await served.remote.reload()
    named = ", ".join(f'"{target}"' for target in targets)
    stage.say(f"targets = [{named}] is written into {file.name}; fairlead config reload. The client stays as it is.")


def _problems(targets: Sequence[Measured], outage: Outage, sent: int, in_books: int) -> list[str]:
    found = [f"{one.failed} requests were not answered by {one.target}" for one in targets if one.failed]
    if in_books != sent:
        found.append(f"{sent} requests were sent, but {in_books} calls stand in the ledger")
    if outage.failed:
        found.append(f"{outage.failed} requests failed while the engine was away")
    if outage.shown is None:
        found.append("no call was answered by the second target while the engine was away")
    if outage.back_after_s is None:
        found.append(f"engine {outage.engine} did not come back")
    return found
