"""Revision 0002: what of an attempt's usage has a rate of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("attempt", sa.Column("usage_details", sa.Text, nullable=False, server_default=""))
