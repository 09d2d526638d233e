"""Keys as they are kept: never the key itself, only its SHA-256 and the few first characters, by which people tell it.

A key is 256 random bits, so a plain hash can't be guessed back. What a key allows is written here and judged elsewhere.
"""

import hashlib
import secrets
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection, Row, or_, select

from fairlead.errors import NotFound, RequestInvalid
from fairlead.ids import new_id, now_us
from fairlead.store import schema
from fairlead.store.audit import note
from fairlead.store.budgets import BudgetRow, list_budgets

PREFIX = "fl_"
SHOWN_CHARACTERS = 9
LONGEST_NAME = 128
ZONES = ("private", "contract", "public")


class KeyLimits(Struct, frozen=True, omit_defaults=True):
    """None: no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None


class KeyRow(Struct, frozen=True):
    """`routes` are the names that it may use, ("*",) all of them; `zone` is the widest it tolerates."""

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


class LiveKey(Struct, frozen=True):
    """What a worker must know of a key. Revoked ones are told, too, so that their callers hear why."""

    hash: str
    id: str
    name: str
    team: str
    routes: tuple[str, ...]
    zone: str
    limits: KeyLimits
    budgets: tuple[BudgetRow, ...]
    expires_us: int | None
    revoked: bool


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
    at_us = now_us()
    table = schema.key
    taken = select(table.c.id).where(table.c.name == name, table.c.revoked_us.is_(None))
    if connection.execute(taken).first() is not None:
        hint = f"choose another name, or revoke it: fairlead key revoke {name}"
        raise RequestInvalid(f'there is a key named "{name}" already', code="name_taken", hint=hint)
    secret = PREFIX + secrets.token_urlsafe(32)
    shown = secret[:SHOWN_CHARACTERS]
    limits = limits or KeyLimits()
    row = KeyRow(new_id(at_us), name, hash_key(secret), shown, team, tuple(routes), zone, limits, at_us, expires_us)
    connection.execute(table.insert().values(**_columns(row)))
    details = {"name": name, "team": team, "routes": routes, "zone": zone, "limits": limits, "expires_us": expires_us}
    note(connection, actor=actor, action="key.new", subject=row.id, details=details, at_us=at_us)
    return row, secret


def list_keys(connection: Connection, *, revoked: bool = False) -> list[KeyRow]:
    """In order of creation; revoked ones only if asked for."""
    query = select(schema.key).order_by(schema.key.c.created_us, schema.key.c.id)
    if not revoked:
        query = query.where(schema.key.c.revoked_us.is_(None))
    return [_row(row) for row in connection.execute(query).all()]


def revoke_key(connection: Connection, which: str, *, actor: str) -> KeyRow:
    """Revokes the key of that id, name or shown prefix. Raises NotFound where there is none, or more than one."""
    table = schema.key
    named = or_(table.c.id == which, table.c.name == which, table.c.prefix == which)
    found = connection.execute(select(table).where(named, table.c.revoked_us.is_(None))).all()
    if len(found) != 1:
        what = f"{len(found)} keys are" if found else "no key that is not revoked is"
        raise NotFound(f'{what} called "{which}"', hint="fairlead key list shows ids, names and prefixes")
    row = structs.replace(_row(found[0]), revoked_us=now_us())
    connection.execute(table.update().where(table.c.id == row.id).values(revoked_us=row.revoked_us))
    note(connection, actor=actor, action="key.revoke", subject=row.id, details={"name": row.name})
    return row


def live_keys(connection: Connection) -> list[LiveKey]:
    """All that workers must know to tell callers apart: every key, with its budgets."""
    budgets: dict[str, list[BudgetRow]] = {}
    for budget in list_budgets(connection, scope="key"):
        budgets.setdefault(budget.scope_id, []).append(budget)
    return [_live(row, tuple(budgets.get(row.id, ()))) for row in list_keys(connection, revoked=True)]


def _live(row: KeyRow, budgets: tuple[BudgetRow, ...]) -> LiveKey:
    return LiveKey(
        hash=row.hash,
        id=row.id,
        name=row.name,
        team=row.team,
        routes=row.routes,
        zone=row.zone,
        limits=row.limits,
        budgets=budgets,
        expires_us=row.expires_us,
        revoked=row.revoked_us is not None,
    )


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
    written = {"routes": msgspec.json.encode(row.routes).decode(), "limits": msgspec.json.encode(row.limits).decode()}
    return structs.asdict(row) | written


def _row(row: Row[tuple[object, ...]]) -> KeyRow:
    columns = dict(row._mapping)
    columns["routes"] = msgspec.json.decode(columns["routes"], type=tuple[str, ...])
    columns["limits"] = msgspec.json.decode(columns["limits"], type=KeyLimits)
    return KeyRow(**columns)
