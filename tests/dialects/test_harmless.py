"""What may be left out without a word, and what may not, however little it seems."""

import json
from typing import Any

import pytest
from msgspec import Raw

from fairlead.dialects.harmless import FIELDS, is_harmless
from fairlead.dialects.losses import Losses
from fairlead.dialects.probes import LANGUAGES, said_in
from fairlead.dialects.probes.asking import HELLO
from fairlead.dialects.reading import read_fields

NAMES = {language.DIALECT: language for language in LANGUAGES}
AWAY = [(caller, field) for caller, fields in FIELDS.items() for field in fields]


def asked(dialect: str, **fields: Any) -> Any:
    """A plain question in that language, with such fields."""
    language = NAMES[dialect]
    body = json.loads(said_in(language, HELLO)) | fields
    return language.read_chat(read_fields(json.dumps(body).encode()))


@pytest.mark.parametrize(("caller", "field"), AWAY, ids=[f"{caller} {field}" for caller, field in AWAY])
def test_a_harmless_field_keeps_a_request_from_nobody(caller: str, field: str) -> None:
    values = {"metadata": {"a": "b"}, "user": "u", "additionalModelResponseFieldPaths": ["/a"], "stream_options": {}}
    chat = asked(caller, **{field: values.get(field, True if field == "store" else "x")})
    for language in LANGUAGES:
        losses = Losses(language.LANGUAGE)
        said_in(language, chat, losses)
        assert field not in losses.told


@pytest.mark.parametrize(
    ("caller", "field", "value"),
    [
        ("bedrock", "guardrailConfig", {"guardrailIdentifier": "g", "guardrailVersion": "1"}),
        ("gemini", "safetySettings", [{"category": "c", "threshold": "BLOCK_LOW_AND_ABOVE"}]),
        ("anthropic", "inference_geo", "us"),
        ("anthropic", "context_management", {"edits": [{"type": "clear_tool_uses_20250919"}]}),
        ("openai", "provider", {"data_collection": "deny"}),
        ("openai", "logit_bias", {"5": -100}),
        ("responses", "truncation", "auto"),
    ],
)
def test_what_changes_an_answer_or_where_it_is_made_is_not_harmless(caller: str, field: str, value: object) -> None:
    others = asked(caller, **{field: value}).others
    assert not is_harmless(field, others[field], caller)


@pytest.mark.parametrize("said", ["OFF", "BLOCK_NONE", "HARM_BLOCK_THRESHOLD_UNSPECIFIED", ""])
def test_filters_that_are_switched_off_are_harmless(said: str) -> None:
    settings = Raw(json.dumps([{"category": "c", "threshold": said}]).encode())
    assert is_harmless("safetySettings", settings, "gemini")


def test_settings_of_filters_that_nobody_can_read_are_not_harmless() -> None:
    assert not is_harmless("safetySettings", Raw(b'"strict"'), "gemini")


@pytest.mark.parametrize("name", ["response", "responseJsonSchema", "response_json_schema"])
def test_what_a_tool_gives_back_need_not_be_described(name: str) -> None:
    declared = {"name": "f", "parametersJsonSchema": {"type": "object"}, name: {"type": "string"}}
    chat = asked("gemini", tools=[{"functionDeclarations": [declared]}])
    for language in LANGUAGES:
        losses = Losses(language.LANGUAGE)
        said_in(language, chat, losses)
        assert not losses.told


def test_how_a_tool_is_run_is_not_harmless() -> None:
    declared = {"name": "f", "behavior": "NON_BLOCKING"}
    [(path, raw)] = asked("gemini", tools=[{"functionDeclarations": [declared]}]).others.items()
    assert not is_harmless(path, raw, "gemini")


def test_a_field_is_harmless_in_the_mouth_of_who_speaks_its_language_alone() -> None:
    assert is_harmless("labels", Raw(b"{}"), "gemini")
    assert not is_harmless("labels", Raw(b"{}"), "openai")
    assert not is_harmless("metadata.inner", Raw(b"{}"), "openai")
