"""Answers and their scores, as a run writes them and as comparisons read them.

An answer that was asked once is known by its cache key: whoever asks the same of the same target, with the same
parameters and prompt, for the same repeat of the same case may take it instead. Only a whole answer is worth that.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, and_, select

from fairlead.store.evals import tables
from fairlead.store.evals.rows import Upsert, columns, rows_of, tuples

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


COLUMNS = "candidate item repeat turn status cost_nusd took_us".split()


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


_SAID = "candidate item repeat turn status code message text tool_calls messages".split()


def said_in(connection: Connection, run: str) -> list[AnswerRow]:
    """The same answers with what scorers look at: neither what they cost nor what they took."""
    table = tables.answer.c
    query = select(*(table[name] for name in _SAID)).where(table.run == run)
    rows = tuples(connection, query.order_by(table.candidate, table.item, table.repeat, table.turn))
    return [
        AnswerRow(
            run=run,
            candidate=candidate,
            item=item,
            repeat=repeat,
            turn=turn,
            at_us=0,
            status=status,
            code=code,
            message=message,
            text=text,
            tool_calls=tool_calls,
            messages=messages,
        )
        for candidate, item, repeat, turn, status, code, message, text, tool_calls, messages in rows
    ]


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


def columns_of(connection: Connection, run: str, *, texts: bool = False) -> dict[str, Sequence[Any]]:
    """All answers of a run as columns of one length; with what was said, if `texts`."""
    return columns(connection, [tables.answer.c[name] for name in (*COLUMNS, *(("text",) if texts else ()))], _of(run))


def values_of(connection: Connection, run: str) -> dict[str, Sequence[float | None]]:
    """Scores by metric, in the order of `columns_of`; None where one is missing, or is none of that answer."""
    score = tables.score.c
    metrics = connection.scalars(select(score.metric).where(score.run == run).distinct().order_by(score.metric)).all()
    return {metric: _values(connection, run, metric) for metric in metrics}


def _values(connection: Connection, run: str, metric: str) -> Sequence[float | None]:
    answer, score = tables.answer, tables.score
    same = [score.c[name] == answer.c[name] for name in ("run", "candidate", "item", "repeat", "turn")]
    beside = answer.outerjoin(score, and_(*same, score.c.metric == metric))
    return columns(connection, [score.c.value], lambda query: _of(run)(query.select_from(beside)))["value"]


def _of(run: str) -> Callable[[Any], Any]:
    answer = tables.answer.c
    order = (answer.candidate, answer.item, answer.repeat, answer.turn)
    return lambda query: query.where(answer.run == run).order_by(*order)


def judged(connection: Connection, run: str) -> set[str]:
    """The metrics of which a judge gave a verdict."""
    table = tables.score.c
    is_verdict = table.reasons.contains('"judge":{', autoescape=True)
    return set(connection.scalars(select(table.metric).where(table.run == run, is_verdict).distinct()))
