"""Revision 0003: whether an attempt's answer had the form that was asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("attempt", sa.Column("shape", sa.String(8), nullable=False, server_default=""))
