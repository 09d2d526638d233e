"""OpenAI's Responses: whose reasoning is whose, also after a round trip through a caller."""

import pytest

from fairlead.chat import Thinking, ToolCall
from fairlead.dialects.responses.signing import Heard, hear, sign, sign_call
from fairlead.dialects.signatures import has_wrapped


@pytest.mark.parametrize(
    ("part", "said", "heard"),
    [
        (Thinking("Hm.", "gAAA=", "responses", id="rs_1"), "gAAA=", Heard("gAAA=", "responses")),
        (
            Thinking("Hm.", "gAAA=", "responses", id="rs_2"),
            '~fairlead:responses/id:["rs_2","gAAA="]',
            Heard("gAAA=", "responses", "id", "rs_2"),
        ),
        (
            Thinking("Hm.", "gAAA=", "responses"),
            '~fairlead:responses/id:["","gAAA="]',
            Heard("gAAA=", "responses", "id"),
        ),
        (Thinking("Hm.", "c2ln", "anthropic"), "~fairlead:anthropic:c2ln", Heard("c2ln", "anthropic")),
        (
            Thinking("Hm.", "c2ln", "azure", id="rs_9"),
            '~fairlead:azure/id:["rs_9","c2ln"]',
            Heard("c2ln", "azure", "id", "rs_9"),
        ),
        (
            Thinking("", "c2ln", "anthropic", redacted=True),
            '~fairlead:anthropic/redacted:["","c2ln"]',
            Heard("c2ln", "anthropic", "redacted"),
        ),
        (Thinking("Hm."), "~fairlead::", Heard(None, "")),
    ],
)
def test_reasoning_is_heard_as_it_was_signed(part, said, heard):
    assert sign(part, "rs_1") == said
    assert hear(said) == heard


def test_a_call_is_signed_by_its_id():
    call = ToolCall('a"b', "f", "{}", "c2ln", "gemini")
    assert hear(sign_call(call)) == Heard("c2ln", "gemini", "call", 'a"b')


def test_what_only_looks_like_ours_is_left_alone():
    assert hear("~fairlead:gemini/call:c2ln") == Heard("c2ln", "gemini/call")
    assert hear("~fairlead:c2ln") == Heard("~fairlead:c2ln", "responses")
    assert hear("gAAA:x/call:y") == Heard("gAAA:x/call:y", "responses")


def test_whatever_is_not_the_providers_own_can_be_found_in_a_body():
    import msgspec

    for part in (Thinking("Hm."), Thinking("Hm.", "c2ln", "gemini"), Thinking("", "x", "responses", id="rs_2")):
        assert has_wrapped(msgspec.json.encode({"encrypted_content": sign(part, "rs_1")}))
    assert not has_wrapped(msgspec.json.encode(sign(Thinking("", "gAAA=", "responses", id="rs_1"), "rs_1")))
