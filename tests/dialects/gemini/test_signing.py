"""Gemini's language: signatures of other providers, on their way through a caller who speaks it."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dialects.gemini.conversations import read
from fairlead.chat import Message, Text, Thinking, ToolCall
from fairlead.dialects.gemini.signing import MARK, unwrap, wrap


@given(
    some.text(some.characters(codec="utf-8")),
    some.sampled_from(["anthropic", "responses"]),
    some.booleans(),
    some.none() | some.text(some.characters(codec="utf-8")),
)
def test_what_is_wrapped_comes_back(signature: str, origin: str, redacted: bool, id: str | None):
    wrapped = wrap(Thinking("", signature, origin, redacted, id))
    assert wrapped is not None
    assert wrapped.startswith(MARK)
    for said in (wrapped, base64.urlsafe_b64encode(base64.b64decode(wrapped)).decode().rstrip("=")):
        signed = unwrap(said, "gemini")
        assert (signed.signature, signed.origin, signed.redacted, signed.id) == (signature, origin, redacted, id)


def test_googles_own_signatures_travel_bare():
    assert wrap(ToolCall("a", "f", "{}", "YQ==", "gemini")) == "YQ=="
    assert unwrap("YQ==", "gemini").origin == "gemini"
    assert wrap(Thinking("Hm.")) is None


@pytest.mark.parametrize("said", [MARK, MARK + "!", MARK + "/w==", MARK + base64.b64encode(b"anthropic").decode()])
def test_what_only_looks_like_one_of_ours_is_googles(said: str):
    assert unwrap(said, "gemini").origin == "gemini"


def thought(text: str, signature: str | None = None) -> dict:
    return {"text": text, "thought": True} | ({"thoughtSignature": signature} if signature else {})


def model(*parts: dict) -> dict:
    return {"role": "model", "parts": list(parts)}


WRAPPED = wrap(Thinking("", "c2ln", "anthropic")) or ""


def test_reasoning_that_was_streamed_in_pieces_is_whole_again():
    whole = Message("assistant", (Thinking("Let me see.", "c2ln", "anthropic"), Text("Yes.")))
    pieces = [thought("Let me "), thought("see."), thought("", WRAPPED), {"text": "Yes."}]
    assert read(model(*pieces)).messages == (whole,)
    assert read(*map(model, pieces)).messages == (whole,)


def test_what_is_redacted_or_signed_by_itself_takes_no_pieces():
    redacted = wrap(Thinking("", "c2ln", "anthropic", redacted=True)) or ""
    own = thought("Hm.", WRAPPED)
    parts = read(model(thought("a"), thought("", redacted), own, thought("", WRAPPED))).messages[0].parts
    assert parts == (
        Thinking("a"),
        Thinking("", "c2ln", "anthropic", redacted=True),
        Thinking("Hm.", "c2ln", "anthropic"),
        Thinking("", "c2ln", "anthropic"),
    )


def test_turns_of_googles_own_stay_apart():
    assert len(read(model({"text": "a"}), model({"text": "b"})).messages) == 2
