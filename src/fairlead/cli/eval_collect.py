"""`fairlead eval collect`: a suite of what callers really asked, from the content that a route records."""

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.cli import terminal
from fairlead.cli.place import Place, here, placed
from fairlead.cli.spans import Since
from fairlead.cli.terminal import as_json, note
from fairlead.errors import NotFound, OperatorError

if TYPE_CHECKING:
    from fairlead.evals.collecting import Collection, Recording
    from fairlead.server.office import ContentShown
    from fairlead.server.remote import Desk

LOOKED_AT = 100_000  # calls, the newest

SUITE = """\
about = "Collected from route {route}"
zone = "{zone}"                 # no wider than the words were recorded in
show_text = false               # it is callers' text: it stays out of reports

# What was answered is no gold. Write `gold` into the cases, or a rubric, and choose scorers (docs/evaluation.md).
[scorers.like_before]
kind = "chrf"
gold = "recorded"

[primary]
metric = "like_before"
margin = 0.02
"""
WITHOUT_ANSWERS = ('kind = "chrf"\ngold = "recorded"', 'kind = "regex"\npattern = "\\\\S"')


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--route", required=True, metavar="NAME", help="Whose calls: a route with [routes.NAME.record].")
@click.option("--since", type=Since(), metavar="WHEN", help="1d, 12h, 2026-01-31.  [default: as far as they are kept]")
@click.option("--count", type=click.IntRange(1, 20_000), default=200, show_default=True, help="So many cases.")
@click.option("--seed", type=int, default=0, show_default=True, help="Draws the sample.")
@click.option(
    "--near",
    type=click.FloatRange(0.3, 1),
    default=0.8,
    show_default=True,
    help="Texts as alike as this are one case.",
)
@click.option(
    "--scrub",
    multiple=True,
    metavar="NAME=REGEX",
    help="Take this out too. E-mail addresses, phone, IBAN and card numbers, machines and keys are taken out always.",
)
@as_json
@placed
@here
def collect(
    place: Place,
    folder: Path,
    route: str,
    since: int | None,
    count: int,
    seed: int,
    near: float,
    scrub: tuple[str, ...],
    wants_json: bool,
) -> None:
    """Make a suite in FOLDER of what callers asked: a sample, without near-duplicates, scrubbed, bound to the zone that
    it was recorded in. That each recording was read is noted in the audit."""
    from fairlead.evals import collecting
    from fairlead.evals.scrubbing import Scrubber
    from fairlead.server.office import CallFilter

    if folder.exists():
        raise OperatorError(f"{folder} is there already", hint="name another folder, which must not be there yet")
    scrubber = Scrubber(dict(map(_pattern, scrub)))

    async def ask(desk: "Desk") -> "Collection":
        rows = await desk.calls(CallFilter(since_us=since or 0, route=route, status="ok", limit=LOOKED_AT))
        calls = [collecting.Spoken(row.id, row.route, row.session or "") for row in rows if row.task == "chat"]

        async def read(call: str) -> "Recording | None":
            return _recording(await desk.content(call))

        return await collecting.collect(calls, read, count=count, seed=seed, near=near, scrubber=scrubber)

    found = place.ask(ask, doing="eval collect")
    if not found.cases:
        raise NotFound(
            f"none of {found.looked_at:,} calls of {route} could be made a case: {_left_out(found) or 'there is none'}",
            hint=f"[routes.{route}.record] keeps what is said",
        )
    _write(folder, route, found)
    if wants_json:
        terminal.show_json(
            {name: getattr(found, name) for name in found.__struct_fields__ if name != "cases"}
            | {"cases": len(found.cases), "folder": str(folder)}
        )
        return
    note(f"{folder}: {len(found.cases):,} cases, zone {found.zone}, of {found.looked_at:,} calls that were looked at")
    note(f"left out: {_left_out(found) or 'none'}")
    taken = ", ".join(f"{number:,} {name}" for name, number in found.scrubbed.items())
    note(f"taken out of their words: {taken or 'nothing'}; names and places are not found: read it before you share it")


def _pattern(said: str) -> tuple[str, re.Pattern[str]]:
    name, is_there, text = said.partition("=")
    try:
        if not is_there or not re.fullmatch(r"[a-z][a-z0-9]*", name):
            raise click.BadParameter("NAME=REGEX, with a name of small letters", param_hint="--scrub")
        return name, re.compile(text)
    except re.error as error:
        raise click.BadParameter(f"{name}: {error}", param_hint="--scrub") from None


def _recording(shown: "list[ContentShown]") -> "Recording | None":
    from fairlead.evals.collecting import Recording

    parts = {one.kind: _bytes(one) for one in shown}
    if not parts:
        return None
    return Recording(parts.get("request", b""), parts.get("answer", b""), shown[0].zone)


def _bytes(one: "ContentShown") -> bytes:
    return base64.b64decode(one.body) if one.encoding == "base64" else one.body.encode()


def _left_out(found: "Collection") -> str:
    counts = {
        "not recorded": found.not_recorded,
        "with images or files": found.with_media,
        "unreadable": found.unreadable,
        "near-duplicates": found.duplicates,
    }
    return ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)


def _write(folder: Path, route: str, found: "Collection") -> None:
    """For its owner alone: it is what people said."""
    import msgspec

    has_answers = all("gold" in case for case in found.cases)
    text = SUITE.format(route=route, zone=found.zone)
    folder.mkdir(parents=True, mode=0o700)
    files = {
        "suite.toml": (text if has_answers else text.replace(*WITHOUT_ANSWERS)).encode(),
        "cases.jsonl": b"".join(msgspec.json.encode(case) + b"\n" for case in found.cases),
    }
    for name, data in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(data)
