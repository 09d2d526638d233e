"""What the rules look at: every Python file of the house, parsed once. It knows no rule."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src"


class File(NamedTuple):
    path: str  # from the repository's root
    text: str
    tree: ast.Module

    @property
    def module(self) -> str:
        """`fairlead.gateway.call`, for a file under src."""
        parts = Path(self.path).with_suffix("").parts[1:]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def files(*folders: str) -> tuple[File, ...]:
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(_parse(path) for path in found)


@cache
def _parse(path: Path) -> File:
    text = path.read_text(encoding="utf-8")
    return File(path.relative_to(ROOT).as_posix(), text, ast.parse(text, filename=str(path)))


def product() -> tuple[File, ...]:
    return files("src")


def everything() -> tuple[File, ...]:
    return files("src", "tests", "models")


def nodes(file: File) -> tuple[ast.AST, ...]:
    """All of a file's syntax, flat; walked once, however many rules look at it."""
    return _nodes(file.path)


def imports(file: File) -> tuple[tuple[str, int], ...]:
    """Every absolute import, wherever it stands, with its line."""
    return _imports(file.path)


@cache
def _nodes(path: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(_parse(ROOT / path).tree))


@cache
def _imports(path: str) -> tuple[tuple[str, int], ...]:
    return tuple(_found_imports(_nodes(path)))


def _found_imports(found: tuple[ast.AST, ...]) -> Iterator[tuple[str, int]]:
    for node in found:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


def dotted(node: ast.AST) -> str:
    """`time.time` for the expression that says so, else ""."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""
