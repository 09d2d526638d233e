"""Which URLs of strangers lead to the public internet, as far as their text tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.wire.public import NotPublic, PublicUrl, check_host, is_listed, is_public, read


def test_a_plain_https_url_is_taken_apart() -> None:
    assert read("https://Example.com./a%20b?c=d#e") == PublicUrl("example.com", 443, "/a%20b?c=d")
    assert read("https://example.com:8443") == PublicUrl("example.com", 8443, "/")
    assert read("https://8.8.8.8/x").host == "8.8.8.8"
    assert read("https://[2606:4700::1111]/x").host == "2606:4700::1111"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/x.png",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "gopher://example.com/",
        "s3://bucket/key",
        "//example.com/x",
        "example.com/x",
        "",
        "https://",
        "https:///x",
        "https://user:word@example.com/",
        "https://user@example.com/",
        "https://exa mple.com/",
        "https://example.com/\r\nhost: other",
        "https://example.com\\@127.0.0.1/",
        "https://example.com:99999/",
        "https://ex_-.com/",
        "https://a..b.com/",
        "https://" + "a" * 300 + ".com/",
        "https://example.com/" + "a" * 9000,
    ],
)
def test_what_is_no_plain_https_url_is_refused(url: str) -> None:
    with pytest.raises(NotPublic):
        read(url)


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost.", "LOCALHOST", "a.localhost", "printer", "printer.local", "metadata.google.internal",
        "db.internal", "router.home.arpa", "x.corp",
        "127.0.0.1", "127.1", "127.0.0.1.", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
        "017700000001", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.1",
        "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[fec0::1]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]", "[2002:7f00:1::]", "[2001:db8::1]",
        "[fe80::1%25eth0]", "１２７.０.０.１", "localhost。", "①②⑦.0.0.1",
    ],
)  # fmt: skip
def test_what_leads_to_this_machine_or_its_neighbours_is_refused(host: str) -> None:
    with pytest.raises(NotPublic):
        read(f"https://{host}/latest/meta-data/")


def test_a_message_holds_no_credential() -> None:
    with pytest.raises(NotPublic) as caught:
        read("https://127.0.0.1/x?signature=secret")
    assert "secret" not in str(caught.value)


def test_addresses_are_judged_also_when_another_one_is_within() -> None:
    assert is_public("8.8.8.8")
    assert is_public("::ffff:8.8.8.8")
    assert is_public("2606:4700::1111")
    assert not is_public("::ffff:10.0.0.1")
    assert not is_public("64:ff9b::a00:1")


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_no_private_address_is_public_in_any_spelling(address: object) -> None:
    whole = int(address)  # type: ignore[call-overload]
    for spelling in (str(address), f"::ffff:{address}", f"64:ff9b::{address}"):
        assert not is_public(spelling)
    for spelling in (str(whole), hex(whole), f"0{whole:o}"):
        with pytest.raises(NotPublic):
            check_host(spelling)


@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.com/{text}", f"https://[{text}]/"):
        try:
            read(url)
        except NotPublic as error:
            assert str(error)


@pytest.mark.parametrize(
    ("url", "hosts", "listed"),
    [
        ("https://cdn.example.com/x", ("cdn.example.com",), True),
        ("https://cdn.example.com/x", ("CDN.example.com",), True),
        ("https://cdn.example.com/x", ("*.example.com",), True),
        ("https://a.b.example.com/x", ("*.example.com",), True),
        ("https://example.com/x", ("*.example.com",), False),
        ("https://evilexample.com/x", ("*.example.com", "example.com"), False),
        ("https://example.com.evil.org/x", ("example.com", "*.example.com"), False),
        ("https://example.com:8443/x", ("example.com",), False),
        ("https://example.com:8443/x", ("example.com:8443",), True),
        ("https://example.com/x", (), False),
    ],
)
def test_a_list_of_hosts_names_no_more_than_it_says(url: str, hosts: tuple[str, ...], listed: bool) -> None:
    assert is_listed(read(url), hosts) is listed
