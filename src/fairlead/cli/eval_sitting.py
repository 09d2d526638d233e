"""One sitting of `fairlead eval run`: from a suite's folder to the last answer in the store, or to where it stopped.

Everything that can be wrong is looked for before anybody is asked. Ctrl-C stops asking and waits for what was asked; a
second one does not wait.
"""

import asyncio
import logging
import os
import platform
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from fairlead.cli.eval_screens import Screen, interruptible
from fairlead.errors import NotFound, OperatorError, Unavailable
from fairlead.evals import beginning
from fairlead.evals.anchors import judge_anchors, read_anchors
from fairlead.evals.beginning import Wish
from fairlead.evals.examining import Examiners
from fairlead.evals.holdout import sealed
from fairlead.evals.labelling.book import StoredLabels
from fairlead.evals.plans import Plan, Wanted, questions
from fairlead.evals.running import Pace, Progress, Run, Stopped
from fairlead.evals.scorers import Ready, check_gold, load
from fairlead.evals.spending import LONGEST_TAG, Meter
from fairlead.evals.suite import Suite, read_suite
from fairlead.ids import new_id
from fairlead.money import format_usd
from fairlead.server.guest import Guest, Visit, visiting
from fairlead.store.evals import runs
from fairlead.store.evals.opening import open_evals
from fairlead.store.evals.runs import Claim, RunRow
from fairlead.store.evals.writing import Writer
from fairlead.store.opening import Store

log = logging.getLogger("fairlead.evals")

KEY = "eval-"  # and the run: whose name the key has that it asks with

if TYPE_CHECKING:
    from fairlead.config import Config


class Order(Struct, frozen=True, kw_only=True):
    """What was typed. `resume` names a run that is gone on with; then `suite`, `routes` and what else a plan holds are
    the run's own."""

    suite: Path | None = None
    routes: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()
    split: str = "dev"
    repeats: int | None = None
    limit: int | None = None
    max_cost_nusd: int | None = None
    uses_cache: bool = True
    streams: bool = False
    unsandboxed: bool = False
    resume: str = ""
    pace: Pace = Pace()


class Outcome(Struct, frozen=True):
    """How a sitting ended: `stopped` None, all was answered. `warnings` are of the judge's anchors."""

    run: str
    progress: Progress
    stopped: Stopped | None
    warnings: tuple[str, ...] = ()


def sit(settings: "Config", order: Order, screen: Screen) -> Outcome:
    """Raises FairleadError where nothing could be asked, or nothing more."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_sit(settings, order, screen))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    with suppress(ImportError):
        import uvloop  # here, because it can't be installed everywhere

        return uvloop.new_event_loop
    return None


async def _sit(settings: "Config", order: Order, screen: Screen) -> Outcome:
    data_dir = Path(settings.data_dir)
    store = await asyncio.to_thread(open_evals, data_dir, settings.store.url.value)
    try:
        row = _found(store, order.resume) if order.resume else None
        if row is not None and row.status == "done":  # it stays so, whatever has changed meanwhile
            return Outcome(row.id, Progress(0), None)
        suite = read_suite(order.suite or _folder(row))
        beginning.check_zone(suite, settings.store.zone if store.is_postgres else "private")
        sitting = _Sitting(settings, order, screen, store, suite, row)
        return await sitting.hold()
    finally:
        store.close()


def _folder(row: RunRow | None) -> Path:
    """Of the suite, where the run that is resumed left it."""
    folder = Path("." if row is None else beginning.read_plan(row).folder)
    if row is not None and not folder.is_dir():
        raise NotFound(
            f"the suite of run {row.id} was in {folder}, and is not there",
            hint=f"name the folder where it is now: fairlead eval run SUITE --resume {row.id}",
        )
    return folder


def _found(store: Store, ref: str) -> RunRow:
    with store.read() as connection:
        return runs.find_run(connection, ref)


class _Sitting:
    def __init__(
        self, settings: "Config", order: Order, screen: Screen, store: Store, suite: Suite, row: RunRow | None
    ) -> None:
        self._settings = settings
        self._order = order
        self._screen = screen
        self._store = store
        self._suite = suite
        self._row = row
        self._run = row.id if row is not None else new_id()
        self._sealed = sealed(suite)

    async def hold(self) -> Outcome:
        """A run that is resumed is claimed before anything is done in its name."""
        with ExitStack() as claims:
            claim = await asyncio.to_thread(self._claim, claims) if self._row is not None else None
            async with Examiners() as examiners:
                return await self._hold(claims, claim, examiners)

    async def _hold(self, claims: ExitStack, claim: Claim | None, examiners: Examiners) -> Outcome:
        scorers_with = partial(load, self._suite, unsandboxed=self._order.unsandboxed, examiners=examiners)
        await check_gold(scorers_with().values(), self._suite.cases)
        read_anchors(self._suite)
        plan = None if self._row is None else beginning.read_plan(self._row)
        wish = self._wish() if plan is None else None
        routes = tuple(one.route for one in plan.candidates) if plan is not None else wish.routes if wish else ()
        visit = Visit(
            name=f"{KEY}{self._run}",
            doing="eval run",
            routes=beginning.asked_routes(self._suite, routes),
            zone=self._suite.zone,
            budget=self._budget(plan),
        )
        async with visiting(self._settings, visit) as guest:
            meter = Meter(guest.asker, self._run, (f"suite={self._suite.name}"[:LONGEST_TAG],))
            scorers = scorers_with(meter)
            if plan is None:
                assert wish is not None
                plan = beginning.plan_of(self._suite, wish, scorers, guest.configuration)
            wanted = await self._outstanding(guest, plan)
            claim = claim or await asyncio.to_thread(self._claim, claims)
            return await self._go(meter, plan, scorers, claim, wanted)

    def _claim(self, claims: ExitStack) -> Claim:
        claim = Claim(self._store, self._run, Path(self._settings.data_dir), _writer())
        claims.callback(claim.close)
        return claim

    def _wish(self) -> Wish:
        order, settings = self._order, self._settings
        if not order.routes:
            raise NotFound("nobody is to be asked", hint="name a route or a target: --on NAME")
        from fairlead.evals.sweeps import variants

        return Wish(
            routes=tuple(resolved(settings, name) for name in order.routes),
            variants=tuple(variants(self._suite, order.sweeps)),
            split=order.split,
            repeats=order.repeats or self._suite.repeats,
            limit=order.limit,
            max_cost_nusd=order.max_cost_nusd,
            uses_cache=order.uses_cache,
            streams=order.streams,
        )

    def _budget(self, plan: Plan | None) -> str:
        """What may be spent yet, as the budget of the key: the house holds the worst case of every question under it,
        so that the cap is never passed."""
        most = self._cap(plan)
        if most is None:
            return ""
        left = most - (beginning.spent(self._store, self._run) if plan is not None else 0)
        if left <= 0:
            raise OperatorError(f"the cost cap of {format_usd(most)} is used up", hint="raise it with --max-cost")
        return f"{format_usd(left)}/total"

    def _cap(self, plan: Plan | None) -> int | None:
        said = self._order.max_cost_nusd
        return plan.max_cost_nusd if said is None and plan is not None else said

    async def _outstanding(self, guest: Guest, plan: Plan) -> list[Wanted]:
        """What is to be asked. A new run stands in the store then."""
        wanted = list(questions(plan, beginning.cases_of(self._suite, plan, self._sealed)))
        if self._row is not None:
            beginning.check_same(self._suite, plan, guest.configuration, beginning.prompts_of(self._suite, plan))
            return await asyncio.to_thread(beginning.outstanding, self._store, self._run, wanted, plan.scorers)
        about = (self._store, self._run, self._suite, plan, len(wanted), self._sealed)
        await asyncio.to_thread(beginning.begin, *about)
        return wanted

    async def _go(
        self, meter: Meter, plan: Plan, scorers: Mapping[str, Ready], claim: Claim, wanted: list[Wanted]
    ) -> Outcome:
        prompts = beginning.prompts_of(self._suite, plan)
        taken = {}
        if plan.uses_cache:
            taken = await asyncio.to_thread(beginning.taken, self._store, self._suite, wanted, prompts)
        unscored = await asyncio.to_thread(beginning.unscored, self._store, self._run, plan.scorers)
        writer = Writer(self._store, claim, meter.rows)
        run = Run(
            self._run,
            self._suite,
            plan,
            scorers,
            meter,
            writer.write,
            prompts=prompts,
            taken=taken,
            unscored=unscored,
            pace=self._order.pace,
            tell=self._screen.shows,
        )
        self._screen.begins(f"Run {self._run} of {self._suite.name}", len(wanted))
        warnings: tuple[str, ...] = ()
        try:
            stopped = await self._asked(run, writer, plan, wanted)
            if stopped is None:
                warnings = await judge_anchors(self._suite, meter, self._labels, run=self._run)
        finally:
            await writer.close()
        try:
            await asyncio.to_thread(self._end, stopped)
        except Unavailable:
            if stopped is None:
                raise
            log.warning("the run %s could not be marked as stopped; it can be resumed all the same", self._run)
        return Outcome(self._run, run.reckoned(), stopped, warnings)

    def _labels(self, metric: str) -> StoredLabels:
        return StoredLabels(self._store, self._suite.name, metric)

    async def _asked(self, run: Run, writer: Writer, plan: Plan, wanted: list[Wanted]) -> Stopped | None:
        hint = going_on(self._run)
        beating = asyncio.create_task(writer.beat()) if self._store.is_postgres else None
        if beating is not None:
            beating.add_done_callback(lambda done: done.cancelled() or run.stop(str(done.exception()), hint))
        try:
            with interruptible(run, hint):
                return self._told(await run.go(wanted), plan)
            return run.stopped
        finally:
            if beating is not None:
                beating.cancel()

    def _told(self, stopped: Stopped | None, plan: Plan) -> Stopped | None:
        """With what helps, where it was the run's own cap."""
        most = self._cap(plan)
        if stopped is None or most is None or f"budget exhausted: key {KEY}{self._run}" not in stopped.why:
            return stopped
        hint = f"{going_on(self._run)} --max-cost AMOUNT raises it; with a lower `max_tokens` a question may cost less"
        return Stopped(f"its cost cap of {format_usd(most)} is reached: {stopped.why}", hint)

    def _end(self, stopped: Stopped | None) -> None:
        with self._store.begin() as connection:
            status = "done" if stopped is None else "stopped"
            runs.end_run(connection, self._run, status=status, why="" if stopped is None else stopped.why)


def going_on(run: str) -> str:
    """The command that resumes it."""
    return f"fairlead eval run --resume {run}"


def resolved(settings: "Config", name: str) -> str:
    """A route's name; where there is none of that name but a target, that target's own route."""
    from fairlead.gateway.routes import OF_TARGET

    return OF_TARGET + name if name not in settings.routes and name in settings.targets else name


def _writer() -> str:
    return f"{platform.node()}/{os.getpid()}/{new_id()[-8:]}"
