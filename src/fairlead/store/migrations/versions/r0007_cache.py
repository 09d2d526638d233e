"""Revision 0007: whether a call was answered from its route's cache."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("call", sa.Column("cache", sa.String(8), nullable=False, server_default=""))
