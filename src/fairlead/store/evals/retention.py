"""Runs that are older than they are to be kept go, one by one: all of a run at once, and none that somebody writes.

A run on which people's labels hang stays, and one that somebody keeps: these are told apart, never dropped in silence.
When it is done is not known here.
"""

import os
from pathlib import Path

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, func, select, update

from fairlead.errors import NotFound, OperatorError, StoreMismatch
from fairlead.ids import now_us
from fairlead.store.evals import tables
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.rows import rows_of
from fairlead.store.evals.runs import ANCHORS, Claim, RunRow, forget_run
from fairlead.store.opening import Store
from fairlead.store.retention import check_clock, newest_us


class Old(Struct, frozen=True):
    """`labels` are people's; `stays` says why it is not forgotten, "" where it is."""

    run: RunRow
    labels: int
    stays: str


class Forgotten(Struct):
    """`left` are old ones that stay."""

    runs: int = 0
    answers: int = 0
    left: tuple[Old, ...] = ()


def older_than(connection: Connection, before_us: int, *, with_labels: bool = False) -> list[Old]:
    """The runs that nobody has worked on since, the oldest first."""
    at = func.coalesce(tables.run.c.ended_us, tables.run.c.at_us)
    rows = rows_of(connection, RunRow, select(tables.run).where(at < before_us).order_by(at, tables.run.c.id))
    return [old(connection, row, with_labels=with_labels) for row in rows]


def old(connection: Connection, run: RunRow, *, with_labels: bool = False) -> Old:
    """As it would be forgotten now."""
    count = connection.execute(select(func.count()).select_from(tables.label).where(_of_people(run.id))).scalar_one()
    stays = ""
    if run.kept:
        stays = "it is kept"
    elif count and not with_labels:
        stays = f"people's labels hang on it: {count:,}"
    return Old(run, count, stays)


def forget(store: Store, folder: Path, run: RunRow, *, with_labels: bool = False) -> int:
    """How many answers it had. Raises InUse where somebody writes it; OperatorError where it stays."""
    claim = Claim(store, run.id, folder, f"forget/{os.getpid()}", opens=False)
    try:
        with store.begin() as connection:
            found = rows_of(connection, RunRow, select(tables.run).where(tables.run.c.id == run.id))
            now = old(connection, found[0], with_labels=with_labels) if found else None
            if now is None or not now.stays:
                return forget_run(connection, run.id)
        raise OperatorError(f"run {run.id} stays: {now.stays}", hint=_hint(now))
    finally:
        claim.close()


def forget_old(store: Store, folder: Path, before_us: int, *, with_labels: bool = False) -> Forgotten:
    """Raises Unavailable; what is done until then stays done."""
    with store.read() as connection:
        found = older_than(connection, before_us, with_labels=with_labels)
    done, left = Forgotten(), []
    for one in found:
        if one.stays:
            left.append(one)
            continue
        try:
            done.answers += forget(store, folder, one.run, with_labels=with_labels)
            done.runs += 1
        except NotFound:  # somebody else was quicker
            continue
        except OperatorError as error:  # somebody writes it, or has labelled it meanwhile
            left.append(Old(one.run, one.labels, error.message))
    done.left = tuple(left)
    return done


def forget_where(data_dir: Path, url: str, books: Store, before_us: int) -> Forgotten:
    """The same in the evaluation store beside the `books`, if there is one. Raises OperatorError, and nothing goes,
    where this machine's clock may have jumped ahead."""
    try:
        store = open_evals(data_dir, url, create=False)
    except StoreMismatch:  # there is none; or one that a newer program looks after
        return Forgotten()
    with store:
        _check_clock(store, books, before_us)
        return forget_old(store, data_dir, before_us)


def keep(connection: Connection, run: str, *, is_kept: bool) -> None:
    connection.execute(update(tables.run).where(tables.run.c.id == run).values(kept=is_kept))


def _check_clock(store: Store, books: Store, before_us: int) -> None:
    at = func.coalesce(tables.run.c.ended_us, tables.run.c.at_us)
    with store.read() as connection, books.read() as calls:

        def goes(since_us: int, until_us: int) -> int | None:
            return connection.execute(select(func.max(at)).where(at >= since_us, at < until_us)).scalar_one()

        def seen(since_us: int, until_us: int) -> int | None:
            return goes(since_us, until_us) or newest_us(calls, since_us, until_us)

        check_clock(goes, seen, before_us, now_us(), "`fairlead eval forget --older-than SPAN` asks no clock")


def _of_people(run: str) -> ColumnElement[bool]:
    """Of its answers; of a pair of answers, of which one is its own."""
    label, pair = tables.label.c, tables.preference.c
    beside = select(pair.pair_hash).where(pair.other_run == run)
    return ((label.run == run) | label.answer_hash.in_(beside)) & (label.sample != ANCHORS)


def _hint(one: Old) -> str:
    if one.run.kept:
        return f"fairlead eval keep {one.run.id} --no-longer"
    return f"export them (fairlead eval label {one.run.id} --export FILE), and forget it --with-labels"
