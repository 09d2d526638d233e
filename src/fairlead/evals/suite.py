"""A folder with a `suite.toml` -> a Suite: its cases, prompts, scorers, and what its decision stands on.

One metric is primary and has a margin; guardrails must all hold; whatever else is scored is descriptive. Every setting
is checked here but the options of a scorer, which are held against the scorer itself. Knows no answers and no store.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from fairlead.config.sections import NAME, Section
from fairlead.config.tables import Reader
from fairlead.errors import SuiteInvalid
from fairlead.evals import prompts as prompting
from fairlead.evals.case_files import IDS, CasesSettings, read_cases
from fairlead.evals.cases import Case, digest
from fairlead.evals.prompts import AS_IT_IS, Prompt, read_prompt
from fairlead.evals.rubrics import read_rubric

FILE = "suite.toml"
SCORERS_FILE = "scorers.py"
TASKS = ("extraction", "classification", "summarisation", "conversation", "code", "grounded", "other")
ZONES = ("private", "contract", "public")


class Metric(Section, frozen=True, kw_only=True):
    """A score that a decision looks at. `margin`: how much less is still as good; `at_least`: a floor for its mean."""

    name: str = ""
    margin: float | None = None
    at_least: float | None = None


class ScorerSettings(Struct, frozen=True):
    """`kind` names the scorer, `options` are its own."""

    kind: str
    options: Mapping[str, Any]


class HoldoutSettings(Section, frozen=True, kw_only=True):
    """`share` of the cases is sealed; texts as alike as `near` or more (Jaccard, of word triples) stay together."""

    share: float = 0.5
    near: float = 0.8


class JudgeSettings(Section, frozen=True, kw_only=True):
    """Who judges, after which rubric (a file of the folder), how often; pairs are shown in both orders."""

    route: str = ""
    rubric: str = ""
    repeats: int = 1
    both_orders: bool = True
    params: dict[str, Any] = field(default_factory=dict)


class ConversationSettings(Section, frozen=True, kw_only=True):
    """Who plays the user where cases have a `user` instead of `turns`, and for how long."""

    user_route: str = ""
    persona: str = ""
    most_turns: int = 8
    params: dict[str, Any] = field(default_factory=dict)


class Written(Section, frozen=True, kw_only=True):
    """`suite.toml`, but for its named tables."""

    name: str = ""
    task: str = "other"
    about: str = ""
    zone: str = "private"
    licence: str = ""
    show_text: bool = True
    seed: int = 0
    repeats: int = 1
    params: dict[str, Any] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)
    cases: CasesSettings = CasesSettings()
    holdout: HoldoutSettings = HoldoutSettings()
    judge: JudgeSettings | None = None
    conversation: ConversationSettings = ConversationSettings()


class Suite(Struct, frozen=True, kw_only=True):
    """`prompts` has at least one; the first is asked unless another is named. `params` go into every question.

    `show_text` False: the licence of the cases keeps their text out of reports. `rubric` is the judge's file, `persona`
    that of a played user, "" where there is none. `hash` names all that was declared: settings, prompts, rubric,
    persona, scorers of its own, and every case.
    """

    name: str
    folder: Path
    task: str
    about: str
    zone: str
    licence: str
    show_text: bool
    seed: int
    repeats: int
    params: Mapping[str, Any]
    prompts: Mapping[str, Prompt]
    scorers: Mapping[str, ScorerSettings]
    primary: Metric
    guardrails: tuple[Metric, ...]
    holdout: HoldoutSettings
    judge: JudgeSettings | None
    rubric: str
    conversation: ConversationSettings
    persona: str
    cases: tuple[Case, ...]
    hash: str

    @property
    def prompt(self) -> Prompt:
        return next(iter(self.prompts.values()))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The primary one first."""
        return tuple(dict.fromkeys((self.primary.name, *(one.name for one in self.guardrails), *self.scorers)))


def read_suite(folder: Path) -> Suite:
    """Raises SuiteInvalid, with the file and the path or line in it; ExtraMissing where a format needs one."""
    file = folder / FILE if folder.is_dir() else folder
    if file.name != FILE or not file.is_file():
        raise SuiteInvalid(f"{folder}: no suite", hint=f"a suite is a folder with a {FILE}")
    folder = file.parent
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteInvalid(f"{file}: can't be read: {error}", file=str(file)) from error
    except tomllib.TOMLDecodeError as error:
        raise SuiteInvalid(f"{file}: not TOML: {error}", hint="check the line named above", file=str(file)) from error
    return _Reading(file, tables).suite()


class _Reading(Reader):
    """The tables of one `suite.toml`; every error is a SuiteInvalid that names the file and the path."""

    def __init__(self, file: Path, tables: dict[str, Any]) -> None:
        super().__init__(str(file), file.parent, with_secrets=False)
        self.tables = tables
        self.folder = file.parent

    def wrong(self, path: str, what: str, hint: str = "") -> SuiteInvalid:
        return SuiteInvalid(
            f"{self.where}: {path.lstrip('.')}: {what}", hint=hint, file=self.where, path=path.lstrip(".")
        )

    def suite(self) -> Suite:
        named = ("scorers", "primary", "guardrails")
        plain = {name: value for name, value in self.tables.items() if name not in named}
        self.refuse_unknown(self.tables, (*Written.__struct_fields__, *named), "")
        written = self.section(plain, Written, "")
        self._check(written)
        scorers = self._scorers()
        primary, guardrails = self._primary(scorers), self._guardrails(scorers)
        prompts = self._prompts(written.prompts)
        rubric = self._rubric(written.judge)
        played = written.conversation.persona
        persona = self._text(played, "conversation.persona") if played else ""
        cases = read_cases(written.cases, self.folder)
        for prompt in prompts.values():
            prompting.check(prompt, cases)
        return Suite(
            name=written.name or self.folder.resolve().name,
            folder=self.folder,
            task=written.task,
            about=written.about,
            zone=written.zone,
            licence=written.licence,
            show_text=written.show_text,
            seed=written.seed,
            repeats=written.repeats,
            params=written.params,
            prompts=prompts,
            scorers=scorers,
            primary=primary,
            guardrails=guardrails,
            holdout=written.holdout,
            judge=written.judge,
            rubric=rubric,
            conversation=written.conversation,
            persona=persona,
            cases=cases,
            hash=self._hash(prompts, rubric, persona, cases),
        )

    def _check(self, written: Written) -> None:
        said = {"task": (written.task, TASKS), "zone": (written.zone, ZONES), "cases.ids": (written.cases.ids, IDS)}
        for path, (value, allowed) in said.items():
            if value not in allowed:
                raise self.wrong(path, f"{value!r} is none", f"one of {', '.join(allowed)}")
        if written.name and not NAME.match(written.name):
            raise self.wrong("name", "not a name", "letters, digits and . _ : / - only, at most 100")
        bounds = {
            "repeats": (written.repeats, 1, 1000),
            "holdout.share": (written.holdout.share, 0, 0.95),
            "holdout.near": (written.holdout.near, 0.3, 1),
            "judge.repeats": (written.judge.repeats if written.judge else 1, 1, 100),
            "conversation.most_turns": (written.conversation.most_turns, 1, 200),
        }
        for path, (number, low, high) in bounds.items():
            if not low <= number <= high:
                raise self.wrong(path, f"{number} is not within {low} and {high}")

    def _scorers(self) -> dict[str, ScorerSettings]:
        tables = self.tables.get("scorers")
        if not isinstance(tables, dict) or not tables:
            raise self.wrong("scorers", "nothing is scored", "write [scorers.NAME] with kind = ...")
        found = {}
        for name, table in tables.items():
            path = f"scorers.{name}"
            if not NAME.match(name):
                raise self.wrong(path, "not a name", "letters, digits and . _ : / - only, at most 100")
            if not isinstance(table, dict):
                raise self.wrong(path, f"expected a table, got {type(table).__name__}")
            kind = table.get("kind", name)
            if not isinstance(kind, str):
                raise self.wrong(f"{path}.kind", "expected text")
            found[name] = ScorerSettings(kind, {key: value for key, value in table.items() if key != "kind"})
        return found

    def _primary(self, scorers: Mapping[str, ScorerSettings]) -> Metric:
        hint = 'write [primary] with metric = "NAME" and margin = 0.02'
        table = self.tables.get("primary")
        if not isinstance(table, dict) or not isinstance(table.get("metric"), str):
            raise self.wrong("primary", "a suite declares one metric that decides", hint)
        metric = self.section({"name" if key == "metric" else key: table[key] for key in table}, Metric, "primary")
        if metric.margin is None:
            raise self.wrong("primary.margin", "how much less would still be as good?", hint)
        return self._metric(metric, scorers, "primary")

    def _guardrails(self, scorers: Mapping[str, ScorerSettings]) -> tuple[Metric, ...]:
        found = []
        for name, metric in self.named(self.tables.get("guardrails", {}), Metric, "guardrails").items():
            if metric.margin is None and metric.at_least is None:
                raise self.wrong(f"guardrails.{name}", "it guards nothing", "give it a `margin` or `at_least`")
            found.append(self._metric(msgspec.structs.replace(metric, name=name), scorers, f"guardrails.{name}"))
        return tuple(found)

    def _metric(self, metric: Metric, scorers: Mapping[str, ScorerSettings], path: str) -> Metric:
        if metric.name not in scorers:
            raise self.wrong(path, f"no scorer is called {metric.name!r}", f"one of {', '.join(scorers)}")
        if metric.margin is not None and not metric.margin > 0:
            raise self.wrong(f"{path}.margin", f"must be more than 0, not {metric.margin}")
        return metric

    def _prompts(self, files: Mapping[str, str]) -> dict[str, Prompt]:
        if not files:
            return {AS_IT_IS.name: AS_IT_IS}
        return {name: read_prompt(self.folder / file, name) for name, file in files.items()}

    def _rubric(self, judge: JudgeSettings | None) -> str:
        if judge is None or not judge.rubric:
            return ""
        text = self._text(judge.rubric, "judge.rubric")
        read_rubric(text, str(self.folder / judge.rubric))
        return text

    def _text(self, file: str, path: str) -> str:
        try:
            return (self.folder / file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise self.wrong(path, f"{file} can't be read: {error}") from error

    def _hash(self, prompts: Mapping[str, Prompt], rubric: str, persona: str, cases: tuple[Case, ...]) -> str:
        own = self.folder / SCORERS_FILE
        declared = {name: value for name, value in self.tables.items() if name not in ("name", "about")}
        return digest(
            {
                "declared": declared,
                "prompts": {name: prompt.hash for name, prompt in prompts.items()},
                "rubric": rubric,
                **({"persona": persona} if persona else {}),
                "scorers": hashlib.sha256(own.read_bytes()).hexdigest() if own.is_file() else "",
                "cases": sorted((case.id, case.content_hash, case.gold_version) for case in cases),
                "weights": sorted((case.id, case.weight, case.cluster, case.tags) for case in cases),
            }
        )
