"""Records for the tests of the store, with everything filled in that a test does not care about."""

from pathlib import Path
from typing import Any

from fairlead.ids import new_id
from fairlead.records import CallClosed, Intent, Outcome, Record
from fairlead.store.reading import Position, read

AT_US = 1_700_000_000_000_000


def intent(call: str, attempt: str = "", **fields: Any) -> Intent:
    known: dict[str, Any] = {
        "at_us": AT_US,
        "key": "k1",
        "route": "invoices",
        "target": "mini",
        "backend": "local",
        "model": "fairlead-mini",
        "zone": "private",
        "hold_nusd": 900,
    }
    known |= fields
    return Intent(attempt=attempt or new_id(known["at_us"]), call=call, **known)


def outcome(of: Intent, **fields: Any) -> Outcome:
    known: dict[str, Any] = {
        "outcome": "ok",
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_nusd": 100,
        "duration_us": 2000,
    }
    return Outcome(attempt=of.attempt, call=of.call, **known | fields)


def closed(call: str, **fields: Any) -> CallClosed:
    known: dict[str, Any] = {
        "at_us": AT_US,
        "key": "k1",
        "route": "invoices",
        "status": "ok",
        "attempts": 1,
        "target": "mini",
    }
    return CallClosed(call=call, **known | {"cost_nusd": 100, "duration_us": 2500} | fields)


def whole_call(**fields: Any) -> tuple[Intent, Outcome, CallClosed]:
    """A call that went well, with one attempt."""
    begun = intent(new_id(AT_US))
    return begun, outcome(begun), closed(begun.call, **fields)


def everything(directory: Path, *, is_dead: bool = True) -> tuple[list[Record], list[bytes]]:
    """All records and all garbage that a reader finds."""
    records: list[Record] = []
    garbage: list[bytes] = []
    position = Position()
    while True:
        batch = read(directory, position, is_dead=is_dead, batch_bytes=10_000)
        records.extend(batch.records)
        garbage.extend(batch.garbage)
        position = batch.position
        if not batch.more:
            return records, garbage
