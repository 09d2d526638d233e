"""Revision 0002: what was paid for in the name of a run; of those that are there, what answers and verdicts say."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    spent = op.create_table(
        "spent",
        sa.Column("run", sa.Text, primary_key=True),
        sa.Column("sitting", sa.Text, primary_key=True),
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("questions", sa.BigInteger, nullable=False),
        sa.Column("cost_nusd", sa.BigInteger, nullable=False),
        sa.Column("unpriced", sa.BigInteger, nullable=False),
    )
    connection = op.get_bind()
    found = [("answer", *row) for row in connection.execute(_answers())]
    found += [("judge", *row) for row in _verdicts(connection)]
    names = ("what", "run", "questions", "cost_nusd", "unpriced")
    if rows := [{**dict(zip(names, row, strict=True)), "sitting": ""} for row in found]:
        connection.execute(spent.insert(), rows)


def _answers() -> sa.Select:
    answer = sa.table("answer", *map(sa.column, ("run", "turn", "cost_nusd")))
    cost = answer.c.cost_nusd
    sums = (sa.func.count(), sa.func.coalesce(sa.func.sum(cost), 0), sa.func.count() - sa.func.count(cost))
    return sa.select(answer.c.run, *sums).where(answer.c.turn == 0).group_by(answer.c.run)


def _verdicts(connection: sa.Connection) -> list[tuple[str | int, ...]]:
    score = sa.table("score", *map(sa.column, ("run", "reasons")))
    costing = sa.select(score.c.run, score.c.reasons).where(score.c.reasons.contains('"cost_nusd"', autoescape=True))
    sums: dict[str, list[int]] = {}
    for run, reasons in connection.execute(costing):
        cost = json.loads(reasons).get("cost_nusd", 0)
        known = sums.setdefault(run, [0, 0, 0])
        known[0] += 1
        known[1] += cost or 0
        known[2] += cost is None
    return [(run, *known) for run, known in sums.items()]
