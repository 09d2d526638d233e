"""Revision 0003: a run may be kept, however old it gets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("run", sa.Column("kept", sa.Boolean, nullable=False, server_default=sa.false()))
