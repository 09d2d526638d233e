"""Whoever gives tokens and keys: a token endpoint, an exchange, IAM, a machine's metadata server, on a loopback port.

    with Authority() as there:
        ...  # there.url, there.asked, there.answer

Names of the world (https://oauth2.googleapis.com) lead here by way of a proxy: `there.as_the_world(folder)` gives the
variables that say so. It knows nothing of who asks.
"""

import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec
import trustme

LIFE_S = 3600
WORLD = ("oauth2.googleapis.com", "iamcredentials.googleapis.com")


class Asked(NamedTuple):
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: value for name, (value, *_) in parse_qs(self.body.decode()).items()}


Answer = Callable[[Asked, int], tuple[int, bytes]]


def token(asked: Asked, number: int, life_s: float = LIFE_S) -> tuple[int, bytes]:
    """`token_1`, `token_2`, … in the words of whoever was asked."""
    if "generateAccessToken" in asked.path:
        return 200, b'{"accessToken":"token_%d","expireTime":"2100-01-01T00:00:00Z"}' % number
    if asked.path.startswith("/computeMetadata/") and "/token" not in asked.path:
        return 200, b'{"email":"machine@p.iam.gserviceaccount.com","scopes":["s"],"aliases":["default"]}'
    words = {"access_token": f"token_{number}", "expires_in": life_s, "token_type": "Bearer"}
    return 200, msgspec.json.encode(words)


def always(status: int, body: bytes) -> Answer:
    return lambda _asked, _number: (status, body)


class Authority(ThreadingHTTPServer):
    """`answer` is told what is asked and how often somebody has asked; nothing is answered while `open` is not set."""

    daemon_threads = True

    def __init__(self, answer: Answer = token) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[Asked] = []
        self.open = threading.Event()
        self.open.set()
        self.tls: ssl.SSLContext | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def as_the_world(self, folder: Path) -> dict[str, str]:
        authority = trustme.CA()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*WORLD).configure_cert(self.tls)
        authority.cert_pem.write_to_path(folder / "ca.pem")
        return {"HTTPS_PROXY": self.url, "REQUESTS_CA_BUNDLE": str(folder / "ca.pem"), "NO_PROXY": "", "no_proxy": ""}

    def __enter__(self) -> "Authority":
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.open.set()
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Authority  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        assert self.server.tls is not None
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False  # clients say CONNECT in HTTP/1.0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(headers["host"], self.path, headers, body)
        self.server.asked.append(asked)
        number = len(self.server.asked)
        self.server.open.wait(30)
        status, said = self.server.answer(asked, number)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("metadata-flavor", "Google")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_PUT = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass
