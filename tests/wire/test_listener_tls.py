"""TLS towards callers: what is spoken, what is refused, and certificates that change while it serves."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from fairlead.errors import ConfigInvalid
from fairlead.wire.inbound import Bounds
from fairlead.wire.listener import Listener, identity
from pipe import responses
from wire.shop import GET, PATIENCE_S, Line, Open, Shop

pytestmark = pytest.mark.anyio
FIRST, SECOND = trustme.CA(), trustme.CA()


def certificate(folder: Path, authority: trustme.CA, name: str = "one") -> tuple[str, str]:
    made = authority.issue_cert("localhost")
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    return str(cert), str(key)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@asynccontextmanager
async def opened(tls: ssl.SSLContext, **bounds: float) -> AsyncIterator[Open]:
    sock = socket.create_server(("127.0.0.1", 0))
    shop = Shop()
    listener = Listener(shop, Bounds(**bounds), tls)  # type: ignore[arg-type]
    await listener.open(sock)
    try:
        yield Open(shop, listener, sock.getsockname())
    finally:
        await listener.close(0)


async def call(open: Open, trust: ssl.SSLContext) -> Line:
    return Line(*await asyncio.open_connection(*open.address, ssl=trust, server_hostname="localhost"))


CLOSING = GET[:-2] + b"connection: close\r\n\r\n"


async def test_requests_are_answered_over_tls_in_http_1_1(tmp_path: Path) -> None:
    async with opened(identity(*certificate(tmp_path, FIRST))) as open:
        line = await call(open, trusting(FIRST))
        spoken: ssl.SSLObject = line.writer.get_extra_info("ssl_object")
        assert spoken.selected_alpn_protocol() == "http/1.1"
        await line.send(GET)
        assert (await line.answers())[0].status == 200
        await line.send(b"GET /big HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert len(await line.rest()) > 8_000_000


async def test_no_older_tls_is_spoken(tmp_path: Path) -> None:
    context = identity(*certificate(tmp_path, FIRST))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_a_certificate_is_replaced_for_the_next_connection(tmp_path: Path) -> None:
    async with opened(identity(*certificate(tmp_path, FIRST))) as open:
        before = await call(open, trusting(FIRST))
        open.listener.tls = identity(*certificate(tmp_path, SECOND, "two"))
        with pytest.raises(ssl.SSLCertVerificationError):
            await call(open, trusting(FIRST))
        after = await call(open, trusting(SECOND))
        for line in (before, after):
            await line.send(CLOSING)
            assert responses(await line.rest())[0].status == 200


async def test_a_caller_without_tls_and_one_who_stops_in_the_handshake_are_let_go(tmp_path: Path) -> None:
    async with opened(identity(*certificate(tmp_path, FIRST)), head_s=0.2) as open:
        for said in (GET, b"\x16\x03\x01\x02\x00\x01"):
            line = await open.call()
            await line.send(said)
            assert await line.ends()
        assert open.shop.served == []


async def test_who_leaves_stops_the_work(tmp_path: Path) -> None:
    async with opened(identity(*certificate(tmp_path, FIRST))) as open:
        line = await call(open, trusting(FIRST))
        await line.send(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n")
        await open.shop.begun.wait()
        line.writer.close()
        async with asyncio.timeout(PATIENCE_S):
            await open.shop.left.wait()


async def test_a_certificate_that_can_not_be_used_is_refused(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, FIRST)
    other_cert, _ = certificate(tmp_path, SECOND, "two")
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    locked = tmp_path / "locked.key"
    locked.write_text(LOCKED)
    for pair in (
        (other_cert, key),
        (cert, str(tmp_path / "none")),
        (str(broken), key),
        (key, cert),
        (cert, str(locked)),
    ):
        with pytest.raises(ConfigInvalid) as caught:
            identity(*pair)
        assert caught.value.hint and pair[0] in caught.value.message


LOCKED = """-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-256-CBC,00000000000000000000000000000000

AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END EC PRIVATE KEY-----
"""
