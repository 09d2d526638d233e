"""URLs and headers: what an operator wrote is checked before anything is sent."""

import pytest

from fairlead.errors import ConfigInvalid
from fairlead.wire.address import header_lines, place, request_head


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "query", "authority"),
    [
        ("https://api.example.com/v1/", "api.example.com", 443, "/v1", "", "api.example.com"),
        ("http://localhost:8000", "localhost", 8000, "", "", "localhost:8000"),
        ("http://[::1]:80/x?api-version=2", "::1", 80, "/x", "?api-version=2", "[::1]"),
        ("http://[::1]:81", "::1", 81, "", "", "[::1]:81"),
        ("https://bücher.example", "xn--bcher-kva.example", 443, "", "", "xn--bcher-kva.example"),
    ],
)
def test_a_url_names_a_place(url: str, host: str, port: int, path: str, query: str, authority: str) -> None:
    there = place(url)
    assert (there.host, there.port, there.path, there.query, there.authority) == (host, port, path, query, authority)


@pytest.mark.parametrize(
    "url",
    ["", "api.example.com/v1", "ftp://host", "http://", "http://h:99999", "http://h/a b", "http://h/#x", "http://h/ü"],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigInvalid, match="is not an http or https URL"):
        place(url)


def test_a_credential_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigInvalid) as caught:
        place("https://me:hush@host/v1")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-a", "hush\r\nx-evil: 1"),
        ("x-a", "hush\n"),
        ("x-a", "hush\0"),
        ("x-a", "hush 漢"),
        ("x a", "hush"),
        ("", "hush"),
    ],
)
def test_a_header_can_not_break_out_of_its_line(name: str, value: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        header_lines({name: value})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "Accept-Encoding"])
def test_headers_of_the_connection_are_not_for_operators(name: str) -> None:
    with pytest.raises(ConfigInvalid, match="set by Fairlead itself"):
        header_lines({name: "1"})


def test_the_later_spelling_of_a_header_counts() -> None:
    assert header_lines({"authorization": "a", "Authorization": "b"}) == b"authorization: b\r\n"


def test_a_head_is_ready_to_be_written() -> None:
    head = request_head("POST", place("https://h/v1?k=1"), "/chat", {"X-A": "1"})
    assert head == b"POST /v1/chat?k=1 HTTP/1.1\r\nhost: h\r\naccept-encoding: identity\r\nx-a: 1\r\n"


def test_a_path_can_not_break_out_of_the_request_line() -> None:
    with pytest.raises(ConfigInvalid):
        request_head("POST", place("https://h"), "/chat HTTP/1.1\r\nx: ", {})
