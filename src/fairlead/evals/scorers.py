"""The scorers that a suite names, found and held against their options; and what becomes of those that fail.

A scorer is looked for in the suite's own `scorers.py`, among those that ship, and among the entry points of the group
`fairlead.scorers`. `scorers.py` is code of the operator and runs as such, in this process and with its rights: a suite
from elsewhere is to be read before it is run. What an option may be is said by the scorer's signature alone.

A scorer that raises gives no score: it is missing, which is counted apart; a target that fails scores 0.
"""

import inspect
import math
from collections.abc import Iterable, Mapping
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct

from fairlead.errors import ExtraMissing, FairleadError, SuiteInvalid
from fairlead.evals.asking import Asker
from fairlead.evals.cases import Case, Utility, digest
from fairlead.evals.patience import BesideDenied, PatientAsker
from fairlead.evals.sandbox import require
from fairlead.evals.suite import SCORERS_FILE, ScorerSettings, Suite
from fairlead.scoring.score import FileText, GoldUnfit, NoScore, Output, Score, Scorer

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
# Options of every scorer: which part of the case's gold it looks at; whether its score is told as the case's utility.
GOLD, UTILITY = "gold", "utility"


class Scored(Struct, frozen=True):
    """`score` None: it is missing, and `why` says who failed; `unfit`: it is the case that is wrong. `reasons`: what is
    known all the same of a score that is missing."""

    score: Score | None
    why: str = ""
    unfit: bool = False
    reasons: Mapping[str, Any] = {}


class Means(Struct, frozen=True):
    """What a scorer may be given besides an answer, by the name of a keyword argument of its own."""

    suite: Suite
    asker: Asker | None = None
    unsandboxed: bool = False


class _View(Struct, frozen=True):
    """A case whose gold is a part of what it has."""

    id: str
    vars: Mapping[str, Any]
    gold: Any


class Ready(Struct, frozen=True):
    """One scorer with its options. `version` changes with its settings and with its code."""

    name: str
    kind: str
    version: str
    call: Scorer
    part: str = ""
    is_utility: bool = False

    @property
    def asks(self) -> bool:
        """It waits for something: a model, or a process."""
        return inspect.iscoroutinefunction(self.call.func if isinstance(self.call, partial) else self.call)

    def plain(self, output: Output, case: Case) -> Scored:
        """Of a scorer that does not wait."""
        try:
            return self._worth(_told(self.call(output, self.view(case)), self.name), case)
        except Exception as error:  # noqa: BLE001
            return _missing(error, self.name)

    async def score(self, output: Output, case: Case) -> Scored:
        if not self.asks:
            return self.plain(output, case)
        try:
            said = await self.call(output, self.view(case))  # type: ignore[misc]
            return self._worth(_told(said, self.name), case)
        except Exception as error:  # noqa: BLE001
            return _missing(error, self.name)

    def failed(self, status: str, case: Case) -> Scored:
        """What an answer is worth that did not come, or not as it should: a flaky target is not rewarded for it."""
        return self._worth(Scored(Score(0.0, {"status": status})), case)

    def _worth(self, scored: Scored, case: Case) -> Scored:
        if not self.is_utility or scored.score is None:
            return scored
        value, utility = scored.score.value, case.utility or Utility()
        return Scored(Score(utility.of(value), {**scored.score.reasons, "score": value}))

    def view(self, case: Case) -> Case | _View:
        if not self.part:
            return case
        if not isinstance(case.gold, Mapping) or self.part not in case.gold:
            raise GoldUnfit(f"the gold has no part {self.part!r}")
        return _View(case.id, case.vars, case.gold[self.part])


def load(suite: Suite, asker: Asker | None = None, *, unsandboxed: bool = False) -> dict[str, Ready]:
    """By the names that the suite gives them. Raises SuiteInvalid: one is unknown, or its options are wrong; and
    ExtraMissing where one wants a sandbox and there is none."""
    means = Means(suite, None if asker is None else PatientAsker(asker), unsandboxed)
    own = _own(suite.folder / SCORERS_FILE)
    return {name: _ready(name, settings, means, own) for name, settings in suite.scorers.items()}


def check_gold(ready: Iterable[Ready], cases: Iterable[Case]) -> None:
    """That each scorer can do with the gold of each case, before anybody is asked. Raises SuiteInvalid."""
    plain = [one for one in ready if not one.asks]
    for case in cases:
        for turn in range(1, max(len(case.turns), 1) + 1):
            for one in plain:
                if (scored := one.plain(Output(""), case.at_turn(turn))).unfit:
                    at = f" at turn {turn}" if case.turns else ""
                    raise SuiteInvalid(f"case {case.id!r}{at}: {scored.why}")


def _own(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    spec = spec_from_file_location(f"fairlead_suite_{digest(str(file))}", file)
    if spec is None or spec.loader is None:
        raise SuiteInvalid(f"{file}: can't be loaded", file=str(file))
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SuiteInvalid(f"{file}: {type(error).__name__}: {error}", file=str(file)) from error
    return {name: one for name, one in vars(module).items() if inspect.isfunction(one) and not name.startswith("_")}


def _ready(name: str, settings: ScorerSettings, means: Means, own: Mapping[str, Any]) -> Ready:
    path = f"{means.suite.folder / 'suite.toml'}: scorers.{name}"
    function = _found(settings.kind, own, path)
    options = dict(settings.options)
    part = options.pop(GOLD, "")
    if not isinstance(part, str):
        raise SuiteInvalid(f"{path}.{GOLD}: expected text: the part of the gold that is looked at")
    is_utility = options.pop(UTILITY, False)
    if not isinstance(is_utility, bool):
        raise SuiteInvalid(f"{path}.{UTILITY}: expected true or false")
    given = _options(function, options, means, path)
    if "unsandboxed" in inspect.signature(function).parameters and not means.unsandboxed:
        require()  # before anybody is asked
    source = inspect.getsourcefile(function)
    code = digest(Path(source).read_text(encoding="utf-8")) if source else ""
    told = {key: value.text if isinstance(value, FileText) else value for key, value in given.items()}
    version = digest([settings.kind, part, told, code, *([UTILITY] if is_utility else [])])
    return Ready(name, settings.kind, version, partial(function, **given, **_means(function, means)), part, is_utility)


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
            names = ", ".join(sorted((GOLD, UTILITY, *(one.name for one in known))))
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


def _told(said: Any, name: str) -> Scored:
    """What a scorer gave: a Score, a number, or a number and its reasons."""
    if isinstance(said, Score):
        value, reasons = said.value, said.reasons
    else:
        value, reasons = said if isinstance(said, tuple) and len(said) == 2 else (said, {})
    if not isinstance(value, int | float) or not math.isfinite(value) or not isinstance(reasons, Mapping):
        return Scored(None, f"scorer {name} gave {str(said)[:100]!r}, which is no number with its reasons")
    return Scored(Score(float(value), reasons))


def _missing(error: Exception, name: str) -> Scored:
    if isinstance(error, ExtraMissing | ImportError | BesideDenied):  # it will not get better with the next answer
        raise error
    if isinstance(error, FairleadError):
        said = error.message
    else:
        said = str(error) if isinstance(error, GoldUnfit | NoScore) else f"{type(error).__name__}: {error}"
    reasons = error.reasons if isinstance(error, NoScore) else {}
    return Scored(None, f"scorer {name}: {said[:500]}", isinstance(error, GoldUnfit), reasons)
