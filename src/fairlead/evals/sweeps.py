"""A grid of prompts and parameters: `temperature=0,0.7` and `prompt=a.md,b.md` make four variants of each target.

A value is JSON where it can be read as such, else text. `prompt` names prompts of the suite, or files.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.errors import RequestInvalid
from fairlead.evals.prompts import Prompt, check, read_prompt
from fairlead.evals.suite import Suite

PROMPT = "prompt"
MOST = 256  # variants of one target
OURS = ("model", "messages", "stream", "tools")  # of a question: not a parameter


class Variant(Struct, frozen=True):
    """`label` tells it from the others, "" where there is one only."""

    label: str
    prompt: Prompt
    params: Mapping[str, Any]


def variants(suite: Suite, sweeps: Iterable[str]) -> list[Variant]:
    """Raises RequestInvalid, and SuiteInvalid where a prompt is none of the suite's cases'."""
    axes: dict[str, Sequence[str]] = {}
    for sweep in sweeps:
        name, mark, values = sweep.partition("=")
        name, found = name.strip(), [value.strip() for value in values.split(",")]
        if not name or not mark or not all(found):
            raise RequestInvalid(f"{sweep!r} is no sweep", hint="such as temperature=0,0.7 or prompt=a.md,b.md")
        if name in axes or name in OURS:
            raise RequestInvalid(f"{name!r} can't be swept{' twice' if name in axes else ''}", hint="name a parameter")
        if len(set(found)) < len(found):
            raise RequestInvalid(f"a value of {name!r} is there twice", hint="ask a case again with --repeats")
        axes[name] = found
    prompts = {value: prompt_named(suite, value) for value in axes.get(PROMPT, ())}
    grid = list(itertools.product(*([(name, value) for value in values] for name, values in axes.items())))
    if len(grid) > MOST:
        raise RequestInvalid(f"{len(grid)} variants are more than {MOST}", hint="sweep fewer at once")
    return [_variant(suite, point, prompts) for point in grid]


def _variant(suite: Suite, point: tuple[tuple[str, str], ...], prompts: Mapping[str, Prompt]) -> Variant:
    params = {name: _value(value) for name, value in point if name != PROMPT}
    prompt = next((prompts[value] for name, value in point if name == PROMPT), suite.prompt)
    return Variant(" ".join(f"{name}={value}" for name, value in point), prompt, params)


def prompt_named(suite: Suite, value: str) -> Prompt:
    """One of the suite's, or a file's. Raises RequestInvalid, SuiteInvalid."""
    if value in suite.prompts:
        return suite.prompts[value]
    path = next((path for path in (suite.folder / value, Path(value)) if path.is_file()), None)
    if path is None:
        known = ", ".join(name for name in suite.prompts if name)
        raise RequestInvalid(f"there is no prompt {value!r}", hint=f"a file, or one of the suite's: {known or 'none'}")
    prompt = read_prompt(path, value)
    check(prompt, suite.cases)
    return prompt


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
