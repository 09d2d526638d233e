"""The scorers that a suite names, found and held against their options; and what becomes of those that fail.

A scorer is looked for in the suite's own `scorers.py`, among those that ship, and among the entry points of the group
`fairlead.scorers`. `scorers.py` is code of the operator and runs as such, with his rights: a suite from elsewhere is to
be read before it is run. What an option may be is said by the scorer's signature alone.

A scorer that raises gives no score: it is missing, which is counted apart; a target that fails scores 0. Scorers that
could hang, fall over or take long (those that somebody else wrote, or patterns of somebody else's) run in processes
apart, under a limit of time (`examining`); so do all of them for long answers.
"""

import asyncio
import inspect
from collections.abc import Iterable, Mapping
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from fairlead.errors import SuiteInvalid
from fairlead.evals.asking import Asker
from fairlead.evals.cases import Case, Utility, digest
from fairlead.evals.examining import Examiners
from fairlead.evals.patience import BesideDenied, PatientAsker
from fairlead.evals.recipes import OwnFile, Recipe, Scored, View, missing, own_file, recipe, scored, told
from fairlead.evals.sandbox import require
from fairlead.evals.suite import SCORERS_FILE, ScorerSettings, Suite
from fairlead.scoring.score import FileText, GoldUnfit, Output, Score, Scorer

GROUP = "fairlead.scorers"
SHIPPED: Mapping[str, str] = {
    "chrf": "fairlead.scoring.overlap",
    "code_tests": "fairlead.evals.code_tests",
    "citations": "fairlead.scoring.citations",
    "exact": "fairlead.scoring.exact",
    "json_fields": "fairlead.scoring.field_rules",
    "json_valid": "fairlead.scoring.json_valid",
    "label": "fairlead.scoring.label",
    "number": "fairlead.scoring.number",
    "pairwise": "fairlead.evals.judging",
    "regex": "fairlead.scoring.regex",
    "repetition": "fairlead.scoring.repetition",
    "rouge": "fairlead.scoring.overlap",
    "rubric": "fairlead.evals.judging",
    "similarity": "fairlead.evals.similarity",
    "terms": "fairlead.scoring.terms",
    "tool_calls": "fairlead.scoring.tool_calls",
}
FAILED = ("invalid", "refused", "timeout", "failed")  # statuses of an answer that score 0
# Options of every scorer: which part of the case's gold it looks at; whether its score is told as the case's utility;
# how long it may take over one answer.
GOLD, UTILITY, LIMIT = "gold", "utility", "limit_s"
LIMIT_S = 20.0
APART = frozenset(("chrf", "citations", "regex", "rouge"))  # they take long over some answers, or match a pattern
LONG = 10_000  # characters of an answer, from which on any scorer may take long
LONGEST_LIMIT_S = 86_400
AT_ONCE = 500  # cases whose golds are checked together
NOTHING = Output("")


class Means(Struct, frozen=True):
    """What a scorer may be given besides an answer, by the name of a keyword argument of its own."""

    suite: Suite
    asker: Asker | None = None
    unsandboxed: bool = False


class Ready(Struct, frozen=True):
    """One scorer with its options. `version` changes with its settings and with its code; `recipe` is what it can be
    made of elsewhere, `is_strange` that this house did not write it. `limit_s` 0: there is no limit. `asks`: it waits
    for something, a model or a process."""

    name: str
    kind: str
    version: str
    call: Scorer
    part: str = ""
    is_utility: bool = False
    limit_s: float | None = None
    recipe: Recipe | None = None
    is_strange: bool = False
    examiners: Examiners | None = None
    asks: bool = False  # by what it calls

    def __post_init__(self) -> None:
        function = self.call.func if isinstance(self.call, partial) else self.call
        force_setattr(self, "asks", inspect.iscoroutinefunction(function))

    @property
    def is_here(self) -> bool:
        """It waits for nobody, unless an answer is very long."""
        return not self.asks and not (self._leaves and self._is_slow)

    @property
    def _leaves(self) -> bool:
        """It may score in another process."""
        return self.examiners is not None and self.recipe is not None and self.limit_s != 0

    @property
    def _is_slow(self) -> bool:
        return self.is_strange or self.kind in APART

    def plain(self, output: Output, case: Case) -> Scored:
        """Of a scorer that does not wait, here and now."""
        try:
            view = self.view(case)
        except GoldUnfit as error:
            return missing(error, self.name)
        return self._worth(scored(self.name, self.call, output, view), case)

    def at_once(self, output: Output, case: Case) -> Scored | None:
        """None: somebody has to be waited for."""
        if self.asks or ((self._is_slow or len(output.text) > LONG) and self._leaves):
            return None
        return self.plain(output, case)

    async def score(self, output: Output, case: Case) -> Scored:
        if self.asks:
            return await self._asked(output, case)
        if (found := self.at_once(output, case)) is not None:
            return found
        assert self.examiners is not None and self.recipe is not None
        try:
            view = self.view(case)
        except GoldUnfit as error:
            return missing(error, self.name)
        limit_s = LIMIT_S if self.limit_s is None else self.limit_s
        return self._worth(await self.examiners.score(self.recipe, output, view, limit_s), case)

    async def _asked(self, output: Output, case: Case) -> Scored:
        limit = asyncio.timeout(self.limit_s or None)
        try:
            async with limit:
                said = await self.call(output, self.view(case))  # type: ignore[misc]
        except BesideDenied:
            raise
        except Exception as error:  # noqa: BLE001
            if limit.expired():
                return Scored(None, f"scorer {self.name} took longer than {self.limit_s:g} s", stuck=True)
            return missing(error, self.name)
        return self._worth(told(said, self.name), case)

    def failed(self, status: str, case: Case) -> Scored:
        """What an answer is worth that did not come, or not as it should: a flaky target is not rewarded for it."""
        return self._worth(Scored(Score(0.0, {"status": status})), case)

    def _worth(self, scored: Scored, case: Case) -> Scored:
        if not self.is_utility or scored.score is None:
            return scored
        value, utility = scored.score.value, case.utility or Utility()
        return Scored(Score(utility.of(value), {**scored.score.reasons, "score": value}))

    def view(self, case: Case) -> Case | View:
        """Raises GoldUnfit."""
        if not self.part:
            return case
        if not isinstance(case.gold, Mapping) or self.part not in case.gold:
            raise GoldUnfit(f"the gold has no part {self.part!r}")
        return View(case.id, case.vars, case.gold[self.part])


def load(
    suite: Suite, asker: Asker | None = None, *, unsandboxed: bool = False, examiners: Examiners | None = None
) -> dict[str, Ready]:
    """By the names that the suite gives them; without `examiners` all score in this process, for as long as they like.
    Raises SuiteInvalid: one is unknown, or its options are wrong; and ExtraMissing where one wants a sandbox and there
    is none."""
    means = Means(suite, None if asker is None else PatientAsker(asker), unsandboxed)
    own, functions = _own(suite.folder / SCORERS_FILE)
    return {name: _ready(name, settings, means, own, functions, examiners) for name, settings in suite.scorers.items()}


async def check_gold(ready: Iterable[Ready], cases: Iterable[Case]) -> None:
    """That each scorer can do with the gold of each case, and with an answer that is empty, before anybody is asked.
    Raises SuiteInvalid."""
    plain = [one for one in ready if not one.asks]
    ours, strange = [one for one in plain if not one.is_strange], [one for one in plain if one.is_strange]
    for case in cases:
        for turn in _turns(case):
            seen = case.at_turn(turn)
            for one in ours:
                _check(one.plain(NOTHING, seen), case, turn)
    asked = ((one, case, turn) for case in cases for turn in _turns(case) for one in strange)
    while some := list(islice(asked, AT_ONCE)):
        await asyncio.gather(*(_check_strange(*one) for one in some))


def _turns(case: Case) -> range:
    return range(1, max(len(case.turns), 1) + 1)


async def _check_strange(one: Ready, case: Case, turn: int) -> None:
    _check(await one.score(NOTHING, case.at_turn(turn)), case, turn)


def _check(found: Scored, case: Case, turn: int) -> None:
    at = f"case {case.id!r}" + (f" at turn {turn}" if case.turns else "")
    if found.unfit:
        raise SuiteInvalid(f"{at}: {found.why}")
    if found.stuck:
        raise SuiteInvalid(
            f"{at}: {found.why}, over an empty answer", hint=f"mend it; or give it longer: `{LIMIT}` in its settings"
        )


def _own(path: Path) -> tuple[OwnFile | None, Mapping[str, Any]]:
    """The suite's file, and what is a function in it."""
    try:
        own = own_file(path)
        found = vars(own.module()) if own is not None else {}
    except Exception as error:
        raise SuiteInvalid(f"{path}: {type(error).__name__}: {error}", file=str(path)) from error
    return own, {name: one for name, one in found.items() if inspect.isfunction(one) and not name.startswith("_")}


def _ready(
    name: str,
    settings: ScorerSettings,
    means: Means,
    own: OwnFile | None,
    functions: Mapping[str, Any],
    examiners: Examiners | None,
) -> Ready:
    path = f"{means.suite.folder / 'suite.toml'}: scorers.{name}"
    function = _found(settings.kind, functions, path)
    options = dict(settings.options)
    part = options.pop(GOLD, "")
    if not isinstance(part, str):
        raise SuiteInvalid(f"{path}.{GOLD}: expected text: the part of the gold that is looked at")
    is_utility = options.pop(UTILITY, False)
    if not isinstance(is_utility, bool):
        raise SuiteInvalid(f"{path}.{UTILITY}: expected true or false")
    limit_s = _limit(options.pop(LIMIT, None), path)
    given = _options(function, options, means, path)
    if "unsandboxed" in inspect.signature(function).parameters and not means.unsandboxed:
        require()  # before anybody is asked
    source = inspect.getsourcefile(function)
    is_own = settings.kind in functions
    code = own.text if is_own and own else Path(source).read_text(encoding="utf-8") if source else ""
    shown = {key: value.text if isinstance(value, FileText) else value for key, value in given.items()}
    version = digest([settings.kind, part, shown, digest(code) if code else "", *([UTILITY] if is_utility else [])])
    call = partial(function, **given, **_means(function, means))
    return Ready(
        name,
        settings.kind,
        version,
        call,
        part,
        is_utility,
        limit_s,
        None if inspect.iscoroutinefunction(function) else recipe(name, call, own if is_own else None),
        is_own or settings.kind not in SHIPPED,
        examiners,
    )


def _limit(said: Any, path: str) -> float | None:
    is_number = isinstance(said, int | float) and not isinstance(said, bool)
    if said is not None and not (is_number and 0 <= said <= LONGEST_LIMIT_S):
        raise SuiteInvalid(f"{path}.{LIMIT}: expected seconds, up to {LONGEST_LIMIT_S:,}; 0 is without a limit")
    return said


def _found(kind: str, own: Mapping[str, Any], path: str) -> Scorer:
    if kind in own:
        return own[kind]
    if kind in SHIPPED:
        return getattr(import_module(SHIPPED[kind]), kind)
    others = {point.name: point for point in entry_points(group=GROUP)}
    if kind in others:
        try:
            return others[kind].load()
        except Exception as error:
            raise SuiteInvalid(f"{path}: {others[kind].value}: {type(error).__name__}: {error}") from error
    known = ", ".join(sorted({*own, *SHIPPED, *others}))
    raise SuiteInvalid(f"{path}.kind: no scorer is called {kind!r}", hint=f"known here: {known}")


def _options(function: Scorer, options: Mapping[str, Any], means: Means, path: str) -> dict[str, Any]:
    """As the signature types them."""
    types = get_type_hints(function)
    parameters = inspect.signature(function).parameters.values()
    known = [one for one in parameters if one.kind is one.KEYWORD_ONLY and one.name not in MEANS]
    for name in options:
        if name not in {one.name for one in known}:
            names = ", ".join(sorted((GOLD, UTILITY, LIMIT, *(one.name for one in known))))
            raise SuiteInvalid(f"{path}.{name}: unknown option", hint=f"known here: {names}")
    for one in known:
        if one.default is one.empty and one.name not in options:
            raise SuiteInvalid(f"{path}.{one.name}: this scorer wants it")
    given: dict[str, Any] = {}
    for name, value in options.items():
        try:
            if isinstance(value, str) and FileText in _kinds(types.get(name)):
                given[name] = FileText(value, (means.suite.folder / value).read_text(encoding="utf-8"))
            else:
                given[name] = msgspec.convert(value, types.get(name, Any))
        except msgspec.ValidationError as error:
            raise SuiteInvalid(f"{path}.{name}: {error}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SuiteInvalid(f"{path}.{name}: {value} can't be read: {error}") from None
    return given


def _kinds(kind: Any) -> tuple[Any, ...]:
    return (kind, *getattr(kind, "__args__", ()))


MEANS = Means.__struct_fields__


def _means(function: Scorer, means: Means) -> dict[str, Any]:
    return {name: getattr(means, name) for name in MEANS if name in inspect.signature(function).parameters}
