"""`fairlead eval`: the tree of its commands, each found in the file that its row names."""

from importlib import import_module
from typing import Any

import click

from fairlead.cli.lazy import Lazy
from fairlead.errors import ExtraMissing

# Command -> what it is for.
COMMANDS: dict[str, str] = {
    "init": "Copy the worked example of a kind of task.",
    "collect": "Make a suite of what callers really asked.",
    "check": "Validate a suite, and show its split, its power and its leaks.",
    "run": "Ask a suite of targets or routes, and score what they answer.",
    "list": "List the last runs, the newest first.",
    "show": "Show what a run came to.",
    "score": "Score the answers of a run again.",
    "keep": "Keep a run, however old it gets.",
    "forget": "Remove a run, or all old ones.",
    "compare": "Compare candidates with a base: better, worse, equivalent or undecided.",
    "gate": "Say in one sentence whether a candidate may take the base's place.",
    "power": "Tell what difference cases could show, and how many a given one takes.",
    "noise": "Measure what changes by itself.",
    "import": "Keep the results of Inspect, lm-evaluation-harness or promptfoo, or a table, as a run.",
    "prefer": "Have the judge say which of two candidates answers better, case by case.",
    "judge": "Show a judge's scores as people's labels correct them.",
    "label": "Label a random sample of answers, blind, in the terminal or on a web page.",
    "report": "Write what was found as one page of HTML, as Markdown or as a picture.",
}

# Command -> `cli/eval_NAME.py`, where it stands under its own name, with a `_` behind it where Python has that name.
FILES: dict[str, str] = {
    "init": "suites",
    "collect": "collect",
    "check": "suites",
    "run": "run",
    "list": "runs",
    "show": "runs",
    "score": "runs",
    "keep": "forgetting",
    "forget": "forgetting",
    "compare": "deciding",
    "gate": "deciding",
    "power": "planning",
    "noise": "planning",
    "import": "importing",
    "prefer": "prefer",
    "judge": "judge",
    "label": "label",
    "report": "reporting",
}


# What the commands stand on, and a plain installation has not got.
PACKAGES = frozenset("altair datasketch numpy pyarrow rouge_score sacrebleu scipy vl_convert zstandard".split())


class Evaluations(Lazy):
    """Loads a command when it is asked for; whatever one of them misses is told."""

    table = COMMANDS

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in PACKAGES:
                raise
            message = f"evaluation needs the package {package}, which is missing"
            raise ExtraMissing(message, hint="pip install 'fairlead[evals]'") from error

    def load(self, name: str) -> click.Command:
        module = import_module(f"fairlead.cli.eval_{FILES[name]}")
        return getattr(module, name, None) or getattr(module, f"{name}_")


@click.group(cls=Evaluations)
def eval() -> None:
    """Measure models on suites of cases, and decide."""
