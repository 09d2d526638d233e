"""How the catalog's providers are shown: a table, one of them with what to paste, and the page `docs/providers.md`.

Write the page anew with `python -m fairlead.cli.providers > docs/providers.md`; a test tells when that is needed.
"""

from collections.abc import Iterable, Iterator

import click

from fairlead.catalog.providers import Provider, shipped_providers
from fairlead.cli.tables import inline, written

COLUMNS = (
    ("provider", "left"),
    ("name", "left"),
    ("speaks", "left"),
    ("tasks", "left"),
    ("key", "left"),
    ("zone", "left"),
    ("at", "left"),
)
HEAD = """\
# Providers

Who is known by name. `provider` and `key` are a whole backend; the rest comes from here: wire format, address, how the
key is shown, paths, quirks, zone. What the configuration says wins. `fairlead catalog providers ID` shows one of them
with what to paste.

```toml
[backends.groq]
provider = "groq"
key = "env:GROQ_API_KEY"
```

A word in braces is given in `vars`, such as `vars = { resource = "my-resource" }`. Servers of one's own need no key;
they are `private` only at an address of this machine, elsewhere `zone` must be said. Where several formats are spoken,
`kind` chooses another one than the first. Whoever is not here is asked with `kind`, `base_url` and `zone`: most servers
speak `openai`.

Amazon's and Google's services need no key either where their own tools find credentials: roles of machines and
clusters, profiles, SSO, federated identities, what `aws` and `gcloud` leave of a login. That takes an extra:
`pip install 'fairlead[bedrock]'` or `pip install 'fairlead[vertex]'`.

Claude on Vertex AI has no row: it wants the model in the URL and a version in the body, which Anthropic's own API has
not. GitHub Models has none: it was retired on July 30, 2026.

This page is made from `src/fairlead/catalog/data/providers.toml` by `python -m fairlead.cli.providers`. The last column
says what a row was held against on its day: its source, the provider's own SDK, or several clients' sources.

| provider | name | speaks | tasks | its key is usually in | at | source | checked |
|---|---|---|---|---|---|---|---|
"""
FOUND = {
    "aws": "without a key: signed with `aws`, or with what AWS's own tools find (pip install 'fairlead[bedrock]')",
    "google": "without `google`: what Google's own tools find (either: pip install 'fairlead[vertex]')",
}
CHECKED = {"page": "that page", "sdk": "its own SDK", "clients": "the sources of several clients"}
QUIRKS = """
## What differs

| provider | quirks | to know |
|---|---|---|
"""


def cells(row: Provider) -> tuple[str, ...]:
    """A row of the table on a terminal."""
    key = row.env or ("none" if row.keyless else row.auth)
    return (row.id, row.name, ", ".join(row.kinds), ", ".join(row.tasks), key, row.zone, row.base_url)


def example(row: Provider) -> str:
    """What to paste into a configuration, with what there is to know of it as comments."""
    return "".join(f"# {line}\n" for line in _facts(row)) + written({"backends": {row.id: _settings(row)}})


def page(rows: Iterable[Provider]) -> str:
    """All of it, as Markdown."""
    known = sorted(rows, key=lambda row: row.id)
    return HEAD + "".join(map(_line, known)) + QUIRKS + "".join(map(_difference, known))


def _facts(row: Provider) -> Iterator[str]:
    also = f"; `kind` may also be {', '.join(row.also)}" if row.also else ""
    yield f"{row.name}: {row.kind}{also}"
    if row.called:
        yield f"also called {', '.join(row.called)}"
    yield f"tasks: {', '.join(row.tasks)}"
    yield f"at {row.base_url}"
    for task, path in row.paths.items():
        yield f"{task} at {path}"
    if row.quirks:
        yield f"differs: {inline(row.quirks)}"
    if row.auth in FOUND:
        yield FOUND[row.auth]
    if row.note:
        yield row.note
    yield f"from {row.source}, {row.date}, checked against {CHECKED[row.checked]}"


def _settings(row: Provider) -> dict[str, object]:
    found: dict[str, object] = {"provider": row.id}
    if row.vars:
        found["vars"] = row.vars
    if row.auth == "google":
        found["google"] = {"credentials_file": "credentials.json"}
    elif not row.keyless:
        found["key"] = f"env:{row.env}" if row.env else "file:token"
    return found


def _line(row: Provider) -> str:
    ids = ", ".join(f"`{name}`" for name in (row.id, *row.called))
    source = f"[{row.date}]({row.source})"
    lists = f"{', '.join(row.kinds)} | {', '.join(row.tasks)}"
    return f"| {ids} | {row.name} | {lists} | {_key(row)} | `{row.base_url}` | {source} | {row.checked} |\n"


def _key(row: Provider) -> str:
    if row.auth == "google":
        return "a file, or where Google's tools look"
    if row.auth == "aws":
        return f"`{row.env}`, or where AWS's tools look"
    return f"`{row.env}`" if row.env else "no key" if row.keyless else "a token"


def _difference(row: Provider) -> str:
    if not row.quirks and not row.note:
        return ""
    quirks = f"`{inline(row.quirks)}`" if row.quirks else ""
    return f"| `{row.id}` | {quirks} | {row.note} |\n"


if __name__ == "__main__":
    click.echo(page(shipped_providers().values()), nl=False)
