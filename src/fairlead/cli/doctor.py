"""`fairlead doctor`: checks everything that serving needs, and says what to do about what is wrong."""

import asyncio

import click

from fairlead.cli import terminal
from fairlead.cli.findings import Finding
from fairlead.cli.inspections import inspect
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import as_json, note

COLUMNS = (("", "left"), ("what", "left"), ("found", "left"), ("hint", "left"))
FAILED = 1


@click.command()
@click.option("--offline", is_flag=True, help="Ask no backend.")
@as_json
@placed
@here
@click.pass_context
def doctor(ctx: click.Context, place: Place, offline: bool, wants_json: bool) -> None:
    """Check everything that serving needs. Ends with 1 where something would fail.

    Each backend is asked for its list of models, with its key; that costs nothing, and the key is never shown.
    """
    findings = asyncio.run(inspect(place, asks_backends=not offline))
    if wants_json:
        terminal.show_json(findings)
    else:
        terminal.show_table(COLUMNS, map(_row, findings), empty="nothing was checked")
        note(f"\n{_verdict(findings)}")
    if any(finding.level == "fail" for finding in findings):
        ctx.exit(FAILED)


def _row(finding: Finding) -> tuple[str, ...]:
    return (finding.level, finding.what, finding.found, finding.hint)


def _verdict(findings: list[Finding]) -> str:
    failed = sum(finding.level == "fail" for finding in findings)
    warned = sum(finding.level == "warn" for finding in findings)
    if failed:
        return f"{failed} of {len(findings)} checks failed."
    return f"Nothing stands in the way of serving{f'; {warned} warnings' if warned else ''}."
