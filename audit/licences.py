"""Licences of what is installed, by their own word, against those that are allowed (`licences.toml`)."""

import tomllib
from importlib.metadata import Distribution
from pathlib import Path
from typing import NamedTuple

from license_expression import AND, OR, BaseSymbol, ExpressionError, get_spdx_licensing

RULES = Path(__file__).with_name("licences.toml")
_spdx = get_spdx_licensing()


class Rules(NamedTuple):
    allowed: frozenset[str]
    names: dict[str, str]  # what packages write instead of an SPDX expression
    seen: dict[tuple[str, str], str]  # what people read in a version of a package that says nothing clear


class Licence(NamedTuple):
    package: str
    version: str
    expression: str  # SPDX; "": unknown
    is_allowed: bool


def rules(path: Path = RULES) -> Rules:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    seen = {(name, one["version"]): one["licence"] for name, one in table["packages"].items()}
    return Rules(frozenset(table["allowed"]), table["names"], seen)


def of(distribution: Distribution, name: str, known: Rules) -> Licence:
    expression = known.seen.get((name, distribution.version)) or _said(distribution, known)
    return Licence(name, distribution.version, expression, bool(expression) and is_allowed(expression, known))


def is_allowed(expression: str, known: Rules) -> bool:
    """One of several that may be chosen is enough; all that hold together must be allowed."""
    try:
        return _holds(_spdx.parse(expression, validate=True), known)
    except ExpressionError:
        return False


def _holds(tree: object, known: Rules) -> bool:
    if isinstance(tree, OR):
        return any(_holds(part, known) for part in tree.args)
    if isinstance(tree, AND):
        return all(_holds(part, known) for part in tree.args)
    return isinstance(tree, BaseSymbol) and str(tree) in known.allowed


def _said(distribution: Distribution, known: Rules) -> str:
    """The expression, else what the classifiers say, else the free text; "" where none of it is a known name."""
    metadata = distribution.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classified = [
        text.rpartition(" :: ")[2] for text in metadata.get_all("Classifier") or () if text.startswith("License ::")
    ]
    named = [known.names[text] for text in classified if text in known.names]
    if named and len(named) == len([text for text in classified if text != "OSI Approved"]):
        return " OR ".join(sorted(set(named)))
    text = next(iter((metadata.get("License") or "").strip().splitlines()), "")
    return known.names.get(text, text if _is_spdx(text) else "")


def _is_spdx(text: str) -> bool:
    try:
        return bool(text) and _spdx.parse(text, validate=True) is not None
    except ExpressionError:
        return False
