"""What names people or opens doors is taken out, the same thing by the same mark; what only looks like it stays."""

import re

import pytest

from fairlead.evals.scrubbing import Scrubber


def scrubbed(text: str) -> str:
    return Scrubber().text(text)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("Write to ann.lee+x@example.co.uk.", "Write to [email-1]."),
        ("IBAN DE89 3704 0044 0532 0130 00 and more words", "IBAN [iban-1] and more words"),
        ("GB82WEST12345698765432", "[iban-1]"),
        ("pay CH93 0076 2011 6238 5295 7 NOW", "pay [iban-1] NOW"),
        ("card 4111 1111 1111 1111 12/27", "card [card-1] 12/27"),
        ("order 12 4111-1111-1111-1111", "order 12 [card-1]"),
        ("5500005555555559", "[card-1]"),
        ("4111 1111 1111 1111 5500 0055 5555 5559", "[card-1] [card-2]"),
        ("from 192.168.7.12 and 2001:db8::8a2e:370:7334", "from [machine-1] and [machine-2]"),
        ("call +41 44 668 18 00 today", "call [phone-1] today"),
        ("call 044 668 18 00 or (212) 555-0100", "call [phone-1] or [phone-2]"),
        ("key sk-proj-abcDEF1234567890abcDEF", "key [secret-1]"),
        ("Authorization: Bearer abcdefghij1234567890", "Authorization: Bearer [secret-1]"),
        ("AKIAIOSFODNN7EXAMPLE", "[secret-1]"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "[secret-1]"),
        ("postgres://user:hunter2@db/x", "postgres://[secret-1]@db/x"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "[secret-1]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[secret-1]"),
    ],
)
def test_it_is_taken_out(text: str, marked: str) -> None:
    assert scrubbed(text) == marked


@pytest.mark.parametrize(
    "text",
    [
        "total 1,234,567.50 on 2024-03-05 at 12:30:45",
        "version 1.2.3.4.5 of 300.1.2.3",
        "card 4111 1111 1111 1112",
        "IBAN DE88370400440532013000",
        "order 12345678 of 20240305",
        "a@b and @someone",
        "isbn 978-3-16-148410-0",
        "sk-short",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert scrubbed(text) == text


def test_the_same_has_the_same_mark_everywhere_and_is_counted_once() -> None:
    scrubber = Scrubber({"ticket": re.compile(r"T-\d+")})
    value = scrubber.value(
        {
            "a": ["Ann@example.com", {"b": "ann@example.com"}],
            "c": "bob@example.com T-17",
            "n": 7,
            "ann@example.com": None,
        }
    )
    assert value == {"a": ["[email-1]", {"b": "[email-1]"}], "c": "[email-2] [ticket-1]", "n": 7, "[email-1]": None}
    assert scrubber.counts == {"ticket": 1, "email": 2}


def test_long_texts_of_hostile_form_take_no_longer_than_they_must() -> None:
    for text in ("1 " * 20_000, "a" * 50_000, "a@" * 20_000, "DE89 " * 10_000, "1:" * 20_000, "sk-" * 20_000):
        scrubbed(text)
