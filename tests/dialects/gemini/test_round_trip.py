"""Gemini's language: what both can say is conserved, and comes back as it went."""

from hypothesis import assume, given, settings

from dialects.gemini.conversations import body_of, conversations
from fairlead.chat import Chat
from fairlead.dialects import gemini
from fairlead.dialects.reading import read_fields


@settings(deadline=None, max_examples=300)
@given(conversations())
def test_a_conversation_comes_back_as_it_was_said(chat: Chat):
    assert gemini.read_chat(read_fields(body_of(chat, limit=chat.max_output_tokens))) == chat


@settings(deadline=None)
@given(conversations())
def test_the_road_reads_what_the_full_reading_reads(chat: Chat):
    request = gemini.read_request("chat", body_of(chat, limit=chat.max_output_tokens), route="r", stream=False)
    assert request.chat() == chat
    assert (request.samples, request.max_output_tokens) == (chat.samples, chat.max_output_tokens)
    assert ("tools" in request.needs) == bool(chat.tools)


@settings(deadline=None)
@given(conversations())
def test_what_is_passed_on_is_what_was_said(chat: Chat):
    body = body_of(chat, limit=chat.max_output_tokens)
    assume(not gemini.has_wrapped(body))  # what looks like another provider's signature is read first
    request = gemini.read_request("chat", body, route="r")
    passed = gemini.pass_request(request, model="m", max_output_tokens=10_000, params={}, quirks={})
    assert passed == body
