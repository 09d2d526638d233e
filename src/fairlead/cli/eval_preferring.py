"""One sitting of `fairlead eval prefer`: from two candidates' answers to the last verdict in the store, or to where it
stopped; and what all sittings have come to.

What needs no judge is settled first, and nobody is visited where nothing is left to ask.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from fairlead.cli.eval_screens import Screen, interruptible
from fairlead.errors import OperatorError
from fairlead.evals.asking import Asked, Asker, Question
from fairlead.evals.beginning import check_zone, spent
from fairlead.evals.judging import Judge
from fairlead.evals.material import PairMaterial, look, read_pair_material
from fairlead.evals.pairing import Origin, Pair, pairing_id
from fairlead.evals.patience import PatientAsker
from fairlead.evals.preferred import Summary, preferred, summary
from fairlead.evals.preferring import Open, Preferring, outstanding, settled_rows
from fairlead.evals.running import Stopped
from fairlead.evals.spending import LONGEST_TAG, Meter
from fairlead.money import format_usd
from fairlead.server.guest import Visit, visiting
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.preferences import PreferenceRow, preferences_of, write_preferences
from fairlead.store.evals.runs import written_alone
from fairlead.store.evals.spending import spent_by, write_spent
from fairlead.store.opening import Store

if TYPE_CHECKING:
    from fairlead.config import Config

ROLE = "which judges"


class Order(Struct, frozen=True, kw_only=True):
    """What was typed."""

    refs: tuple[str, ...]
    split: str = "all"
    max_cost_nusd: int | None = None
    at_once: int = 8
    folder: Path | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """`paid_nusd` is for all verdicts on these candidates, in all sittings; `stopped` None: all was asked."""

    found: tuple[Summary, ...]
    paid_nusd: int
    stopped: Stopped | None
    warnings: tuple[str, ...]


class _Pairing(Struct, frozen=True, kw_only=True):
    """A candidate beside the base: the pairs that are asked about, and what must be left out."""

    id: str
    name: str
    pairs: tuple[Pair, ...]
    warnings: tuple[str, ...]


class _Nobody:
    """Whom a judge asks who is only wanted to tell what it would ask."""

    async def ask(self, question: Question) -> Asked:
        raise AssertionError(f"{question.route} is asked, and nobody is there")


def sit(settings: "Config", order: Order, screen: Screen) -> Outcome:
    """Raises FairleadError where nothing could be asked."""
    with open_evals(Path(settings.data_dir), settings.store.url.value, create=False) as store:
        material = read_pair_material(store, order.refs, folder=order.folder)
        check_zone(material.suite, settings.store.zone if store.is_postgres else "private")
        sitting = _Sitting(settings, order, screen, store, material)
        stopped = asyncio.run(sitting.hold())
        return sitting.outcome(stopped)


class _Sitting:
    def __init__(self, settings: "Config", order: Order, screen: Screen, store: Store, material: PairMaterial) -> None:
        self._settings = settings
        self._order = order
        self._screen = screen
        self._store = store
        self._material = material
        self._judge = Judge.of(material.suite, PatientAsker(_Nobody(), ROLE, at_once=order.at_once))
        self._pairings = tuple(
            self._pairing(candidate, name)
            for candidate, name in zip(material.origins[1:], material.names[1:], strict=True)
        )

    async def hold(self) -> Stopped | None:
        with ExitStack() as alone:
            for id in sorted(one.id for one in self._pairings):
                alone.enter_context(written_alone(Path(self._settings.data_dir), id, f"pairing {id}"))
            left = [await asyncio.to_thread(self._left, one) for one in self._pairings]
            if not any(left):
                return None
            visit = Visit(
                name=f"eval-{self._pairings[0].id}",
                doing="eval prefer",
                routes=(self._judge.route,),
                zone=self._material.suite.zone,
                budget=self._budget(),
            )
            async with visiting(self._settings, visit) as guest:
                for pairing, wanted in zip(self._pairings, left, strict=True):
                    if wanted and (stopped := await self._ask(pairing, wanted, guest.asker)) is not None:
                        return stopped
        return None

    def outcome(self, stopped: Stopped | None) -> Outcome:
        """That sealed cases are shown is noted first."""
        material, found, paid = self._material, [], 0
        looked = look(self._store, material, "prefer") if self._order.split != "dev" else ""
        base, items, labels = material.origins[0], material.items[material.origins[0]], material.book.read()
        for candidate, pairing in zip(material.origins[1:], self._pairings, strict=True):
            with self._store.read() as connection:
                rows = preferences_of(connection, pairing.id)
                paid += sum(one.cost_nusd for one in spent_by(connection, pairing.id))
            rows = [row for row in rows if self._is_asked(row.item)]
            if (said := preferred(rows, base, candidate)) is not None:
                found.append(summary(said, items, labels, names=(material.names[0], pairing.name)))
        told = [text for one in self._pairings for text in one.warnings]
        told += [text for one in found for text in one.warnings]
        warnings = tuple(dict.fromkeys((*told, *filter(None, [looked]))))
        return Outcome(found=tuple(found), paid_nusd=paid, stopped=stopped, warnings=warnings)

    def _pairing(self, candidate: Origin, name: str) -> _Pairing:
        material = self._material
        paired = material.paired(candidate)
        told = []
        if paired.changed:
            told.append(f"{name}: {len(paired.changed)} cases are not what both were asked, and are left out")
        if paired.open:
            told.append(f"{name}: {paired.open} answers have none beside them, and are left out")
        return _Pairing(
            id=pairing_id(material.origins[0], candidate),
            name=name,
            pairs=tuple(pair for pair in paired.pairs if self._is_asked(pair.item)),
            warnings=tuple(told),
        )

    def _left(self, pairing: _Pairing) -> list[Open]:
        """What is to be asked; what is settled without a judge is in the store then."""
        with self._store.begin() as connection:
            write_preferences(connection, settled_rows(self._material.suite.name, pairing.pairs, self._judge))
        with self._store.read() as connection:
            return outstanding(pairing.pairs, preferences_of(connection, pairing.id), self._judge)

    async def _ask(self, pairing: _Pairing, wanted: list[Open], asker: Asker) -> Stopped | None:
        suite = self._material.suite
        meter = Meter(asker, pairing.id, (f"suite={suite.name}"[:LONGEST_TAG],))
        judge = structs.replace(self._judge, asker=PatientAsker(meter, ROLE, at_once=self._order.at_once))

        async def write(rows: Sequence[PreferenceRow]) -> None:
            paid = meter.rows()

            def commit() -> None:
                with self._store.begin() as connection:
                    write_preferences(connection, rows)
                    write_spent(connection, paid)

            await asyncio.to_thread(commit)

        asked = {case.id: case.text for case in suite.cases}
        asking = Preferring(suite.name, judge, meter, write, asked, self._screen.shows)
        self._screen.begins(f"{pairing.name} against {self._material.names[0]}", len(wanted))
        try:
            with interruptible(asking, "give the same command to go on"):
                return await asking.go(wanted, self._order.at_once)
            return asking.stopped
        finally:
            await write(())  # what a question cost that came to nothing

    def _budget(self) -> str:
        """What may be spent yet, as the budget of the key, so that the cap is never passed."""
        most = self._order.max_cost_nusd
        if most is None:
            return ""
        left = most - sum(spent(self._store, one.id) for one in self._pairings)
        if left <= 0:
            raise OperatorError(f"the cost cap of {format_usd(most)} is used up", hint="raise it with --max-cost")
        return f"{format_usd(left)}/total"

    def _is_asked(self, item: str) -> bool:
        holdout = self._material.items[self._material.origins[0]][item].holdout
        return self._order.split == "all" or holdout == (self._order.split == "holdout")
