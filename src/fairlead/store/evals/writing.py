"""What a run has to write goes to the store: at once where that is a file in which nobody else is writing; else in a
thread of its own, as much at once as has come meanwhile.

A row is in the store when `write` returns: `kill -9` loses nothing of it. Many that wait share one transaction. A
commit to SQLite takes less than to hand it to another thread and to hear of it.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from fairlead.errors import Unavailable
from fairlead.store.evals.answers import AnswerRow, ScoreRow, put_answers, write_answers
from fairlead.store.evals.runs import Claim
from fairlead.store.evals.spending import SpentRow, put_spent, write_spent
from fairlead.store.opening import Store
from fairlead.store.sqlite import QuickWriter, checkpoint

log = logging.getLogger("fairlead.evals")

AT_ONCE = 1000  # of those that wait, in one transaction
BEAT_EVERY_S = 1.0
CHECKPOINT_EVERY = 500  # transactions that nobody waited for

_Waiting = tuple[Sequence[AnswerRow], Sequence[ScoreRow], "asyncio.Future[None]"]


class Writer:
    """Of one run, for whoever holds the claim to it. `write` raises Unavailable where the store can't take it: nothing
    of it was written then, and it may be given again. `spent` tells what was paid for until now: it is written beside
    whatever is, and at the end."""

    def __init__(self, store: Store, claim: Claim, spent: Callable[[], Sequence[SpentRow]] = tuple) -> None:
        self._store = store
        self._claim = claim
        self._spent = spent
        self._noted: Sequence[SpentRow] = ()
        self._waiting: list[_Waiting] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="evals")
        self._turn: asyncio.Task[None] | None = None
        self._quick = None if store.is_postgres else QuickWriter(store.engine)
        self._committed = 0

    @property
    def run(self) -> str:
        return self._claim.run

    async def write(self, answers: Sequence[AnswerRow], scores: Sequence[ScoreRow] = ()) -> None:
        if self._is_written(answers, scores):
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((answers, scores, done))
        if self._turn is None:
            self._turn = asyncio.create_task(self._write_all())
        await done

    async def beat(self) -> None:
        """For ever. Raises InUse where another machine has taken the run."""
        while True:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._claim.beat)
            await asyncio.sleep(BEAT_EVERY_S)

    async def close(self) -> None:
        """All that was given is in the store then, or its writer was told why not."""
        if self._turn is not None:
            await self._turn
        try:
            if (spent := self._spent()) != self._noted:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, (), (), spent)
        except Unavailable as error:  # whatever stopped the run is told, not this
            log.warning("what was paid for could not be noted: %s", error.message)
        finally:
            self._thread.shutdown()
            if self._quick is not None:
                self._quick.close()

    def _is_written(self, answers: Sequence[AnswerRow], scores: Sequence[ScoreRow]) -> bool:
        """Already: where nobody is at it, here or elsewhere."""
        if self._quick is None or self._turn is not None or not self._store.is_there:
            return False
        spent = self._spent()

        def put(connection: sqlite3.Connection) -> None:
            put_answers(connection, answers, scores)
            put_spent(connection, spent)

        if not self._quick.write(put):
            return False
        self._noted = spent
        self._committed += 1
        if self._committed % CHECKPOINT_EVERY == 0:
            self._thread.submit(checkpoint, self._store.engine)
        return True

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                answers = [row for answers, _, _ in batch for row in answers]
                scores = [row for _, scores, _ in batch for row in scores]
                spent = self._spent()
                writing = loop.run_in_executor(self._thread, self._commit, answers, scores, spent)
                (failed,) = await asyncio.gather(writing, return_exceptions=True)
                self._noted = self._noted if failed else spent
                _end(batch, failed)
        finally:
            self._turn = None

    def _commit(self, answers: Sequence[AnswerRow], scores: Sequence[ScoreRow], spent: Sequence[SpentRow]) -> None:
        with self._store.begin() as connection:
            write_answers(connection, answers, scores)
            write_spent(connection, spent)


def _end(batch: Sequence[_Waiting], error: BaseException | None) -> None:
    for _, _, done in batch:
        if done.done():  # whoever gave it was cancelled meanwhile
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
