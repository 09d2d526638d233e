"""A scorer as it can be made again in another process, and what comes of asking one.

A scorer of the suite's own is known by the text of its file, not by the file: that may be edited while a run goes on.
Imports little, since each process that scores begins with it. Who decides what runs where is `scorers`.
"""

import math
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import Struct

from fairlead.errors import ExtraMissing, FairleadError
from fairlead.evals.cases import digest
from fairlead.scoring.score import GoldUnfit, NoScore, Output, Score

LONGEST_WHY = 500


class Scored(Struct, frozen=True):
    """`score` None: it is missing, and `why` says who failed; `reasons` is what is known of it all the same. `unfit`:
    it is the case that is wrong; `stuck`: the scorer had to be ended, or ended its process."""

    score: Score | None
    why: str = ""
    unfit: bool = False
    stuck: bool = False
    reasons: Mapping[str, Any] = {}


class View(Struct, frozen=True):
    """A case whose gold is a part of what it has."""

    id: str
    vars: Mapping[str, Any]
    gold: Any


class OwnFile(Struct, frozen=True):
    """A suite's file of scorers: where it lies, and what was in it."""

    path: str
    text: str

    def module(self) -> ModuleType:
        """It is run once in a process. Raises whatever it raises."""
        name = f"fairlead_suite_{digest([self.path, self.text])}"
        if (known := sys.modules.get(name)) is not None:
            return known
        module = ModuleType(name)
        module.__file__ = self.path
        sys.modules[name] = module  # as an import does, so that what it defines can look itself up
        try:
            exec(compile(self.text, self.path, "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
        return module


class Recipe(Struct, frozen=True):
    """`pickled` is a function with its options, which comes out of its module, or out of the suite's `own` file; `key`
    tells it from others."""

    name: str
    key: str
    pickled: bytes
    own: OwnFile | None = None

    def scorer(self) -> Callable[..., Any]:
        """Raises ImportError."""
        try:
            if self.own is not None:
                self.own.module()
            return pickle.loads(self.pickled)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise ImportError(f"scorer {self.name} can't be made again in a process of its own: {why}") from error


def recipe(name: str, scorer: Callable[..., Any], own: OwnFile | None) -> Recipe | None:
    """None: it can't be made again elsewhere, being made of what is only here."""
    try:
        pickled = pickle.dumps(scorer, pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None
    return Recipe(name, digest([name, pickled, own]), pickled, own)


def own_file(path: Path) -> OwnFile | None:
    """None: there is none. Raises OSError, UnicodeDecodeError."""
    return OwnFile(str(path), path.read_text(encoding="utf-8")) if path.is_file() else None


def scored(name: str, scorer: Callable[..., Any], output: Output, case: Any) -> Scored:
    """What comes of a scorer that does not wait. Raises what will not get better with the next answer."""
    try:
        return told(scorer(output, case), name)
    except Exception as error:  # noqa: BLE001
        return missing(error, name)


def told(said: Any, name: str) -> Scored:
    """What a scorer gave: a Score, a number, or a number and its reasons."""
    if isinstance(said, Score):
        value, reasons = said.value, said.reasons
    else:
        value, reasons = said if isinstance(said, tuple) and len(said) == 2 else (said, {})
    is_mapping = type(reasons) is dict or isinstance(reasons, Mapping)
    if not isinstance(value, int | float) or not math.isfinite(value) or not is_mapping:
        return Scored(None, f"scorer {name} gave {str(said)[:100]!r}, which is no number with its reasons")
    return Scored(said if type(said) is Score and type(value) is float else Score(float(value), reasons))


def missing(error: Exception, name: str) -> Scored:
    """Raises the error, where it will not get better with the next answer."""
    if isinstance(error, ExtraMissing | ImportError):
        raise error
    if isinstance(error, FairleadError):
        said = error.message
    else:
        said = str(error) if isinstance(error, GoldUnfit | NoScore) else f"{type(error).__name__}: {error}"
    reasons = error.reasons if isinstance(error, NoScore) else {}
    return Scored(None, f"scorer {name}: {said[:LONGEST_WHY]}", unfit=isinstance(error, GoldUnfit), reasons=reasons)
