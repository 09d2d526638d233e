"""What is typed wherever scores are compared: what is named, and what decides. The same argument and options for every
command, which gets them as one value. Knows nothing of what they name."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from msgspec import Struct

F = TypeVar("F", bound=Callable[..., Any])
SPLITS = ("dev", "holdout", "all")
FORMATS = ("table", "inspect", "lm-eval", "promptfoo")


class Typed(Struct, frozen=True, kw_only=True):
    """The argument and the options, as they were typed; None for what was not."""

    refs: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    format_: str | None = None
    metric: str | None = None
    margin: float | None = None
    guardrails: tuple[str, ...] = ()
    tag: str | None = None
    split: str = "all"
    common: bool = False
    confidence: float = 0.95
    seed: int = 0


def scored(refs: str = "RUN|FILE|NAME", *, rules: bool = True) -> Callable[[F], F]:
    """Gives a command the argument and the options that name scores and, with `rules`, those that say what decides. It
    is called with `typed`, which holds them; options of its own that are named as a field of `Typed` are in it too."""

    def decorated(command: F) -> F:
        @functools.wraps(command)
        def called(*args: Any, **options: Any) -> Any:
            said = {name: options.pop(name) for name in Typed.__struct_fields__ if name in options}
            return command(*args, typed=Typed(**said), **options)

        found = _from_files(_ruled(called) if rules else called)
        return click.argument("refs", nargs=-1, metavar=f"[{refs}]...")(found)  # type: ignore[return-value]

    return decorated


def _from_files(command: F) -> F:
    """Options that name files of anybody's numbers."""
    for option in (
        click.option(
            "--format",
            "format_",
            type=click.Choice(FORMATS),
            help="What the files are.  [default: what they look like]",
        ),
        click.option(
            "--from",
            "files",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="A table (CSV, JSONL, Parquet: item, model, score, and perhaps cluster) or "
            "another harness's log, whose candidates are compared; repeat it.",
        ),
    ):
        command = option(command)
    return command


def _ruled(command: F) -> F:
    """Options that say what decides."""
    for option in (
        click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn at random."),
        click.option(
            "--confidence",
            type=click.FloatRange(0.5, 1, min_open=True, max_open=True),
            default=0.95,
            show_default=True,
            help="Of the wider interval; one-sided bounds have it too.",
        ),
        click.option("--common", is_flag=True, help="Compare on the cases that both have, where one has more."),
        click.option(
            "--split",
            type=click.Choice(SPLITS),
            default="all",
            show_default=True,
            help="Only the open or the sealed cases of runs; each look at sealed ones is counted.",
        ),
        click.option("--tag", metavar="TAG", help="Only the cases that have this tag, such as category:maths."),
        click.option(
            "--guardrail",
            "guardrails",
            multiple=True,
            metavar="METRIC=MARGIN",
            help="A further metric that must not be worse by MARGIN, or METRIC>=FLOOR; repeat it.",
        ),
        click.option(
            "--margin", type=click.FloatRange(min=0), metavar="M", help="How much less is as good.  [default: 0.02]"
        ),
        click.option(
            "--metric", metavar="NAME", help="What decides.  [default: the suite's primary, the file's first]"
        ),
    ):
        command = option(command)
    return command
