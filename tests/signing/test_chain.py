"""Credentials come from where AWS's own tools find them, and what is signed is what botocore and a server work out."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fairlead.errors import TargetRefused
from fairlead.signing.amazon import AwsSigner
from fairlead.signing.chain import AwsChainSigner, region_of

HOST = "https://bedrock-runtime.eu-central-1.amazonaws.com"
ARN = "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-x-v1:0"
URL = f"{HOST}/model/{quote(ARN, safe='')}/converse"
KEYS = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION",
             "AWS_REGION")  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def headers_of(lines: bytes) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines.decode().removesuffix("\r\n").split("\r\n"))


def sign(signer: AwsChainSigner | AwsSigner, url: str = URL, body: bytes = b"{}") -> dict[str, str]:
    return headers_of(asyncio.run(signer.lines("POST", url, body)))


def recomputed(url: str, body: bytes, said: dict[str, str], secret: str) -> str:
    """The signature that botocore works out from a request as it arrived."""
    credential = said["authorization"].partition("Credential=")[2].partition(",")[0]
    key, _, region, service, _ = credential.split("/")
    request = AWSRequest(method="POST", url=url, data=body, headers={"X-Amz-Date": said["x-amz-date"]})
    if "x-amz-security-token" in said:
        request.headers["X-Amz-Security-Token"] = said["x-amz-security-token"]
    request.context["timestamp"] = said["x-amz-date"]
    auth = SigV4Auth(Credentials(key, secret), service, region)
    return str(auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request))


def signature_in(said: dict[str, str]) -> str:
    return said["authorization"].rpartition("Signature=")[2]


@pytest.mark.parametrize("url", [URL, URL + "-stream", f"{HOST}:8443/a%20b/~c", f"{HOST}/x?b=2&a=1&c=&a-b=0"])
@pytest.mark.parametrize("token", ["", "token/with+signs="])
def test_signatures_are_botocores(url: str, token: str) -> None:
    signer = AwsSigner(*KEYS, token, region="eu-central-1", service="bedrock")
    said = sign(signer, url, b'{"messages":[]}')
    assert signature_in(said) == recomputed(url, b'{"messages":[]}', said, KEYS[1])


def test_credentials_of_the_environment_are_found_and_the_region_in_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS[1])
    monkeypatch.setenv("AWS_SESSION_TOKEN", "short")
    said = sign(AwsChainSigner())
    assert said["x-amz-security-token"] == "short"
    assert f"Credential={KEYS[0]}/" in said["authorization"]
    assert "/eu-central-1/bedrock/aws4_request" in said["authorization"]
    assert signature_in(said) == recomputed(URL, b"{}", said, KEYS[1])


def test_a_profile_brings_its_keys_and_its_region(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[team]\naws_access_key_id = A\naws_secret_access_key = B\n")
    (tmp_path / "config").write_text("[profile team]\nregion = ap-southeast-2\n")
    said = sign(AwsChainSigner(profile="team"), "https://bedrock.internal/model/x/converse")
    assert "Credential=A/" in said["authorization"]
    assert "/ap-southeast-2/" in said["authorization"]
    assert "/us-west-2/" in sign(AwsChainSigner(profile="team", region="us-west-2"))["authorization"]


def process(tmp_path: Path, *lives: timedelta) -> None:
    """A program that gives other keys each time, as the roles of machines do."""
    count, program = tmp_path / "count", tmp_path / "keys.py"
    ends = [(datetime.now(UTC) + life).isoformat() for life in lives]
    program.write_text(
        "import json, pathlib\n"
        f"count = pathlib.Path({str(count)!r})\n"
        "n = int(count.read_text()) if count.exists() else 0\n"
        "count.write_text(str(n + 1))\n"
        f"end = {json.dumps(ends)}[min(n, {len(ends) - 1})]\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'KEY{n}', 'SecretAccessKey': 's', 'SessionToken': f't{n}',\n"
        "                  'Expiration': end}))\n"
    )
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")


def test_credentials_are_kept_for_their_life(tmp_path: Path) -> None:
    process(tmp_path, timedelta(hours=1))
    signer = AwsChainSigner()
    assert [sign(signer)["x-amz-security-token"] for _ in range(3)] == ["t0"] * 3


def test_credentials_are_renewed_shortly_before_they_end(tmp_path: Path) -> None:
    process(tmp_path, timedelta(minutes=5), timedelta(hours=1))
    signer = AwsChainSigner()
    tokens = [sign(signer)["x-amz-security-token"] for _ in range(3)]
    assert tokens[1:] == [tokens[1]] * 2
    assert tokens[1] > "t0"


def test_many_requests_at_once_look_for_credentials_once(tmp_path: Path) -> None:
    process(tmp_path, timedelta(hours=1))
    signer = AwsChainSigner()

    async def all_at_once() -> list[bytes]:
        return await asyncio.gather(*(signer.lines("POST", URL, b"") for _ in range(10)))

    assert {headers_of(lines)["x-amz-security-token"] for lines in asyncio.run(all_at_once())} == {"t0"}
    assert (tmp_path / "count").read_text() == "1"


def test_without_credentials_the_account_is_refused() -> None:
    with pytest.raises(TargetRefused, match="no AWS credentials"):
        sign(AwsChainSigner())
    with pytest.raises(TargetRefused, match="nobodys"):
        sign(AwsChainSigner(profile="nobodys"))


def test_without_a_region_nothing_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "B")
    with pytest.raises(TargetRefused, match="region"):
        sign(AwsChainSigner(), "https://bedrock.internal/")


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (HOST, "eu-central-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/model", "us-gov-west-1"),
        ("https://vpce-0a1b-c2.bedrock-runtime.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("https://bedrock-mantle.us-east-2.api.aws/v1", "us-east-2"),
        ("https://example.com/us-east-1", ""),
        ("http://127.0.0.1:8080", ""),
    ],
)
def test_the_region_is_read_from_the_host(url: str, region: str) -> None:
    assert region_of(url) == region


class Amazon(BaseHTTPRequestHandler):
    """Answers 200 to those whose signature it can work out itself."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        said = {name.lower(): value for name, value in self.headers.items()}
        right = recomputed(f"http://{said['host']}{self.path}", body, said, KEYS[1]) == signature_in(said)
        self.send_response(200 if right else 403)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def amazon() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Amazon)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("changed", "status"), [(b"", 200), (b" ", 403)])
def test_a_server_works_out_the_same_signature_for_what_arrives(
    amazon: int, monkeypatch: pytest.MonkeyPatch, changed: bytes, status: int
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS[1])
    path, body = f"/model/{quote(ARN, safe='')}/converse-stream", b'{"messages":[]}'
    signed = sign(AwsChainSigner(region="eu-central-1"), f"http://127.0.0.1:{amazon}{path}", body)
    connection = HTTPConnection("127.0.0.1", amazon)
    connection.request("POST", path, body + changed, {**signed, "content-type": "application/json"})
    assert connection.getresponse().status == status
    connection.close()
