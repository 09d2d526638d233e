"""Revision 0004: what a judge said of two answers to one case."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "preference",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("pairing", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("candidate", sa.Text, nullable=False),
        sa.Column("other_run", sa.Text, nullable=False),
        sa.Column("other", sa.Text, nullable=False),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("repeat", sa.Integer, nullable=False),
        sa.Column("pair_hash", sa.Text, nullable=False),
        sa.Column("judge", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("both", sa.Boolean, nullable=False),
        sa.Column("again", sa.Integer, nullable=False),
        sa.Column("value", sa.Float),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.create_index("preference_pairing", "preference", ["pairing", "at_us"])
    op.create_index("preference_run", "preference", ["run"])
    op.create_index("preference_other", "preference", ["other_run"])
