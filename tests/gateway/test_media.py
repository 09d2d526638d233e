"""Media that are named by a URL: refused, passed on or fetched, as the route says, and never into a private network."""

import asyncio
import base64
import json
from typing import Any

import pytest
from msgspec import Raw

from fairlead.chat import Chat, Media, Message, Opaque, Request, Rerank, Text
from fairlead.dialects import gemini, openai
from fairlead.errors import FairleadError, PolicyDenied, RequestInvalid, TargetUnclear, TargetUnreachable
from fairlead.gateway.call import MediaRules, Route, Target
from fairlead.gateway.inlining import type_of
from fairlead.gateway.policies.media import media
from fairlead.wire.fetching import Fetched
from fairlead.wire.public import NotPublic, PublicUrl
from world import World, call_of, request, route, said, target, words

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
URL = "https://cdn.example.com/a.png?signature=secret"


def showing(*shown: Any, needs: str = "image", **changes: Any) -> Request:
    chat = Chat(messages=(Message("user", (Text("what is it?"), *shown)),))
    return request(needs=frozenset({needs}), input_bound=None, read=lambda: chat, **changes)


def image(url: str = URL, **changes: Any) -> Media:
    return Media(**{"kind": "image", "url": url, **changes})


def outside(name: str = "a") -> Target:
    return target(name, zone="public")


def ruled(*targets: Target, **rules: Any) -> Route:
    return route(*(targets or (outside(),)), media=MediaRules(**rules))


def kept(asked: Request, one: Route) -> list[str]:
    return [target.name for target in media(call_of(one, asked=asked)).targets]


def denied(asked: Request, one: Route) -> PolicyDenied:
    with pytest.raises(PolicyDenied) as caught:
        media(call_of(one, asked=asked))
    assert (caught.value.code, caught.value.details["rule"]) == ("url_denied", "media")
    assert "secret" not in caught.value.message + caught.value.hint, "URLs hold credentials"
    return caught.value


def test_a_public_url_is_passed_on_to_a_provider() -> None:
    assert kept(showing(image()), ruled()) == ["a"]


def test_data_and_files_at_a_provider_are_no_urls() -> None:
    shown = Media(kind="image", data="aGk="), Media(kind="document", file="file-1", origin="openai")
    for urls in ("refuse", "pass", "inline"):
        assert kept(showing(*shown), ruled(urls=urls)) == ["a"]


def test_a_route_may_refuse_urls() -> None:
    assert "base64" in denied(showing(image()), ruled(urls="refuse")).hint
    opaque = Opaque("box", Raw(b'{"link":"https://example.com"}'), "openai")
    denied(showing(opaque), ruled(urls="refuse"))


@pytest.mark.parametrize("urls", ["pass", "inline"])
@pytest.mark.parametrize(
    "url",
    [
        "http://cdn.example.com/a.png", "https://127.0.0.1/a", "https://169.254.169.254/latest/meta-data/",
        "https://metadata.google.internal/x", "https://localhost:8080/x", "https://[::1]/x", "https://2130706433/x",
        "https://10.1.2.3/x", "ftp://example.com/x", "file:///etc/passwd", "https://u:p@cdn.example.com/x",
        "s3://bucket/key", "gs://bucket/key", "s3://other", "s3:bucket",
    ],
)  # fmt: skip
def test_what_leads_into_a_private_network_or_to_the_operators_buckets_never_passes(url: str, urls: Any) -> None:
    hosts = ("*.example.com", "127.0.0.1", "localhost:8080", "10.1.2.3")
    denied(showing(image(url)), ruled(urls=urls, hosts=hosts))
    denied(showing(image(url)), ruled(urls="pass"))


def test_a_bucket_that_is_listed_is_the_operators_will() -> None:
    listed = ruled(hosts=("s3://pictures",))
    assert kept(showing(image("s3://pictures/a.png")), listed) == ["a"]
    denied(showing(image("s3://pictures-of-others/a.png")), listed)
    denied(showing(image("gs://pictures/a.png")), listed)


@pytest.mark.parametrize(
    "said",
    [
        {"link": "https://10.0.0.1/"}, {"link": "HTTP:/10.0.0.1"}, {"link": "http:\\\\10.0.0.1"},
        {"link": ["file:/etc/passwd"]},
    ],
)  # fmt: skip
@pytest.mark.parametrize("escaped", [False, True])
def test_no_url_hides_in_a_part_that_nobody_knows(said: Any, escaped: bool) -> None:
    raw = json.dumps(said)
    raw = raw.replace("/", "\\/").replace(":", "\\u003a").replace('"\\u003a', '":') if escaped else raw
    asked = showing(Opaque("box", Raw(raw.encode()), "openai"), needs="opaque")
    denied(asked, ruled(target("own")))
    denied(asked, ruled(hosts=("*.example.com",)))
    assert kept(asked, ruled()) == ["a"], "a provider's own network is his to guard"


def test_a_bucket_that_hides_is_in_no_list() -> None:
    asked = showing(Opaque("box", Raw(b'{"link":"s3:\\/\\/pictures/a.png"}'), "openai"), needs="opaque")
    denied(asked, ruled())
    denied(asked, ruled(hosts=("s3://pictures",)))


def test_a_part_without_any_url_is_looked_at_and_passed_on() -> None:
    asked = showing(
        Opaque("box", Raw(b'{"say":"label:\\n1","data":"data:image/png;base64,/9j/"}'), "x"), needs="opaque"
    )
    assert kept(asked, ruled(target("own"))) == ["own"]


def test_a_part_of_any_length_is_looked_through_in_one_go() -> None:
    """Whatever repeats in it: a search that begins anew at every letter would take minutes."""
    long = {"x": "a" * 300_000, "y": "a:" * 100_000, "z": "s3:" * 100_000}
    assert kept(showing(Opaque("box", Raw(json.dumps(long).encode()), "x"), needs="opaque"), ruled(target("own")))


def test_media_to_embed_are_looked_at_where_they_stand() -> None:
    part = {"fileData": {"fileUri": "gs://pictures/a.png", "mimeType": "image/png"}}
    body = {"requests": [{"model": "models/m", "content": {"parts": [part]}}]}
    denied(gemini.read_request("embed", json.dumps(body).encode(), route="r"), ruled())


def test_what_a_server_takes_for_an_image_without_being_told_its_kind_is_refused() -> None:
    part = {"image_url": {"url": "http://169.254.169.254/latest/meta-data/"}}
    body = {"model": "r", "messages": [{"role": "user", "content": [part]}]}
    with pytest.raises(RequestInvalid) as caught:
        media(call_of(ruled(target("own")), asked=openai.read_request("chat", json.dumps(body).encode())))
    assert caught.value.param == "messages[0].content[0].type"


def test_a_list_of_hosts_leaves_nothing_else_through() -> None:
    assert kept(showing(image()), ruled(hosts=("*.example.com",))) == ["a"]
    denied(showing(image()), ruled(hosts=("example.com",)))
    denied(showing(image(), image("https://cdn.example.org/a")), ruled(hosts=("*.example.com",)))
    opaque = Opaque("box", Raw(b'{"link":"https://cdn.example.com"}'), "openai")
    denied(showing(opaque), ruled(hosts=("*.example.com",)))


def test_a_target_in_our_own_network_fetches_for_nobody_unless_hosts_are_listed() -> None:
    own, foreign = target("own"), outside("foreign")
    call = media(call_of(ruled(own, foreign), asked=showing(image())))
    assert [one.name for one in call.targets] == ["foreign"]
    assert call.narrowed == ("media: own would have to fetch a URL",)
    denied(showing(image()), ruled(own))
    assert kept(showing(image()), ruled(own, foreign, hosts=("*.example.com",))) == ["own", "foreign"]
    assert kept(showing(image("s3://pictures/a")), ruled(own, hosts=("s3://pictures",))) == ["own"]


def test_documents_to_rank_may_be_images_too() -> None:
    ranked = Rerank(query="bear", documents=("text", image("https://10.0.0.1/a")))
    denied(request(task="rerank", needs=frozenset({"image"}), read=lambda: ranked), ruled())


def test_a_request_without_media_is_not_looked_at() -> None:
    call = call_of(ruled(urls="refuse"), asked=request())
    assert media(call) is call


# --- fetched here ---


class Web:
    """What stands where; `asked` is what was fetched."""

    def __init__(self, **pages: Fetched | Exception) -> None:
        self.pages = pages
        self.asked: list[tuple[str, int]] = []

    async def fetch(self, url: PublicUrl, *, max_bytes: int, total_s: float) -> Fetched:
        self.asked.append((url.target, max_bytes))
        await asyncio.sleep(0)
        page = self.pages[url.target.strip("/").partition(".")[0]]
        if isinstance(page, Exception):
            raise page
        return page


def world(web: Web | None, line: Any = None, **rules: Any) -> World:
    inline = {"urls": "inline", "hosts": ("*.example.com", "s3://pictures"), **rules}
    return World([ruled(target("a"), **inline)], {"a": line or said()}, fetch=web)


def sent(web: Web, asked: Request) -> Any:
    got: list[Request] = []

    def line(one: Request) -> Any:
        got.append(one)
        return said()

    asyncio.run(world(web, line).answer(asked))
    return got[0]


def test_what_a_url_names_is_put_in_as_data() -> None:
    web = Web(a=Fetched(PNG, "image/jpeg"))
    asked = sent(web, showing(image(detail="low", cache="5m"), image()))
    shown = asked.chat().messages[0].parts[1:]
    data = base64.b64encode(PNG).decode()
    assert shown[0] == Media(kind="image", media_type="image/png", data=data, detail="low", cache="5m")
    assert shown[1].data == data
    assert asked.spoken is None
    assert len(web.asked) == 1, "the same URL is fetched once"


def test_what_is_data_or_in_a_listed_bucket_is_left_as_it_is() -> None:
    web = Web()
    shown = Media(kind="image", data="aGk="), image("s3://pictures/a.png")
    asked = showing(*shown)
    assert sent(web, asked) is asked
    assert web.asked == []


def test_documents_to_rank_are_fetched_too() -> None:
    ranked = Rerank(query="bear", documents=("text", image()))
    asked = request(task="rerank", needs=frozenset({"image"}), read=lambda: ranked)
    got = sent(Web(a=Fetched(PNG, "")), asked).rerank()
    assert got.documents[0] == "text"
    assert got.documents[1].data == base64.b64encode(PNG).decode()


def failing(made: World, asked: Request) -> FairleadError:
    with pytest.raises(RequestInvalid) as caught:
        asyncio.run(made.answer(asked))
    assert caught.value.code == "media_not_fetched"
    assert "secret" not in caught.value.message
    assert made.table.asked == []
    assert made.spool.calls()[0].status == "denied"
    return caught.value


@pytest.mark.parametrize(
    "page",
    [
        NotPublic("cdn.example.com resolves to an address that is not public"),
        TargetUnreachable("gone"),
        TargetUnclear("too long"),
        Fetched(b"<html>", "text/html"),
        Fetched(b"<html>", "image/png"),
        Fetched(b"%PDF-1.7", "image/png"),
        Fetched(b"", ""),
    ],
)
def test_what_can_not_be_fetched_or_is_something_else_is_the_callers_to_know(page: Fetched | Exception) -> None:
    failing(world(Web(a=page)), showing(image()))


def test_one_that_fails_ends_the_others_and_too_many_are_not_begun() -> None:
    web = Web(a=Fetched(PNG, ""), b=TargetUnreachable("gone"))
    failing(world(web), showing(image(), image("https://cdn.example.com/b.png")))
    web = Web(a=Fetched(PNG, ""))
    failing(world(web), showing(*(image(f"https://cdn.example.com/a.png?{n}") for n in range(21))))
    assert web.asked == []


def test_fetching_has_an_end() -> None:
    class Slow(Web):
        async def fetch(self, url: PublicUrl, *, max_bytes: int, total_s: float) -> Fetched:
            await asyncio.sleep(10)
            raise AssertionError

    failing(world(Slow(), total_s=0.05), showing(image()))


def test_a_stream_is_fetched_for_as_well() -> None:
    web = Web(a=Fetched(PNG, ""))
    asyncio.run(world(web, words("hi")).stream(showing(image(), stream=True)))
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("data", "told", "found"),
    [
        (b"\xff\xd8\xff\xe0", "", "image/jpeg"),
        (b"RIFF....WEBP", "", "image/webp"),
        (b"RIFF....WAVE", "", "audio/wav"),
        (b"....ftypisom", "", "video/mp4"),
        (b"%PDF-1.4", "text/plain", "application/pdf"),
        (b"hello", "text/plain", "text/plain"),
        (b"hello", "image/png", ""),
        (b"\x7fELF", "application/octet-stream", ""),
    ],
)
def test_the_first_bytes_tell_what_it_is(data: bytes, told: str, found: str) -> None:
    assert type_of(Fetched(data, told)) == found
