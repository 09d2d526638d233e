"""Credentials come from where AWS's own tools find them, and what is signed is what botocore and a server work out."""

import asyncio
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

import pytest

from fairlead.errors import ExtraMissing, TargetRefused, TargetTimeout
from fairlead.signing.amazon import AwsSigner
from fairlead.signing.chain import AwsChainSigner, region_of
from signing.authority import Asked, Authority, always
from signing.bedrock import Bedrock, recomputed, signature_in

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


@pytest.mark.parametrize(("changed", "status"), [(b"", 200), (b" ", 403)])
def test_a_server_works_out_the_same_signature_for_what_arrives(
    monkeypatch: pytest.MonkeyPatch, changed: bytes, status: int
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEYS[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEYS[1])
    path, body = f"/model/{quote(ARN, safe='')}/converse-stream", b'{"messages":[]}'
    with Bedrock({KEYS[0]: KEYS[1]}) as there:
        signed = sign(AwsChainSigner(region="eu-central-1"), there.url + path, body)
        connection = HTTPConnection("127.0.0.1", there.server_port)
        connection.request("POST", path, body + changed, {**signed, "content-type": "application/json"})
        assert connection.getresponse().status == status
        connection.close()


# --- places that give credentials ------------------------------------------------------------------------------------

END = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
IN_JSON = {"AccessKeyId": "ROLE", "SecretAccessKey": "s", "Token": "t", "Expiration": END, "Code": "Success"}
ASSUMED = f"""<{{action}}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{{action}}Result><Credentials>
<AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>{END}</Expiration></Credentials></{{action}}Result></{{action}}Response>"""
DENIED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>you may not</Message></Error></ErrorResponse>"""


def of_a_machine(asked: Asked, _number: int) -> tuple[int, bytes]:
    """As EC2's metadata service and a container's say it."""
    if asked.path.endswith("/security-credentials/"):
        return 200, b"the-role"
    return 200, json.dumps(IN_JSON).encode() if "token" not in asked.path else b"a-session"


def of_sts(asked: Asked, _number: int) -> tuple[int, bytes]:
    return 200, ASSUMED.replace("{action}", asked.form["Action"]).encode()


def of_sso(_asked: Asked, _number: int) -> tuple[int, bytes]:
    role = {"accessKeyId": "ROLE", "secretAccessKey": "s", "sessionToken": "t", "expiration": 4_000_000_000_000}
    return 200, json.dumps({"roleCredentials": role}).encode()


ROLE = "arn:aws:iam::123456789012:role/gateway"


def test_the_role_of_an_instance_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with Authority(of_a_machine) as there:
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", there.url + "/")
        assert sign(AwsChainSigner())["x-amz-security-token"] == "t"


def test_the_role_of_a_container_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with Authority(of_a_machine) as there:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{there.url}/role")
        assert "Credential=ROLE/" in sign(AwsChainSigner())["authorization"]


def test_a_token_of_the_cluster_is_exchanged_for_a_role(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-the-cluster")
    with Authority(of_sts) as there:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", there.url)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
        monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
        assert "Credential=ROLE/" in sign(AwsChainSigner())["authorization"]
        (asked,) = there.asked
        assert asked.form["WebIdentityToken"] == "of-the-cluster" and asked.form["RoleArn"] == ROLE


def test_a_profile_may_act_in_a_role_and_a_refusal_is_the_targets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "credentials").write_text("[base]\naws_access_key_id = A\naws_secret_access_key = B\n")
    (tmp_path / "config").write_text(
        f"[profile team]\nrole_arn = {ROLE}\nsource_profile = base\nregion = eu-central-1\n"
    )
    with Authority(of_sts) as there:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", there.url)
        assert "Credential=ROLE/" in sign(AwsChainSigner(profile="team"))["authorization"]
        there.answer = always(403, DENIED)
        with pytest.raises(TargetRefused, match="you may not") as caught:
            sign(AwsChainSigner(profile="team"))
        assert "--profile team" in caught.value.hint


def test_a_login_of_sso_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile team]\nsso_session = office\nsso_account_id = 123456789012\nsso_role_name = gateway\n"
        "[sso-session office]\nsso_region = eu-central-1\nsso_start_url = https://office.awsapps.com/start\n"
    )
    login = {"accessToken": "of-the-login", "expiresAt": END, "startUrl": "https://office.awsapps.com/start"}
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (cache / f"{hashlib.sha1(b'office').hexdigest()}.json").write_text(json.dumps(login))
    monkeypatch.setenv("HOME", str(tmp_path))
    program = (
        "import asyncio\nfrom fairlead.signing import AwsChainSigner\n"
        f"print(asyncio.run(AwsChainSigner(profile='team').lines('POST', {URL!r}, b'')).decode())"
    )
    with Authority(of_sso) as there:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", there.url)
        command = [sys.executable, "-c", program]  # the folder of logins is fixed when botocore is imported
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert "Credential=ROLE/" in done.stdout
        (asked,) = there.asked
        assert asked.headers["x-amz-sso_bearer_token"] == "of-the-login"


def test_a_place_that_is_silent_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with Authority(of_a_machine) as there:
        there.open.clear()
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{there.url}/role")
        with pytest.raises(TargetTimeout, match="AWS's credentials"):
            sign(AwsChainSigner(deadline_s=0.5))


def test_a_program_that_gives_nonsense_is_the_targets_failure(tmp_path: Path) -> None:
    program = tmp_path / "keys.py"
    program.write_text("print('[1, 2]')")
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    with pytest.raises(TargetRefused, match="AWS's credentials can't be had"):
        sign(AwsChainSigner())
    (tmp_path / "config").write_text("[default]\ncredential_process = /nowhere/at/all\n")
    with pytest.raises(TargetRefused, match="AWS's credentials can't be had"):
        sign(AwsChainSigner())


def test_without_botocore_it_is_told_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(ExtraMissing) as caught:
        AwsChainSigner()
    assert "pip install 'fairlead[bedrock]'" in caught.value.hint
