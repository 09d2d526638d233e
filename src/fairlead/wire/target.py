"""What stands in the first line of a request and in its `host`: read once, refused where two readers could differ.

Pure; it knows no endpoints.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

from fairlead.errors import RequestMalformed

_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#@]+)(?=[/?]|\Z)")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]*)(?::[0-9]{0,5})?\Z")


@lru_cache(maxsize=512)
def read_target(url: bytes) -> tuple[str, bytes, bytes | None]:
    """Path (percent signs resolved), query, and the host that the target names itself. Raises RequestMalformed."""
    host = None
    if url[:1] != b"/":
        found = _ABSOLUTE.match(url)
        if found is not None:
            host = found[1]
            url = url[found.end() :]
            url = url if url[:1] == b"/" else b"/" + url
        elif url != b"*":
            raise RequestMalformed("the target of the request is no path", hint="such as /v1/models")
    path, _, query = url.partition(b"?")
    if b"#" in url or not url.isascii():
        raise RequestMalformed(
            "the target of the request has characters that none may have", hint="percent-encode them"
        )
    text = path.decode("ascii")
    return (unquote(text) if "%" in text else text), query, host


@lru_cache(maxsize=512)
def check_host(host: bytes | None) -> None:
    """Raises RequestMalformed."""
    if host is None or not _HOST.match(host):
        raise RequestMalformed("the request has no `host`, or one that is none", hint="send one header `host`")
