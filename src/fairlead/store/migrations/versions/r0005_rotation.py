"""Revision 0005: what secrets were before they were rotated, and how often keys changed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "past_secret",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
    )
    op.create_index("past_secret_key", "past_secret", ["key"])
    op.create_table(
        "edition",
        sa.Column("subject", sa.String(32), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
