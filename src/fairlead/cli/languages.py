"""How it is shown what is conserved between languages: a table, and the page `docs/languages.md`.

Write the page anew with `python -m fairlead.cli.languages > docs/languages.md`; a test tells when that is needed.
"""

from collections.abc import Iterable, Iterator

import click

from fairlead.dialects.probes import (
    LANGUAGES,
    Finding,
    answer_findings,
    embedding_findings,
    request_findings,
    return_findings,
)

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

What a language has no word for can't be asked in it, and has no row. What goes to models by other ways than words (a
JSON schema where the target has none) is not told here: see [configuration](configuration.md).
"""


def findings() -> list[Finding]:
    return [*request_findings(), *answer_findings(), *return_findings(), *embedding_findings()]


def cells(finding: Finding) -> tuple[str, ...]:
    return (finding.topic, finding.probe, finding.caller, finding.target, finding.fate)


def page(found: Iterable[Finding]) -> str:
    """All of it, as Markdown: a section for each language that callers speak."""
    every = list(found)
    return HEAD + "".join(_section(language.DIALECT, every) for language in LANGUAGES)


def _section(caller: str, found: list[Finding]) -> str:
    mine = [one for one in found if one.caller == caller]
    tables = (_table(title, [one for one in mine if one.topic == topic]) for topic, title in TOPICS.items())
    return f"\n## A caller who speaks {NAMES[caller]}\n" + "".join(tables)


def _table(title: str, found: list[Finding]) -> str:
    targets = list(dict.fromkeys(one.target for one in found))
    lines = list(_lines(found, targets))
    if not lines:
        return ""
    head = f"| {title} | " + " | ".join(f"to {target}" for target in targets) + " |"
    return "\n".join(["", head, "|---" * (len(targets) + 1) + "|", *lines, ""])


def _lines(found: list[Finding], targets: list[str]) -> Iterator[str]:
    """A line for each thing that the caller's language has a word for."""
    for probe in dict.fromkeys(one.probe for one in found):
        fates = {one.target: one.fate for one in found if one.probe == probe}
        if any(fate != "no word" for fate in fates.values()):
            shown = ("–" if fates[target] == "no word" else fates[target] for target in targets)
            yield f"| {probe} | " + " | ".join(shown) + " |"


if __name__ == "__main__":
    click.echo(page(findings()), nl=False)
