"""The desk as a web page: one file of HTML, and a few questions of JSON behind a random token.

It is for one person at this machine. Who does not know the token, comes by another name than this machine's (a page
that had its name point here), or from another page, is told nothing. The page loads nothing from anywhere else, and
texts of cases and answers reach it as text, never as HTML.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fairlead.errors import FairleadError, NotFound, RequestInvalid
from fairlead.evals.labelling.desk import PREFERENCE, Desk

FILE = Path(__file__).with_name("labelling.html")
NONCE = "__NONCE__"
LARGEST = 64 * 1024
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

Answering = Callable[[Request], Awaitable[Response]]


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """What the page sends: which answer, what of it, how long it took."""

    answer: str = ""
    scores: dict[str, int] | str = ""
    note: str = ""
    took_us: int = 0


def new_token() -> str:
    return secrets.token_urlsafe(24)


def page(desk: Desk, token: str, port: int, stop: Callable[[], None]) -> Starlette:
    """`stop` is called when the person at the desk has had enough."""
    hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
    guard = _Guard(token, hosts)

    async def show(request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        text = FILE.read_text(encoding="utf-8").replace(NONCE, nonce)
        return Response(text, media_type="text/html", headers=HEADERS | {"content-security-policy": policy})

    async def now(request: Request) -> Response:
        return _json(_state(desk))

    async def give(request: Request) -> Response:
        said = await _said(request)
        desk.give(said.answer, said.scores, note=said.note, took_us=said.took_us)
        return _json(_state(desk))

    async def skip(request: Request) -> Response:
        said = await _said(request)
        desk.skip(said.answer, took_us=said.took_us)
        return _json(_state(desk))

    async def undo(request: Request) -> Response:
        undone = desk.undo() is not None
        return _json(_state(desk) | {"undone": undone})

    async def end(request: Request) -> Response:
        stop()
        return _json({"ended": True})

    posts = {"give": give, "skip": skip, "undo": undo, "end": end}
    return Starlette(
        routes=[
            Route("/{token}/", guard(show)),
            Route("/{token}/now", guard(now)),
            *(Route(f"/{{token}}/{name}", guard(act, changes=True), methods=["POST"]) for name, act in posts.items()),
        ]
    )


class _Guard:
    def __init__(self, token: str, hosts: tuple[str, ...]) -> None:
        self._token = token.encode()
        self._hosts = hosts

    def __call__(self, answering: Answering, *, changes: bool = False) -> Answering:
        async def guarded(request: Request) -> Response:
            try:
                self._check(request, changes)
                return await answering(request)
            except NotFound as error:
                return _json({"error": error.message, "hint": error.hint}, 404)
            except FairleadError as error:
                return _json({"error": error.message, "hint": error.hint}, 400)

        return guarded

    def _check(self, request: Request, changes: bool) -> None:
        if not hmac.compare_digest(request.path_params["token"].encode(), self._token):
            raise NotFound("there is nothing here", hint="the address has a token: take it from where it was printed")
        if request.headers.get("host") not in self._hosts:
            raise NotFound("there is nothing here", hint=f"it is at {self._hosts[0]}")
        if not changes:
            return
        origin = request.headers.get("origin")
        if origin is not None and origin not in [f"http://{host}" for host in self._hosts]:
            raise RequestInvalid("asked from another page")
        if request.headers.get("content-type") != "application/json":
            raise RequestInvalid("JSON is wanted")


async def _said(request: Request) -> Said:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST:
            raise RequestInvalid("that is too long")
    try:
        return msgspec.json.decode(body, type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RequestInvalid(str(error)) from None


def _state(desk: Desk) -> dict[str, Any]:
    """What is to be seen; nothing that says whose answer it is."""
    of, shown = desk.setting, desk.next()
    dimensions = (PREFERENCE,) if of.pairs else of.rubric.dimensions
    looked = None
    if shown is not None:
        texts = [shown.answer, shown.other] if of.pairs else [shown.answer]
        looked = {
            "answer": shown.answer_hash,
            "asked": shown.asked,
            "texts": texts[::-1] if shown.flipped else texts,
        }
    return {
        "suite": of.suite,
        "about": of.rubric.about,
        "pairs": of.pairs,
        "dimensions": [
            {
                "name": one.name,
                "what": one.what,
                "low": one.low,
                "high": one.high,
                "anchors": [[step, text] for step, text in sorted(one.anchors.items())],
            }
            for one in dimensions
        ],
        "shown": looked,
        "progress": msgspec.to_builtins(desk.progress()),
    }


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json", headers=HEADERS)
