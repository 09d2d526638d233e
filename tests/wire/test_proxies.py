"""The pool through an HTTP proxy on real TCP: tunnels to servers that speak TLS, requests sent on, and bad proxies."""

import asyncio
import ssl
from base64 import b64encode
from pathlib import Path

import pytest
import trustme

from fairlead.errors import ConfigInvalid, TargetError, TargetTimeout, TargetUnreachable
from fairlead.wire.address import Proxy, place, read_proxy, request_head
from fairlead.wire.pool import Pool
from fairlead.wire.response import Deadlines, Response
from upstream import Upstream, events, refused_url, reply
from wire.proxy import Proxying

pytestmark = pytest.mark.anyio
SHOWN = "Basic " + b64encode(b"us er:pa:ss/word").decode()
USER = "us%20er:pa:ss%2Fword"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def served_by(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def ask(
    pool: Pool, url: str, proxy: str, ca: str = "", deadlines: Deadlines = Deadlines(), body: bytes = b"{}"
) -> Response:
    there = place(url)
    origin = pool.origin(there, ca, read_proxy(proxy))
    head = request_head("POST", there, "/v1/x", {}, origin.forwards)
    return await pool.ask(origin, head, body, deadlines)


def known(proxy: Proxying) -> str:
    return proxy.url.replace("//", f"//{USER}@")


# --- tunnels ---


async def test_a_server_that_speaks_tls_is_asked_through_a_tunnel_that_is_kept(
    pool: Pool, authority: trustme.CA, ca_file: str
) -> None:
    async with Upstream(reply(b"one"), events(b"two"), tls=served_by(authority)) as up, Proxying() as proxy:
        assert await (await ask(pool, up.url, proxy.url, ca_file)).body() == b"one"
        stream = await ask(pool, up.url, proxy.url, ca_file)
        assert [data async for batch in stream.events() for _, data in batch] == [b"two"]
        name = place(up.url).name
        assert proxy.heads == [f"CONNECT {name} HTTP/1.1\r\nhost: {name}\r\n\r\n".encode()]
        assert [asked.path for asked in up.requests] == ["/v1/x", "/v1/x"]
        assert up.connections == 1


async def test_a_password_is_for_the_proxy_alone(pool: Pool, authority: trustme.CA, ca_file: str) -> None:
    async with Upstream(reply(), tls=served_by(authority)) as up, Proxying(grants=SHOWN) as proxy:
        assert (await ask(pool, up.url, known(proxy), ca_file)).status == 200
        assert "proxy-authorization" not in up.requests[0].headers


async def test_large_bodies_pass_through_a_tunnel_both_ways(pool: Pool, authority: trustme.CA, ca_file: str) -> None:
    large = bytes(range(256)) * 10_000
    async with Upstream(reply(large), tls=served_by(authority)) as up, Proxying() as proxy:
        assert await (await ask(pool, up.url, proxy.url, ca_file, body=large)).body() == large
        assert up.requests[0].body == large


async def test_the_way_is_part_of_where_connections_are_kept(pool: Pool, authority: trustme.CA, ca_file: str) -> None:
    async with Upstream(reply(), tls=served_by(authority)) as up, Proxying() as one, Proxying() as other:
        for proxy in (one, other, one):
            await (await ask(pool, up.url, proxy.url, ca_file)).body()
        there = place(up.url)
        straight = pool.origin(there, ca_file)
        await (await pool.ask(straight, request_head("POST", there, "/", {}), b"{}")).body()
        assert (one.connections, other.connections, up.connections) == (1, 1, 3)


async def test_a_tunnel_does_not_make_an_unknown_authority_trusted(pool: Pool, authority: trustme.CA) -> None:
    async with Upstream(reply(), tls=served_by(authority)) as up, Proxying() as proxy:
        with pytest.raises(TargetUnreachable, match="not who it should be"):
            await ask(pool, up.url, proxy.url)
        assert not up.requests


async def test_who_answers_in_a_tunnel_has_the_servers_name(pool: Pool, authority: trustme.CA, ca_file: str) -> None:
    async with Upstream(reply(), tls=served_by(authority, "other.example")) as up, Proxying() as proxy:
        with pytest.raises(TargetUnreachable, match="not who it should be"):
            await ask(pool, up.url, proxy.url, ca_file)
        assert not up.requests


# --- requests that are sent on ---


async def test_a_server_without_tls_is_asked_by_its_whole_url(pool: Pool) -> None:
    async with Upstream(reply(b"one"), reply(b"two")) as up, Proxying(grants=SHOWN) as proxy:
        assert await (await ask(pool, up.url + "/base?v=1", known(proxy))).body() == b"one"
        assert await (await ask(pool, up.url + "/base?v=1", known(proxy))).body() == b"two"
        assert proxy.connections == 1
        first = proxy.heads[0].split(b"\r\n")
        assert first[0] == f"POST {up.url}/base/v1/x?v=1 HTTP/1.1".encode()
        assert f"host: {place(up.url).name}".encode() in first
        assert up.requests[0].path == "/base/v1/x?v=1"


async def test_a_whole_url_has_a_path_even_where_only_a_query_is_asked() -> None:
    head = request_head("GET", place("http://host?v=1"), "", {}, Proxy("proxy", 1))
    assert head.startswith(b"GET http://host/?v=1 HTTP/1.1\r\nhost: host\r\n")
    assert request_head("GET", place("http://[::1]:81"), "", {}, Proxy("proxy", 1)).startswith(b"GET http://[::1]:81/ ")


# --- proxies that are none ---


async def failure(pool: Pool, proxy: str, url: str = "https://api.example.com", **deadlines: float) -> TargetError:
    with pytest.raises(TargetError) as caught:
        await ask(pool, url, proxy, deadlines=Deadlines(**deadlines))
    assert "pa:ss" not in repr(caught.value) + caught.value.hint
    assert SHOWN[6:] not in caught.value.message
    assert pool.open_count == 0
    return caught.value


@pytest.mark.parametrize(
    ("says", "message", "hint"),
    [
        (b"HTTP/1.1 407 Basic %b\r\n\r\n" % SHOWN[6:].encode(), "refused: 407 Proxy Authentication Required", "env:"),
        (b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno", "refused: 403 Forbidden", "let us go"),
        (b"HTTP/1.0 502 Bad\r\n\r\n<html>", "refused: 502 Bad Gateway", "reach the server"),
        (b"HTTP/1.1 599 Odd\r\n\r\n", "refused: 599", "reach the server"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://evil\r\n\r\n", "refused: 302", ""),
        (b"", "closed the connection without an answer", ""),
        (b"HTTP/1.1 200 OK\r\nvia: x", "closed the connection without an answer", ""),
        (b"SSH-2.0-OpenSSH_9\r\n", "does not speak HTTP/1.1", "an HTTP proxy at all"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "does not speak HTTP/1.1", "an HTTP proxy at all"),
        (b"HTTP/2 200\r\n\r\n", "does not speak HTTP/1.1", ""),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "does not speak HTTP/1.1", ""),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, "more than 16384 bytes", ""),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "words on the way", ""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 407 No\r\n\r\n", "refused: 407", ""),
    ],
)
async def test_what_a_proxy_says_instead_of_a_tunnel_is_told(pool: Pool, says: bytes, message: str, hint: str) -> None:
    async with Proxying(says=says) as proxy:
        error = await failure(pool, known(proxy))
        assert isinstance(error, TargetUnreachable)
        assert error.message.startswith(f"api.example.com:443: the proxy 127.0.0.1:{proxy.port} ")
        assert message in error.message
        assert hint in error.hint
        assert error.details["stage"] == "proxy"


async def test_a_proxy_that_does_not_know_us_says_so(pool: Pool) -> None:
    async with Proxying(grants="Basic other") as proxy:
        assert "refused: 407" in (await failure(pool, known(proxy))).message


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]
)
async def test_connecting_is_over_at_its_deadline_whatever_the_proxy_is_silent_about(pool: Pool, says: bytes) -> None:
    async with Proxying(says=says, then="stall") as proxy:
        error = await failure(pool, known(proxy), connect_s=0.1)
        assert isinstance(error, TargetTimeout)
        assert error.details["stage"] == "connect"
        assert f"through the proxy 127.0.0.1:{proxy.port}" in error.message


async def test_a_proxy_that_leaves_while_tls_is_agreed_is_told(pool: Pool) -> None:
    async with Proxying(says=b"HTTP/1.1 200 OK\r\n\r\n") as proxy:
        assert isinstance(await failure(pool, proxy.url), TargetUnreachable)


async def test_words_between_a_tunnel_and_tls_are_not_taken_for_the_servers(
    pool: Pool, authority: trustme.CA, ca_file: str
) -> None:
    async with Upstream(reply(), tls=served_by(authority)) as up, Proxying(extra=b"evil") as proxy:
        with pytest.raises(TargetUnreachable, match="words on the way"):
            await ask(pool, up.url, proxy.url, ca_file)
        assert not up.requests


@pytest.mark.parametrize("url", ["http://api.example.com", "https://api.example.com"])
async def test_a_proxy_that_is_not_there_is_named(pool: Pool, url: str) -> None:
    there = refused_url()
    error = await failure(pool, there, url)
    assert f"the proxy {there[7:]} refused the connection" in error.message
    error = await failure(pool, "http://nowhere.invalid:3128", url)
    assert "the proxy nowhere.invalid:3128 has no address" in error.message
    assert error.hint == "Check the backend's proxy."


async def test_leaving_while_the_proxy_thinks_leaves_nothing_behind(pool: Pool) -> None:
    async with Proxying(says=b"", then="stall") as proxy:
        asking = asyncio.ensure_future(ask(pool, "https://api.example.com", proxy.url))
        async with asyncio.timeout(20):
            while not proxy.heads:
                await asyncio.sleep(0.005)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            while proxy._tasks:
                await asyncio.sleep(0.005)


# --- its URL ---


def test_a_proxy_is_read_and_never_shows_its_password() -> None:
    proxy = read_proxy("http://user:p%40ss@[::1]:3128/")
    assert (proxy.host, proxy.port, proxy.name) == ("::1", 3128, "[::1]:3128")
    assert proxy.lines == b"proxy-authorization: Basic " + b64encode(b"user:p@ss") + b"\r\n"
    assert repr(proxy) == "Proxy([::1]:3128)"
    assert read_proxy("http://proxy:3128").lines == b""


@pytest.mark.parametrize(
    "url",
    [
        "", "proxy:3128", "https://pass:word@proxy:3128", "socks5://proxy:1080", "http://proxy", "http://proxy:0",
        "http://proxy:70000", "http://word@:3128", "http://proxy:3128/path", "http://proxy:3128?x=word", "http://a b:1",
        "http://pro\r\nxy: word:3128",
    ],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="not the URL of an HTTP proxy") as caught:
        read_proxy(url)
    assert "word" not in caught.value.message
