"""What a run is going to ask: candidates, cases and repeats, in an order that is always the same; and all that must be
known to ask it again.

A candidate is a route (or a target), a prompt and parameters. What stands behind its route has an identity, which
changes with the model, its parameters and where it is asked, so that an answer is only ever taken for another of the
same. Whoever lets a provider move a model under its name asks anew (`--no-cache`).
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from fairlead import __version__
from fairlead.evals.cases import Case, digest
from fairlead.evals.prompts import Prompt, messages
from fairlead.gateway.routes import OF_TARGET

SPLITS = ("dev", "holdout", "all")
# What makes an answer another one. Prices, limits and deadlines do not.
_OF_TARGET = ("model", "params", "structured")
_OF_BACKEND = ("kind", "provider", "base_url", "vars", "paths", "quirks", "script")
_OF_ENGINE = ("kind", "model", "context", "embeddings")
_OF_ROUTE = ("strategy", "targets", "lossy", "repair", "max_output_tokens")


class Candidate(Struct, frozen=True, kw_only=True):
    """`name` is what people and comparisons call it; `params` go into every question."""

    name: str
    route: str
    prompt: str = ""
    prompt_hash: str = ""
    params: Mapping[str, Any] = {}
    identity: str = ""


class Plan(Struct, frozen=True, kw_only=True):
    """As it stands in the store. `scorers` are their versions by name; `code` is this program's version, `config` the
    hash of the configuration that was in force; `imported` is what a file of another harness says of itself, where the
    run was made of one."""

    suite: str
    hash: str
    folder: str
    split: str = "dev"
    candidates: tuple[Candidate, ...]
    repeats: int = 1
    limit: int | None = None
    seed: int = 0
    zone: str = "private"
    max_cost_nusd: int | None = None
    uses_cache: bool = True
    streams: bool = False
    scorers: Mapping[str, str] = {}
    judge: str = ""
    rubric: str = ""
    code: str = __version__
    config: str = ""
    imported: Mapping[str, str] = {}


class Wanted(Struct, frozen=True):
    """One question of a plan."""

    candidate: Candidate
    case: Case
    repeat: int

    @property
    def key(self) -> tuple[str, str, int]:
        return self.candidate.name, self.case.id, self.repeat


def chosen(cases: Sequence[Case], plan: Plan, sealed: Collection[str]) -> list[Case]:
    """The cases of a plan's split, in the order in which they are asked."""
    sealed = frozenset(sealed)
    inside = [case for case in cases if plan.split == "all" or (case.id in sealed) == (plan.split == "holdout")]
    inside.sort(key=lambda case: case.id)
    random.Random(f"{plan.seed}/order").shuffle(inside)
    return inside if plan.limit is None else inside[: plan.limit]


def questions(plan: Plan, cases: Sequence[Case]) -> Iterator[Wanted]:
    """All of them. Candidates take turns, so that what changes with the hour of the day meets them alike."""
    for repeat in range(plan.repeats):
        for case in cases:
            for candidate in plan.candidates:
                yield Wanted(candidate, case, repeat)


def body(candidate: Candidate, prompt: Prompt, case: Case, common: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of it, but for its model. Raises SuiteInvalid."""
    said = {**common, **candidate.params, "messages": messages(prompt, case)}
    return said | ({"tools": [dict(tool) for tool in case.tools]} if case.tools else {})


def cache_key(candidate: Candidate, asked: Mapping[str, Any], repeat: int) -> str:
    """Of a question with all that it says: the same for the same asked of the same, and for no other repeat."""
    return digest([candidate.identity, candidate.route, asked, repeat], 32)


def identity(configuration: Mapping[str, Any], route: str) -> str:
    """Of what stands behind a route. `configuration` is in plain values."""
    name = route.removeprefix(OF_TARGET)
    settings = configuration["routes"].get(route)
    targets = settings["targets"] if settings is not None else [name]
    return digest(
        [
            _of(settings or {}, _OF_ROUTE),
            [_target(configuration, configuration["targets"][target]) for target in targets],
        ]
    )


def _target(configuration: Mapping[str, Any], target: Mapping[str, Any]) -> list[Any]:
    homes = [configuration["backends"][name] for name in (target["backend"], *target["backends"]) if name]
    engine = configuration["engines"].get(target["engine"])
    base = Path(configuration["source"]).parent if configuration["source"] else Path.cwd()
    return [
        _of(target, _OF_TARGET),
        [[*_of(home, _OF_BACKEND), _script(base, home["script"])] for home in homes],
        [*_of(engine, _OF_ENGINE), _model(base, engine["model"])] if engine else None,
    ]


def _of(table: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    return [table.get(name) for name in names]


def _script(base: Path, name: str) -> str | None:
    """What is in it, which is the same on another machine; None: it is none here."""
    try:
        return digest((base / Path(name).expanduser()).read_bytes()) if name else None
    except OSError:
        return None


def _model(base: Path, name: str) -> list[int] | None:
    """What tells a file from another one that has its name, without reading gigabytes; None: it is none here."""
    try:
        found = (base / Path(name).expanduser()).stat() if name else None
    except OSError:
        return None
    return None if found is None else [found.st_size, found.st_mtime_ns]
