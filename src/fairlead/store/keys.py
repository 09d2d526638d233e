"""Keys as they are kept: never the key itself, only its SHA-256 and the few first characters, by which people tell it.

A key is 256 random bits, so a plain hash can't be guessed back. Its secret can be exchanged (`rotate_key`): the key
stays who it is, and the secret that it had is good for a while yet. What a key allows is judged elsewhere.
"""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection, Row, select

from fairlead.errors import NotFound, RequestInvalid
from fairlead.ids import new_id, now_us
from fairlead.store import schema
from fairlead.store.audit import note
from fairlead.store.budgets import BudgetRow, list_budgets
from fairlead.store.editions import turn

PREFIX = "fl_"
SHOWN_CHARACTERS = 9
LONGEST_NAME = 128
ZONES = ("private", "contract", "public")


class KeyLimits(Struct, frozen=True, omit_defaults=True):
    """None: no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None


class PastSecret(Struct, frozen=True):
    """What a key's secret was before it was rotated."""

    hash: str
    prefix: str
    expires_us: int


class KeyRow(Struct, frozen=True):
    """`routes` are the names that it may use, ("*",) all of them; `zone` is the widest it tolerates. `past` are secrets
    that were rotated and are good until they expire."""

    id: str
    name: str
    hash: str
    prefix: str
    team: str
    routes: tuple[str, ...]
    zone: str
    limits: KeyLimits
    created_us: int
    expires_us: int | None = None
    revoked_us: int | None = None
    past: tuple[PastSecret, ...] = ()


class LiveKey(Struct, frozen=True):
    """What the road must know of a key. Revoked ones are told, too, so that their callers hear why."""

    row: KeyRow
    budgets: tuple[BudgetRow, ...]


def hash_key(secret: str) -> str:
    """How a key stands in the store: hexadecimal SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_key(
    connection: Connection,
    *,
    name: str,
    actor: str,
    team: str = "",
    routes: tuple[str, ...] = ("*",),
    zone: str = "public",
    limits: KeyLimits | None = None,
    expires_us: int | None = None,
) -> tuple[KeyRow, str]:
    """A new key and its secret, which is not kept and can't be shown again. Its budgets are added with `add_budget`.

    Raises RequestInvalid: code `name_taken` where a key that is not revoked has the name, or for what can't be.
    """
    _check(name, team, zone)
    turn(connection, "keys")
    at_us = now_us()
    table = schema.key
    taken = select(table.c.id).where(table.c.name == name, table.c.revoked_us.is_(None))
    if connection.execute(taken).first() is not None:
        hint = f"choose another name, or revoke it: fairlead key revoke {name}"
        raise RequestInvalid(f'there is a key named "{name}" already', code="name_taken", hint=hint)
    secret, hash, shown = _fresh_secret()
    limits = limits or KeyLimits()
    row = KeyRow(new_id(at_us), name, hash, shown, team, tuple(routes), zone, limits, at_us, expires_us)
    connection.execute(table.insert().values(**_columns(row)))
    details = {"name": name, "team": team, "routes": routes, "zone": zone, "limits": limits, "expires_us": expires_us}
    note(connection, actor=actor, action="key.new", subject=row.id, details=details, at_us=at_us)
    return row, secret


def list_keys(connection: Connection, *, revoked: bool = False) -> list[KeyRow]:
    """In order of creation; revoked ones only if asked for."""
    query = select(schema.key).order_by(schema.key.c.created_us, schema.key.c.id)
    if not revoked:
        query = query.where(schema.key.c.revoked_us.is_(None))
    past: dict[str, list[PastSecret]] = {}
    table = schema.past_secret
    for row in connection.execute(select(table).order_by(table.c.expires_us, table.c.hash)).all():
        past.setdefault(row.key, []).append(PastSecret(row.hash, row.prefix, row.expires_us))
    return [_row(row, tuple(past.get(row.id, ()))) for row in connection.execute(query).all()]


def find_key(connection: Connection, which: str) -> KeyRow:
    """The key of that id, name or shown prefix that is not revoked. Raises NotFound where there is none, or several."""
    found = named(list_keys(connection), which)
    if len(found) != 1:
        what = f"{len(found)} keys are" if found else "no key that is not revoked is"
        raise NotFound(f'{what} called "{which}"', hint="fairlead key list shows ids, names and prefixes")
    return found[0]


def named(rows: Iterable[KeyRow], which: str) -> list[KeyRow]:
    """Those of that id, name or shown prefix, also a prefix from before a rotation."""
    return [row for row in rows if which in (row.id, row.name, row.prefix, *(past.prefix for past in row.past))]


def revoke_key(connection: Connection, which: str, *, actor: str) -> KeyRow:
    """Revokes it, and with it all its secrets. Raises NotFound."""
    turn(connection, "keys")
    table = schema.key
    row = structs.replace(find_key(connection, which), revoked_us=now_us())
    connection.execute(table.update().where(table.c.id == row.id).values(revoked_us=row.revoked_us))
    note(connection, actor=actor, action="key.revoke", subject=row.id, details={"name": row.name})
    return row


def rotate_key(connection: Connection, which: str, *, overlap_us: int, actor: str) -> tuple[KeyRow, str]:
    """A new secret for the key, whose id, name, limits and budgets stay. What was its secret is good for `overlap_us`
    yet; what was one before that, as long as was said then, but no longer. Raises NotFound; RequestInvalid where the
    key itself has expired.
    """
    turn(connection, "keys")
    at_us = now_us()
    row = find_key(connection, which)
    if row.expires_us is not None and row.expires_us <= at_us:
        raise RequestInvalid(f'key "{row.name}" has expired', code="key_expired", hint="make another: fairlead key new")
    ends_us = at_us + overlap_us
    table = schema.past_secret
    before = {"hash": row.hash, "key": row.id, "prefix": row.prefix, "expires_us": ends_us}
    longer = (table.c.key == row.id) & (table.c.expires_us > ends_us)
    connection.execute(table.update().where(longer).values(expires_us=ends_us))
    connection.execute(table.insert().values(before))
    secret, hash, shown = _fresh_secret()
    connection.execute(schema.key.update().where(schema.key.c.id == row.id).values(hash=hash, prefix=shown))
    details = {"name": row.name, "from": row.prefix, "to": shown, "good_until_us": ends_us}
    note(connection, actor=actor, action="key.rotate", subject=row.id, details=details, at_us=at_us)
    return find_key(connection, row.id), secret


def forget_past_secrets(connection: Connection, before_us: int) -> int:
    """Those that were good until then at most; from now on they are not known. How many there were."""
    table = schema.past_secret
    count = connection.execute(table.delete().where(table.c.expires_us <= before_us)).rowcount
    if count:
        turn(connection, "keys")
    return count


def live_keys(connection: Connection) -> list[LiveKey]:
    """All that workers must know to tell callers apart: every key, with its budgets."""
    budgets: dict[str, list[BudgetRow]] = {}
    for budget in list_budgets(connection, scope="key"):
        budgets.setdefault(budget.scope_id, []).append(budget)
    return [LiveKey(row, tuple(budgets.get(row.id, ()))) for row in list_keys(connection, revoked=True)]


def _fresh_secret() -> tuple[str, str, str]:
    """The secret, how it is kept, and how it is shown."""
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, hash_key(secret), secret[:SHOWN_CHARACTERS]


def _check(name: str, team: str, zone: str) -> None:
    for what, text in (("name", name), ("team", team)):
        if len(text) > LONGEST_NAME or not text.isprintable() or text != text.strip():
            hint = f"{LONGEST_NAME} printable characters at most, no blanks at the ends"
            raise RequestInvalid(f"the {what} of a key can't be {text!r}", hint=hint, param=what)
    if not name:
        raise RequestInvalid("a key needs a name", hint="fairlead key new --name NAME", param="name")
    if zone not in ZONES:
        raise RequestInvalid(f'there is no zone "{zone}"', hint=f"of {ZONES} one", param="zone")


def _columns(row: KeyRow) -> dict[str, Any]:
    columns = structs.asdict(row)
    del columns["past"]
    written = {"routes": msgspec.json.encode(row.routes).decode(), "limits": msgspec.json.encode(row.limits).decode()}
    return columns | written


def _row(row: Row[tuple[object, ...]], past: tuple[PastSecret, ...]) -> KeyRow:
    columns = dict(row._mapping)
    columns["routes"] = msgspec.json.decode(columns["routes"], type=tuple[str, ...])
    columns["limits"] = msgspec.json.decode(columns["limits"], type=KeyLimits)
    return KeyRow(**columns, past=past)
