"""One interface to the books: on the store while nobody has it, else at the server that does."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import pytest

from fairlead.errors import InUse, NotFound, OperatorError, RemoteFailed
from fairlead.ids import new_id, now_us
from fairlead.records import CallClosed
from fairlead.server.office import CallFilter, KeyMade, KeyWanted
from fairlead.server.premises import Premises, Tenant
from fairlead.server.remote import Desk, Local, Remote, open_office, open_remote
from fairlead.store.spool import Spool


@contextmanager
def answering(data_dir: Path, status: int, body: bytes) -> Iterator[list[tuple[str, str, bytes]]]:
    """A server with the lock, whose admin socket answers everything so; gives what it was asked."""
    asked: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length", "0")))
            asked.append((self.command, self.path, sent))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

    premises = Premises(str(data_dir), Tenant(4711, "127.0.0.1:4000"))
    server = ThreadingUnixStreamServer(str(premises.admin_socket), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        premises.close()


async def make_key(desk: Desk) -> KeyMade:
    return await desk.new_key(KeyWanted("app", budget="5usd/day"))


def test_where_nobody_serves_the_store_is_opened_and_given_back(tmp_path: Path) -> None:
    async def use() -> None:
        async with open_office(tmp_path / "new", doing="key new", create=True) as desk:
            assert isinstance(desk, Local)
            made = await make_key(desk)
            assert [key.id for key in await desk.keys()] == [made.key.id]
            with pytest.raises(InUse, match="key new"):
                Premises(str(tmp_path / "new"), Tenant(1))
        Premises(str(tmp_path / "new"), Tenant(1)).close()

    asyncio.run(use())


def test_what_a_killed_server_left_in_its_spool_is_there_at_once(tmp_path: Path) -> None:
    call = new_id()
    spool = Spool(tmp_path / "spool" / "worker")
    spool.append(CallClosed(call=call, at_us=now_us(), key="k", route="r", status="denied"))
    spool.close()

    async def use() -> list[str]:
        async with open_office(tmp_path, doing="call list", create=True) as desk:
            return [row.id for row in await desk.calls(CallFilter())]

    assert asyncio.run(use()) == [call]


def test_a_place_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    async def use() -> None:
        async with open_office(tmp_path / "missing", doing="key list"):
            raise AssertionError("it was opened")

    with pytest.raises(NotFound):
        asyncio.run(use())
    assert not (tmp_path / "missing").exists()


def test_where_a_server_has_the_lock_it_is_asked(tmp_path: Path) -> None:
    async def use() -> list[object]:
        async with open_office(tmp_path, doing="key list") as desk:
            assert isinstance(desk, Remote)
            return list(await desk.keys(revoked=True))

    with answering(tmp_path, 200, b"[]") as asked:
        assert asyncio.run(use()) == []
    assert asked == [("GET", "/api/keys?revoked=true", b"")]


def test_what_is_asked_is_quoted_and_typed(tmp_path: Path) -> None:
    async def use(remote: Remote) -> None:
        for question in (remote.revoke_key("a/b c"), remote.calls(CallFilter(route="r&x")), make_key(remote)):
            with pytest.raises(RemoteFailed):
                await question

    with answering(tmp_path, 200, b'"not what was expected"') as asked:
        asyncio.run(use(open_remote(tmp_path)))
    assert asked[0][:2] == ("POST", "/api/keys/a%2Fb%20c/revoke")
    assert asked[1][1] == "/api/calls?since_us=0&route=r%26x&limit=50"
    assert json.loads(asked[2][2])["name"] == "app"


def test_an_error_of_the_server_keeps_its_code_its_message_and_its_hint(tmp_path: Path) -> None:
    said = {"error": {"message": "no such key", "code": "not_found", "hint": "look again", "param": None}}
    with answering(tmp_path, 404, json.dumps(said).encode()), pytest.raises(RemoteFailed) as caught:
        asyncio.run(open_remote(tmp_path).revoke_key("x"))
    assert (caught.value.message, caught.value.code, caught.value.hint) == ("no such key", "not_found", "look again")


def test_an_error_that_says_nothing_is_told_by_its_status(tmp_path: Path) -> None:
    with answering(tmp_path, 500, b"<html>"), pytest.raises(RemoteFailed, match="500"):
        asyncio.run(open_remote(tmp_path).engines())


def test_a_lock_without_a_socket_is_told_with_its_holder(tmp_path: Path) -> None:
    async def use() -> None:
        async with open_office(tmp_path, doing="key list", turn_s=0.1):
            raise AssertionError("it was opened")

    premises = Premises(str(tmp_path), Tenant(4711, doing="demo"))
    try:
        with pytest.raises(InUse, match="`fairlead demo` with process id 4711"):
            asyncio.run(use())
        with pytest.raises(InUse, match="4711"):
            open_remote(tmp_path)
    finally:
        premises.close()


def test_short_commands_take_turns(tmp_path: Path) -> None:
    premises = Premises(str(tmp_path), Tenant(4711, doing="key new"))
    threading.Timer(0.2, premises.close).start()

    async def use() -> bool:
        async with open_office(tmp_path, doing="key list", create=True) as desk:
            return isinstance(desk, Local)

    assert asyncio.run(use())


def test_a_socket_that_nobody_listens_on_is_no_server(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "admin.sock"))
    with pytest.raises(OperatorError, match="no server is running"):
        open_remote(tmp_path)
