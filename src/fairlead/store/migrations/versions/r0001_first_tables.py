"""Revision 0001: the first tables. It is history: what changes later goes into a later revision."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _call()
    _attempt()
    _key()
    _budget()
    _lease()
    _config_version()
    _audit()
    _content()
    _spool_position()


def downgrade() -> None:
    op.drop_table("spool_position")
    op.drop_table("content")
    op.drop_table("audit")
    op.drop_table("config_version")
    op.drop_table("lease")
    op.drop_table("budget")
    op.drop_table("key")
    op.drop_table("attempt")
    op.drop_table("call")


def _call() -> None:
    op.create_table(
        "call",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("team", sa.String(128), nullable=False),
        sa.Column("route", sa.String(128), nullable=False),
        sa.Column("task", sa.String(32), nullable=False),
        sa.Column("stream", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("narrowed", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("target", sa.String(128), nullable=False),
        sa.Column("cost_nusd", sa.BigInteger),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("duration_us", sa.BigInteger, nullable=False),
        sa.Column("first_word_us", sa.BigInteger),
        sa.Column("request_hash", sa.String(128), nullable=False),
        sa.Column("config", sa.String(64), nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("session", sa.Text),
        sa.Column("trace", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("writer", sa.String(64), nullable=False),
    )
    op.create_index("call_at", "call", ["at_us"])
    op.create_index("call_key_at", "call", ["key", "at_us"])
    op.create_index("call_route_at", "call", ["route", "at_us"])


def _attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("call", sa.String(32), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("team", sa.String(128), nullable=False),
        sa.Column("route", sa.String(128), nullable=False),
        sa.Column("target", sa.String(128), nullable=False),
        sa.Column("backend", sa.String(128), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("zone", sa.String(16), nullable=False),
        sa.Column("price", sa.Text),
        sa.Column("hold_nusd", sa.BigInteger),
        sa.Column("hold_tokens", sa.BigInteger),
        sa.Column("config", sa.String(64), nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("session", sa.Text),
        sa.Column("trace", sa.Text, nullable=False),
        sa.Column("propensity", sa.Float),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("finish", sa.Text),
        sa.Column("served_model", sa.Text, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger, nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_nusd", sa.BigInteger),
        sa.Column("overrun", sa.Boolean, nullable=False),
        sa.Column("estimated", sa.Boolean, nullable=False),
        sa.Column("queued_us", sa.BigInteger),
        sa.Column("first_token_us", sa.BigInteger),
        sa.Column("last_token_us", sa.BigInteger),
        sa.Column("duration_us", sa.BigInteger, nullable=False),
        sa.Column("writer", sa.String(64), nullable=False),
    )
    op.create_index("attempt_call", "attempt", ["call"])
    op.create_index("attempt_at", "attempt", ["at_us"])
    op.create_index("attempt_key_at", "attempt", ["key", "at_us"])
    op.create_index("attempt_route_at", "attempt", ["route", "at_us"])
    op.create_index("attempt_team_at", "attempt", ["team", "at_us"])


def _key() -> None:
    op.create_table(
        "key",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("team", sa.String(128), nullable=False),
        sa.Column("routes", sa.Text, nullable=False),
        sa.Column("zone", sa.String(16), nullable=False),
        sa.Column("limits", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger),
        sa.Column("revoked_us", sa.BigInteger),
    )
    live = sa.text("revoked_us IS NULL")
    op.create_index("key_name_live", "key", ["name"], unique=True, sqlite_where=live, postgresql_where=live)


def _budget() -> None:
    op.create_table(
        "budget",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("scope_id", sa.String(128), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("window", sa.String(16), nullable=False),
        sa.Column("timezone", sa.String(64), nullable=False),
    )
    op.create_index("budget_scope", "budget", ["scope", "scope_id"])


def _lease() -> None:
    op.create_table(
        "lease",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("limit", sa.String(255), nullable=False),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("window_start_us", sa.BigInteger, nullable=False),
        sa.Column("granted_us", sa.BigInteger, nullable=False),
        sa.Column("expires_us", sa.BigInteger, nullable=False),
    )
    op.create_index("lease_limit", "lease", ["limit", "window_start_us"])


def _config_version() -> None:
    op.create_table(
        "config_version",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("config_version_hash", "config_version", ["hash", "at_us"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
    )
    op.create_index("audit_at", "audit", ["at_us"])


def _content() -> None:
    op.create_table(
        "content",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("call", sa.String(32), nullable=False),
        sa.Column("attempt", sa.String(32)),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("zone", sa.String(16), nullable=False),
        sa.Column("expires_us", sa.BigInteger),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("content_call", "content", ["call"])
    op.create_index("content_expires", "content", ["expires_us"])


def _spool_position() -> None:
    op.create_table(
        "spool_position",
        sa.Column("directory", sa.String(255), primary_key=True),
        sa.Column("kept_segment", sa.Integer, nullable=False),
        sa.Column("kept_offset", sa.BigInteger, nullable=False),
        sa.Column("shipped_segment", sa.Integer, nullable=False),
        sa.Column("shipped_offset", sa.BigInteger, nullable=False),
    )
