"""`fairlead serve` with TLS: what a reload does to its certificate, and what one that can't be used does."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from fairlead.errors import RemoteFailed
from journeys.door import Door, ask

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
tls_cert = "server.pem"
tls_key = "server.key"

[backends.script]
kind = "script"
zone = "private"
script = "script.toml"

[targets.a]
backend = "script"
model = "a"

[routes.r]
targets = ["a"]
"""


def certify(folder: Path) -> ssl.SSLContext:
    """A new certificate of a new authority; what trusts it alone."""
    authority = trustme.CA()
    made = authority.issue_cert("localhost")
    (folder / "server.pem").write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    (folder / "server.key").write_bytes(made.private_key_pem.bytes())
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def status(door: Door, trust: ssl.SSLContext) -> int:
    url = f"https://localhost:{door.url.rpartition(':')[2]}/readyz"
    with httpx.Client(verify=trust, trust_env=False, timeout=30) as client:
        return client.get(url).status_code


@pytest.fixture
def first(tmp_path: Path) -> ssl.SSLContext:
    return certify(tmp_path)


@pytest.fixture
def house(tmp_path: Path, first: ssl.SSLContext) -> Iterator[Door]:
    (tmp_path / "fairlead.toml").write_text(CONFIG)
    (tmp_path / "script.toml").write_text('[[lines]]\ntext = "hello"\n')
    door = Door(tmp_path).open()
    yield door
    door.close()


def test_a_reload_takes_a_new_certificate_and_keeps_the_old_one_where_the_new_is_none(
    house: Door, first: ssl.SSLContext
) -> None:
    assert house.status().tls and status(house, first) == 200
    second = certify(house.folder)
    assert status(house, first) == 200  # nobody said that it changed
    ask(house.remote.reload())
    assert status(house, second) == 200
    with pytest.raises(httpx.ConnectError):
        status(house, first)
    (house.folder / "server.pem").write_text("no certificate")
    with pytest.raises(RemoteFailed, match=r"server\.pem"):
        ask(house.remote.reload())
    assert status(house, second) == 200
