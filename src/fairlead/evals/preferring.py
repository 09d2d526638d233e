"""A judge is asked which of two candidates' answers is better, pair by pair, in both orders.

Every verdict is written down as it comes, so that whatever ends this keeps what was paid for; what has a verdict is not
asked again, and what has none (the judge said something else, or failed) is asked once more by the next sitting. When
the house denies the judge, asking stops. Whose answers they are is not known here, nor what becomes of the verdicts.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from fairlead.errors import Unavailable
from fairlead.evals.cases import digest
from fairlead.evals.judging import LONGEST_REASONS, Judge, Side, Use
from fairlead.evals.pairing import Pair, pairing_id
from fairlead.evals.patience import BesideDenied
from fairlead.evals.running import Progress, Stopped
from fairlead.evals.spending import Meter
from fairlead.evals.written import storable
from fairlead.ids import now_us
from fairlead.store.evals.preferences import PreferenceRow

Write = Callable[[Sequence[PreferenceRow]], Awaitable[None]]


class Details(Struct, frozen=True, omit_defaults=True):
    """What stands beside a verdict: the judge's reasons, who it was, what it cost; `settled`: why nobody was asked."""

    reasons: str = ""
    settled: str = ""
    judge: Mapping[str, str] = {}
    use: Use = Use()


class Open(Struct, frozen=True):
    """A question that has no verdict yet; `before`: it was asked, and there was none."""

    pair: Pair
    place: str
    again: int
    before: PreferenceRow | None


def details(row: PreferenceRow) -> Details:
    return msgspec.json.decode(row.details, type=Details)


def outstanding(pairs: Iterable[Pair], known: Iterable[PreferenceRow], judge: Judge) -> list[Open]:
    """What is to be asked of this judge, by pairs."""
    there = {row.id: row for row in known}
    found = []
    for pair in pairs:
        if pair.settled is not None:
            continue
        for again in range(judge.repeats):
            for place in judge.places:
                before = there.get(_id(pair, judge, place, again))
                if before is None or before.value is None or before.pair_hash != pair.hash:
                    found.append(Open(pair, place, again, before))
    return found


def settled_rows(suite: str, pairs: Iterable[Pair], judge: Judge) -> list[PreferenceRow]:
    """Of the pairs of which nobody need be asked."""
    return [
        _row(suite, pair, judge, value=pair.settled, said=Details(settled=pair.why))
        for pair in pairs
        if pair.settled is not None
    ]


class Preferring:
    """One sitting over one pairing. `asked` has the text of what each case asks; `tell` is called whenever `progress`
    has changed."""

    def __init__(
        self,
        suite: str,
        judge: Judge,
        meter: Meter,
        write: Write,
        asked: Mapping[str, str],
        tell: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        self._suite = suite
        self._judge = judge
        self._meter = meter
        self._write = write
        self._asked = asked
        self._tell = tell
        self._stopped: Stopped | None = None
        self.progress = Progress(0)

    def stop(self, why: str, hint: str = "") -> None:
        """Nothing more is asked; what was asked is waited for."""
        self._stopped = self._stopped or Stopped(why, hint)

    @property
    def stopped(self) -> Stopped | None:
        return self._stopped

    async def go(self, wanted: Sequence[Open], at_once: int) -> Stopped | None:
        """None: all were asked; else why it stopped. Raises what is a bug."""
        self.progress.planned = len(wanted)
        line = deque(wanted)
        try:
            async with asyncio.TaskGroup() as askers:
                for _ in range(min(at_once, len(line))):
                    askers.create_task(self._ask_all(line))
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return self._stopped

    async def _ask_all(self, line: deque[Open]) -> None:
        while line and self._stopped is None:
            one = line.popleft()
            pair = one.pair
            try:
                side = await self._judge.side(self._asked[pair.item], *pair.texts, one.place, one.again)
                await self._write([_verdict(self._suite, one, self._judge, side)])
            except (BesideDenied, Unavailable) as error:
                self.stop(error.message, error.hint)
                return
            self._count(side)

    def _count(self, side: Side) -> None:
        spent = self._meter.total
        self.progress.done += 1
        self.progress.asked += 1
        self.progress.missing += side.value is None
        self.progress.cost_nusd, self.progress.unpriced = spent.cost_nusd, spent.unpriced
        self._tell(self.progress)


def _verdict(suite: str, asked: Open, judge: Judge, side: Side) -> PreferenceRow:
    """What was paid for a question that had no verdict before is not forgotten."""
    before = details(asked.before).use if asked.before is not None else Use()
    bound = msgspec.to_builtins(side.bound) if side.bound is not None else {}
    reasons = storable(side.why[:LONGEST_REASONS]) if side.value is not None else ""
    said = Details(reasons=reasons, judge=bound, use=before + side.use)
    why = "" if side.value is not None else storable(side.why[:LONGEST_REASONS])
    return _row(suite, asked.pair, judge, asked.place, asked.again, value=side.value, why=why, said=said)


def _row(
    suite: str,
    pair: Pair,
    judge: Judge,
    place: str = "",
    again: int = 0,
    *,
    value: float | None,
    said: Details,
    why: str = "",
) -> PreferenceRow:
    return PreferenceRow(
        id=_id(pair, judge, place, again),
        pairing=pairing_id(pair.one, pair.other),
        name=suite,
        run=pair.one.run,
        candidate=pair.one.name,
        other_run=pair.other.run,
        other=pair.other.name,
        item=pair.item,
        repeat=pair.repeat,
        pair_hash=pair.hash,
        judge=judge.version,
        place=place,
        both=judge.both_orders,
        again=again,
        value=value,
        why=why,
        at_us=now_us(),
        details=msgspec.json.encode(said).decode(),
    )


def _id(pair: Pair, judge: Judge, place: str, again: int) -> str:
    return digest([pairing_id(pair.one, pair.other), pair.item, pair.repeat, judge.version, place, again], 32)
