"""Carries the spools' records into the store, in batches, each with its position in the same transaction.

One Shipper runs, in the steward, over a folder of writers' directories. Of each it remembers two positions: up to where
rows were inserted (`shipped`), and from where records must be read again to know what is still open (`kept`). After a
restart it reads from `kept`, joins, and inserts only what comes after `shipped`; a failed transaction is treated as a
restart. So nothing is lost or counted twice, however either side dies. Times and prices mean nothing here.
"""

import itertools
import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct
from sqlalchemy import select

from fairlead.errors import Unavailable
from fairlead.records import Record, encode
from fairlead.store import schema
from fairlead.store.joining import Joiner, Rows
from fairlead.store.landing import land
from fairlead.store.opening import Store, check_revision
from fairlead.store.partitions import Partitions
from fairlead.store.reading import Position, lock_of_dead, read, segment_path, segments_of

GONE = ".gone"
START = Position()
BATCHES = 32  # of a live writer in a round

_log = logging.getLogger(__name__)


class Shipped(Struct):
    """What one round did. `failed` says why it stopped early: the store could not be reached, all is tried again.

    `more`: there is more to ship right now. `garbage` lines are kept beside the writer's directory, in `<name>.bad`.
    `lag_s` is how long ago the store last had everything that had been written.
    """

    records: int = 0
    attempts: int = 0
    calls: int = 0
    lost: int = 0  # attempts without an outcome, of writers that died
    garbage: int = 0
    writers: int = 0  # that live
    more: bool = False
    lag_s: float = 0.0
    failed: str = ""


class _Follower(Struct):
    """How far one writer's directory was followed."""

    directory: Path
    joiner: Joiner
    at: Position  # where the joiner is
    shipped: Position  # up to where its rows are in the store


class Shipper:
    """`ship()` every quarter of a second or so, from one thread. `spool_root` holds a directory for each writer.

    `saw` is told of records, once each, when what came of them is in the store.
    """

    def __init__(
        self,
        store: Store,
        spool_root: Path,
        *,
        batch_bytes: int = 1 << 20,
        saw: Callable[[Sequence[Record]], None] | None = None,
    ) -> None:
        self._saw = saw
        self._store = store
        self._root = spool_root
        self._batch_bytes = batch_bytes
        self._partitions = Partitions(store)
        self._followers: dict[str, _Follower] = {}
        self._caught_up = time.monotonic()
        self._failed = ""  # why the last round did

    def ship(self) -> Shipped:
        """Ships what stands now; of a live writer a few batches, so that a busy one does not keep others waiting.

        Where the store is locked or away, or a disk full, `Shipped.failed` says so.
        """
        done = Shipped()
        try:
            for directory in self._directories():
                self._follow(directory, done)
        except (Unavailable, OSError) as error:
            self._followers.clear()  # what they know may not be in the store: begin again from what is
            done.failed = str(error)
        self._tell(done.failed)
        if not done.failed and not done.more:
            self._caught_up = time.monotonic()
        else:
            done.lag_s = time.monotonic() - self._caught_up
        return done

    def _tell(self, failed: str) -> None:
        """Once, not with every round."""
        if failed and failed != self._failed:
            _log.warning("records wait in %s, the store can't take them: %s", self._root, failed)
        elif self._failed and not failed:
            _log.warning("the store takes the records in %s again", self._root)
        self._failed = failed

    def _directories(self) -> list[Path]:
        """Those of writers, oldest name first. What was being removed when a shipper died is removed now."""
        if not self._root.is_dir():
            return []
        found = sorted(path for path in self._root.iterdir() if path.is_dir())
        for path in found:
            if path.name.endswith(GONE):
                self._remove(path)
        return [path for path in found if not path.name.endswith(GONE) and (path / "lock").exists()]

    def _follow(self, directory: Path, done: Shipped) -> None:
        lock = lock_of_dead(directory)  # asked before reading: a dead writer adds nothing to what is read now
        try:
            follower = self._followers.get(directory.name) or self._begin(directory)
            self._followers[directory.name] = follower
            is_dead = lock is not None
            rounds = itertools.count() if is_dead else range(BATCHES)  # a dead writer's records have an end
            more = all(self._ship_batch(follower, done, is_dead=is_dead) for _ in rounds)
            if lock is None:
                done.writers += 1
            else:
                self._bury(follower, done)
            done.more |= more
        finally:
            if lock is not None:
                os.close(lock)

    def _begin(self, directory: Path) -> _Follower:
        """Learns again what was open where the last shipper stopped."""
        table = schema.spool_position
        with self._store.read() as connection:
            row = connection.execute(select(table).where(table.c.directory == directory.name)).one_or_none()
        if row is None:
            return _Follower(directory, Joiner(directory.name), START, START)
        at = Position(row.kept_segment, row.kept_offset)
        shipped = Position(row.shipped_segment, row.shipped_offset)
        follower = _Follower(directory, Joiner(directory.name), at, shipped)
        while follower.at < shipped:
            batch = read(directory, follower.at, is_dead=True, batch_bytes=self._batch_bytes, until=shipped)
            if not batch.more:
                break
            follower.joiner.join(batch.records, follower.at)
            follower.at = batch.position
        return follower

    def _ship_batch(self, follower: _Follower, done: Shipped, *, is_dead: bool) -> bool:
        """One batch, one transaction. False where there was nothing left to read."""
        since = follower.at
        batch = read(follower.directory, since, is_dead=is_dead, batch_bytes=self._batch_bytes)
        if batch.position == since:
            return False
        rows = follower.joiner.join(batch.records, since)
        follower.at = batch.position
        self._insert(follower, rows, [*batch.garbage, *(encode(orphan).rstrip() for orphan in rows.orphans)])
        self._drop_segments(follower)
        if self._saw is not None:
            self._saw(batch.records)
        done.records += len(batch.records)
        done.garbage += len(batch.garbage) + len(rows.orphans)
        _count(done, rows)
        return batch.more

    def _insert(self, follower: _Follower, rows: Rows, garbage: list[bytes]) -> None:
        """Rows, position and, before they are committed, what became no row: it may be kept twice, never not at all."""
        kept = follower.joiner.open_since() or follower.at
        position = {
            "directory": follower.directory.name,
            "kept_segment": kept.segment,
            "kept_offset": kept.offset,
            "shipped_segment": follower.at.segment,
            "shipped_offset": follower.at.offset,
        }
        self._partitions.make_room([*(row[0] for row in rows.attempts), *(row[0] for row in rows.calls)])
        with self._store.begin() as connection:
            if self._store.is_postgres:
                check_revision(connection)
            land(connection, rows, follower.directory.name)
            table = schema.spool_position
            where = table.c.directory == follower.directory.name
            if not connection.execute(table.update().where(where).values(position)).rowcount:
                connection.execute(table.insert().values(position))
            _keep_aside(follower.directory, follower.shipped, garbage)
        follower.shipped = follower.at

    def _bury(self, follower: _Follower, done: Shipped) -> None:
        """All of a dead writer's records are in the store; what it left open is lost; its directory goes."""
        rows = follower.joiner.lose()
        self._insert(follower, rows, [])
        done.lost += len(rows.attempts)
        _count(done, rows)
        self._followers.pop(follower.directory.name, None)
        gone = follower.directory.with_name(follower.directory.name + GONE)
        follower.directory.rename(gone)
        self._remove(gone)

    def _remove(self, gone: Path) -> None:
        table = schema.spool_position
        with self._store.begin() as connection:
            connection.execute(table.delete().where(table.c.directory == gone.name.removesuffix(GONE)))
        shutil.rmtree(gone)

    def _drop_segments(self, follower: _Follower) -> None:
        """A segment goes when its rows are in the store, nothing in it is open, and its writer has left it."""
        kept = follower.joiner.open_since() or follower.at
        for number in segments_of(follower.directory):
            if number < kept.segment:
                with suppress(FileNotFoundError):
                    segment_path(follower.directory, number).unlink()


def _keep_aside(directory: Path, since: Position, lines: list[bytes]) -> None:
    """What became no row is written down where somebody can look at it, with the position it was read after."""
    if not lines:
        return
    aside = directory.with_name(directory.name + ".bad")
    _log.error("%d lines of the spool %s are no records of a known attempt: see %s", len(lines), directory, aside)
    with aside.open("ab") as file:
        file.writelines(b"%d:%d %b\n" % (since.segment, since.offset, line) for line in lines)


def _count(done: Shipped, rows: Rows) -> None:
    done.attempts += len(rows.attempts)
    done.calls += len(rows.calls)
