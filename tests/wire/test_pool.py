"""The pool against a server on real TCP that does everything wrong that a server can do."""

import asyncio
import ssl
import time
from pathlib import Path

import pytest
import trustme

from fairlead.errors import (
    ConfigInvalid,
    ConnectionStale,
    StreamBroken,
    TargetTimeout,
    TargetUnclear,
    TargetUnreachable,
)
from fairlead.wire.address import place, request_head
from fairlead.wire.pool import Pool
from fairlead.wire.response import Deadlines, Response
from upstream import LAST, Step, Upstream, chunk, drip, events, hang_up, head, raw, refused_url, reply, reset, silence

pytestmark = pytest.mark.anyio
CHUNKED = {"transfer-encoding": "chunked"}
SHORT = Deadlines(connect_s=1, first_token_s=0.05, between_tokens_s=0.05, total_s=5)


async def ask(
    pool: Pool, url: str, body: bytes | None = b"{}", deadlines: Deadlines = Deadlines(), ca: str = ""
) -> Response:
    there = place(url)
    return await pool.ask(pool.origin(there, ca), request_head("POST", there, "/v1/x", {}), body, deadlines)


async def said(pool: Pool, up: Upstream, body: bytes | None = b"{}") -> bytes:
    return await (await ask(pool, up.url, body=body)).body()


async def heard(response: Response) -> list[bytes]:
    return [data async for batch in response.events() for _, data in batch]


# --- what goes well ---


async def test_a_connection_is_used_again(pool: Pool) -> None:
    async with Upstream(reply(b"one"), reply(b"two")) as up:
        assert [await said(pool, up), await said(pool, up)] == [b"one", b"two"]
        assert up.connections == 1


async def test_a_request_arrives_as_it_was_meant(pool: Pool) -> None:
    async with Upstream(reply()) as up:
        there = place(up.url + "/base?api-version=1")
        request = request_head("POST", there, "/chat", {"X-Team": "a"})
        response = await pool.ask(pool.origin(there), request, b'{"a":1}', lines=b"traceparent: 00-1\r\n")
        assert (response.status, response.reason, response.headers["content-length"]) == (200, "Whatever", "2")
        asked = up.requests[0]
        assert (asked.method, asked.path, asked.body) == ("POST", "/base/chat?api-version=1", b'{"a":1}')
        assert asked.headers["x-team"] == "a"
        assert asked.headers["traceparent"] == "00-1"
        assert asked.headers["host"] == there.name
        response.close()


async def test_a_request_without_a_body_says_no_length(pool: Pool) -> None:
    async with Upstream(reply(b"ok")) as up:
        there = place(up.url)
        response = await pool.ask(pool.origin(there), request_head("GET", there, "/health", {}), None)
        assert await response.body() == b"ok"
        assert "content-length" not in up.requests[0].headers


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_a_chunked_answer_is_whole_however_it_is_cut(pool: Pool, size: int) -> None:
    answer = head(200, CHUNKED) + b"5;odd=1\r\nhello\r\n" + chunk(b" world") + b"0\r\nx-trailer: 1\r\n\r\n"
    async with Upstream(drip(answer, size), reply(b"again")) as up:
        assert await said(pool, up) == b"hello world"
        assert await said(pool, up) == b"again"
        assert up.connections == 1


async def test_an_answer_without_a_length_ends_where_the_server_closes(pool: Pool) -> None:
    async with Upstream(raw(head(), b"all of it", then="hang_up")) as up:
        assert await said(pool, up) == b"all of it"


async def test_early_hints_are_not_the_answer(pool: Pool) -> None:
    async with Upstream(raw(head(103, {"link": "</x>"}) + head(200, {"content-length": "2"}) + b"ok")) as up:
        response = await ask(pool, up.url)
        assert (response.status, await response.body()) == (200, b"ok")
        assert "link" not in response.headers


async def test_large_bodies_pass_both_ways(pool: Pool) -> None:
    large = bytes(range(256)) * 20_000
    async with Upstream(reply(large)) as up:
        assert await (await ask(pool, up.url, large)).body() == large
        assert up.requests[0].body == large


async def test_parallel_requests_have_connections_of_their_own(pool: Pool) -> None:
    async with Upstream(raw(b"", head(200, {"content-length": "2"}) + b"ok", delay_s=0.05)) as up:
        assert await asyncio.gather(*(said(pool, up) for _ in range(5))) == [b"ok"] * 5
        assert up.connections == 5
        assert pool.idle_count(pool.origin(place(up.url))) == 5


async def test_a_server_that_says_close_is_not_kept(pool: Pool) -> None:
    async with Upstream(reply(headers={"connection": "close"})) as up:
        await said(pool, up)
        await said(pool, up)
        assert up.connections == 2


# --- connections that grow old ---


async def test_a_connection_that_died_idle_is_replaced_without_a_word(pool: Pool) -> None:
    async with Upstream(raw(*[head(200, {"content-length": "2"}) + b"ok"], then="hang_up"), reply(b"new")) as up:
        assert await said(pool, up) == b"ok"
        while pool.open_count:
            await asyncio.sleep(0)
        assert await said(pool, up) == b"new"
        assert up.connections == 2


@pytest.mark.parametrize("fault", [reset(), hang_up()])
async def test_a_kept_connection_that_closes_on_a_request_is_told_and_not_asked_again(pool: Pool, fault: Step) -> None:
    """What was read there may have cost money: every try is for the books."""
    async with Upstream(reply(b"one"), fault, reply(b"two")) as up:
        await said(pool, up)
        with pytest.raises(ConnectionStale, match="without an answer"):
            await said(pool, up)
        assert len(up.requests) == 2
        assert await said(pool, up) == b"two"
        assert [asked.connection for asked in up.requests] == [0, 0, 1]


async def test_what_has_no_body_is_asked_again_on_a_fresh_connection_once(pool: Pool) -> None:
    async with Upstream(reply(b"one"), reset(), reply(b"two"), reset()) as up:
        await said(pool, up, None)
        assert await said(pool, up, None) == b"two"
        with pytest.raises(TargetUnreachable, match="without an answer"):
            await said(pool, up, None)
        assert [asked.connection for asked in up.requests] == [0, 0, 1, 1, 2]


async def test_with_one_idle_connection_the_older_ones_end(pool: Pool) -> None:
    slow = raw(b"", head(200, {"content-length": "2"}) + b"ok", delay_s=0.05)
    async with Upstream(slow, slow, slow, reset(), reply(b"new")) as up:
        await asyncio.gather(*(said(pool, up) for _ in range(3)))
        assert pool.idle_count(pool.origin(place(up.url))) == 3
        with pytest.raises(ConnectionStale):
            await said(pool, up)
        assert pool.idle_count(pool.origin(place(up.url))) == 0
        assert await said(pool, up) == b"new"


async def test_a_fresh_connection_that_closes_is_not_asked_again(pool: Pool) -> None:
    async with Upstream(reset()) as up:
        with pytest.raises(TargetUnreachable, match="without an answer"):
            await said(pool, up)
        assert len(up.requests) == 1


async def test_nothing_is_asked_again_once_a_byte_has_come(pool: Pool) -> None:
    async with Upstream(reply(), raw(b"HTTP/1.1 2", then="hang_up")) as up:
        await said(pool, up)
        with pytest.raises(TargetUnreachable):
            await said(pool, up)
        assert len(up.requests) == 2


async def test_an_idle_connection_is_closed_in_time() -> None:
    pool = Pool(idle_s=0.03)
    async with Upstream(reply()) as up:
        await said(pool, up)
        assert pool.open_count == 1
        await asyncio.wait_for(up.closed.wait(), 2)
        assert (pool.open_count, pool.idle_count(pool.origin(place(up.url)))) == (0, 0)


async def test_no_more_connections_are_kept_than_allowed() -> None:
    pool = Pool(max_idle=1)
    async with Upstream(raw(b"", head(200, {"content-length": "2"}) + b"ok", delay_s=0.02)) as up:
        await asyncio.gather(*(said(pool, up) for _ in range(3)))
        assert pool.idle_count(pool.origin(place(up.url))) == 1
        await pool.close()


async def test_words_that_nobody_asked_for_never_become_an_answer(pool: Pool) -> None:
    late = raw(head(200, {"content-length": "2"}) + b"ok", head(200, {"content-length": "4"}) + b"evil", delay_s=0.02)
    async with Upstream(late, reply(b"good")) as up:
        assert await said(pool, up) == b"ok"
        while pool.open_count:
            await asyncio.sleep(0.005)
        assert await said(pool, up) == b"good"
        assert up.connections == 2


async def test_more_than_announced_does_not_spoil_the_next_answer(pool: Pool) -> None:
    async with Upstream(raw(head(200, {"content-length": "2"}) + b"ok and more"), reply(b"next")) as up:
        assert await said(pool, up) == b"ok"
        assert await said(pool, up) == b"next"
        assert up.connections == 2


# --- what goes wrong ---


async def test_a_refused_connection_is_unreachable(pool: Pool) -> None:
    with pytest.raises(TargetUnreachable, match="refused"):
        await ask(pool, refused_url())


async def test_a_name_without_an_address_is_unreachable(pool: Pool) -> None:
    with pytest.raises(TargetUnreachable, match="has no address"):
        await ask(pool, "http://nowhere.invalid")


async def test_silence_is_a_timeout_of_the_first_token(pool: Pool) -> None:
    async with Upstream(silence()) as up:
        with pytest.raises(TargetTimeout) as caught:
            await ask(pool, up.url, deadlines=SHORT)
        assert caught.value.details["stage"] == "first_token"
        await asyncio.wait_for(up.closed.wait(), 2)


async def test_the_total_deadline_holds_before_the_headers(pool: Pool) -> None:
    async with Upstream(silence()) as up:
        with pytest.raises(TargetTimeout) as caught:
            await ask(pool, up.url, deadlines=Deadlines(total_s=0.05))
        assert caught.value.details["stage"] == "total"


async def test_the_total_deadline_holds_in_a_body_that_drips(pool: Pool) -> None:
    async with Upstream(raw(head(200, {"content-length": "500"}), *[b"x"] * 500, delay_s=0.01)) as up:
        response = await ask(pool, up.url, deadlines=Deadlines(total_s=0.2))
        started = time.monotonic()
        with pytest.raises(TargetTimeout) as caught:
            await response.body()
        assert caught.value.details["stage"] == "total"
        assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "answer",
    [
        b"not http at all\r\n\r\n",
        head(200, CHUNKED) + b"zz\r\nno size\r\n",
        head(200, {"content-length": "nine"}),
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000,
        head(101, {"upgrade": "other", "connection": "upgrade"}),
    ],
    ids=["no HTTP", "a chunk without a size", "a length that is none", "endless headers", "another protocol"],
)
async def test_broken_http_is_unclear(pool: Pool, answer: bytes) -> None:
    async with Upstream(raw(answer, then="stall")) as up:
        with pytest.raises(TargetUnclear):
            await said(pool, up)
        assert pool.idle_count(pool.origin(place(up.url))) == 0


async def test_a_body_shorter_than_announced_is_unclear(pool: Pool) -> None:
    async with Upstream(raw(head(200, {"content-length": "10"}) + b"four", then="hang_up")) as up:
        with pytest.raises(TargetUnclear, match="announced 10 bytes"):
            await said(pool, up)


@pytest.mark.parametrize("then", ["hang_up", "reset"])
async def test_a_chunked_body_that_is_cut_is_broken(pool: Pool, then: str) -> None:
    async with Upstream(raw(head(200, CHUNKED), chunk(b"half"), then=then)) as up:
        with pytest.raises(StreamBroken):
            await said(pool, up)


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_over_the_bound_is_unclear(pool: Pool, announced: bool) -> None:
    whole = head(200, {"content-length": "5000"}) if announced else head(200, CHUNKED)
    body = b"x" * 2000 if announced else chunk(b"x" * 2000)
    async with Upstream(raw(whole + body, then="stall")) as up:
        response = await ask(pool, up.url)
        with pytest.raises(TargetUnclear, match="more than 1000 bytes"):
            await response.body(1000)
        await asyncio.wait_for(up.closed.wait(), 2)


async def test_an_excerpt_takes_what_there_is(pool: Pool) -> None:
    async with Upstream(raw(head(500, {"content-length": "100"}) + b"half a body", then="hang_up")) as up:
        response = await ask(pool, up.url)
        assert await response.excerpt(4) == b"half"
        assert await (await ask(pool, up.url)).excerpt(1000) == b"half a body"


# --- streams ---


async def test_events_come_as_they_are_sent(pool: Pool) -> None:
    async with Upstream(events(b"one", b"two", delay_s=0.02), reply(b"next")) as up:
        response = await ask(pool, up.url, deadlines=SHORT)
        assert [batch async for batch in response.events()] == [[("message", b"one")], [("message", b"two")]]
        assert await said(pool, up) == b"next"
        assert up.connections == 1


@pytest.mark.parametrize("then", ["hang_up", "reset"])
async def test_a_stream_that_is_cut_is_broken_after_its_last_event(pool: Pool, then: str) -> None:
    async with Upstream(events(b"one", b"two", then=then)) as up:
        stream = (await ask(pool, up.url)).events()
        got = []
        with pytest.raises(StreamBroken):
            async for batch in stream:
                got += batch
        assert [data for _, data in got] == [b"one", b"two"]


async def test_a_stream_that_stalls_is_a_timeout_between_tokens(pool: Pool) -> None:
    async with Upstream(events(b"one", then="stall")) as up:
        response = await ask(pool, up.url, deadlines=SHORT)
        with pytest.raises(TargetTimeout) as caught:
            await heard(response)
        assert caught.value.details["stage"] == "between_tokens"
        await asyncio.wait_for(up.closed.wait(), 2)


async def test_comments_are_no_sign_of_a_token(pool: Pool) -> None:
    start = head(200, {"content-type": "text/event-stream", **CHUNKED})
    async with Upstream(raw(start, *[chunk(b": wait\n\n")] * 100, delay_s=0.01)) as up:
        response = await ask(pool, up.url, deadlines=SHORT)
        with pytest.raises(TargetTimeout) as caught:
            await heard(response)
        assert caught.value.details["stage"] == "first_token"


async def test_the_total_deadline_holds_in_a_stream_that_never_ends(pool: Pool) -> None:
    async with Upstream(events(*[b"on and on"] * 300, delay_s=0.01)) as up:
        response = await ask(pool, up.url, deadlines=Deadlines(between_tokens_s=1, total_s=0.1))
        with pytest.raises(TargetTimeout) as caught:
            await heard(response)
        assert caught.value.details["stage"] == "total"


async def test_a_slow_consumer_is_not_taken_for_a_slow_server(pool: Pool) -> None:
    async with Upstream(events(b"one", b"two", b"three")) as up:
        response = await ask(pool, up.url, deadlines=SHORT)
        got = []
        async for batch in response.events():
            got += batch
            await asyncio.sleep(0.1)
        assert len(got) == 3


async def test_reading_pauses_while_the_consumer_lags(pool: Pool) -> None:
    piece = chunk(b"x" * 65_536)
    async with Upstream(raw(head(200, CHUNKED), *[piece] * 100, LAST)) as up:
        response = await ask(pool, up.url)
        await asyncio.sleep(0.2)
        first = await response.read(float("inf"), "total")
        assert len(first) < 2 * 1024 * 1024
        assert len(first) + len(await response.body()) == 100 * 65_536


async def test_leaving_a_stream_closes_its_connection(pool: Pool) -> None:
    async with Upstream(events(b"one", then="stall")) as up:
        response = await ask(pool, up.url)
        async for _ in response.events():
            break
        response.close()
        await asyncio.wait_for(up.closed.wait(), 2)
        assert pool.open_count == 0


async def test_a_released_stream_keeps_its_connection_if_it_ends(pool: Pool) -> None:
    start = head(200, {"content-type": "text/event-stream", **CHUNKED})
    async with Upstream(raw(start + chunk(b"data: [DONE]\n\n"), LAST, delay_s=0.05), reply(b"next")) as up:
        response = await ask(pool, up.url)
        async for _ in response.events():
            break
        response.release()
        await asyncio.sleep(0.1)
        assert await said(pool, up) == b"next"
        assert up.connections == 1


async def test_cancelling_closes_the_connection(pool: Pool) -> None:
    async with Upstream(silence()) as up:
        asking = asyncio.ensure_future(said(pool, up))
        while not up.requests:
            await asyncio.sleep(0.005)
        asking.cancel()
        await asyncio.wait_for(up.closed.wait(), 2)
        assert pool.open_count == 0
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_closing_the_pool_ends_what_is_in_flight() -> None:
    pool = Pool()
    async with Upstream(events(b"one", then="stall")) as up:
        response = await ask(pool, up.url)
        reading = asyncio.ensure_future(heard(response))
        await asyncio.sleep(0.02)
        await pool.close()
        with pytest.raises(StreamBroken):
            await reading
        with pytest.raises(TargetUnreachable, match="not asked any more"):
            await ask(pool, up.url)


# --- TLS ---


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def served_by(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


async def test_a_server_that_our_authority_vouches_for_is_asked(
    pool: Pool, authority: trustme.CA, ca_file: str
) -> None:
    async with (
        Upstream(reply(b"safe"), events(b"one")) as plain,
        Upstream(reply(b"safe"), events(b"one"), tls=served_by(authority, "localhost")) as up,
    ):
        assert plain.url.startswith("http:")
        assert await (await ask(pool, up.url, ca=ca_file)).body() == b"safe"
        assert await heard(await ask(pool, up.url, ca=ca_file)) == [b"one"]
        assert up.connections == 1


async def test_an_unknown_authority_is_not_trusted(pool: Pool, authority: trustme.CA) -> None:
    async with Upstream(reply(), tls=served_by(authority, "localhost")) as up:
        with pytest.raises(TargetUnreachable, match="not who it should be"):
            await ask(pool, up.url)
        assert not up.requests


async def test_a_certificate_for_another_name_is_not_trusted(pool: Pool, authority: trustme.CA, ca_file: str) -> None:
    async with Upstream(reply(), tls=served_by(authority, "other.example")) as up:
        with pytest.raises(TargetUnreachable, match="not who it should be"):
            await ask(pool, up.url, ca=ca_file)


async def test_https_to_a_plain_server_is_unreachable(pool: Pool) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.write(b"HTTP/1.1 400 Bad\r\n\r\n"), "127.0.0.1", 0)
    async with server:
        with pytest.raises(TargetUnreachable, match="does not speak TLS"):
            await ask(pool, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def test_a_file_without_authorities_is_found_at_once(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ConfigInvalid, match="can't be read"):
        pool.origin(place("https://host"), str(tmp_path / "empty.pem"))
