"""Runs of suites, the versions of suites that were run, and looks at their sealed hold-outs.

A run has one writer at a time. On this machine that is who holds the lock of a file; on a store that several machines
share, who counts up the run's beat. What a plan says is not known here.
"""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, func, select, update

from fairlead.errors import InUse, NotFound, Unavailable
from fairlead.ids import new_id, now_us
from fairlead.store.evals import tables
from fairlead.store.evals.preferences import forget_preferences
from fairlead.store.evals.rows import Upsert, columns, rows_of, texts, tuples, values_of
from fairlead.store.evals.spending import spent_by
from fairlead.store.opening import Store

WATCH_S = 3.0  # for the beat of a writer on another machine, which comes every second
LOOK_EVERY_S = 0.25
ANCHORS = "anchors"  # the sample of labels that are a judge's verdicts on anchors


class RunRow(Struct, frozen=True, kw_only=True):
    """`plan` is JSON. `writer` and `beat` are of whoever wrote it last."""

    id: str
    suite: str
    name: str
    split: str
    at_us: int
    ended_us: int | None = None
    status: str = "open"
    why: str = ""
    planned: int
    plan: str
    writer: str = ""
    beat: int = 0
    kept: bool = False


class SuiteRow(Struct, frozen=True, kw_only=True):
    hash: str
    name: str
    at_us: int
    zone: str
    declared: str


class ItemRow(Struct, frozen=True, kw_only=True):
    """A case as one version of a suite (`suite` is its hash) has it."""

    suite: str
    id: str
    content_hash: str
    gold_version: str
    cluster: str = ""
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    holdout: bool = False
    asked: str = ""
    wanted: str = ""


class LookRow(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    suite: str
    at_us: int
    run: str
    what: str


class Tally(Struct, frozen=True):
    """How far a run has come: its answers by status, what was paid for in its name (None: some of that is unknown),
    how many scores are missing."""

    statuses: dict[str, int]
    cached: int
    cost_nusd: int | None
    missing: int

    @property
    def answers(self) -> int:
        return sum(self.statuses.values())


_ITEM = Upsert(tables.item, ItemRow)


def has_suite(connection: Connection, hash: str) -> bool:
    query = select(tables.suite.c.hash).where(tables.suite.c.hash == hash)
    return connection.execute(query).scalar_one_or_none() is not None


def note_suite(connection: Connection, suite: SuiteRow, items: Iterable[ItemRow]) -> None:
    """What is there of that hash stays as it is: a version of a suite never changes."""
    if has_suite(connection, suite.hash):
        return
    connection.execute(tables.suite.insert().values(values_of(suite)))
    _ITEM.write(connection, list(items))


def find_suite(connection: Connection, hash: str) -> SuiteRow:
    """Raises NotFound."""
    found = rows_of(connection, SuiteRow, select(tables.suite).where(tables.suite.c.hash == hash))
    if not found:
        raise NotFound(f"no suite of version {hash!r} was run here", hint="`fairlead eval list` names those that were")
    return found[0]


def items_of(connection: Connection, hash: str) -> list[ItemRow]:
    return rows_of(connection, ItemRow, select(tables.item).where(tables.item.c.suite == hash))


def item_columns(connection: Connection, hash: str, names: Sequence[str]) -> dict[str, Sequence[Any]]:
    """All cases of that version as columns of one length."""
    table = tables.item.c
    found = columns(connection, [table[name] for name in names], lambda query: query.where(table.suite == hash))
    return {**found, "tags": list(map(texts, found["tags"]))} if "tags" in found else found


def contents_of(connection: Connection, hash: str) -> dict[str, str]:
    """What each case of that version says, as a hash, by its id."""
    table = tables.item.c
    query = select(table.id, table.content_hash).where(table.suite == hash)
    return dict(tuples(connection, query))  # type: ignore[arg-type]


def new_run(connection: Connection, row: RunRow) -> None:
    connection.execute(tables.run.insert().values(values_of(row)))


def find_run(connection: Connection, ref: str) -> RunRow:
    """By its id, or by as much of it as names no other; `last` is the one that was begun last. Raises NotFound."""
    query = select(tables.run)
    if ref == "last":
        query = query.order_by(tables.run.c.at_us.desc(), tables.run.c.id.desc()).limit(1)
    else:
        query = query.where(tables.run.c.id.startswith(ref, autoescape=True)).limit(2)
    found = rows_of(connection, RunRow, query) if ref else []
    if len(found) == 1:
        return found[0]
    what = f"several runs begin with {ref!r}" if found else f"there is no run {ref!r}"
    raise NotFound(what, hint="`fairlead eval list` names them")


def list_runs(connection: Connection, *, name: str = "", limit: int = 50) -> list[RunRow]:
    """The last one first."""
    query = select(tables.run).order_by(tables.run.c.at_us.desc(), tables.run.c.id.desc()).limit(limit)
    return rows_of(connection, RunRow, query.where(tables.run.c.name == name) if name else query)


def tally(connection: Connection, run: str) -> Tally:
    table = tables.answer.c
    of = select(table.status, func.count()).where(table.run == run, table.turn == 0).group_by(table.status)
    statuses = {str(status): int(count) for status, count in connection.execute(of)}
    spent = spent_by(connection, run)
    cost = None if any(one.unpriced for one in spent) else sum(one.cost_nusd for one in spent)
    cached = connection.execute(
        select(func.count()).where(table.run == run, table.turn == 0, table.cached != "")
    ).scalar_one()
    score = tables.score.c
    missing = connection.execute(select(func.count()).where(score.run == run, score.value.is_(None))).scalar_one()
    return Tally(statuses, cached, cost, missing)


def end_run(connection: Connection, run: str, *, status: str, why: str = "") -> None:
    ended = now_us() if status == "done" else None
    values = {"status": status, "why": why, "ended_us": ended}
    connection.execute(update(tables.run).where(tables.run.c.id == run).values(values))


def take_over(connection: Connection, run: str, *, suite: str, plan: str) -> None:
    """A run belongs to another version of its suite; what was scored in it goes, and it is not done."""
    values = {"suite": suite, "plan": plan, "status": "open", "why": "", "ended_us": None}
    connection.execute(update(tables.run).where(tables.run.c.id == run).values(values))
    connection.execute(delete(tables.score).where(tables.score.c.run == run))


def forget_run(connection: Connection, run: str) -> int:
    """All that was asked, answered, scored, preferred and labelled in it. That its hold-out was looked at stays, and
    what a judge said of anchors, which is no words: what it says later is held against that. How many answers."""
    connection.execute(delete(tables.score).where(tables.score.c.run == run))
    connection.execute(delete(tables.label).where(tables.label.c.run == run, tables.label.c.sample != ANCHORS))
    paid = {run, *forget_preferences(connection, run)}
    connection.execute(delete(tables.spent).where(tables.spent.c.run.in_(paid)))
    count = connection.execute(delete(tables.answer).where(tables.answer.c.run == run)).rowcount
    connection.execute(delete(tables.run).where(tables.run.c.id == run))
    used = select(tables.run.c.suite)
    connection.execute(delete(tables.item).where(tables.item.c.suite.not_in(used)))
    connection.execute(delete(tables.suite).where(tables.suite.c.hash.not_in(used)))
    return count


def note_look(connection: Connection, *, name: str, suite: str, run: str, what: str) -> None:
    """That the sealed hold-out was looked at; it is noted before it is shown."""
    row = LookRow(id=new_id(), name=name, suite=suite, at_us=now_us(), run=run, what=what)
    connection.execute(tables.look.insert().values(values_of(row)))


def looks_at(connection: Connection, name: str) -> list[LookRow]:
    """Of all versions of a suite, the first one first: what was learnt from one is known for the next."""
    table = tables.look.c
    return rows_of(connection, LookRow, select(tables.look).where(table.name == name).order_by(table.at_us, table.id))


@contextmanager
def written_alone(folder: Path, id: str, what: str) -> Iterator[None]:
    """Nobody else on this machine writes this meanwhile. Raises InUse where somebody does."""
    path = _lock_file(folder, id)
    fd = _locked(path, what)
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()
        os.close(fd)


class Claim:
    """The right to write one run, until `close` or the end of the process. `beat` says that its holder lives."""

    def __init__(
        self, store: Store, run: str, folder: Path, writer: str, watch_s: float = WATCH_S, *, opens: bool = True
    ) -> None:
        """Raises InUse where somebody has it. A writer on another machine is watched for `watch_s`. `opens`: the run is
        not done, whatever it was before."""
        self._store = store
        self.run = run
        self._writer = writer
        self._watch_s = watch_s
        self._opens = opens
        self._path = _lock_file(folder, run)
        self._fd = _locked(self._path, f"run {run}")
        try:
            self._take()
        except BaseException:
            os.close(self._fd)
            raise

    def beat(self) -> None:
        """Raises InUse where another machine has taken it; Unavailable."""
        table = tables.run
        with self._store.begin() as connection:
            ours = (table.c.id == self.run) & (table.c.writer == self._writer)
            if not connection.execute(update(table).where(ours).values(beat=table.c.beat + 1)).rowcount:
                raise _taken(f"run {self.run}")

    def close(self) -> None:
        """Whoever is next need not wait to see whether we live."""
        table = tables.run
        with suppress(Unavailable), self._store.begin() as connection:
            ours = (table.c.id == self.run) & (table.c.writer == self._writer)
            connection.execute(update(table).where(ours).values(beat=0))
        with suppress(OSError):
            self._path.unlink()
        os.close(self._fd)

    def _take(self) -> None:
        table = tables.run
        with self._store.read() as connection:
            found = find_run(connection, self.run)
        if self._store.is_postgres and found.beat and found.writer != self._writer and self._beats(found.beat):
            raise _taken(f"run {self.run}")
        with self._store.begin() as connection:
            same = (table.c.id == self.run) & (table.c.beat == found.beat)
            values = {"writer": self._writer, "beat": found.beat + 1}
            if self._opens:
                values |= {"status": "open", "why": "", "ended_us": None}
            if not connection.execute(update(table).where(same).values(values)).rowcount:
                raise _taken(f"run {self.run}")

    def _beats(self, seen: int) -> bool:
        """Does its last writer, who is on another machine, live?"""
        ends = time.monotonic() + self._watch_s
        while time.monotonic() < ends:
            time.sleep(LOOK_EVERY_S)
            with self._store.read() as connection:
                if find_run(connection, self.run).beat != seen:
                    return True
        return False


def _lock_file(folder: Path, id: str) -> Path:
    return folder / f"evals.{id}.lock"


def _locked(path: Path, what: str) -> int:
    """The lock of a file that still has its name: whoever is done with one removes it. Raises InUse."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise _taken(what) from error
        try:
            if path.stat().st_ino == os.fstat(fd).st_ino:
                return fd
        except FileNotFoundError:
            pass
        os.close(fd)


def _taken(what: str) -> InUse:
    return InUse(f"{what} is being written by another process", hint="wait for it, or stop it and resume it then")
