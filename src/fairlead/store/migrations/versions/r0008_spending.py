"""Revision 0008: what was spent is kept in sums; calls and attempts lie in partitions on PostgreSQL.

Indexes that budgets needed to add up attempts go. On PostgreSQL texts lose their bounds, and ids sort by their bytes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

QUARTER_US = 900_000_000


def upgrade() -> None:
    for name in ("attempt_at", "attempt_key_at", "attempt_route_at", "attempt_team_at"):
        op.drop_index(name, "attempt")
    if op.get_bind().dialect.name == "postgresql":
        _partition("call", ("at_us",), ("key", "at_us"), ("route", "at_us"))
        _partition("attempt", ("call",))
    _spending()


def _partition(table: str, *indexes: tuple[str, ...]) -> None:
    before = f"{table}_before"
    for columns in indexes:
        op.drop_index(_index(table, columns), table)
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")
    op.execute(f"ALTER TABLE {table} RENAME TO {before}")
    texts = sa.text(
        "SELECT column_name, column_default IS NOT NULL FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = :table AND data_type = 'character varying'"
    )
    for name, has_default in op.get_bind().execute(texts, {"table": before}).all():
        change = f'ALTER COLUMN "{name}" TYPE text' + (' COLLATE "C"' if name == "id" else "")
        change += f""", ALTER COLUMN "{name}" SET DEFAULT ''""" if has_default else ""
        op.execute(f"ALTER TABLE {before} {change}")
    op.execute(f"CREATE TABLE {table} (LIKE {before} INCLUDING DEFAULTS) PARTITION BY RANGE (id)")
    op.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id)")
    op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    for columns in indexes:
        op.create_index(_index(table, columns), table, list(columns))
    op.execute(f"INSERT INTO {table} SELECT * FROM {before}")
    op.execute(f"DROP TABLE {before}")


def _index(table: str, columns: tuple[str, ...]) -> str:
    return f"{table}_{'_'.join(name.removesuffix('_us') for name in columns)}"


def _spending() -> None:
    def text(length: int) -> sa.types.TypeEngine[str]:
        return sa.String(length).with_variant(sa.Text(), "postgresql")

    op.create_table(
        "spending",
        sa.Column("scope", text(16), primary_key=True),
        sa.Column("owner", text(128), primary_key=True),
        sa.Column("quarter_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("writer", text(64), primary_key=True),
        sa.Column("nusd", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    for scope, owner in (("key", '"key"'), ("team", "team"), ("route", "route"), ("all", "''")):
        whose = f"'{scope}' AS scope, {owner} AS owner, at_us - at_us % {QUARTER_US} AS quarter_us, writer"
        op.execute(
            "INSERT INTO spending (scope, owner, quarter_us, writer, nusd, tokens, requests) "
            "SELECT scope, owner, quarter_us, writer, sum(nusd), sum(tokens), sum(requests) FROM ("
            f"SELECT {whose}, coalesce(cost_nusd, hold_nusd, 0) AS nusd, input_tokens + output_tokens AS tokens, "
            "0 AS requests FROM attempt "
            f"UNION ALL SELECT {whose}, 0, 0, CASE WHEN status = 'denied' THEN 0 ELSE 1 END FROM call"
            ") AS said GROUP BY scope, owner, quarter_us, writer"
        )
