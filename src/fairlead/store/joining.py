"""Joins records into rows: an intent and its outcome are an attempt, the end of a call is a call.

What is open at the end of a writer's life becomes `lost`. One Joiner follows one writer. It knows no files and no SQL.
"""

from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from fairlead.records import CallClosed, Intent, Outcome, Record
from fairlead.store.reading import Position

LARGEST = 2**53  # so that sums stay within 64 bits, and every reader of JSON can hold it

Columns = dict[str, Any]

_THEIR_NUMBERS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_nusd",
)
_THEIR_TEXTS = ("why", "finish", "served_model", "session", "parent", "trace", "model")


class Rows(Struct):
    """What came of some records, ready to be inserted. `orphans` are outcomes whose intent is not known."""

    attempts: list[Columns] = []
    calls: list[Columns] = []
    orphans: list[Outcome] = []


class _OpenCall(Struct):
    """What is known of a call that has not been closed; `since` is where its first intent was read, or before it."""

    first: Intent
    since: Position
    attempts: int = 0
    cost_nusd: int | None = 0


class _OpenAttempt(Struct, frozen=True):
    intent: Intent
    since: Position


class Joiner:
    """Fed with a writer's records in their order; `writer` names it in every row."""

    def __init__(self, writer: str = "") -> None:
        self._writer = writer
        self._attempts: dict[str, _OpenAttempt] = {}
        self._calls: dict[str, _OpenCall] = {}

    def join(self, records: tuple[Record, ...], since: Position) -> Rows:
        """`since` is the position from which these records were read."""
        rows = Rows()
        for record in records:
            if isinstance(record, Intent):
                self._attempts[record.attempt] = _OpenAttempt(record, since)
                call = self._calls.setdefault(record.call, _OpenCall(record, since))
                call.attempts += 1
            elif isinstance(record, Outcome):
                self._end(record, rows)
            else:
                self._calls.pop(record.call, None)
                rows.calls.append(_call_row(record, self._writer))
        return rows

    def lose(self) -> Rows:
        """The writer is dead: what is open is lost, at the cost that was held for it."""
        rows = Rows()
        for one in list(self._attempts.values()):
            intent = one.intent
            lost = Outcome(
                attempt=intent.attempt, call=intent.call, outcome="lost", cost_nusd=intent.hold_nusd, estimated=True
            )
            self._end(lost, rows)
        for id, call in self._calls.items():
            rows.calls.append(_call_row(_lost(id, call), self._writer))
        self._calls.clear()
        return rows

    def open_since(self) -> Position | None:
        """From where records must be read again to know what is open now. None: nothing is."""
        oldest = [next(iter(kept.values())).since for kept in (self._attempts, self._calls) if kept]
        return min(oldest, default=None)

    def _end(self, outcome: Outcome, rows: Rows) -> None:
        attempt = self._attempts.pop(outcome.attempt, None)
        if attempt is None:
            rows.orphans.append(outcome)
            return
        rows.attempts.append(_attempt_row(attempt.intent, outcome, self._writer))
        call = self._calls.get(outcome.call)
        if call is not None:
            known = call.cost_nusd is not None and outcome.cost_nusd is not None
            call.cost_nusd = call.cost_nusd + outcome.cost_nusd if known else None  # type: ignore[operator]


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


def _attempt_row(intent: Intent, outcome: Outcome, writer: str) -> Columns:
    columns = asdict(intent) | asdict(outcome) | {"writer": writer}
    columns["id"] = columns.pop("attempt")
    details = {unit: min(count, LARGEST) for unit, count in outcome.usage_details.items()}
    columns["usage_details"] = msgspec.json.encode(details).decode() if details else ""
    return _storable(columns)


def _call_row(closed: CallClosed, writer: str) -> Columns:
    columns = asdict(closed) | {"writer": writer}
    columns["id"] = columns.pop("call")
    columns["narrowed"] = msgspec.json.encode(closed.narrowed).decode()
    columns["tags"] = msgspec.json.encode(closed.tags).decode()
    return _storable(columns)


def _storable(columns: Columns) -> Columns:
    """A provider or a caller may claim any number and say NUL, but not every database holds that."""
    for name in _THEIR_NUMBERS:
        if (number := columns.get(name)) and not -LARGEST <= number <= LARGEST:
            columns[name] = LARGEST if number > 0 else -LARGEST
    for name in _THEIR_TEXTS:
        if (text := columns.get(name)) and "\0" in text:
            columns[name] = text.replace("\0", "")
    return columns
