"""Revision 0006: leases that replicas hold of limits, and the replicas. The first table of leases was never used."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.drop_index("lease_limit", "lease")
    op.drop_table("lease")
    _accounts()
    op.create_table(
        "lease",
        sa.Column("limit", sa.String(255), primary_key=True),
        sa.Column("window_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("holder", sa.String(64), primary_key=True),
        sa.Column("granted", sa.BigInteger, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("beyond", sa.BigInteger, nullable=False),
        sa.Column("answered", sa.BigInteger, nullable=False),
        sa.Column("since_us", sa.BigInteger),
        sa.Column("told_us", sa.BigInteger, nullable=False),
    )
    op.create_index("lease_holder", "lease", ["holder"])
    op.create_table(
        "replica",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("life", sa.String(32), nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.Column("has_left", sa.Boolean, nullable=False),
    )


def _accounts() -> None:
    op.create_table(
        "lease_account",
        sa.Column("limit", sa.String(255), primary_key=True),
        sa.Column("window_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ends_us", sa.BigInteger, nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("scope", sa.String(255), nullable=False),
        sa.Column("over", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("base", sa.BigInteger, nullable=False),
        sa.Column("reckoned_us", sa.BigInteger, nullable=False),
        sa.Column("wanted", sa.BigInteger, nullable=False),
    )
    op.create_index("lease_account_ends", "lease_account", ["ends_us"])
    short = sa.text("wanted > 0")
    op.create_index("lease_account_wanted", "lease_account", ["wanted"], sqlite_where=short, postgresql_where=short)
