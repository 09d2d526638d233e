"""`fairlead eval forget` and `keep`: which runs go, and which stay however old they get."""

from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.eval_runs import SHORT, opened
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json, note

if TYPE_CHECKING:
    from fairlead.store.evals.retention import Forgotten, Old

OLD = (("run", "left"), ("suite", "left"), ("begun", "left"), ("status", "left"), ("", "left"))
GOES, WOULD_GO = "forgotten", "would be forgotten"


@click.command()
@click.argument("run", required=False)
@click.option("--older-than", metavar="SPAN", help="All that ended longer ago, such as 90d, but for those that stay.")
@click.option("--dry-run", is_flag=True, help="Only tell which would go, and which stay.")
@click.option("--with-labels", is_flag=True, help="Also what people have labelled, with their labels.")
@as_json
@placed
@here
def forget(
    place: Place, run: str | None, older_than: str | None, dry_run: bool, with_labels: bool, wants_json: bool
) -> None:
    """Remove a RUN: its answers, scores and labels. That its hold-out was looked at stays counted.

    Runs stay that people have labelled, unless it is said otherwise, that are kept (`fairlead eval keep`), or that
    somebody writes.
    """
    from fairlead.ids import now_us
    from fairlead.spans import seconds_of
    from fairlead.store.evals import retention, runs

    if bool(run) == bool(older_than):
        raise click.UsageError("name a run, or say --older-than SPAN")
    seconds = seconds_of(older_than) if older_than else None
    if older_than and not seconds:
        raise click.UsageError(f"{older_than!r} is no span: such as 90d")
    with opened(place) as store:
        if run:
            with store.read() as connection:
                row = runs.find_run(connection, run)
                found = [retention.old(connection, row, with_labels=with_labels)]
            if not dry_run:
                count = retention.forget(store, place.folder(), row, with_labels=with_labels)
                return _tell_one(row.id, count, wants_json)
        else:
            before_us = now_us() - (seconds or 0) * 1_000_000
            with store.read() as connection:
                found = retention.older_than(connection, before_us, with_labels=with_labels)
            if not dry_run:
                done = retention.forget_old(store, place.folder(), before_us, with_labels=with_labels)
                return _tell(done, wants_json)
    if wants_json:
        terminal.show_json(found)
    else:
        _show(found, WOULD_GO)


@click.command()
@click.argument("run")
@click.option("--no-longer", is_flag=True, help="It goes when it is old, as others do.")
@placed
@here
def keep(place: Place, run: str, no_longer: bool) -> None:
    """Keep a RUN, however old it gets: what others are compared with, say. `eval forget` leaves it alone."""
    from fairlead.store.evals import retention, runs

    with opened(place) as store, store.begin() as connection:
        row = runs.find_run(connection, run)
        retention.keep(connection, row.id, is_kept=not no_longer)
    note(f"Run {row.id} is kept{' no longer' if no_longer else ''}.")


def _tell_one(run: str, answers: int, wants_json: bool) -> None:
    if wants_json:
        terminal.show_json({"run": run, "answers": answers})
    else:
        note(f"Run {run} is forgotten, with {answers:,} answers.")


def _tell(done: "Forgotten", wants_json: bool) -> None:
    if wants_json:
        terminal.show_json(done)
        return
    if done.left:
        _show(done.left, GOES)
    note(f"{done.runs:,} runs are forgotten, with {done.answers:,} answers; {len(done.left):,} old ones stay.")


def _show(found: "tuple[Old, ...] | list[Old]", goes: str) -> None:
    rows = (
        (one.run.id[:SHORT], one.run.name, terminal.moment(one.run.at_us), one.run.status, one.stays or goes)
        for one in found
    )
    terminal.show_table(OLD, rows, empty="no run is that old")
