"""Who may spend how much of each limit: the account that all replicas share, and what each holder has leased of it.

    base + what the holders were granted <= amount

for every limit in every window, after every transaction. Only the truth goes beyond: what an attempt cost over its
hold, and what was handed out while the store was away (where the operator wants that). An account's row is locked
while its leases change, so that grants come one after the other.

A holder is one life of one replica. What it was granted and did not spend is nobody else's until it gave it back, or
until it is known to be dead and all of its records are in the books (`reckon`, `end`). How a replica shares its lease
among its workers is not known here, nor what makes it ask.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, Row, bindparam, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from fairlead.store import budgets, schema
from fairlead.store.audit import note
from fairlead.windows import FOREVER_US

PLACES = "concurrent"  # the unit of limits that nothing is spent of: what is held comes back
SHARES = 4  # what is leased beyond need is at most this part of what is free, divided among the living holders
CHUNK = 400  # accounts in one statement
RECKONED = 50  # leases in one transaction
LOCK_PATIENCE, PATIENCE = "2s", "5s"  # for a row that another replica has locked, and for one statement

Key = tuple[str, int]  # of an account: a limit, and when its window began
_ACCOUNT, _LEASE = schema.lease_account, schema.lease


class Limited(Struct, frozen=True):
    """A limit in one window. From `since_us` on all that the asking holder spends of it is leased; what the books have
    from before that nobody leased. None: can't be told, because the window was open once before (a clock went back)."""

    limit: str
    window_us: int
    ends_us: int
    unit: str
    amount: int
    scope: str = ""
    over: str = "all"
    owner: str = ""
    since_us: int | None = 0

    @property
    def key(self) -> Key:
        return self.limit, self.window_us


class Ask(Struct, frozen=True):
    """What a holder says of one account, and what it wants.

    `floor` is in use of what it was granted (or beyond: then it is granted now, whatever the limit says), `needed` is
    wanted on top. Without `gives`, more may be granted than that, and nothing is taken. With it, all that is neither
    in use nor needed goes back, and the mark that somebody is short counts as answered. `is_short`: if it can't be
    had, the others are told; so they are where more is in use than there is.
    """

    of: Limited
    floor: int
    needed: int = 0
    gives: bool = False
    is_short: bool = False
    leaves: bool = False  # nothing is in use any more: `floor` was spent, and the lease ends
    spent: int = 0
    held: int = 0
    beyond: int = 0  # newly handed out while the store was away


class Standing(Struct, frozen=True):
    """How an account stands after an ask. `spent` and `held` are those of all others, as far as they have said."""

    limit: str
    window_us: int
    granted: int  # to the holder that asked
    free: int  # nobody's; negative where more was spent than there is
    spent: int
    held: int
    unheard: tuple[str, ...] = ()  # living holders that were not heard of since somebody was short

    @property
    def key(self) -> Key:
        return self.limit, self.window_us


class LeaseRow(Struct, frozen=True):
    """What one holder has, as far as it said. What it had beyond the limit, while the store was away, is `beyond`."""

    holder: str
    granted: int
    spent: int
    held: int
    beyond: int
    told_us: int


class AccountRow(Struct, frozen=True):
    """A limit in one window, and all who have a part of it. `base` was spent by holders that are gone; a window that
    never ends has `ends_us` None."""

    limit: str
    window_us: int
    ends_us: int | None
    scope: str
    unit: str
    amount: int
    base: int
    leases: tuple[LeaseRow, ...] = ()

    @property
    def spent(self) -> int:
        return self.base + sum(lease.spent for lease in self.leases)

    @property
    def held(self) -> int:
        return sum(lease.held for lease in self.leases)

    @property
    def leased(self) -> int:
        """Granted to holders, what they spent of it included."""
        return sum(max(lease.granted, lease.spent) for lease in self.leases)


def exchange(
    connection: Connection, holder: str, asks: Iterable[Ask], *, living: frozenset[str], at_us: int
) -> list[Standing]:
    """All that a holder wants, in one transaction. `living` are the holders that are heard of, this one among them."""
    _be_bounded(connection)
    ordered = sorted(asks, key=lambda ask: ask.of.key)
    accounts = _locked(connection, [ask.of for ask in ordered])
    leases = _leases(connection, accounts)
    written = _Written(holder, at_us)
    found = [_serve(connection, ask, accounts[ask.of.key], leases[ask.of.key], written, living) for ask in ordered]
    written.write(connection)
    return found


def wanted(connection: Connection, holder: str) -> list[Key]:
    """The accounts that others are short of, of which this holder has a part and has not been heard of since."""
    joined = (_ACCOUNT.c.limit == _LEASE.c.limit) & (_ACCOUNT.c.window_us == _LEASE.c.window_us)
    query = select(_ACCOUNT.c.limit, _ACCOUNT.c.window_us).where(
        _ACCOUNT.c.wanted > 0, joined, _LEASE.c.holder == holder, _LEASE.c.answered < _ACCOUNT.c.wanted
    )
    return [(row.limit, row.window_us) for row in connection.execute(query)]


def reckon(connection: Connection, holder: str, writers: str, at_us: int, *, is_lost: bool = False) -> dict[Key, int]:
    """A holder is dead, and its spools (whose names begin with `writers`) are in the books: what it spent of its
    leases, of some of them at a time. What can't be told one by one (requests, a window that was open twice) is all
    that was granted. It may take a while, and locks nothing: the dead spend no more.

    `is_lost`: some of its records never come; what it said last that it spent and held counts as spent."""
    joined = (_ACCOUNT.c.limit == _LEASE.c.limit) & (_ACCOUNT.c.window_us == _LEASE.c.window_us)
    rows = connection.execute(
        select(_LEASE, _ACCOUNT.c.unit, _ACCOUNT.c.over, _ACCOUNT.c.owner, _ACCOUNT.c.ends_us)
        .join(_ACCOUNT, joined)
        .where(_LEASE.c.holder == holder)
        .limit(RECKONED)
    ).all()
    spent = {(row.limit, row.window_us): _known(connection, row, writers, at_us) for row in rows}
    if is_lost:
        told = {(row.limit, row.window_us): row.spent + row.held for row in rows if row.unit != PLACES}
        spent = {key: max(amount, told.get(key, 0)) for key, amount in spent.items()}
    return spent


def end(connection: Connection, holder: str, spent: Mapping[Key, int], at_us: int) -> None:
    """The leases of a dead holder end, at what it spent."""
    _be_bounded(connection)
    accounts = _lock(connection, list(spent))
    for key, rows in _leases(connection, accounts).items():
        for row in rows:
            if row.holder == holder:
                _end(connection, accounts[key], row, spent[key], at_us, is_last=len(rows) == 1)


def drop_places(connection: Connection, holder: str) -> None:
    """Nobody has heard of that holder for long: the places in flight that it had are free."""
    _be_bounded(connection)
    query = select(_LEASE.c.limit, _LEASE.c.window_us).join(
        _ACCOUNT, (_ACCOUNT.c.limit == _LEASE.c.limit) & (_ACCOUNT.c.window_us == _LEASE.c.window_us)
    )
    found = connection.execute(query.where(_LEASE.c.holder == holder, _ACCOUNT.c.unit == PLACES)).all()
    if keys := [(row.limit, row.window_us) for row in found]:
        _lock(connection, keys)
        of_it = tuple_(_LEASE.c.limit, _LEASE.c.window_us).in_(keys)
        connection.execute(_LEASE.delete().where(_LEASE.c.holder == holder, of_it))


def forget_ended(connection: Connection, before_us: int) -> None:
    """Accounts whose windows ended before that, and their leases; the books know what was spent."""
    old = select(_ACCOUNT.c.limit, _ACCOUNT.c.window_us).where(_ACCOUNT.c.ends_us < before_us)
    connection.execute(_LEASE.delete().where(tuple_(_LEASE.c.limit, _LEASE.c.window_us).in_(old)))
    connection.execute(_ACCOUNT.delete().where(_ACCOUNT.c.ends_us < before_us))


def holders_of(connection: Connection, replica: str) -> list[str]:
    """The lives of a replica that have leases."""
    query = select(_LEASE.c.holder).where(_LEASE.c.holder.startswith(f"{replica}.", autoescape=True)).distinct()
    return sorted(connection.execute(query).scalars())


def writers_of(holder: str) -> str:
    """How the names of its spools begin."""
    return holder.replace(".", "-") + "-"


def list_accounts(connection: Connection, at_us: int) -> list[AccountRow]:
    """Those whose window has not ended."""
    rows = connection.execute(
        select(_ACCOUNT).where(_ACCOUNT.c.ends_us > at_us).order_by(_ACCOUNT.c.limit, _ACCOUNT.c.window_us)
    ).all()
    leases: dict[Key, list[LeaseRow]] = {}
    joined = (_ACCOUNT.c.limit == _LEASE.c.limit) & (_ACCOUNT.c.window_us == _LEASE.c.window_us)
    query = select(_LEASE).join(_ACCOUNT, joined).where(_ACCOUNT.c.ends_us > at_us).order_by(_LEASE.c.holder)
    for row in connection.execute(query):
        told = LeaseRow(row.holder, row.granted, row.spent, row.held, row.beyond, row.told_us)
        leases.setdefault((row.limit, row.window_us), []).append(told)
    return [
        AccountRow(
            row.limit, row.window_us, None if row.ends_us == FOREVER_US else row.ends_us, row.scope, row.unit,
            row.amount, row.base, tuple(leases.get((row.limit, row.window_us), ())),
        )
        for row in rows
    ]  # fmt: skip


def _serve(
    connection: Connection,
    ask: Ask,
    account: "_Account",
    leases: list[Row],
    written: "_Written",
    living: frozenset[str],
) -> Standing:
    """One ask, on a locked account."""
    mine = next((row for row in leases if row.holder == written.holder), None)
    others = [row for row in leases if row is not mine]
    if ask.leaves:
        if mine is not None:
            _end(connection, account, mine, ask.floor, written.at_us, is_last=not others)
        return Standing(*ask.of.key, 0, account.amount - account.base - _taken(others), account.base, 0)
    if not leases:
        account.catch_up(connection, ask.of)
    account.amount = ask.of.amount
    most = account.amount - account.base - _taken(others)
    granted, is_served = _grant(ask, 0 if mine is None else mine.granted, most, SHARES * max(1, len(living)))
    goes_beyond = granted > max(most, 0 if mine is None else mine.granted)
    if (goes_beyond or (ask.is_short and not is_served)) and account.heard(others, living):
        account.wanted += 1  # anew: whoever was heard of has answered the last one
    if ask.beyond:
        told = {"unit": account.unit, "amount": ask.beyond, "window_us": account.window_us}
        note(connection, actor=written.holder, action="lease.beyond", subject=account.limit, details=told)
    row = {
        "granted": granted,
        "spent": ask.spent,
        "held": ask.held,
        "beyond": ask.beyond + (mine.beyond if mine is not None else 0),
        "answered": account.wanted if ask.gives or mine is None else mine.answered,
    }
    written.lease(ask.of, row, is_new=mine is None)
    written.account(account)
    lost = sum(max(0, row.granted - row.spent) for row in others if row.holder not in living)
    return Standing(
        *ask.of.key,
        granted=granted,
        free=most - granted,
        spent=account.base + sum(row.spent for row in others),
        held=lost + sum(row.held for row in others if row.holder in living),
        unheard=account.unheard(others, living),
    )


def _grant(ask: Ask, stands: int, most: int, shares: int) -> tuple[int, bool]:
    """What the holder has from now on, at most `most`; and whether that is what it needs."""
    least = ask.floor + ask.needed
    if ask.gives:
        return (least, True) if least <= most else (ask.floor, not ask.needed)
    if least > most:
        return max(stands, ask.floor), not ask.needed
    share = (most - least) // shares
    return max(stands, least + share) if stands - least < share // 2 else max(stands, least), True


def _taken(leases: Iterable[Row]) -> int:
    return sum(max(row.granted, row.spent) for row in leases)


class _Account:
    """An account's row, while it is locked."""

    def __init__(self, row: Row) -> None:
        self.limit, self.window_us, self.ends_us = row.limit, row.window_us, row.ends_us
        self.unit, self.over, self.owner = row.unit, row.over, row.owner
        self.amount, self.base = row.amount, row.base
        self.reckoned_us: int = row.reckoned_us
        self.wanted: int = row.wanted
        self.before = self.state()

    def state(self) -> tuple[int, int, int, int]:
        return self.amount, self.base, self.reckoned_us, self.wanted

    def catch_up(self, connection: Connection, of: Limited) -> None:
        """Nobody has a part of it: what was spent since somebody had stands in the books alone."""
        until_us = of.ends_us if of.since_us is None else of.since_us
        if self.unit != PLACES and until_us > self.reckoned_us:
            self.base += budgets.spent(
                connection, self.unit, self.over, self.owner, self.reckoned_us, until_us=until_us
            )
            self.reckoned_us = until_us

    def unheard(self, others: Iterable[Row], living: frozenset[str]) -> tuple[str, ...]:
        return tuple(row.holder for row in others if row.answered < self.wanted and row.holder in living)

    def heard(self, others: Iterable[Row], living: frozenset[str]) -> bool:
        return not self.unheard(others, living)


class _Written:
    """What one exchange changes, written at its end in a few statements."""

    def __init__(self, holder: str, at_us: int) -> None:
        self.holder = holder
        self.at_us = at_us
        self._new: list[dict[str, Any]] = []
        self._changed: list[dict[str, Any]] = []
        self._accounts: list[dict[str, Any]] = []

    def lease(self, of: Limited, row: dict[str, int], *, is_new: bool) -> None:
        key = {"limit": of.limit, "window_us": of.window_us, "holder": self.holder}
        if is_new:
            self._new.append({**key, **row, "since_us": of.since_us, "told_us": self.at_us})
        else:
            self._changed.append({f"its_{name}": value for name, value in key.items()} | row | {"told_us": self.at_us})

    def account(self, account: _Account) -> None:
        if account.state() != account.before:
            amount, base, reckoned_us, wanted = account.before = account.state()
            self._accounts.append(
                {
                    "its_limit": account.limit,
                    "its_window_us": account.window_us,
                    "amount": amount,
                    "base": base,
                    "reckoned_us": reckoned_us,
                    "wanted": wanted,
                }
            )

    def write(self, connection: Connection) -> None:
        if self._new:
            connection.execute(_LEASE.insert(), self._new)
        if self._changed:
            its = (_LEASE.c.limit == bindparam("its_limit")) & (_LEASE.c.window_us == bindparam("its_window_us"))
            connection.execute(_LEASE.update().where(its, _LEASE.c.holder == bindparam("its_holder")), self._changed)
        if self._accounts:
            its = (_ACCOUNT.c.limit == bindparam("its_limit")) & (_ACCOUNT.c.window_us == bindparam("its_window_us"))
            connection.execute(_ACCOUNT.update().where(its), self._accounts)


def _locked(connection: Connection, wanted: list[Limited]) -> Mapping[Key, _Account]:
    """The accounts, made where there are none, their rows locked in order."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    found = _lock(connection, [of.key for of in wanted])
    missing = [of for of in wanted if of.key not in found]
    if missing:
        rows = [
            {name: value for name, value in asdict(of).items() if name != "since_us"}
            | {"base": 0, "reckoned_us": of.window_us, "wanted": 0}
            for of in missing
        ]
        connection.execute(dialect.insert(_ACCOUNT).on_conflict_do_nothing(), rows)
        found = found | _lock(connection, [of.key for of in missing])
    return found


def _lock(connection: Connection, keys: list[Key]) -> dict[Key, _Account]:
    found: dict[Key, _Account] = {}
    for chunk in _chunks(sorted(keys)):
        query = select(_ACCOUNT).where(tuple_(_ACCOUNT.c.limit, _ACCOUNT.c.window_us).in_(chunk))
        for row in connection.execute(query.order_by(_ACCOUNT.c.limit, _ACCOUNT.c.window_us).with_for_update()):
            found[row.limit, row.window_us] = _Account(row)
    return found


def _leases(connection: Connection, keys: Iterable[Key]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = {key: [] for key in keys}
    for chunk in _chunks(list(found)):
        query = select(_LEASE).where(tuple_(_LEASE.c.limit, _LEASE.c.window_us).in_(chunk)).order_by(_LEASE.c.holder)
        for row in connection.execute(query):
            found[row.limit, row.window_us].append(row)
    return found


def _chunks(keys: list[Key]) -> Iterable[list[Key]]:
    return (keys[first : first + CHUNK] for first in range(0, len(keys), CHUNK))


def _known(connection: Connection, row: Row, writers: str, at_us: int) -> int:
    """What a dead holder spent of a lease."""
    if row.unit == PLACES:
        return 0
    if row.unit == "requests" or row.since_us is None or row.ends_us <= at_us:
        return max(row.granted, row.spent)
    since_us = max(row.window_us, row.since_us)
    of_it = (row.unit, row.over, row.owner, since_us)
    return max(row.spent, budgets.spent(connection, *of_it, until_us=row.ends_us, writers=writers))


def _end(connection: Connection, account: _Account, row: Row, spent: int, at_us: int, *, is_last: bool) -> None:
    """A lease ends; `spent` of it is gone for good."""
    account.base += spent
    if is_last:
        account.reckoned_us = max(account.reckoned_us, at_us)
    its = (_ACCOUNT.c.limit == account.limit) & (_ACCOUNT.c.window_us == account.window_us)
    connection.execute(_ACCOUNT.update().where(its).values(base=account.base, reckoned_us=account.reckoned_us))
    same = (_LEASE.c.limit == account.limit) & (_LEASE.c.window_us == account.window_us)
    connection.execute(_LEASE.delete().where(same, _LEASE.c.holder == row.holder))


def _be_bounded(connection: Connection) -> None:
    """Other replicas may hold a row, and a server may be slow: a holder has more to do than to wait."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_PATIENCE}'")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{PATIENCE}'")
