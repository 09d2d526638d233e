"""`fairlead eval label`: people's labels, in the terminal or on a web page of this machine; to a file, from a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.cli.eval_runs import opened
from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import note, say, warn

if TYPE_CHECKING:
    from fairlead.evals.labelling.desk import Desk, Setting
    from fairlead.evals.material import Named

GOOD = 0.6  # how well a good judge's scores correlate with people's
GOAL = 100


@click.command()
@click.argument("refs", nargs=-1, required=True, metavar="SUITE|RUN|RUN:CANDIDATE...")
@click.option("--metric", default="", metavar="NAME", help="What is labelled.  [default: what the judge scores]")
@click.option("--cases", "goal", type=click.IntRange(1), default=GOAL, show_default=True, help="So many, in all.")
@click.option("--by", default="", metavar="NAME", help="Who labels.  [default: who is logged in]")
@click.option("--again", is_flag=True, help="Also what others have labelled, so that your agreement is known.")
@click.option("--seed", type=int, help="Of the random order; another one is another sample.  [default: the suite's]")
@click.option("--web", is_flag=True, help="On a web page that only this machine can see.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of that page.  [default: a free one]")
@click.option("--export", "to_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the labels there.")
@click.option(
    "--import", "from_file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Take labels in."
)
@click.option("--suite", "folder", type=click.Path(path_type=Path, exists=True), help="Where the suite lies now.")
@placed
@here
def label(
    place: Place,
    refs: tuple[str, ...],
    metric: str,
    goal: int,
    by: str,
    again: bool,
    seed: int | None,
    web: bool,
    port: int,
    to_file: Path | None,
    from_file: Path | None,
    folder: Path | None,
) -> None:
    """Label a random sample of a run's answers, blind: they correct the judge.

    \b
    fairlead eval label suites/meetings            the last run of a suite
    fairlead eval label 0193a7 --web --cases 150   go on with the same sample, on a web page
    fairlead eval label suites/meetings --again --by ben
    fairlead eval label last:mini last:nano        which of two is better, side by side
    """
    from fairlead.evals.labelling.desk import Desk, Setting
    from fairlead.evals.material import named

    with opened(place) as store:
        material = named(store, refs, metric=metric, folder=folder)
        if to_file or from_file:
            _share(material, to_file, from_file)
            return
        setting = Setting(
            suite=material.suite.name,
            metric=material.metric,
            rubric=material.rubric,
            by=by or _who(),
            seed=material.suite.seed if seed is None else seed,
            goal=goal,
            pairs=material.pairs,
            again=again,
        )
        drawn = material.drawn(setting.seed)
        if drawn.changed:
            warn(f"{len(drawn.changed)} cases were mended or removed since: they are not shown")
        desk = Desk(setting, drawn, material.book)
        _announce(material, setting, desk)
        if web:
            _serve(desk, port)
        else:
            from fairlead.cli.label_terminal import label as label_here

            label_here(desk)
        _tell(material)


def _who() -> str:
    import getpass

    from fairlead.errors import OperatorError

    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:
        raise OperatorError("nobody knows who you are", hint="say it: --by NAME") from error


def _share(material: "Named", to_file: Path | None, from_file: Path | None) -> None:
    from fairlead.evals.labelling.sharing import read_lines, take_in, write_lines

    if from_file:
        taken = take_in(material.book, read_lines(from_file, material.suite.name, material.metric))
        note(f"{taken} labels taken in")
    if to_file:
        lines = list(write_lines(material.book.read()))
        to_file.write_bytes(b"".join(lines))
        note(f"{len(lines)} labels written to {to_file}")


def _announce(material: "Named", setting: "Setting", desk: "Desk") -> None:
    """What so many labels will be worth, before there are any."""
    from fairlead.stats.ppi import ENOUGH, worth

    found = desk.progress()
    n, others = found.goal, found.cases - found.goal
    what = f"{setting.suite}, {setting.metric}"
    note(f"{what}: {found.done} of {n} cases labelled ({found.cases} in all), now by {setting.by}")
    if n < ENOUGH:
        note(f"Below {ENOUGH} labelled cases the judge is not used: labels alone count.")
    elif others > 0:
        good = worth(n, others, GOOD)
        alone = f"±{_reach(n)} points at worst"
        note(f"{n} labels alone: {alone}; with a judge that correlates by {GOOD}: ±{_reach(good)}, as of {good:.0f}.")


def _reach(labels: float) -> str:
    """Of a share of a half, where it is widest."""
    return f"{100 * 1.96 * 0.5 / labels**0.5:.1f}"


def _tell(material: "Named") -> None:
    """How sure one can be by now; not of what, since who labels on should not know."""
    from fairlead.evals.correcting import corrected

    known = material.each_once
    for candidate in known.candidates:
        found = corrected(known, candidate)
        if found.ppi is None:
            note(found.why)
            return
        reach = 50 * (found.ppi.interval.high - found.ppi.interval.low)
        more = (
            "not even all labels would halve that"
            if found.ppi.more is None
            else f"{found.ppi.more} more would halve it"
        )
        note(f"{found.ppi.labels} labels, worth {found.ppi.effective:.0f}: ±{reach:.1f} points; {more}")
    note(f"what they say: fairlead eval judge {material.ref}")


def _serve(desk: "Desk", port: int) -> None:
    import socket

    import uvicorn

    from fairlead.server.labelling import new_token, page

    token = new_token()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        chosen = listening.getsockname()[1]
        config = uvicorn.Config(
            page(desk, token, chosen, lambda: setattr(server, "should_exit", True)),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        say(f"http://127.0.0.1:{chosen}/{token}/")
        note("open it in a browser of this machine; stop there with q, or here with Ctrl-C")
        server.run(sockets=[listening])
