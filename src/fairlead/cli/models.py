"""`fairlead models`: the models that ship with the product and those of the configured targets, with what they cost."""

from typing import TYPE_CHECKING

import click
from msgspec import Struct

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.rehearsal import read_engine
from fairlead.cli.terminal import as_json
from fairlead.errors import FairleadError
from fairlead.ids import now_us

if TYPE_CHECKING:
    from fairlead.config import Config
    from fairlead.engines.gguf import Header

COLUMNS = (
    ("model", "left"),
    ("target", "left"),
    ("at", "left"),
    ("zone", "left"),
    ("parameters", "right"),
    ("context", "right"),
    ("size", "right"),
    ("in", "right"),
    ("out", "right"),
    ("problem", "left"),
)


class ModelShown(Struct, frozen=True):
    """`at` is the backend or engine; `target` is "" for a shipped model that none uses. Prices are nano-dollars per
    million tokens, None where they are unknown; so is what nobody but its provider knows of a model."""

    model: str
    target: str
    at: str
    zone: str
    parameters: int | None = None
    context: int | None = None
    size_bytes: int | None = None
    input_price_nusd: int | None = None
    output_price_nusd: int | None = None
    problem: str = ""


@click.command()
@as_json
@placed
@here
def models(place: Place, wants_json: bool) -> None:
    """Show the models that there are, and what they cost.

    Those of the configured targets, and those that ship with Fairlead. Prices are US dollars per million
    tokens, from the configuration or the catalog.
    """
    settings = place.settings(with_secrets=False)
    found = [*_of_targets(settings), *_unused(settings)]
    if wants_json:
        terminal.show_json(found)
    else:
        terminal.show_table(COLUMNS, map(_row, found), empty="no models")


def _of_targets(settings: "Config") -> list[ModelShown]:
    from fairlead.app import all_targets

    found: list[ModelShown] = []
    for name, target in all_targets(settings).items():
        engine = settings.targets[name].engine
        header, problem = _header(settings, engine) if engine else (None, "")
        price = target.price_at(now_us())
        found.append(
            ModelShown(
                model=settings.engines[engine].model if engine else target.model,
                target=name,
                at=", ".join(one.backend for one in target.accounts or (target,)),
                zone=target.zone,
                parameters=header.parameters if header else None,
                context=header.context if header else None,
                size_bytes=header.size_bytes if header else None,
                input_price_nusd=price.input if price else None,
                output_price_nusd=price.output if price else None,
                problem=problem,
            )
        )
    return found


def _header(settings: "Config", engine: str) -> "tuple[Header | None, str]":
    try:
        return read_engine(settings, engine), ""
    except FairleadError as error:
        return None, error.message


def _unused(settings: "Config") -> list[ModelShown]:
    from fairlead.engines.gguf import read_header
    from fairlead.engines.models import shipped

    used = {engine.model for engine in settings.engines.values()}
    rows: list[ModelShown] = []
    for model in shipped():
        if model.reference not in used:
            header = read_header(model.path)
            rows.append(
                ModelShown(
                    model=model.reference,
                    target="",
                    at="",
                    zone="private",
                    parameters=header.parameters,
                    context=header.context,
                    size_bytes=model.size_bytes,
                )
            )
    return rows


def _row(shown: ModelShown) -> tuple[str, ...]:
    return (
        shown.model,
        shown.target or "not used",
        shown.at or terminal.NOTHING,
        shown.zone,
        terminal.NOTHING if shown.parameters is None else f"{shown.parameters / 1_000_000:.1f} M",
        terminal.NOTHING if shown.context is None else f"{shown.context:,}",
        terminal.NOTHING if shown.size_bytes is None else terminal.size(shown.size_bytes),
        terminal.price(shown.input_price_nusd),
        terminal.price(shown.output_price_nusd),
        shown.problem,
    )
