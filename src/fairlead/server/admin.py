"""The admin listener of the steward: what an operator reads and changes, over a Unix socket and, if wanted, over TCP.

The socket's file mode is its credential (0600). Over TCP every path but health wants the token in `data_dir/admin.key`;
metrics are open to loopback. There are no other ways in: the command line uses these same paths.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import uvicorn
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fairlead import __version__, config
from fairlead.errors import FairleadError, NotFound, RequestInvalid, Unauthenticated, trail
from fairlead.gateway.breaking import CircuitState
from fairlead.server.errors import INTERNAL, body_of, headers_of, status_of
from fairlead.server.office import CallFilter, KeyWanted, Rotation, Whose
from fairlead.server.premises import address_of, bind, is_loopback, names_loopback

if TYPE_CHECKING:
    from fairlead.server.steward import Steward

log = logging.getLogger("fairlead.admin")
T = TypeVar("T", bound=Struct)
OPEN = ("/healthz", "/readyz")
MAX_HEAD_BYTES = 64 * 1024


class Status(Struct, frozen=True):
    """What is running."""

    version: str
    pid: int
    listen: str
    tls: bool
    admin: str
    data_dir: str
    source: str
    config: str
    workers: list[int]
    open_calls: int
    routes: list[str]
    engines: list[Any]
    circuits: list[CircuitState] = []  # targets that are left alone


class AdminListener:
    def __init__(self, steward: "Steward") -> None:
        self._steward = steward
        self._token = steward.premises.secret("admin.key").hex()
        self._servers: list[tuple[uvicorn.Server, Any]] = []
        self._open_metrics = False
        self.address = ""

    async def start(self) -> None:
        """Listen. Raises InUse where the port is taken."""
        wanted = self._steward.settings.server.admin
        sockets = [(self._unix_socket(), True)]
        if wanted != "off":
            tcp = bind(wanted, "admin")
            self.address = address_of(tcp)
            self._open_metrics = is_loopback(self.address)
            sockets.append((tcp, False))
        for sock, trusted in sockets:
            server = _Server(
                uvicorn.Config(
                    self._application(trusted),
                    http="h11",  # it bounds what is no body; here nothing need be fast
                    h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                    ws="none",
                    lifespan="off",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    timeout_graceful_shutdown=1,
                )
            )
            self._servers.append((server, asyncio.create_task(server.serve(sockets=[sock]))))

    async def stop(self) -> None:
        for server, _ in self._servers:
            server.should_exit = True
        for _, serving in self._servers:
            await serving
        self._steward.premises.admin_socket.unlink(missing_ok=True)

    def _unix_socket(self) -> socket.socket:
        path = self._steward.premises.admin_socket
        path.unlink(missing_ok=True)  # of a run that was killed: the lock says that it is ours now
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(before)
        sock.listen(64)
        return sock

    def _application(self, trusted: bool) -> Starlette:
        routes = [
            Route("/healthz", self._edge(self._healthz, trusted)),
            Route("/readyz", self._edge(self._readyz, trusted)),
            Route("/metrics", self._edge(self._metrics, trusted)),
            Route("/api/status", self._edge(self._status, trusted)),
            Route("/api/config", self._edge(self._config, trusted)),
            Route("/api/config/reload", self._edge(self._reload, trusted), methods=["POST"]),
            Route("/api/keys", self._edge(self._keys, trusted)),
            Route("/api/keys", self._edge(self._new_key, trusted), methods=["POST"]),
            Route("/api/keys/{ref:path}/revoke", self._edge(self._revoke, trusted), methods=["POST"]),
            Route("/api/keys/{ref:path}/rotate", self._edge(self._rotate, trusted), methods=["POST"]),
            Route("/api/calls", self._edge(self._calls, trusted)),
            Route("/api/calls/{ref}", self._edge(self._call, trusted)),
            Route("/api/calls/{ref}/content", self._edge(self._content, trusted)),
            Route("/api/content/forget", self._edge(self._forget_content, trusted), methods=["POST"]),
            Route("/api/summary", self._edge(self._summary, trusted)),
            Route("/api/budgets", self._edge(self._budgets, trusted)),
            Route("/api/replicas/{id}/release", self._edge(self._release, trusted), methods=["POST"]),
            Route("/api/engines", self._edge(self._engines, trusted)),
            Route("/api/engines/{name}/restart", self._edge(self._restart, trusted), methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={404: _not_here, 405: _not_so})

    def _edge(self, endpoint: Any, trusted: bool) -> Any:
        """Who may ask, and errors in the shape that the data listener gives them."""

        async def guarded(request: Request) -> Response:
            try:
                if not trusted:
                    self._authenticate(request)
                return await endpoint(request)
            except FairleadError as error:
                return _told(error)
            except Exception as bug:  # noqa: BLE001  # the edge: a bug answers 500 and tells the log
                log.error("%s %.100r: %s", request.method, request.url.path, trail(bug))
                return Response(body_of(INTERNAL), 500, media_type="application/json")

        return guarded

    def _authenticate(self, request: Request) -> None:
        path = request.url.path
        if path in OPEN:
            return
        if path == "/metrics" and self._open_metrics and names_loopback(request.headers.get("host", "")):
            return
        sent = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not secrets.compare_digest(sent.encode(), self._token.encode()):
            raise Unauthenticated(
                "the admin listener wants its token",
                hint=f"send `Authorization: Bearer` with what is in {self._steward.premises.path / 'admin.key'}",
                code="key_missing" if not sent else "key_unknown",
            )

    async def _healthz(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def _readyz(self, _: Request) -> Response:
        workers = len(self._steward.crew.hands)
        body = {
            "status": "ready" if workers else "down",
            "config": self._steward.settings.hash,
            "workers": workers,
            "keys_age_s": round(self._steward.keyring.age_s(), 1),
        }
        return _json(body, 200 if workers else 503)

    async def _metrics(self, _: Request) -> Response:
        return Response(await self._steward.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _status(self, _: Request) -> Response:
        steward = self._steward
        return _json(
            Status(
                version=__version__,
                pid=os.getpid(),
                listen=steward.listen,
                tls=steward.tls,
                admin=self.address,
                data_dir=steward.settings.data_dir,
                source=steward.settings.source,
                config=steward.settings.hash,
                workers=[hand.process.pid for hand in steward.crew.hands.values()],
                open_calls=sum(steward.crew.open_calls().values()),
                routes=sorted(steward.settings.routes),
                engines=steward.engines.status(),
                circuits=steward.crew.circuits(),
            )
        )

    async def _config(self, _: Request) -> Response:
        return _json(config.masked(self._steward.settings))

    async def _reload(self, _: Request) -> Response:
        return _json(await self._steward.reload())

    async def _keys(self, request: Request) -> Response:
        return _json(await self._steward.office.keys(revoked=request.query_params.get("revoked") == "true"))

    async def _new_key(self, request: Request) -> Response:
        made = await self._steward.office.new_key(
            _read(await request.body(), KeyWanted), by="admin", timezone=self._steward.settings.timezone
        )
        await self._steward.keyring.look()
        return _json(made, 201)

    async def _revoke(self, request: Request) -> Response:
        return _json(await self._steward.keyring.revoke(request.path_params["ref"], by="admin"))

    async def _rotate(self, request: Request) -> Response:
        wanted = _read(await request.body() or b"{}", Rotation)
        made = await self._steward.office.rotate_key(request.path_params["ref"], wanted, by="admin")
        await self._steward.keyring.look()
        return _json(made)

    async def _calls(self, request: Request) -> Response:
        await self._steward.ship()
        return _json(await self._steward.office.calls(_filter(request)))

    async def _call(self, request: Request) -> Response:
        await self._steward.ship()
        return _json(await self._steward.office.call(request.path_params["ref"]))

    async def _content(self, request: Request) -> Response:
        await self._steward.ship()
        await self._steward.archive.carry()
        return _json(await self._steward.office.content(request.path_params["ref"], by="admin"))

    async def _forget_content(self, request: Request) -> Response:
        whose = _read(await request.body(), Whose)
        await self._steward.ship()
        await self._steward.archive.carry()
        return _json(await self._steward.office.forget_content(whose, by="admin"))

    async def _summary(self, request: Request) -> Response:
        await self._steward.ship()
        by = tuple(part for part in request.query_params.get("by", "route,target").split(",") if part)
        return _json(await self._steward.office.summary(by, _filter(request).since_us))

    async def _budgets(self, _: Request) -> Response:
        return _json(await self._steward.office.budgets())

    async def _release(self, request: Request) -> Response:
        return _json(await self._steward.release(request.path_params["id"]))

    async def _engines(self, _: Request) -> Response:
        return _json(self._steward.engines.status())

    async def _restart(self, request: Request) -> Response:
        return _json(self._steward.engines.restart(request.path_params["name"]))


class _Server(uvicorn.Server):
    """Signals are the steward's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def _not_here(request: Request, _: Exception) -> Response:
    return _told(NotFound(f"{request.url.path[:200]} is not served here", hint="docs/http-api.md lists what is"))


async def _not_so(request: Request, _: Exception) -> Response:
    return _told(NotFound(f"{request.url.path[:200]} does not take {request.method}", hint="docs/http-api.md"), 405)


def _told(error: FairleadError, status: int | None = None) -> Response:
    headers = {name.decode(): value.decode() for name, value in headers_of(error)}
    return Response(body_of(error), status or status_of(error), headers, "application/json")


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise RequestInvalid(f"the body is not what is wanted here: {error}", hint="JSON; see the docs") from error


def _filter(request: Request) -> CallFilter:
    try:
        return msgspec.convert(dict(request.query_params), CallFilter, strict=False)
    except msgspec.ValidationError as error:
        raise RequestInvalid(f"the query is not what is wanted here: {error}", hint="see the docs") from error
