"""What the probes find: nothing is changed in silence, and what every language can say comes through."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from fairlead.chat import Answer, Said, Text, Thinking
from fairlead.dialects.losses import Losses
from fairlead.dialects.probes import (
    LANGUAGES,
    Fate,
    Finding,
    answer_findings,
    embedding_findings,
    request_findings,
    return_findings,
    said_in,
    stream_findings,
)
from fairlead.dialects.probes.answering import answer_probes, told
from fairlead.dialects.probes.asking import request_probes
from fairlead.dialects.reading import read_fields
from fairlead.dialects.retelling import gathered
from fairlead.wire.eventstream import Frames
from fairlead.wire.sse import Events

# What may go without a word: hints to caches, ids of users, and whether reasoning is told where nobody asks for it.
HINTS = frozenset({
    "marks for the prompt cache", "such marks for an hour", "such marks on a system prompt", "such marks on tools",
    "such marks on results of tools", "end user", "that thinking is told", "that thinking is not told",
})  # fmt: skip
EVERYWHERE = (
    "text", "a system prompt", "tools", "tools without parameters", "a forced tool",
    "any tool", "no tool", "tool calls and results", "several tool calls at once", "results with images",
    "results with PDF documents", "results with texts and images in turn", "images", "PDF documents", "text documents",
    "output limit", "JSON schema", "temperature", "top_p", "effort", "no thinking",
    "a budget for thinking, by its nearest effort",
)  # fmt: skip
ANSWERED_EVERYWHERE = (
    "text", "tool calls", "text and several tool calls", "end by length", "end by a content filter",
    "what is said in a refusal", "generated images", "reasoning", "signed reasoning", "signed tool calls", "tokens in",
    "tokens out", "tokens read from the cache",
)  # fmt: skip


def split(language: str, body: bytes) -> Iterable[tuple[str, bytes]]:
    return (Frames() if language == "bedrock" else Events()).feed(body)


ASKED = request_findings()
ANSWERED = answer_findings()
STREAMED = stream_findings(split)
RETURNED = return_findings()
EMBEDDED = embedding_findings()


def fates(findings: list[Finding], probe: str) -> set[Fate]:
    return {finding.fate for finding in findings if finding.probe == probe}


@pytest.mark.parametrize("findings", [ASKED, ANSWERED, STREAMED, RETURNED, EMBEDDED])
def test_nothing_is_changed_in_silence(findings: list[Finding]) -> None:
    assert [finding for finding in findings if finding.fate == "changed"] == []


def test_only_hints_are_let_go_without_a_word() -> None:
    assert {finding.probe for finding in ASKED if finding.fate == "let go"} <= HINTS


@pytest.mark.parametrize("probe", EVERYWHERE)
def test_what_every_language_can_ask_comes_through(probe: str) -> None:
    assert fates(ASKED, probe) == {"kept"}


@pytest.mark.parametrize("probe", ANSWERED_EVERYWHERE)
@pytest.mark.parametrize("findings", [ANSWERED, STREAMED], ids=["whole", "streamed"])
def test_what_every_language_can_answer_comes_through(findings: list[Finding], probe: str) -> None:
    assert fates(findings, probe) == {"kept"}


def test_between_two_who_speak_alike_everything_that_can_be_said_is_kept() -> None:
    own = [one for one in (*ASKED, *ANSWERED, *STREAMED, *RETURNED, *EMBEDDED) if one.caller == one.target]
    other = {(one.probe, one.caller) for one in own if one.fate not in ("kept", "no word")}
    assert other == {("reasoning that another provider signed", language.DIALECT) for language in LANGUAGES}


def test_a_stream_loses_nothing_that_a_whole_answer_keeps() -> None:
    whole = {(one.probe, one.caller, one.target): one.fate for one in ANSWERED}
    lost = [one for one in STREAMED if one.fate != "kept" and whole[one.probe, one.caller, one.target] == "kept"]
    assert lost == []


def test_what_a_target_signed_comes_back_to_it_through_every_caller() -> None:
    own = [one for one in RETURNED if one.probe != "reasoning that another provider signed"]
    assert {one.fate for one in own} == {"kept", "no word"}
    assert fates(own, "reasoning that the target signed") == {"kept"}


def test_what_another_provider_signed_goes_to_nobody_else_and_is_told() -> None:
    assert fates(RETURNED, "reasoning that another provider signed") == {"left out"}


def test_files_that_lie_at_a_provider_go_to_nobody_else() -> None:
    for one in ASKED:
        if one.probe.endswith("lie at a provider") and one.fate != "no word":
            assert one.fate == ("kept" if one.caller == one.target else "refused")


def test_what_is_refused_is_left_out_and_told_where_the_route_is_lossy() -> None:
    probes = {probe.name: probe for probe in request_probes()}
    languages = {language.DIALECT: language for language in LANGUAGES}
    refused = [one for one in ASKED if one.fate == "refused"]
    assert refused
    for one in refused:
        caller, target = languages[one.caller], languages[one.target]
        asked = caller.read_chat(read_fields(said_in(caller, probes[one.probe].said(one.caller))))
        losses = Losses(target.LANGUAGE, lossy=True)
        target.read_chat(read_fields(said_in(target, asked, losses)))
        assert losses.told, one


@pytest.mark.parametrize("probe", answer_probes(), ids=lambda probe: probe.name)
def test_an_answer_told_in_pieces_is_the_same_answer(probe) -> None:
    answer = probe.answer("anthropic")
    assert probe.of(gathered(told(answer))) == probe.of(answer)


def test_a_signature_joins_the_reasoning_before_it() -> None:
    signed = Thinking("Hm.", "c2ln", "anthropic")
    answer = Answer(said=(Said((signed, Text("Yes."), replace(signed, text="More.")), "stop"),))
    assert gathered(told(answer)).said == answer.said
