"""Can a backend be reached, and does it take its key? Each is asked for its list of models, which costs nothing.

DNS, TCP, TLS and HTTP fail with the words that the road itself would have for it. A key is sent and never shown;
where there is none, credentials are looked for as for a call.
"""

import asyncio
from email.utils import parsedate_to_datetime
from pathlib import Path

from fairlead import __version__, app
from fairlead.accounts import Account, find_account
from fairlead.backends.formats import FORMATS
from fairlead.cli.findings import Finding, Level
from fairlead.cli.rehearsal import base_dir
from fairlead.config import BackendSettings, Config
from fairlead.errors import FairleadError
from fairlead.ids import now_us
from fairlead.wire.address import place, read_proxy, request_head
from fairlead.wire.pool import Pool
from fairlead.wire.response import Deadlines, Response
from fairlead.wire.tunnel import refused

CONNECT_S, TOTAL_S = 5.0, 10.0


async def reach_all(settings: Config, skews_s: dict[str, float]) -> list[Finding]:
    """A finding for each backend, all asked at once. `skews_s` takes how far our clock is ahead of each one's."""
    pool = Pool()
    try:
        asked = (_reach(settings, name, backend, pool, skews_s) for name, backend in settings.backends.items())
        return list(await asyncio.gather(*asked))
    finally:
        await pool.close()


async def _reach(
    settings: Config, name: str, backend: BackendSettings, pool: Pool, skews_s: dict[str, float]
) -> Finding:
    what = f"backend {name}"
    if backend.kind == "script":
        return Finding("ok", what, "scripted: nobody is asked")
    try:
        account = find_account(settings, name)
        if signer := app.find_signer(settings, name, account):
            await signer.lines("GET", account.base_url, b"")  # can credentials be had at all?
        response = await _ask(settings, backend, account, pool)
    except FairleadError as error:
        return Finding("fail", what, error.message, error.hint)
    try:
        _compare_clocks(name, response, skews_s)
        return _judge(what, backend, account, response.status)
    finally:
        response.close()


async def _ask(settings: Config, backend: BackendSettings, account: Account, pool: Pool) -> Response:
    """Raises ConfigInvalid, TargetError."""
    spoken = FORMATS[account.kind]
    there = place(account.base_url.rstrip("/").removesuffix(spoken.trims))
    headers = {"user-agent": f"fairlead/{__version__}", "accept": "application/json", **spoken.headers}
    auth = account.auth or spoken.auth
    if backend.key and auth != "none":
        headers |= {"authorization": f"Bearer {backend.key.value}"} if auth == "bearer" else {auth: backend.key.value}
    headers |= {header.lower(): value for header, value in backend.headers.items()}
    headers |= {header.lower(): secret.value for header, secret in backend.secret_headers.items()}
    ca_file = str(base_dir(settings) / Path(backend.ca_file).expanduser()) if backend.ca_file else ""
    origin = pool.origin(there, ca_file, read_proxy(backend.proxy.value) if backend.proxy.value else None)
    head = request_head("GET", there, f"{spoken.trims}/models", headers, origin.forwards)
    response = await pool.ask(origin, head, None, Deadlines(connect_s=CONNECT_S, total_s=TOTAL_S))
    if response.status == 407 and origin.forwards is not None:
        response.close()
        raise refused(there, origin.forwards, response.status)
    return response


def _judge(what: str, backend: BackendSettings, account: Account, status: int) -> Finding:
    where = account.base_url
    if account.signs is not None and status < 500:  # this question was not signed
        return Finding("ok", what, f"{where} answers; whether it takes the signature, a call will tell")
    if status < 300:
        return Finding("ok", what, f"{where} answers")
    if status in (401, 403):
        source = backend.key.source if backend.key else "no key"
        return Finding("fail", what, f"{where} refuses the key ({source}) with status {status}", "check that key")
    level: Level = "warn"
    if status in (404, 405):
        return Finding(level, what, f"{where} answers, but has no list of models", "check base_url if calls fail, too")
    return Finding(level, what, f"{where} answers with status {status}", "it may be ill, or busy")


def _compare_clocks(name: str, response: Response, skews_s: dict[str, float]) -> None:
    try:
        theirs = parsedate_to_datetime(response.headers.get("date", ""))
    except (TypeError, ValueError):
        return
    skews_s[name] = now_us() / 1_000_000 - theirs.timestamp()
