"""Fetching what a stranger's URL names: pinned, bounded, and led nowhere else."""

import asyncio
import socket
import ssl

import pytest
import trustme

from fairlead.errors import TargetTimeout, TargetUnclear, TargetUnreachable
from fairlead.wire.fetching import Fetched, Fetcher, resolve
from fairlead.wire.pool import Pool
from fairlead.wire.public import NotPublic, PublicUrl
from upstream import Upstream, head, raw, reply, silence

pytestmark = pytest.mark.anyio
HOST = "pictures.example.com"


class World:
    """A server on loopback that is called HOST, and a fetcher that takes loopback for the internet."""

    def __init__(self, pool: Pool) -> None:
        self.authority = trustme.CA()
        self.tls = ssl.create_default_context()
        self.authority.configure_trust(self.tls)
        self.asked: list[str] = []
        self.addresses = ["127.0.0.1"]
        self.fetcher = Fetcher(pool, resolving=self._resolve, permits=lambda _: True, tls=self.tls)

    async def _resolve(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.addresses

    def serves(self, *steps: object, name: str = HOST) -> Upstream:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(name).configure_cert(context)
        return Upstream(*steps, tls=context)  # type: ignore[arg-type]


@pytest.fixture
def world(pool: Pool) -> World:
    return World(pool)


async def fetch(world: World, up: Upstream, *, max_bytes: int = 1000, total_s: float = 5.0) -> Fetched:
    url = PublicUrl(HOST, int(up.url.rpartition(":")[2]), "/a.png?b=c")
    return await world.fetcher.fetch(url, max_bytes=max_bytes, total_s=total_s)


async def test_what_stands_there_comes_with_its_type(world: World) -> None:
    answer = reply(b"bytes", headers={"content-type": "Image/PNG; charset=x"})
    async with world.serves(answer) as up:
        assert await fetch(world, up) == Fetched(b"bytes", "image/png")
        (asked,) = up.requests
    assert (asked.method, asked.path) == ("GET", "/a.png?b=c")
    assert asked.headers["host"].startswith(f"{HOST}:")
    assert not {"authorization", "cookie", "referer"} & set(asked.headers)


async def test_a_name_is_resolved_once_and_the_certificate_is_the_names(world: World) -> None:
    async with world.serves(reply(b"x")) as up:
        await fetch(world, up)
    assert world.asked == [HOST]
    async with world.serves(reply(b"x"), name="other.example.com") as up:
        with pytest.raises(TargetUnreachable, match="not who it should be"):
            await fetch(world, up)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["8.8.8.8", "192.168.0.1"], ["::1"], ["fe80::1%eth0"], ["169.254.169.254"]],
)
async def test_a_name_that_leads_into_a_private_network_is_not_followed(pool: Pool, addresses: list[str]) -> None:
    async def rebound(host: str, port: int) -> list[str]:
        return addresses

    with pytest.raises(NotPublic, match=HOST):
        await Fetcher(pool, resolving=rebound).fetch(PublicUrl(HOST, 443, "/"), max_bytes=1, total_s=1)
    assert pool.open_count == 0


async def test_the_systems_own_resolver_is_asked_and_loopback_is_no_internet(pool: Pool) -> None:
    assert set(await resolve("localhost", 443)) <= {"127.0.0.1", "::1"}
    with pytest.raises(NotPublic):
        await Fetcher(pool).fetch(PublicUrl("localhost", 443, "/"), max_bytes=1, total_s=5)


async def test_a_name_without_an_address_is_unreachable(pool: Pool, world: World) -> None:
    world.addresses = []
    with pytest.raises(TargetUnreachable):
        await world.fetcher.fetch(PublicUrl(HOST, 443, "/"), max_bytes=1, total_s=1)

    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror("no such name")

    with pytest.raises(TargetUnreachable):
        await Fetcher(pool, resolving=unknown).fetch(PublicUrl(HOST, 443, "/"), max_bytes=1, total_s=1)


@pytest.mark.parametrize("status", [301, 302, 307, 401, 404, 500, 204, 206])
async def test_only_200_is_an_answer_and_redirects_are_not_followed(world: World, status: int) -> None:
    answer = reply(b"" if status == 204 else b"x", status=status, headers={"location": "https://elsewhere.example/"})
    async with world.serves(answer) as up:
        with pytest.raises(TargetUnclear, match="redirects" if status < 400 and status >= 300 else str(status)):
            await fetch(world, up)
        assert len(up.requests) == 1


async def test_it_reads_no_more_than_it_may(world: World) -> None:
    endless = raw(head(200, {"transfer-encoding": "chunked"}) + b"400\r\n" + b"x" * 1024 + b"\r\n", then="keep")
    for step in (reply(b"x" * 1001), endless):
        async with world.serves(step) as up:
            with pytest.raises(TargetUnclear, match="more than 1000 bytes"):
                await fetch(world, up)
    async with world.serves(reply(b"x" * 1000)) as up:
        assert len((await fetch(world, up)).data) == 1000


async def test_it_waits_no_longer_than_it_may(world: World, pool: Pool) -> None:
    async with world.serves(silence()) as up:
        with pytest.raises(TargetTimeout):
            await fetch(world, up, total_s=0.2)

    async def slow(host: str, port: int) -> list[str]:
        await asyncio.sleep(10)
        return []

    with pytest.raises(TargetTimeout):
        await Fetcher(pool, resolving=slow).fetch(PublicUrl(HOST, 443, "/"), max_bytes=1, total_s=0.05)
