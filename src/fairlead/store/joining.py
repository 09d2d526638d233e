"""Joins records into rows: an intent and its outcome are an attempt, the end of a call is a call.

What is open at the end of a writer's life becomes `lost`. One Joiner follows one writer. It knows no files and no SQL.
Rows are tuples, in the order of ATTEMPT_COLUMNS and CALL_COLUMNS: dictionaries would cost more than all the rest.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from fairlead.records import CallClosed, Intent, Outcome, Record
from fairlead.store.reading import Position

_OF_OUTCOME = tuple(name for name in Outcome.__struct_fields__ if name not in ("attempt", "call", "usage_details"))
_DETAILS = Outcome.__struct_fields__.index("usage_details")
_NARROWED = CallClosed.__struct_fields__.index("narrowed")
ATTEMPT_COLUMNS = ("id", *Intent.__struct_fields__[1:], *_OF_OUTCOME, "usage_details", "writer")
CALL_COLUMNS = ("id", *CallClosed.__struct_fields__[1:], "writer")

Row = tuple[Any, ...]


class Rows(Struct):
    """What came of some records, ready to be inserted. `orphans` are outcomes whose intent is not known."""

    attempts: list[Row] = []
    calls: list[Row] = []
    orphans: list[Outcome] = []


class _OpenCall(Struct):
    """What is known of a call that has not been closed; `since` is where its first intent was read, or before it."""

    first: Intent
    since: Position
    attempts: int = 0
    cost_nusd: int | None = 0


class Joiner:
    """Fed with a writer's records in their order; `writer` names it in every row."""

    def __init__(self, writer: str = "") -> None:
        self._writer = writer
        self._attempts: dict[str, tuple[Intent, Position]] = {}
        self._calls: dict[str, _OpenCall] = {}

    def join(self, records: Sequence[Record], since: Position) -> Rows:
        """`since` is the position from which these records were read."""
        rows = Rows()
        for record in records:
            kind = type(record)
            if kind is Intent:
                self._attempts[record.attempt] = (record, since)  # type: ignore[union-attr]
                call = self._calls.get(record.call)
                if call is None:
                    call = self._calls[record.call] = _OpenCall(record, since)  # type: ignore[arg-type]
                call.attempts += 1
            elif kind is Outcome:
                self._end(record, rows)  # type: ignore[arg-type]
            else:
                self._calls.pop(record.call, None)
                self._close(record, rows)  # type: ignore[arg-type]
        return rows

    def lose(self) -> Rows:
        """The writer is dead: what is open is lost, at the cost that was held for it."""
        rows = Rows()
        for intent, _ in list(self._attempts.values()):
            lost = Outcome(
                attempt=intent.attempt, call=intent.call, outcome="lost", cost_nusd=intent.hold_nusd, estimated=True
            )
            self._end(lost, rows)
        for id, call in self._calls.items():
            self._close(_lost(id, call), rows)
        self._calls.clear()
        return rows

    def open_since(self) -> Position | None:
        """From where records must be read again to know what is open now. None: nothing is."""
        oldest = [attempt[1] for attempt in (next(iter(self._attempts.values()), None),) if attempt]
        oldest += [call.since for call in (next(iter(self._calls.values()), None),) if call]
        return min(oldest, default=None)

    def _end(self, outcome: Outcome, rows: Rows) -> None:
        found = self._attempts.pop(outcome.attempt, None)
        if found is None:
            rows.orphans.append(outcome)
            return
        intent = found[0]
        ended = astuple(outcome)
        details = msgspec.json.encode(outcome.usage_details).decode() if outcome.usage_details else ""
        rows.attempts.append((*astuple(intent), *ended[2:_DETAILS], *ended[_DETAILS + 1 :], details, self._writer))
        call = self._calls.get(outcome.call)
        if call is not None:
            known = call.cost_nusd is not None and outcome.cost_nusd is not None
            call.cost_nusd = call.cost_nusd + outcome.cost_nusd if known else None  # type: ignore[operator]

    def _close(self, closed: CallClosed, rows: Rows) -> None:
        row = astuple(closed)
        narrowed = msgspec.json.encode(closed.narrowed).decode() if closed.narrowed else "[]"
        tags = msgspec.json.encode(closed.tags).decode() if closed.tags else "[]"
        rows.calls.append((*row[:_NARROWED], narrowed, *row[_NARROWED + 1 : -1], tags, self._writer))


def _lost(id: str, call: _OpenCall) -> CallClosed:
    first = call.first
    return CallClosed(
        call=id,
        at_us=first.at_us,
        key=first.key,
        team=first.team,
        route=first.route,
        status="lost",
        code="lost",
        why="the process that served it died before it ended",
        attempts=call.attempts,
        cost_nusd=call.cost_nusd,
        estimated=True,
        config=first.config,
        parent=first.parent,
        session=first.session,
        trace=first.trace,
    )
