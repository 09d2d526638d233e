"""The data directory and the two addresses: taken by one steward at a time, with a clear word to the second.

The lock is held by the process, so that it is free again after any kind of death. Under it starts are counted: who
this steward is among others on one store, and which of its own lives this one is.
"""

import errno
import fcntl
import ipaddress
import os
import secrets
import socket
from pathlib import Path

import msgspec
from msgspec import Struct

from fairlead.config import host_and_port
from fairlead.errors import InUse, OperatorError

BACKLOG = 2048
LONGEST_SOCKET_PATH = 103  # bytes; what every system allows (macOS the least)


class Tenant(Struct, frozen=True):
    """Who holds a data directory."""

    pid: int
    listen: str = ""
    admin: str = ""
    doing: str = "serve"


class Replica(Struct, frozen=True):
    """A data directory and one of its lives: `id` is drawn at its first start, `epoch` counts the starts.

    The holder of leases is `ID.EPOCH`; the spool of each of its processes is named `ID-EPOCH-` and an id.
    """

    id: str
    epoch: int

    @property
    def holder(self) -> str:
        return holder(self.id, self.epoch)

    @property
    def writers(self) -> str:
        """How the names of this life's spools begin."""
        return f"{self.id}-{self.epoch}-"


def holder(replica: str, epoch: int) -> str:
    return f"{replica}.{epoch}"


class Premises:
    """A data directory under lock. `close` (or the end of the process) gives it back."""

    def __init__(self, data_dir: str, tenant: Tenant) -> None:
        self.path = Path(data_dir)
        if len(os.fsencode(self.admin_socket)) > LONGEST_SOCKET_PATH:
            raise OperatorError(
                f"the path of the data directory is too long for a Unix socket in it: {self.path}",
                hint="set a shorter `data_dir`",
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperatorError(
                f"the data directory {self.path} can't be used: {error.strerror}", hint="set `data_dir`"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise _taken(self.path, tenant_of(self.path)) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, msgspec.json.encode(tenant), 0)

    @property
    def admin_socket(self) -> Path:
        return self.path / "admin.sock"

    def secret(self, name: str) -> bytes:
        """32 random bytes of this data directory's own, made at first need, readable by its owner only."""
        path = self.path / name
        if not path.exists():
            fresh = path.with_suffix(".new")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(secrets.token_hex(32).encode())
            fresh.replace(path)
        return bytes.fromhex(path.read_text(encoding="ascii"))

    def next_life(self, after: int = 0) -> Replica:
        """This start, counted and written down before anybody else can learn of it; its epoch is more than `after`.

        Raises OperatorError where that can't be written, or where what stands there is no replica's name.
        """
        path = self.path / "replica.id"
        try:
            last = msgspec.json.decode(path.read_bytes(), type=Replica) if path.exists() else Replica(_new_replica(), 0)
            this = Replica(last.id, max(last.epoch, after) + 1)
            fresh = path.with_suffix(".new")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.encode(this))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except msgspec.DecodeError as error:
            raise OperatorError(
                f"{path} is no replica's name: {error}",
                hint="put it back from a copy; if there is none, remove it: then what an earlier run had leased of "
                "limits counts as spent",
            ) from error
        except OSError as error:
            raise OperatorError(f"{path} can't be written: {error.strerror}", hint="see to the disk") from error
        return this

    def close(self) -> None:
        os.ftruncate(self._lock, 0)
        os.close(self._lock)


def _new_replica() -> str:
    return secrets.token_hex(8)


def tenant_of(data_dir: Path) -> Tenant | None:
    """Who holds it, as far as the lock file tells."""
    try:
        return msgspec.json.decode((data_dir / "lock").read_bytes(), type=Tenant)
    except (OSError, msgspec.DecodeError):
        return None


def bind(address: str, setting: str) -> socket.socket:
    """A listening TCP socket. Raises InUse where the port is taken."""
    host, port = host_and_port(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise InUse(
                f"{address} is taken by another process",
                hint=f"stop it, or set another `{setting}` in [server]",
                address=address,
            ) from error
        raise OperatorError(f"can't listen on {address}: {error.strerror}", hint=f"check `{setting}`") from error
    return sock


def address_of(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(address: str) -> bool:
    host, _ = host_and_port(address)
    return host == "localhost" or host.startswith("127.") or host == "::1"


def names_loopback(host: str) -> bool:
    """Whether a `Host` header names this machine itself. A web page that had its own name point here names another."""
    name, _, port = host.rpartition(":")
    name = (name if port.isdigit() else host).strip("[]").lower()
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _taken(path: Path, tenant: Tenant | None) -> InUse:
    who = "another process"
    if tenant is not None:
        who = f"`fairlead {tenant.doing}` with process id {tenant.pid}"
        who += f", listening on {tenant.listen}" if tenant.listen else ""
    return InUse(
        f"the data directory {path} belongs to {who}",
        hint="stop that one first, or give this one a `data_dir` of its own",
        pid=tenant.pid if tenant else None,
    )
