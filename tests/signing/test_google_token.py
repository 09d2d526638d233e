"""Tokens come from where Google's own tools find credentials; one renews them, and nobody waits who need not."""

import asyncio
import base64
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fairlead.errors import ConfigInvalid, ExtraMissing, TargetFailed, TargetRefused, TargetUnreachable
from fairlead.signing.google_token import AGAIN_S, EARLY_S, LAST_S, SCOPE, GoogleToken

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
LIFE_S = 3600


class TokenServer(ThreadingHTTPServer):
    """Gives `token_1`, `token_2`, ... as Google's token endpoint and a machine's metadata server do."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.status = 200
        self.open = threading.Event()
        self.open.set()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: TokenServer

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.asked.append({name: values[0] for name, values in parse_qs(form).items()})
        self._give()

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        if self.path.endswith("/token") or "/token?" in self.path:
            self._give()
        else:
            self._say(200, b'{"email":"machine@p.iam.gserviceaccount.com","scopes":["s"],"aliases":["default"]}')

    def _give(self) -> None:
        self.server.open.wait(10)
        number = len(self.server.asked) + sum("/token" in path for path in self.server.paths)
        if self.server.status != 200:
            self._say(self.server.status, b'{"error":"invalid_grant","error_description":"unheard of"}')
        else:
            token = {"access_token": f"token_{number}", "expires_in": LIFE_S, "token_type": "Bearer"}
            self._say(200, msgspec.json.encode(token))

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("metadata-flavor", "Google")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Clock:
    """The time of this machine, and as much later as a test says."""

    def __init__(self) -> None:
        self.later_s = 0.0

    def __call__(self) -> int:
        return int((datetime.now(UTC).timestamp() + self.later_s) * 1_000_000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TokenServer]:
    for name in (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_CLOUD_PROJECT",
        "GCE_METADATA_HOST",
        "HTTP_PROXY",
        "http_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    found = TokenServer()
    thread = threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def written(folder: Path, **fields: Any) -> str:
    path = folder / "credentials.json"
    path.write_bytes(msgspec.json.encode(fields))
    return str(path)


def service_account(folder: Path, server: TokenServer, **more: Any) -> str:
    fields = {
        "type": "service_account",
        "project_id": "p",
        "client_email": "gateway@p.iam.gserviceaccount.com",
        "private_key": PEM,
        "private_key_id": "k1",
        "token_uri": f"http://{server.host}/token",
    }
    return written(folder, **fields | more)


async def told(token: GoogleToken) -> bytes:
    return await token.lines("POST", "https://aiplatform.googleapis.com/v1/x", b"{}")


def bearer(token: str) -> bytes:
    return f"authorization: Bearer {token}\r\n".encode()


async def settled(token: GoogleToken, line: bytes) -> None:
    """Until a renewal that nobody waits for is through."""
    async with asyncio.timeout(10):
        while await told(token) != line:
            await asyncio.sleep(0.01)


def test_a_service_account_asks_with_a_claim_that_it_has_signed(server: TokenServer, tmp_path: Path) -> None:
    token = GoogleToken(service_account(tmp_path, server))
    assert asyncio.run(told(token)) == bearer("token_1")
    [form] = server.asked
    header, claims, signature = form["assertion"].split(".")
    KEY.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{header}.{claims}".encode(), padding.PKCS1v15(), SHA256()
    )
    said = msgspec.json.decode(base64.urlsafe_b64decode(claims + "=="))
    assert (said["iss"], said["scope"]) == ("gateway@p.iam.gserviceaccount.com", SCOPE)


def test_what_gcloud_left_of_a_user_is_read_without_asking_anybody(server: TokenServer, tmp_path: Path) -> None:
    GoogleToken(written(tmp_path, type="authorized_user", client_id="c", client_secret="s", refresh_token="r"))
    assert not server.asked


def test_a_workload_identity_exchanges_its_own_token(server: TokenServer, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a token of the cluster's")
    file = written(
        tmp_path,
        type="external_account",
        audience="//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        subject_token_type="urn:ietf:params:oauth:token-type:jwt",
        token_url=f"http://{server.host}/exchange",
        credential_source={"file": str(tmp_path / "own")},
        quota_project_id="paying",
    )
    lines = asyncio.run(told(GoogleToken(file)))
    assert lines == bearer("token_1") + b"x-goog-user-project: paying\r\n"
    assert server.asked[0]["subject_token"] == "a token of the cluster's"


def test_without_a_file_the_environment_says_where_it_is(
    server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", service_account(tmp_path, server))
    assert asyncio.run(told(GoogleToken())) == bearer("token_1")


def test_without_anything_the_machine_has_an_account(server: TokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "false")
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"):
        monkeypatch.setenv(name, server.host)
    for name in [name for name in sys.modules if name.startswith("google.auth.compute_engine")]:
        monkeypatch.delitem(sys.modules, name)  # it reads the environment when it is imported
    import google.auth

    monkeypatch.delattr(google.auth, "compute_engine", raising=False)
    lines = asyncio.run(told(GoogleToken()))
    assert lines.startswith(b"authorization: Bearer token_")
    assert any("service-accounts/" in path for path in server.paths)


def test_many_wait_for_one_token(server: TokenServer, tmp_path: Path) -> None:
    async def ask() -> list[bytes]:
        token = GoogleToken(service_account(tmp_path, server))
        return await asyncio.gather(*[told(token) for _ in range(20)])

    assert asyncio.run(ask()) == [bearer("token_1")] * 20
    assert len(server.asked) == 1


def test_one_who_gives_up_takes_the_token_from_nobody(server: TokenServer, tmp_path: Path) -> None:
    async def ask() -> bytes:
        token = GoogleToken(service_account(tmp_path, server))
        server.open.clear()
        first, second = asyncio.create_task(told(token)), asyncio.create_task(told(token))
        await asyncio.sleep(0.05)
        first.cancel()
        server.open.set()
        return await second

    assert asyncio.run(ask()) == bearer("token_1")
    assert len(server.asked) == 1


def test_a_token_is_kept_for_its_life_and_renewed_before_its_end(server: TokenServer, tmp_path: Path) -> None:
    clock = Clock()

    async def ask() -> None:
        token = GoogleToken(service_account(tmp_path, server), now=clock)
        assert await told(token) == bearer("token_1")
        clock.later_s = LIFE_S - EARLY_S - 10
        assert await told(token) == bearer("token_1")
        assert len(server.asked) == 1
        clock.later_s = LIFE_S - EARLY_S + 10
        server.open.clear()
        assert [await told(token) for _ in range(3)] == [bearer("token_1")] * 3  # nobody waits for the new one
        server.open.set()
        await settled(token, bearer("token_2"))
        assert len(server.asked) == 2

    asyncio.run(ask())


def test_a_token_that_ends_is_waited_for(server: TokenServer, tmp_path: Path) -> None:
    clock = Clock()

    async def ask() -> bytes:
        token = GoogleToken(service_account(tmp_path, server), now=clock)
        await told(token)
        clock.later_s = LIFE_S - LAST_S + 10
        return await told(token)

    assert asyncio.run(ask()) == bearer("token_2")


def test_a_renewal_that_fails_harms_nobody_while_the_old_token_holds(server: TokenServer, tmp_path: Path) -> None:
    clock = Clock()

    async def ask() -> None:
        token = GoogleToken(service_account(tmp_path, server), now=clock)
        await told(token)
        clock.later_s = LIFE_S - EARLY_S + 10
        server.status = 400
        for _ in range(20):
            assert await told(token) == bearer("token_1")
            await asyncio.sleep(0.01)
        assert len(server.asked) == 2  # it is not tried again at once
        server.status = 200
        clock.later_s += AGAIN_S + 1
        await told(token)
        await settled(token, bearer("token_3"))

    asyncio.run(ask())


def test_a_refusal_is_typed_and_tells_no_secret(server: TokenServer, tmp_path: Path) -> None:
    server.status = 400
    with pytest.raises(TargetRefused) as caught:
        asyncio.run(told(GoogleToken(service_account(tmp_path, server))))
    assert "unheard of" in caught.value.message
    assert "PRIVATE KEY" not in caught.value.message
    assert caught.value.hint


def test_a_server_that_is_away_is_unreachable(server: TokenServer, tmp_path: Path) -> None:
    file = service_account(tmp_path, server, token_uri="http://127.0.0.1:9/token")
    with pytest.raises(TargetUnreachable):
        asyncio.run(told(GoogleToken(file)))


def test_a_server_that_fails_may_be_asked_again(server: TokenServer, tmp_path: Path) -> None:
    server.status = 503
    with pytest.raises(TargetFailed):
        asyncio.run(told(GoogleToken(service_account(tmp_path, server))))


def test_no_credentials_at_all_are_told_when_they_are_needed(server: TokenServer) -> None:
    with pytest.raises(TargetRefused):
        asyncio.run(told(GoogleToken()))


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"type":5}', '{"type":"gdch"}', '{"type":"service_account","client_email":"a"}']
)
def test_a_file_that_is_no_good_is_told_at_once(content: str, tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(content)
    with pytest.raises(ConfigInvalid) as caught:
        GoogleToken(str(path))
    assert caught.value.details["file"] == str(path)
    with pytest.raises(ConfigInvalid):
        GoogleToken(str(tmp_path / "missing.json"))


def test_a_broken_key_is_told_at_once(server: TokenServer, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid):
        GoogleToken(service_account(tmp_path, server, private_key="-----BEGIN PRIVATE KEY-----\nx\n"))


def test_what_is_missing_says_which_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(ExtraMissing) as caught:
        GoogleToken()
    assert "fairlead[vertex]" in caught.value.hint
