"""Revision 0004: by which id a provider knows a request, for its support."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("attempt", sa.Column("request_id", sa.String(128), nullable=False, server_default=""))
