"""`fairlead eval`: the tree of its commands, each found in the file that its row names."""

from importlib import import_module

import click

from fairlead.cli.lazy import Lazy

# Command -> what it is for.
COMMANDS: dict[str, str] = {
    "init": "Copy the worked example of a kind of task.",
    "collect": "Make a suite of what callers really asked.",
    "check": "Validate a suite, and show its split, its power and its leaks.",
    "run": "Ask a suite of targets or routes, and score what they answer.",
    "list": "List the last runs, the newest first.",
    "show": "Show what a run came to.",
    "score": "Score the answers of a run again.",
    "forget": "Remove a run.",
    "compare": "Compare candidates with a base: better, worse, equivalent or undecided.",
    "gate": "Say in one sentence whether a candidate may take the base's place.",
    "power": "Tell what difference cases could show, and how many a given one takes.",
    "noise": "Measure what changes by itself.",
    "import": "Keep the results of Inspect, lm-evaluation-harness or promptfoo, or a table, as a run.",
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
    "forget": "runs",
    "compare": "deciding",
    "gate": "deciding",
    "power": "planning",
    "noise": "planning",
    "import": "importing",
    "judge": "judge",
    "label": "label",
    "report": "reporting",
}


class Evaluations(Lazy):
    """Loads a command when it is asked for."""

    table = COMMANDS

    def load(self, name: str) -> click.Command:
        module = import_module(f"fairlead.cli.eval_{FILES[name]}")
        return getattr(module, name, None) or getattr(module, f"{name}_")


@click.group(cls=Evaluations)
def eval() -> None:
    """Measure models on suites of cases, and decide."""
