"""The books' rows, calls and their attempts, as they are listed, shown and summed up.

How they come here is `shipping.py`'s business. Money is nano-dollars, None where a price was unknown; times are UTC
microseconds, durations microseconds.
"""

from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, and_, case, func, select

from fairlead.errors import NotFound, RequestInvalid
from fairlead.ids import least_id
from fairlead.store import schema

BY = ("route", "target", "key", "team", "config")  # what both calls and attempts know of themselves


class CallRow(Struct, frozen=True):
    """`status` is ok, denied, failed, cancelled, or lost: its process died before the call ended. `cache` is hit,
    shared, miss, or "" where nothing was looked up."""

    id: str
    at_us: int
    key: str
    team: str
    route: str
    task: str
    stream: bool
    status: str
    code: str
    why: str
    narrowed: tuple[str, ...]
    attempts: int
    target: str
    cost_nusd: int | None
    estimated: bool
    duration_us: int
    first_word_us: int | None
    request_hash: str
    config: str
    parent: str | None
    session: str | None
    trace: str
    tags: tuple[str, ...]
    writer: str
    cache: str = ""


class AttemptRow(Struct, frozen=True):
    """`outcome` is ok, cancelled, lost, or the code of the error. A lost one costs what was held for it."""

    id: str
    call: str
    at_us: int
    purpose: str
    key: str
    team: str
    route: str
    target: str
    backend: str
    model: str
    zone: str
    price: str | None
    hold_nusd: int | None
    hold_tokens: int | None
    config: str
    parent: str | None
    session: str | None
    trace: str
    propensity: float | None
    outcome: str
    why: str
    status: int | None
    finish: str | None
    served_model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_nusd: int | None
    overrun: bool
    estimated: bool
    queued_us: int | None
    first_token_us: int | None
    last_token_us: int | None
    duration_us: int
    writer: str
    usage_details: Mapping[str, int] = {}  # of what has a rate of its own, within the tokens or beside them
    shape: str = ""  # valid, invalid; "" where no form was asked for, or the answer did not come to its end
    request_id: str = ""  # the provider's own name of it


class CallShown(Struct, frozen=True):
    call: CallRow
    attempts: tuple[AttemptRow, ...]  # in the order in which they were begun


class Summary(Struct, frozen=True):
    """One group of calls, or of attempts where it says so.

    A call belongs to the target that answered it; an attempt to its own. So under `target` the tokens and the money of
    a target that failed stand with it, its calls with the one that answered instead. Percentiles are exact (nearest
    rank) and over calls; None where there was nothing to measure.
    """

    group: dict[str, str]
    calls: int = 0
    ok: int = 0
    failed: int = 0
    cancelled: int = 0
    denied: int = 0
    lost: int = 0
    attempts: int = 0
    input_tokens: int = 0  # of attempts, like all that follow up to the cost
    output_tokens: int = 0
    cache_read_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nusd: int = 0  # of the attempts whose cost is known
    unknown_costs: int = 0  # how many attempts have none
    shaped: int = 0  # answers whose form was judged, but for those to repairs
    invalid: int = 0  # of these
    repaired: int = 0  # of the invalid ones, those that a repair made valid
    p50_duration_us: int | None = None
    p95_duration_us: int | None = None
    p50_first_word_us: int | None = None
    p95_first_word_us: int | None = None


def list_calls(
    connection: Connection,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
    route: str | None = None,
    key: str | None = None,
    status: str | None = None,
    target: str | None = None,
    limit: int = 100,
) -> list[CallRow]:
    """The newest first; `until_us` itself is not included."""
    table = schema.call
    query = select(table)
    if since_us is not None or until_us is not None:
        query = query.where(*between(table, since_us or 0, until_us))
    for name, wanted in (("route", route), ("key", key), ("status", status), ("target", target)):
        if wanted is not None:
            query = query.where(table.c[name] == wanted)
    query = query.order_by(table.c.at_us.desc(), table.c.id.desc()).limit(limit)
    return [_call(row) for row in connection.execute(query).all()]


def show_call(connection: Connection, which: str) -> CallShown:
    """The call of that id, or of the only id that begins so. Raises NotFound where there is none, or several."""
    table = schema.call
    query = select(table).where(table.c.id.startswith(which, autoescape=True)).limit(2)
    found = connection.execute(query).all() if which else []
    if len(found) != 1:
        message = f'no call has the id "{which}"' if not found else f'several calls have ids that begin with "{which}"'
        raise NotFound(message, hint="fairlead call list shows the last ones; they arrive within a second")
    call = _call(found[0])
    table = schema.attempt
    query = select(table).where(table.c.call == call.id).order_by(table.c.at_us, table.c.id)
    return CallShown(call, tuple(_attempt(row) for row in connection.execute(query).all()))


def summarize(
    connection: Connection, by: tuple[str, ...] = ("route", "target"), *, since_us: int = 0, until_us: int | None = None
) -> list[Summary]:
    """Sums and percentiles for each group, sorted by group. Raises RequestInvalid for a `by` not in BY."""
    unknown = [name for name in by if name not in BY]
    if unknown:
        raise RequestInvalid(f"calls can't be summed up by {', '.join(unknown)}", hint=f"by any of {', '.join(BY)}")
    summed: dict[tuple[str, ...], dict[str, Any]] = {}
    for group, figures in (
        *_attempt_figures(connection, by, since_us, until_us),
        *_call_figures(connection, by, since_us, until_us),
        *_percentiles(connection, by, since_us, until_us),
    ):
        summed.setdefault(group, {}).update(figures)
    return [Summary(dict(zip(by, group, strict=True)), **figures) for group, figures in sorted(summed.items())]


_Figures = Iterable[tuple[tuple[str, ...], dict[str, Any]]]


def _attempt_figures(connection: Connection, by: tuple[str, ...], since_us: int, until_us: int | None) -> _Figures:
    table = schema.attempt
    sums = ("input_tokens", "output_tokens", "cache_read_tokens", "reasoning_tokens", "cost_nusd")
    columns = [
        func.count().label("attempts"),
        *(func.coalesce(func.sum(table.c[name]), 0).label(name) for name in sums),
        (func.count() - func.count(table.c.cost_nusd)).label("unknown_costs"),
        _number(table.c.shape != "", table.c.purpose != "repair").label("shaped"),
        _number(table.c.shape == "invalid", table.c.purpose != "repair").label("invalid"),
        _number(table.c.shape == "valid", table.c.purpose == "repair").label("repaired"),
    ]
    return _grouped(connection, table, columns, by, since_us, until_us)


def _number(*conditions: Any) -> Any:
    return func.sum(case((and_(*conditions), 1), else_=0))


def _call_figures(connection: Connection, by: tuple[str, ...], since_us: int, until_us: int | None) -> _Figures:
    table = schema.call
    statuses = ("ok", "failed", "cancelled", "denied", "lost")
    columns = [
        func.count().label("calls"),
        *(func.sum(case((table.c.status == status, 1), else_=0)).label(status) for status in statuses),
    ]
    return _grouped(connection, table, columns, by, since_us, until_us)


def _grouped(
    connection: Connection, table: Any, columns: list[Any], by: tuple[str, ...], since_us: int, until_us: int | None
) -> _Figures:
    groups = [table.c[name] for name in by]
    query = select(*groups, *columns).where(*between(table, since_us, until_us)).group_by(*groups)
    for row in connection.execute(query).all():
        figures = {column.name: int(value or 0) for column, value in zip(columns, row[len(by) :], strict=True)}
        if any(figures.values()):  # without groups there is one row, even of nothing
            yield tuple(row[: len(by)]), figures


def _percentiles(connection: Connection, by: tuple[str, ...], since_us: int, until_us: int | None) -> _Figures:
    """Eight bytes a call and figure, read as they come: a million calls are 16 MB."""
    table = schema.call
    groups = [table.c[name] for name in by]
    query = select(*groups, table.c.duration_us, table.c.first_word_us).where(*between(table, since_us, until_us))
    measured: dict[tuple[str, ...], tuple[array[int], array[int]]] = {}
    for row in connection.execute(query.where(table.c.status != "denied")):
        durations, first_words = measured.setdefault(tuple(row[: len(by)]), (array("q"), array("q")))
        durations.append(row.duration_us)
        if row.first_word_us is not None:
            first_words.append(row.first_word_us)
    for group, (durations, first_words) in measured.items():
        yield (
            group,
            {
                "p50_duration_us": nearest_rank(durations, 50),
                "p95_duration_us": nearest_rank(durations, 95),
                "p50_first_word_us": nearest_rank(first_words, 50),
                "p95_first_word_us": nearest_rank(first_words, 95),
            },
        )


def nearest_rank(values: Iterable[int], percent: int) -> int | None:
    """The smallest value that at least `percent` of 100 of all are not above; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None


def begun_between(table: Any, since_us: int, until_us: int | None) -> list[Any]:
    """As the ids tell it, where there is no index on time."""
    bounds = [table.c.id >= least_id(since_us)]
    return bounds if until_us is None else [*bounds, table.c.id < least_id(until_us + 1000)]


def between(table: Any, since_us: int, until_us: int | None) -> list[Any]:
    """Conditions for the rows of calls, or of attempts, that began then."""
    bounds = [table.c.at_us >= since_us, *([] if until_us is None else [table.c.at_us < until_us])]
    if table is schema.call:
        return [*bounds, table.c.id >= least_id(since_us)]  # so that older partitions are left out
    return [*bounds, *begun_between(table, since_us, until_us)]


def _attempt(row: Row[Any]) -> AttemptRow:
    columns: dict[str, Any] = dict(row._mapping)
    columns["usage_details"] = msgspec.json.decode(columns["usage_details"] or "{}", type=dict[str, int])
    return AttemptRow(**columns)


def _call(row: Row[Any]) -> CallRow:
    columns: dict[str, Any] = dict(row._mapping)
    for name in ("narrowed", "tags"):
        columns[name] = msgspec.json.decode(columns[name], type=tuple[str, ...])
    return CallRow(**columns)
