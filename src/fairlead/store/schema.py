"""The store's tables as they are now. How they came to be is in `migrations/`; a test holds the two together.

Ids are 32 hexadecimal digits, times UTC microseconds, durations microseconds, money nano-dollars (null: unknown). Plain
types only, so that every SQL database can hold them. It knows no engine and opens nothing.
"""

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
)
from sqlalchemy import text as sql

HEAD = "0009"  # the revision of these tables; revisions sort as texts

metadata = MetaData()


def _text(length: int) -> Any:
    """On PostgreSQL without a bound: what a provider says may be longer, and one row must not hold up all others."""
    return String(length).with_variant(Text(), "postgresql")


_ID = String(32).with_variant(
    Text(collation="C"), "postgresql"
)  # sorts by time everywhere, so that it can be cut by it

call = Table(
    "call",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("key", _text(32), nullable=False),
    Column("team", _text(128), nullable=False),
    Column("route", _text(128), nullable=False),
    Column("task", _text(32), nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("status", _text(16), nullable=False),  # ok, denied, failed, cancelled, lost
    Column("code", _text(64), nullable=False),
    Column("why", Text, nullable=False),
    Column("narrowed", Text, nullable=False),  # JSON array of texts
    Column("attempts", Integer, nullable=False),
    Column("target", _text(128), nullable=False),
    Column("cost_nusd", BigInteger),
    Column("estimated", Boolean, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("first_word_us", BigInteger),
    Column("request_hash", _text(128), nullable=False),
    Column("config", _text(64), nullable=False),
    Column("parent", Text),
    Column("session", Text),
    Column("trace", Text, nullable=False),
    Column("tags", Text, nullable=False),  # JSON array of texts
    Column("writer", _text(64), nullable=False),  # the spool that it came from: one life of one process
    Column("cache", _text(8), nullable=False, server_default=""),  # hit, shared, miss; "": nothing was looked up
    Index("call_at", "at_us"),
    Index("call_key_at", "key", "at_us"),
    Index("call_route_at", "route", "at_us"),
    postgresql_partition_by="RANGE (id)",
)

attempt = Table(
    "attempt",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("call", _text(32), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("purpose", _text(16), nullable=False),
    Column("key", _text(32), nullable=False),
    Column("team", _text(128), nullable=False),
    Column("route", _text(128), nullable=False),
    Column("target", _text(128), nullable=False),
    Column("backend", _text(128), nullable=False),
    Column("model", Text, nullable=False),
    Column("zone", _text(16), nullable=False),
    Column("price", Text),
    Column("hold_nusd", BigInteger),
    Column("hold_tokens", BigInteger),
    Column("config", _text(64), nullable=False),
    Column("parent", Text),
    Column("session", Text),
    Column("trace", Text, nullable=False),
    Column("propensity", Float),
    Column("outcome", _text(64), nullable=False),  # ok, cancelled, lost, or the code of the error
    Column("why", Text, nullable=False),
    Column("status", Integer),
    Column("finish", Text),
    Column("served_model", Text, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost_nusd", BigInteger),
    Column("overrun", Boolean, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("queued_us", BigInteger),
    Column("first_token_us", BigInteger),
    Column("last_token_us", BigInteger),
    Column("duration_us", BigInteger, nullable=False),
    Column("writer", _text(64), nullable=False),
    Column("usage_details", Text, nullable=False, server_default=""),  # JSON object of counts; "" for none
    Column("shape", _text(8), nullable=False, server_default=""),  # valid, invalid; "": no form was asked for
    Column("request_id", _text(128), nullable=False, server_default=""),  # the provider's own name of it
    Index("attempt_call", "call"),
    postgresql_partition_by="RANGE (id)",  # no index on time: an id begins with it
)

spending = Table(  # what calls and attempts come to, in quarters of an hour, so that no budget needs to add them up
    "spending",
    metadata,
    Column("scope", _text(16), primary_key=True),  # key, team, route, all
    Column("owner", _text(128), primary_key=True),
    Column("quarter_us", BigInteger, primary_key=True, autoincrement=False),  # 0: of all that were rolled up
    Column("writer", _text(64), primary_key=True),
    Column("nusd", BigInteger, nullable=False),  # an attempt of unknown cost counts as its hold
    Column("tokens", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),  # calls that were not denied
    sqlite_with_rowid=False,
)


for _table in (call, attempt):  # what belongs to no month that there is a partition for
    _default = DDL(f"CREATE TABLE {_table.name}_default PARTITION OF {_table.name} DEFAULT")
    event.listen(_table, "after_create", _default.execute_if(dialect="postgresql"))

key = Table(
    "key",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),  # SHA-256 of the key, hexadecimal
    Column("prefix", String(16), nullable=False),
    Column("team", String(128), nullable=False),
    Column("routes", Text, nullable=False),  # JSON array of names
    Column("zone", String(16), nullable=False),
    Column("limits", Text, nullable=False),  # JSON object
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
    Index(
        "key_name_live",
        "name",
        unique=True,
        sqlite_where=sql("revoked_us IS NULL"),
        postgresql_where=sql("revoked_us IS NULL"),
    ),
)

past_secret = Table(  # what a key's secret was before it was rotated; it is good until its end
    "past_secret",
    metadata,
    Column("hash", String(64), primary_key=True),  # SHA-256, as in `key`
    Column("key", String(32), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index("past_secret_key", "key"),
)

edition = Table(  # how often something changed, so that other replicas see that it did
    "edition",
    metadata,
    Column("subject", String(32), primary_key=True),  # keys
    Column("number", BigInteger, nullable=False),
)

budget = Table(
    "budget",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("scope", String(16), nullable=False),  # key, team, route, all
    Column("scope_id", String(128), nullable=False),
    Column("unit", String(16), nullable=False),  # nusd, tokens, requests
    Column("amount", BigInteger, nullable=False),
    Column("window", String(16), nullable=False),
    Column("timezone", String(64), nullable=False),
    Index("budget_scope", "scope", "scope_id"),
)

lease_account = Table(  # a limit in one window: its row is locked while leases of it change
    "lease_account",
    metadata,
    Column("limit", String(255), primary_key=True),
    Column("window_us", BigInteger, primary_key=True, autoincrement=False),  # when it began
    Column("ends_us", BigInteger, nullable=False),
    Column("unit", String(16), nullable=False),  # nusd, tokens, requests, concurrent
    Column("amount", BigInteger, nullable=False),
    Column("scope", String(255), nullable=False),  # for people
    Column("over", String(16), nullable=False),  # key, team, route, all
    Column("owner", String(128), nullable=False),
    Column("base", BigInteger, nullable=False),  # spent, and in nobody's lease any more
    Column("reckoned_us", BigInteger, nullable=False),  # what the books have from before that is in `base` or a lease
    Column("wanted", BigInteger, nullable=False),  # how often somebody was short of it
    Index("lease_account_ends", "ends_us"),
    Index("lease_account_wanted", "wanted", sqlite_where=sql("wanted > 0"), postgresql_where=sql("wanted > 0")),
)

lease = Table(  # what one holder (a life of a replica) has of an account
    "lease",
    metadata,
    Column("limit", String(255), primary_key=True),
    Column("window_us", BigInteger, primary_key=True, autoincrement=False),
    Column("holder", String(64), primary_key=True),
    Column("granted", BigInteger, nullable=False),  # in all, what was spent of it included
    Column("spent", BigInteger, nullable=False),  # as it said last
    Column("held", BigInteger, nullable=False),
    Column("beyond", BigInteger, nullable=False),  # handed out while the store was away
    Column("answered", BigInteger, nullable=False),  # the account's `wanted` that it gave back for
    Column("since_us", BigInteger),  # the first moment whose attempts are under it; null: can't be told
    Column("told_us", BigInteger, nullable=False),
    Index("lease_holder", "holder"),
)

replica = Table(  # who has leases: one row for each data directory that was ever started on this store
    "replica",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("epoch", BigInteger, nullable=False),  # its last start
    Column("life", String(32), nullable=False),  # drawn at that start
    Column("beat", BigInteger, nullable=False),  # grows while it lives
    Column("place", Text, nullable=False),  # the machine and the directory
    Column("seen_us", BigInteger, nullable=False),
    Column("has_left", Boolean, nullable=False),  # it ended in order
)

config_version = Table(
    "config_version",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("body", Text, nullable=False),  # as it was written; secrets are references there
    Index("config_version_hash", "hash", "at_us"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("details", Text, nullable=False),  # JSON object
    Index("audit_at", "at_us"),
)

content = Table(  # what was said, only where a route records it, or keeps responses
    "content",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("call", String(32), nullable=False),
    Column("attempt", String(32)),
    Column("kind", String(16), nullable=False),  # request, answer, response
    Column("at_us", BigInteger, nullable=False),
    Column("zone", String(16), nullable=False),
    Column("expires_us", BigInteger),
    Column("body", LargeBinary, nullable=False),
    Column("key", String(32), nullable=False, server_default=""),  # whose words they are
    Index("content_call", "call"),
    Index("content_key", "key"),
    Index("content_expires", "expires_us"),
)

spool_position = Table(  # how far a writer's spool is shipped, and from where its open ends must be read again
    "spool_position",
    metadata,
    Column("directory", String(255), primary_key=True),
    Column("kept_segment", Integer, nullable=False),
    Column("kept_offset", BigInteger, nullable=False),
    Column("shipped_segment", Integer, nullable=False),
    Column("shipped_offset", BigInteger, nullable=False),
)

version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))  # Alembic's own
