"""Answers and their scores, as a run writes them and as comparisons read them.

An answer that was asked once is known by its cache key: whoever asks the same of the same target, with the same
parameters and prompt, for the same repeat of the same case may take it instead. Only a whole answer is worth that.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, and_, select

from fairlead.store.evals import tables
from fairlead.store.evals.rows import Upsert, rows_of, texts

AT_ONCE = 500  # cache keys in one question


class AnswerRow(Struct, frozen=True, kw_only=True, gc=False):
    """`repeat` counts from 0; `turn` is 0 for a whole case, else the turn of a conversation, from 1."""

    run: str
    candidate: str
    item: str
    repeat: int = 0
    turn: int = 0
    at_us: int
    status: str = "ok"
    code: str = ""
    message: str = ""
    text: str = ""
    reasoning: str = ""
    tool_calls: str = "[]"
    messages: str = ""
    finish: str = ""
    model: str = ""
    fingerprint: str = ""
    target: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_nusd: int | None = None
    estimated: bool = False
    took_us: int = 0
    first_word_us: int | None = None
    call: str = ""
    attempts: int = 1
    cache_key: str = ""
    cached: str = ""


class ScoreRow(Struct, frozen=True, kw_only=True, gc=False):
    """`value` None: it is missing, and `why` says who failed. `reasons` is a JSON object."""

    run: str
    candidate: str
    item: str
    repeat: int = 0
    turn: int = 0
    metric: str
    value: float | None
    why: str = ""
    reasons: str = "{}"
    version: str = ""


_ANSWER, _SCORE = Upsert(tables.answer, AnswerRow), Upsert(tables.score, ScoreRow)


BESIDE = (
    "candidate item repeat turn status text cost_nusd took_us "  # of the answer
    "content_hash gold_version cluster tags weight holdout asked wanted"  # of its case
).split()


def write_answers(connection: Connection, answers: Sequence[AnswerRow], scores: Sequence[ScoreRow]) -> None:
    """Those that are there already are replaced."""
    _ANSWER.write(connection, answers)
    _SCORE.write(connection, scores)


def put_answers(connection: sqlite3.Connection, answers: Sequence[AnswerRow], scores: Sequence[ScoreRow]) -> None:
    """The same by SQLite's own driver, within a transaction of whoever has the connection."""
    _ANSWER.put(connection, answers)
    _SCORE.put(connection, scores)


def answered(connection: Connection, run: str) -> set[tuple[str, str, int]]:
    """What need not be asked again: (candidate, item, repeat) of the answers to whole cases."""
    table = tables.answer.c
    query = select(table.candidate, table.item, table.repeat).where(table.run == run, table.turn == 0)
    return {(candidate, item, repeat) for candidate, item, repeat in connection.execute(query)}


def unscored(connection: Connection, run: str, metrics: Collection[str]) -> set[tuple[str, str, int]]:
    """(candidate, item, repeat) of the answers to whole cases that have no row of one of these metrics. A score that is
    missing is such a row."""
    table = tables.score.c
    query = select(table.candidate, table.item, table.repeat, table.metric).where(table.run == run, table.turn == 0)
    there = {tuple(row) for row in connection.execute(query)}
    return {key for key in answered(connection, run) if any((*key, metric) not in there for metric in metrics)}


def answers_of(connection: Connection, run: str) -> list[AnswerRow]:
    table = tables.answer.c
    query = select(tables.answer).where(table.run == run)
    return rows_of(connection, AnswerRow, query.order_by(table.candidate, table.item, table.repeat, table.turn))


def scores_of(connection: Connection, run: str) -> list[ScoreRow]:
    table = tables.score.c
    query = select(tables.score).where(table.run == run)
    order = (table.candidate, table.item, table.repeat, table.turn, table.metric)
    return rows_of(connection, ScoreRow, query.order_by(*order))


def cached(connection: Connection, keys: Iterable[str]) -> Iterator[AnswerRow]:
    """The whole answers to what was asked before, each key's latest last."""
    wanted = list(keys)
    table = tables.answer.c
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        query = select(tables.answer).where(table.cache_key.in_(some), table.status == "ok", table.cached == "")
        yield from rows_of(connection, AnswerRow, query.order_by(table.at_us))


def joined(connection: Connection, run: str) -> dict[str, list[Any]]:
    """All answers of a run beside their cases, as columns of one length by the names in `BESIDE`."""
    answer, item = tables.answer, tables.item
    suite = select(tables.run.c.suite).where(tables.run.c.id == run).scalar_subquery()
    of_case = and_(item.c.suite == suite, item.c.id == answer.c.item)
    columns = [getattr(answer.c if name in answer.c else item.c, name) for name in BESIDE]
    query = select(*columns).select_from(answer.join(item, of_case)).where(answer.c.run == run)
    order = (answer.c.candidate, answer.c.item, answer.c.repeat, answer.c.turn)
    rows = connection.execute(query.order_by(*order)).all()
    found = {name: [row[at] for row in rows] for at, name in enumerate(BESIDE)}
    return {**found, "tags": [texts(tags) for tags in found["tags"]]}


def judged(connection: Connection, run: str) -> set[str]:
    """The metrics of which a judge gave a verdict."""
    table = tables.score.c
    is_verdict = table.reasons.contains('"judge":{', autoescape=True)
    return set(connection.scalars(select(table.metric).where(table.run == run, is_verdict).distinct()))


def values(connection: Connection, run: str) -> list[tuple[Any, ...]]:
    """(candidate, item, repeat, turn, metric, value) of all scores of a run."""
    table = tables.score.c
    query = select(table.candidate, table.item, table.repeat, table.turn, table.metric, table.value)
    return [tuple(row) for row in connection.execute(query.where(table.run == run))]
