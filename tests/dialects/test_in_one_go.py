"""A conversation that is read in one go is read the same as one that must be read part by part."""

import json
from typing import Any

import pytest

from fairlead.dialects.probes import LANGUAGES, said_in
from fairlead.dialects.probes.asking import request_probes
from fairlead.dialects.reading import read_fields
from fairlead.errors import RequestInvalid

# What nobody knows yet, at the end of a conversation: because of it, all of it is read closely.
TOMORROW: dict[str, tuple[str, dict[str, Any]]] = {
    "openai": ("messages", {"role": "user", "content": [{"type": "of_tomorrow"}]}),
    "responses": ("input", {"type": "of_tomorrow"}),
    "anthropic": ("messages", {"role": "user", "content": [{"type": "of_tomorrow"}]}),
    "gemini": ("contents", {"role": "user", "parts": [{"ofTomorrow": {}}]}),
    "bedrock": ("messages", {"role": "user", "content": [{"ofTomorrow": {}}]}),
}
SAID = [(language, probe) for language in LANGUAGES for probe in request_probes()]


@pytest.mark.parametrize(("language", "probe"), SAID, ids=[f"{one.DIALECT} {probe.name}" for one, probe in SAID])
def test_what_follows_changes_nothing_of_what_was_said_before(language: Any, probe: Any) -> None:
    try:
        body = json.loads(said_in(language, probe.said(language.DIALECT)))
    except RequestInvalid:
        pytest.skip("this language has no word for it")
    name, strange = TOMORROW[language.DIALECT]
    at_once = language.read_chat(read_fields(json.dumps(body).encode()))
    body[name].append(strange)
    closely = language.read_chat(read_fields(json.dumps(body).encode()))
    assert _parts(closely)[: len(_parts(at_once))] == _parts(at_once)
    assert len(_parts(closely)) == len(_parts(at_once)) + 1


def _parts(chat: Any) -> list[Any]:
    """With whose they are; what an assistant says in a row may be one message or two."""
    return [(message.role, message.tool_call_id, part) for message in chat.messages for part in message.parts]
