"""The office from outside: through the admin socket while a server runs, else on the store itself, under its lock.

Whoever asks (the command line) can't tell the two apart. What only a running server knows (its state, its engines, a
reload) is asked of a `Remote`. What is asked and how it is shown is not known here.
"""

import asyncio
import http.client
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from fairlead.engines.supervisor import EngineStatus
from fairlead.errors import InUse, NotFound, OperatorError, RemoteFailed
from fairlead.server.archiving import ArchiveRoom
from fairlead.server.office import (
    CallFilter,
    ContentShown,
    Forgotten,
    KeyMade,
    KeyShown,
    KeyWanted,
    Office,
    Released,
    Rotation,
    Whose,
)
from fairlead.server.premises import Premises, Tenant, tenant_of
from fairlead.store.calls import CallRow, CallShown, Summary
from fairlead.store.leases import AccountRow
from fairlead.store.recordings import CONTENT
from fairlead.store.shipping import Shipper

if TYPE_CHECKING:  # they bring the web server along, which most commands don't need
    from fairlead.server.admin import Status
    from fairlead.server.steward import Reloaded

T = TypeVar("T")
SOCKET = "admin.sock"
PATIENCE_S = 60.0  # of one answer: a reload waits for engines to start
TURN_S = 3.0  # that another short command, or a server that is starting, may hold the lock
LOOK_EVERY_S = 0.05


class Desk(Protocol):
    """What the command line asks of the books, wherever they are kept. Raises FairleadError."""

    async def new_key(self, wanted: KeyWanted) -> KeyMade: ...
    async def keys(self, *, revoked: bool = False) -> list[KeyShown]: ...
    async def revoke_key(self, ref: str) -> KeyShown: ...
    async def rotate_key(self, ref: str, wanted: Rotation) -> KeyMade: ...
    async def calls(self, wanted: CallFilter) -> list[CallRow]: ...
    async def call(self, ref: str) -> CallShown: ...
    async def content(self, ref: str) -> list[ContentShown]: ...
    async def forget_content(self, whose: Whose) -> Forgotten: ...
    async def summary(self, by: tuple[str, ...], since_us: int) -> list[Summary]: ...
    async def budgets(self) -> list[AccountRow]: ...
    async def release_replica(self, id: str) -> Released: ...


class Local:
    """A `Desk` on the store itself. `timezone` is the one in which a new key's budgets count their days."""

    def __init__(self, office: Office, timezone: str = "UTC") -> None:
        self._office = office
        self._timezone = timezone

    async def new_key(self, wanted: KeyWanted) -> KeyMade:
        return await self._office.new_key(wanted, by="cli", timezone=self._timezone)

    async def keys(self, *, revoked: bool = False) -> list[KeyShown]:
        return await self._office.keys(revoked=revoked)

    async def revoke_key(self, ref: str) -> KeyShown:
        return await self._office.revoke_key(ref, by="cli")

    async def rotate_key(self, ref: str, wanted: Rotation) -> KeyMade:
        return await self._office.rotate_key(ref, wanted, by="cli")

    async def calls(self, wanted: CallFilter) -> list[CallRow]:
        return await self._office.calls(wanted)

    async def call(self, ref: str) -> CallShown:
        return await self._office.call(ref)

    async def content(self, ref: str) -> list[ContentShown]:
        return await self._office.content(ref, by="cli")

    async def forget_content(self, whose: Whose) -> Forgotten:
        return await self._office.forget_content(whose, by="cli")

    async def summary(self, by: tuple[str, ...], since_us: int) -> list[Summary]:
        return await self._office.summary(by, since_us)

    async def budgets(self) -> list[AccountRow]:
        return await self._office.budgets()

    async def release_replica(self, id: str) -> Released:
        return await self._office.release_replica(id, by="cli")


class Remote:
    """A `Desk` at a running server, and what only that server knows.

    Raises RemoteFailed with the server's own code, message and hint; OperatorError where it does not answer.
    """

    def __init__(self, data_dir: Path) -> None:
        self._socket = data_dir / SOCKET

    async def new_key(self, wanted: KeyWanted) -> KeyMade:
        return await self._ask("POST", "/api/keys", KeyMade, body=wanted)

    async def keys(self, *, revoked: bool = False) -> list[KeyShown]:
        return await self._ask("GET", "/api/keys", list[KeyShown], query={"revoked": "true"} if revoked else {})

    async def revoke_key(self, ref: str) -> KeyShown:
        return await self._ask("POST", f"/api/keys/{_segment(ref)}/revoke", KeyShown)

    async def rotate_key(self, ref: str, wanted: Rotation) -> KeyMade:
        return await self._ask("POST", f"/api/keys/{_segment(ref)}/rotate", KeyMade, body=wanted)

    async def calls(self, wanted: CallFilter) -> list[CallRow]:
        query = {name: value for name, value in msgspec.structs.asdict(wanted).items() if value is not None}
        return await self._ask("GET", "/api/calls", list[CallRow], query=query)

    async def call(self, ref: str) -> CallShown:
        return await self._ask("GET", f"/api/calls/{_segment(ref)}", CallShown)

    async def content(self, ref: str) -> list[ContentShown]:
        return await self._ask("GET", f"/api/calls/{_segment(ref)}/content", list[ContentShown])

    async def forget_content(self, whose: Whose) -> Forgotten:
        return await self._ask("POST", "/api/content/forget", Forgotten, body=whose)

    async def summary(self, by: tuple[str, ...], since_us: int) -> list[Summary]:
        query = {"by": ",".join(by), "since_us": since_us}
        return await self._ask("GET", "/api/summary", list[Summary], query=query)

    async def budgets(self) -> list[AccountRow]:
        return await self._ask("GET", "/api/budgets", list[AccountRow])

    async def release_replica(self, id: str) -> Released:
        return await self._ask("POST", f"/api/replicas/{_segment(id)}/release", Released)

    async def status(self) -> "Status":
        from fairlead.server.admin import Status

        return await self._ask("GET", "/api/status", Status)

    async def configuration(self) -> dict[str, Any]:
        """What is in force, secrets as the references that they were written as."""
        return await self._ask("GET", "/api/config", dict[str, Any])

    async def reload(self) -> "Reloaded":
        from fairlead.server.steward import Reloaded

        return await self._ask("POST", "/api/config/reload", Reloaded)

    async def engines(self) -> list[EngineStatus]:
        return await self._ask("GET", "/api/engines", list[EngineStatus])

    async def restart(self, engine: str) -> EngineStatus:
        return await self._ask("POST", f"/api/engines/{_segment(engine)}/restart", EngineStatus)

    def answers(self) -> bool:
        """Is somebody listening?"""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(1.0)
                sock.connect(str(self._socket))
        except OSError:
            return False
        return True

    async def _ask(self, method: str, path: str, kind: Any, *, query: Any = None, body: Any = None) -> Any:
        where = f"{path}?{urlencode(query)}" if query else path
        sent = None if body is None else msgspec.json.encode(body)
        status, said = await asyncio.to_thread(_exchange, self._socket, method, where, sent)
        if status >= 400:
            raise _failure(status, said)
        try:
            return msgspec.json.decode(said, type=kind)
        except msgspec.DecodeError as error:
            raise RemoteFailed(
                f"the running server answered what this program does not understand: {error}",
                hint="are both the same version? `fairlead status` tells the server's",
            ) from error


@asynccontextmanager
async def open_office(
    data_dir: Path,
    *,
    doing: str,
    find_store: Callable[[], str] = str,
    create: bool = False,
    timezone: str = "UTC",
    turn_s: float = TURN_S,
) -> AsyncIterator[Desk]:
    """The books of a data directory: on the store, under its lock, or at the server that holds it.

    `find_store` tells the URL of a store that lies elsewhere. On the store, what a killed server left in its spools is
    shipped first. `doing` is told to whoever finds the lock taken meanwhile. With `create` a data directory is made
    where there is none. Raises NotFound where there is none, InUse where the lock is held by somebody who does not
    answer, StoreMismatch.
    """
    if not create and not data_dir.is_dir():
        raise NotFound(
            f"there is no data directory {data_dir}", hint="is it the right --config or --data-dir? serve makes one"
        )
    found = await enter(data_dir, doing, turn_s)
    if isinstance(found, Remote):
        yield found
        return
    try:
        office = await Office.open(find_store() or data_dir, create=create)
        try:
            await asyncio.to_thread(_ship, office, data_dir)
            await ArchiveRoom(office, data_dir / CONTENT, tuple).carry()
            yield Local(office, timezone)
        finally:
            office.close()
    finally:
        found.close()


def open_remote(data_dir: Path) -> Remote:
    """The server that holds a data directory. Raises OperatorError where none does, InUse where it does not answer."""
    remote = Remote(data_dir)
    if remote.answers():
        return remote
    if tenant_of(data_dir) is not None and _is_locked(data_dir):
        raise _silent(data_dir)
    raise OperatorError(f"no server is running on {data_dir}", hint="start one: fairlead serve", code="not_running")


async def enter(data_dir: Path, doing: str, turn_s: float = TURN_S) -> Premises | Remote:
    """The lock, or whoever holds it and answers; short commands take turns. Raises InUse."""
    tenant = Tenant(os.getpid(), doing=doing)
    remote = Remote(data_dir)
    loop = asyncio.get_running_loop()
    until = loop.time() + turn_s
    while True:
        try:
            return Premises(str(data_dir), tenant)
        except InUse:
            if remote.answers():
                return remote
            if loop.time() >= until:
                raise _silent(data_dir) from None
        await asyncio.sleep(LOOK_EVERY_S)


def _is_locked(data_dir: Path) -> bool:
    try:
        Premises(str(data_dir), Tenant(os.getpid(), doing="status")).close()
    except InUse:
        return True
    return False


def _silent(data_dir: Path) -> InUse:
    tenant = tenant_of(data_dir)
    who = f"`fairlead {tenant.doing}` with process id {tenant.pid}" if tenant else "another process"
    return InUse(
        f"the data directory {data_dir} belongs to {who}, which does not answer on {data_dir / SOCKET}",
        hint="if it is just starting or ending, try again; else stop it",
        pid=tenant.pid if tenant else None,
    )


def _ship(office: Office, data_dir: Path) -> None:
    shipped = Shipper(office.store, data_dir / "spool").ship()
    if shipped.failed:
        raise OperatorError(
            f"what is in {data_dir / 'spool'} can't be carried into the store: {shipped.failed}",
            hint="nothing is lost; is the disk full, or does another program hold the store?",
        )


def _segment(text: str) -> str:
    return quote(text, safe="")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _exchange(path: Path, method: str, where: str, body: bytes | None) -> tuple[int, bytes]:
    connection = _UnixConnection(path)
    try:
        connection.request(method, where, body, {"content-type": "application/json"} if body else {})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise OperatorError(
            f"the running server does not answer on {path}: {error or type(error).__name__}",
            hint="is it being stopped? its log tells more",
        ) from error
    finally:
        connection.close()


def _failure(status: int, said: bytes) -> RemoteFailed:
    try:
        error = msgspec.json.decode(said, type=dict[str, dict[str, Any]])["error"]
        return RemoteFailed(
            str(error["message"]),
            hint=str(error.get("hint") or ""),
            code=str(error.get("code") or RemoteFailed.code),
            param=error.get("param"),
        )
    except (msgspec.DecodeError, KeyError):
        return RemoteFailed(f"the running server answered {status}", hint="its log tells more")
