"""How it is shown what is conserved between languages: a table, and the page `docs/languages.md`.

Write the page anew with `python -m fairlead.cli.languages > docs/languages.md`; a test tells when that is needed.
"""

from collections.abc import Iterable, Iterator

import click

from fairlead.cli.tables import inline
from fairlead.dialects.harmless import FIELDS
from fairlead.dialects.probes import (
    LANGUAGES,
    MODELS,
    QUIRKS,
    Fate,
    Finding,
    answer_findings,
    embedding_findings,
    request_findings,
    return_findings,
    stream_findings,
)
from fairlead.wire.eventstream import Frames
from fairlead.wire.sse import Event, Events

COLUMNS = (("topic", "left"), ("thing", "left"), ("caller", "left"), ("target", "left"), ("fate", "left"))
NAMES = {
    "openai": "OpenAI's chat completions",
    "responses": "OpenAI's Responses",
    "anthropic": "Anthropic's Messages",
    "gemini": "Gemini",
    "bedrock": "Bedrock's Converse",
}
TOPICS = {
    "request": "What is asked",
    "answer": "What is answered",
    "return": "What was signed, and comes back with the next turn",
    "embedding": "Embeddings",
}
HEAD = """\
# What is conserved between languages

Every application speaks one of five languages, and so does every target; any of them can meet. A caller and a target of
the same language understand each other byte for byte. For all others, this page says what becomes of each thing. It is
made by translating (`python -m fairlead.cli.languages`): a probe is said in the caller's language, read, said in the
target's and read again, and answers go the other way.

- **kept**: it arrives as it was meant.
- **refused**: the request is answered with 400 before anything is sent, naming the field and the routes that can. On a
  route with `lossy = true` it is left out instead, and told in the header `x-fairlead-dropped`.
- **left out**: it would mean nothing there; on every route it is left out, and told in that header.
- **let go**: left out without a word, since no answer reads differently for it (whose user it was, what a cache should
  keep), or since the caller's language has no place for it in an answer.
- **–**: the target has no word for it in an answer.

Answers are told whole and as streams; a cell says where a stream fares otherwise. What a language has no word for can't
be asked in it, and has no row. What goes to models by other ways than words (a JSON schema where the target has none)
is not told here: see [configuration](configuration.md).
"""
SETTINGS = """
A language is spoken by many, and not all of them take all of it. Here they are set so that they take what there is a
word for:

| target | set to |
|---|---|
"""
HARMLESS = """
## What no target misses

Some fields of a request don't change what is answered: where it is billed, kept, traced or cached, and how soon. A
target that speaks another language is asked without them, without a word. What bears on safety or on where data go is
not among them: guardrails, filters (unless they are switched off), regions, routing.

| language | what for | fields |
|---|---|---|
"""


def findings() -> list[Finding]:
    answered = [*answer_findings(), *stream_findings(_events)]
    return [*request_findings(), *answered, *return_findings(), *embedding_findings()]


def _events(language: str, stream: bytes) -> list[Event]:
    return (Frames() if language == "bedrock" else Events()).feed(stream)


def cells(finding: Finding) -> tuple[str, ...]:
    return (finding.topic, finding.probe, finding.caller, finding.target, finding.fate)


def page(found: Iterable[Finding]) -> str:
    """All of it, as Markdown: a section for each language that callers speak."""
    every = list(found)
    sections = (_section(language.DIALECT, every) for language in LANGUAGES)
    return "".join([HEAD, SETTINGS, *_settings(), *sections, HARMLESS, *_harmless()])


def _settings() -> Iterator[str]:
    yield from (f"| {dialect} | `{inline(quirks)}` |\n" for dialect, quirks in QUIRKS.items())
    yield from (f"| {dialect} | the model `{model}` |\n" for dialect, model in MODELS.items())


def _harmless() -> Iterator[str]:
    for dialect, fields in FIELDS.items():
        for purpose in sorted(set(fields.values())):
            named = ", ".join(f"`{field}`" for field in sorted(fields) if fields[field] == purpose)
            yield f"| {dialect} | {purpose} | {named} |\n"


def _section(caller: str, found: list[Finding]) -> str:
    mine = [one for one in found if one.caller == caller]
    streamed: dict[tuple[str, str], Fate] = {(one.probe, one.target): one.fate for one in mine if one.topic == "stream"}
    tables = (_table(topic, title, mine, streamed) for topic, title in TOPICS.items())
    return f"\n## A caller who speaks {NAMES[caller]}\n" + "".join(tables)


def _table(topic: str, title: str, mine: list[Finding], streamed: dict[tuple[str, str], Fate]) -> str:
    found = [one for one in mine if one.topic == topic]
    targets = list(dict.fromkeys(one.target for one in found))
    lines = list(_lines(found, targets, streamed if topic == "answer" else {}))
    if not lines:
        return ""
    way = "from" if topic == "answer" else "to"
    head = f"| {title} | " + " | ".join(f"{way} {target}" for target in targets) + " |"
    return "\n".join(["", head, "|---" * (len(targets) + 1) + "|", *lines, ""])


def _lines(found: list[Finding], targets: list[str], streamed: dict[tuple[str, str], Fate]) -> Iterator[str]:
    """A line for each thing that the caller's language has a word for."""
    for probe in dict.fromkeys(one.probe for one in found):
        fates: dict[str, Fate] = {one.target: one.fate for one in found if one.probe == probe}
        if any(fate != "no word" for fate in fates.values()):
            shown = (_cell(fates[target], streamed.get((probe, target), fates[target])) for target in targets)
            yield f"| {probe} | " + " | ".join(shown) + " |"


def _cell(fate: Fate, streamed: Fate) -> str:
    if streamed != fate:
        return f"{_cell(fate, fate)} ({_cell(streamed, streamed)} in streams)"
    return "–" if fate == "no word" else fate


if __name__ == "__main__":
    click.echo(page(findings()), nl=False)
