"""Where media that are named by a URL may come from: a provider that is given one fetches it, so it is a request that
somebody makes on behalf of a stranger.

| a route's `urls` | what happens |
|---|---|
| `pass` (the default) | the URL goes to the provider; to a target in our own network only if `hosts` names it |
| `inline` | we fetch it ourselves (`gateway/inlining.py`) and send the data; only from `hosts` |
| `refuse` | only data is taken |

However a route is set: https only, no credentials, no address or name of a private network. `s3://` and `gs://` are
read with the operator's own credentials, so a bucket must be named in `hosts`. What a name resolves to is not known
here.
"""

import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from fairlead.chat import OPAQUE, Media, Opaque, Request
from fairlead.errors import PolicyDenied
from fairlead.gateway.call import Call
from fairlead.wire.public import NotPublic, is_listed, read

MODALITIES = frozenset({"image", "audio", "video", "document", OPAQUE})
CHATS = frozenset({"chat", "count"})
_HIDDEN_BUCKET = "s3://"  # one that can't be read, and so is in no list
_LOCATOR = re.compile(r"(?P<bucket>\b(?:s3|gs)://)|[a-z0-9+.-]:(?:/|\\\\)", re.IGNORECASE)
_BUCKET = re.compile(r"(?P<bucket>(?:s3|gs)://[a-z0-9][a-z0-9._-]{1,221}[a-z0-9])(?:/|\Z)")


def media(call: Call) -> Call:
    """Raises PolicyDenied for the first URL that the route does not let through; leaves out targets in our own network
    that would have to fetch."""
    if call.request.needs.isdisjoint(MODALITIES):
        return call
    rules = call.route.media
    remote = False
    for url in urls(call.request):
        if rules.urls == "refuse":
            raise _denied(call, "media are taken as data only, not by URL", "Send the data as base64.")
        remote |= _check(call, url)
    if not remote or rules.urls == "inline" or rules.hosts:
        return call
    outside = tuple(target for target in call.targets if target.zone != "private")
    if not outside:
        raise _denied(
            call,
            "its targets lie in our own network and would have to fetch what the URL names",
            f"Send the data as base64, or list hosts in [routes.{call.route.name}.media].",
        )
    if len(outside) == len(call.targets):
        return call
    left = ", ".join(target.name for target in call.targets if target not in outside)
    return replace(call, targets=outside, narrowed=(*call.narrowed, f"media: {left} would have to fetch a URL"))


def urls(request: Request) -> Iterator[str]:
    """Those of all media in a request. Of a part that only its own language knows: "" if it holds anything like one, or
    what names a bucket."""
    for part in parts(request):
        if isinstance(part, Media) and part.url is not None:
            yield part.url
        elif isinstance(part, Opaque) and (found := _LOCATOR.search(_plain(part.raw))):
            yield _HIDDEN_BUCKET if found["bucket"] else ""


def _plain(raw: Raw) -> str:
    """The same value without escapes, in which a URL could hide."""
    return msgspec.json.encode(msgspec.json.decode(raw)).decode()


def parts(request: Request) -> Iterator[object]:
    """All that is said in it. A request that can't be read in full was not made by a caller and holds no media."""
    if request.read is None:
        return
    if request.task in CHATS:
        for message in request.chat().messages:
            yield from message.parts
    elif request.task == "rerank":
        rerank = request.rerank()
        yield rerank.query
        yield from rerank.documents
    elif request.spoken is not None:  # media to embed: only passed on, never translated
        yield from (Opaque(name, raw, request.spoken.dialect) for name, raw in request.spoken.fields.items())


def is_bucket(url: str) -> bool:
    return url.startswith(("s3://", "gs://"))


def _check(call: Call, url: str) -> bool:
    """Whether somebody has to fetch it from the internet. Raises PolicyDenied."""
    hosts = call.route.media.hosts
    if is_bucket(url):
        found = _BUCKET.match(url)
        if found is None or found["bucket"] not in hosts:
            raise _denied(call, "it names a bucket that is not in `hosts`", _LIST.format(name=call.route.name))
        return False
    if not url:  # in a part that nobody here can read
        if hosts or call.route.media.urls == "inline":
            raise _denied(call, "a URL stands where it can't be checked", "Send the data as base64.")
        return True
    try:
        place = read(url)
    except NotPublic as why:
        raise _denied(call, str(why), "Send the data as base64.") from None
    if (hosts or call.route.media.urls == "inline") and not is_listed(place, hosts):
        raise _denied(call, f"{place.host} is not in `hosts`", _LIST.format(name=call.route.name))
    return True


_LIST = "Send the data as base64, or have it listed in [routes.{name}.media]."


def _denied(call: Call, why: str, hint: str) -> PolicyDenied:
    return PolicyDenied(
        f"route {call.route.name!r} takes no such URL of an image or another medium: {why}",
        hint=hint,
        code="url_denied",
        rule="media",
    )
