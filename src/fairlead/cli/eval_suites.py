"""`fairlead eval init` and `check`: a suite to begin with, and what is to be known of one before anybody is asked."""

import asyncio
import shutil
from collections import Counter
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fairlead.cli import terminal
from fairlead.cli.findings import Finding
from fairlead.cli.terminal import as_json, note
from fairlead.errors import NotFound, OperatorError

if TYPE_CHECKING:
    from fairlead.evals.contamination import Leak
    from fairlead.evals.holdout import Split, Strength
    from fairlead.evals.scorers import Ready
    from fairlead.evals.suite import Suite

EXAMPLES = "fairlead.evals.examples"
MOST_TOLD = 5


@click.command(name="init")
@click.argument("kind", default="")
@click.argument("folder", default="", metavar="[FOLDER]")
def init_(kind: str, folder: str) -> None:
    """Copy the worked example of a KIND of task into a FOLDER of its own; without a KIND, list them."""
    from fairlead.evals.suite import read_suite

    with resources.as_file(resources.files(EXAMPLES)) as examples:
        kinds = sorted(path.name for path in examples.iterdir() if (path / "suite.toml").is_file())
        if not kind:
            for name in kinds:
                terminal.say(f"{name:16}{read_suite(examples / name).about}")
            return
        if kind not in kinds:
            raise NotFound(f"there is no example of {kind!r}", hint=f"one of {', '.join(kinds)}")
        target = Path(folder or kind)
        if target.exists():
            raise OperatorError(f"{target} is there already", hint="name another folder, which must not be there yet")
        shutil.copytree(examples / kind, target, ignore=shutil.ignore_patterns("__pycache__", "__init__.py"))
    note(f"{target}: `fairlead eval check {target}` tells what is in it")


@click.command()
@click.argument("suite", type=click.Path(path_type=Path))
@click.option(
    "--against",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Look for its cases in a file or folder too: training data, examples, documents of an index.",
)
@click.option(
    "--discordance",
    type=click.FloatRange(0, 1),
    default=0.06,
    show_default=True,
    metavar="SHARE",
    help="How many cases two good candidates decide differently; for the power of the hold-out.",
)
@as_json
def check(suite: Path, against: tuple[Path, ...], discordance: float, wants_json: bool) -> None:
    """Validate a SUITE, and show its split, what its hold-out could show, and where its cases have leaked to."""
    from fairlead.evals.contamination import search
    from fairlead.evals.holdout import split, strength
    from fairlead.evals.suite import read_suite

    found = read_suite(suite)
    ready = asyncio.run(_checked(found))
    parts = split(found)
    shown = strength(found, parts, discordance)
    leaks = search(found, against)
    findings = [*_of_suite(found), _of_split(parts), *_of_strength(shown), *_of_near(parts), *_of_leaks(leaks)]
    if "code_tests" in {one.kind for one in ready.values()}:
        findings.append(_of_sandbox())
    if wants_json:
        terminal.show_json(
            {
                "suite": found.name,
                "hash": found.hash,
                "split": parts,
                "strength": shown,
                "leaks": leaks,
                "findings": findings,
            }
        )
    else:
        rows = ((one.level, one.what, one.found) for one in findings)
        terminal.show_table((("", "left"), ("what", "left"), ("found", "left")), rows, empty="nothing")
        for one in findings:
            if one.hint:
                note(f"  {one.what}: {one.hint}")


async def _checked(suite: "Suite") -> "Mapping[str, Ready]":
    from fairlead.evals.examining import Examiners
    from fairlead.evals.scorers import check_gold, load

    async with Examiners() as examiners:
        ready = load(suite, unsandboxed=True, examiners=examiners)
        await check_gold(ready.values(), suite.cases)
        return ready


def _of_suite(suite: "Suite") -> list[Finding]:
    tags = Counter(tag for case in suite.cases for tag in case.tags)
    clusters = {case.cluster for case in suite.cases if case.cluster}
    said = [f"{len(suite.cases):,} cases"]
    if clusters:
        said.append(f"in {len({case.group for case in suite.cases}):,} clusters")
    if tags:
        said.append(", ".join(f"{tag} {count}" for tag, count in tags.most_common(MOST_TOLD)))
    guards = ", ".join(_metric(one) for one in suite.guardrails) or "none"
    findings = [
        Finding("ok", "suite", f"{suite.name}: {suite.task}, zone {suite.zone}, hash {suite.hash}"),
        Finding("ok", "cases", ", ".join(said)),
        Finding("ok", "prompts", ", ".join(f"{one.name or 'none'} {one.hash}" for one in suite.prompts.values())),
        Finding("ok", "decides", f"{_metric(suite.primary)}; guardrails: {guards}"),
        Finding("ok", "scorers", ", ".join(f"{name} ({one.kind})" for name, one in suite.scorers.items())),
    ]
    if (suite.folder / "scorers.py").is_file():
        hint = "read it before you run a suite from elsewhere"
        findings.append(Finding("warn", "scorers.py", "its code runs with your rights", hint))
    return findings


def _metric(metric: Any) -> str:
    said = [metric.name]
    if metric.margin is not None:
        said.append(f"margin {metric.margin:g}")
    if metric.at_least is not None:
        said.append(f"at least {metric.at_least:g}")
    return " ".join(said)


def _of_split(parts: "Split") -> Finding:
    return Finding("ok", "split", f"{len(parts.open):,} open, {len(parts.sealed):,} sealed")


def _of_strength(shown: "Strength | None") -> list[Finding]:
    if shown is None:
        hint = "[holdout] share = 0.5 keeps half of the cases from being tuned on"
        return [Finding("warn", "power", "nothing is sealed", hint)]
    said = (
        f"at a margin of {100 * shown.margin:g} points and {100 * shown.discordance:g} % discordance an equal "
        f"candidate passes with a probability of {100 * shown.power:.0f} % ({100 * shown.formula:.0f} % by the usual "
        "formula)"
    )
    if shown.is_enough:
        return [Finding("ok", "power", said)]
    more = "more than ten million" if shown.needed is None else f"about {shown.needed:,}"
    return [Finding("warn", "power", said, f"for 80 % {more} sealed cases are needed; or a wider margin")]


def _of_near(parts: "Split") -> list[Finding]:
    findings = []
    if parts.near:
        named = "; ".join(f"{one} ~ {other}" for one, other in parts.near[:MOST_TOLD])
        findings.append(Finding("ok", "duplicates", f"{len(parts.near):,} near-duplicates, on one side each: {named}"))
    if parts.across:
        named = "; ".join(f"{one} ~ {other}" for one, other in parts.across[:MOST_TOLD])
        hint = "give them one `cluster`, or take one out"
        findings.append(Finding("warn", "duplicates", f"{len(parts.across):,} have both sides: {named}", hint))
    return findings


def _of_leaks(leaks: "list[Leak]") -> list[Finding]:
    if not leaks:
        return [Finding("ok", "leaks", "none found")]
    return [
        Finding("warn", "leak", f"{one.case}: what is {one.part}, {one.kind} ({100 * one.share:.0f} %), in {one.where}")
        for one in leaks[: 4 * MOST_TOLD]
    ]


def _of_sandbox() -> Finding:
    from fairlead.evals.sandbox import HINT, available

    walls, why = available()
    if walls is None:
        return Finding("warn", "sandbox", f"none: {why}", HINT)
    return Finding("ok", "sandbox", walls)
