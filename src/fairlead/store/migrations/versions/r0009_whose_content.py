"""Revision 0009: whose words content is."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("content", sa.Column("key", sa.String(32), nullable=False, server_default=""))
    op.create_index("content_key", "content", ["key"])
