"""Events that are like one before are taken for what they are, whatever stands in them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.dialects import anthropic, openai
from fairlead.dialects.alike import TRIES, Alike
from fairlead.errors import StreamBroken

TEXTS = st.one_of(
    st.sampled_from(
        ["word ", "a", "", '"', "\\", "\n", "}", '","content":"', "é", "\u2028", "\x7f", "\x00", "content"]
    ),
    st.text(max_size=6),
)
ASCII = st.booleans()


def openai_event(text: str, ascii: bool, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text, **delta}, "finish_reason": None}
    return json.dumps({"id": "c", "model": "m", "choices": [choice]}, ensure_ascii=ascii).encode("utf-8", "replace")


def anthropic_event(text: str, ascii: bool, index: int = 0) -> bytes:
    said = {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}
    return json.dumps(said, ensure_ascii=ascii).encode("utf-8", "replace")


BEGINNINGS = {openai: openai_event("", True, role="assistant"), anthropic: b'{"type":"message_start","message":{}}'}


def reader(language: Any, full: bool) -> Any:
    made = language.StreamReader(full)
    made.read("", BEGINNINGS[language])
    return made


@pytest.mark.parametrize("full", [False, True])
@given(
    events=st.lists(st.tuples(TEXTS, ASCII, st.sampled_from([{}, {"reasoning": "r"}, {"refusal": "no"}])), max_size=14)
)
def test_an_event_of_openai_means_the_same_whatever_came_before(
    full: bool, events: list[tuple[str, bool, dict[str, str]]]
) -> None:
    reading = reader(openai, full)
    for text, ascii, delta in events:
        data = openai_event(text, ascii, **delta)
        assert reading.read("", data) == reader(openai, full).read("", data)


@pytest.mark.parametrize("full", [False, True])
@given(events=st.lists(st.tuples(TEXTS, ASCII, st.integers(0, 2)), max_size=14))
def test_an_event_of_anthropic_means_the_same_whatever_came_before(
    full: bool, events: list[tuple[str, bool, int]]
) -> None:
    reading = reader(anthropic, full)
    for text, ascii, index in events:
        data = anthropic_event(text, ascii, index)
        assert reading.read("", data) == reader(anthropic, full).read("", data)


def test_text_is_found_again_where_all_around_it_is_the_same() -> None:
    alike = Alike(b"text")
    alike.learn(b'{"text": "one", "more": 1}', "one")
    assert alike.text(b'{"text": "two words", "more": 1}') == "two words"
    assert alike.text(b'{"text": "two", "more": 2}') is None
    assert alike.text(b'{"text": "", "more": 1}') is None
    assert alike.text(b'{"text": "a\\n", "more": 1}') is None
    assert alike.text(b'{"text": "a", "more": "b", "more": 1}') is None


@pytest.mark.parametrize(
    "data",
    [
        b'{"text": "one", "other": "one"}',  # which of them is it?
        b'{"x\\"text":"one","text":"\\u006fne"}',  # the name only ends like it
        b'{"note": "one"}',
    ],
)
def test_nothing_is_learnt_where_the_place_of_the_text_is_not_sure(data: bytes) -> None:
    alike = Alike(b"text")
    alike.learn(data, "one")
    assert alike.text(data) is None


def test_events_that_never_come_alike_are_soon_only_read() -> None:
    alike = Alike(b"text")
    for number in range(TRIES + 1):
        alike.learn(b'{"text": "one", "n": %d}' % number, "one")
    assert alike.text(b'{"text": "one", "n": %d}' % (TRIES - 1)) is None


def test_bytes_that_are_no_text_break_the_stream_also_where_all_around_is_the_same() -> None:
    reading = reader(openai, False)
    good = openai_event("word", True)
    reading.read("", good)
    with pytest.raises(StreamBroken):
        reading.read("", good.replace(b"word", b"w\xff"))
