"""A backend behind a proxy: its answers, what the proxy refuses, and a password that nobody sees."""

import json

import pytest

from backends.stages import KEY, asking, completion, deltas, spoken
from backends.test_contract import hear, try_both
from fairlead.backends.http import Http
from fairlead.errors import TargetUnreachable
from fairlead.wire.pool import Pool
from upstream import Upstream, events, reply
from wire.proxy import Proxying

pytestmark = pytest.mark.anyio
PASSWORD = "n0body-may-see"


def behind(pool: Pool, proxy: Proxying, url: str) -> Http:
    through = proxy.url.replace("//", f"//someone:{PASSWORD}@")
    return Http(pool, kind="openai", base_url=url, key=KEY, proxy=through)


async def test_a_backend_is_asked_through_its_proxy_unary_and_streamed(pool: Pool) -> None:
    async with Upstream(reply(completion()), events(*deltas({"content": "Hi"}))) as up, Proxying() as proxy:
        backend = behind(pool, proxy, up.url + "/v1")
        assert (await backend.answer(spoken(), asking())).target == "mini"
        assert await hear(backend, spoken(), asking())
        assert proxy.heads[0].startswith(f"POST {up.url}/v1/chat/completions HTTP/1.1\r\n".encode())
        assert proxy.connections == 1


@pytest.mark.parametrize("url", ["http://api.example.com/v1", "https://api.example.com/v1"])
async def test_what_the_proxy_refuses_is_a_target_that_can_not_be_reached(pool: Pool, url: str) -> None:
    said = b"HTTP/1.1 407 Who is someone:%b\r\nconnection: close\r\ncontent-length: 4\r\n\r\nwho?" % PASSWORD.encode()
    async with Proxying(says=said) as proxy:
        for error in await try_both(behind(pool, proxy, url), asking()):
            assert type(error) is TargetUnreachable
            assert "refused: 407 Proxy Authentication Required" in error.message
            assert (error.target, error.details["stage"]) == ("mini", "proxy")
            assert "env:" in error.hint
            assert PASSWORD not in f"{error!r} {error.message} {error.hint} {error.details} {error.body}"


async def test_a_password_is_taken_out_of_whatever_comes_back(pool: Pool) -> None:
    said = json.dumps({"error": {"message": f"no {PASSWORD}"}}).encode()
    async with Upstream(reply(said, status=400)) as up, Proxying() as proxy:
        for error in await try_both(behind(pool, proxy, up.url), asking()):
            assert "no ***" in error.message
            assert PASSWORD not in f"{error!r} {error.body}"


async def test_a_server_that_answers_407_without_a_proxy_is_no_proxy(pool: Pool) -> None:
    async with Upstream(reply(b"{}", status=407)) as up:
        for error in await try_both(Http(pool, kind="openai", base_url=up.url), asking()):
            assert "proxy" not in error.message
            assert error.status == 407
