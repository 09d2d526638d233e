"""A place like Amazon Bedrock on loopback: it answers those whose signature it works out itself, with botocore.

with Bedrock({"AKID": "secret"}) as there:
    ...  # there.url, there.asked
"""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ANSWER = (
    b'{"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn",'
    b'"usage":{"inputTokens":3,"outputTokens":1,"totalTokens":4}}'
)
REFUSAL = b'{"message":"The request signature we calculated does not match the signature you provided."}'


class Asked(NamedTuple):
    path: str
    headers: Mapping[str, str]


def recomputed(url: str, body: bytes, said: Mapping[str, str], secret: str) -> str:
    """The signature that botocore works out from a request as it arrived."""
    key, _, region, service, _ = credential_in(said).split("/")
    request = AWSRequest(method="POST", url=url, data=body, headers={"X-Amz-Date": said["x-amz-date"]})
    if "x-amz-security-token" in said:
        request.headers["X-Amz-Security-Token"] = said["x-amz-security-token"]
    request.context["timestamp"] = said["x-amz-date"]
    auth = SigV4Auth(Credentials(key, secret), service, region)
    return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))


def credential_in(said: Mapping[str, str]) -> str:
    return said["authorization"].partition("Credential=")[2].partition(",")[0]


def signature_in(said: Mapping[str, str]) -> str:
    return said["authorization"].rpartition("Signature=")[2]


class Bedrock(ThreadingHTTPServer):
    """`secrets`: by access key. A bearer token that is among `tokens` is taken as well."""

    daemon_threads = True

    def __init__(self, secrets: Mapping[str, str], tokens: tuple[str, ...] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secrets = secrets
        self.tokens = tokens
        self.asked: list[Asked] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def takes(self, path: str, said: Mapping[str, str], body: bytes) -> bool:
        scheme, _, shown = said.get("authorization", "").partition(" ")
        if scheme == "Bearer":
            return shown in self.tokens
        secret = self.secrets.get(credential_in(said).partition("/")[0])
        return secret is not None and recomputed(f"http://{said['host']}{path}", body, said, secret) == signature_in(
            said
        )

    def __enter__(self) -> "Bedrock":
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Bedrock  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        said = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.path, said))
        taken = self.server.takes(self.path, said, body)
        self.send_response(200 if taken else 403)
        answer = ANSWER if taken else REFUSAL
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass
