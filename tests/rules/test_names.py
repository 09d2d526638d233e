"""Names say what a thing is, and every file says what it is for."""

import ast
from pathlib import PurePath

from rules.house import everything, nodes, product

SAY_NOTHING = {"utils", "util", "base", "common", "helpers", "helper", "manager", "managers", "misc", "core"}


def test_no_module_or_folder_has_a_name_that_says_nothing() -> None:
    bad = [file.path for file in everything() if SAY_NOTHING & set(PurePath(file.path).with_suffix("").parts)]
    assert not bad


def test_every_file_says_what_it_is_for() -> None:
    silent = [file.path for file in everything() if file.text.strip() and not ast.get_docstring(file.tree)]
    assert not silent


def test_every_folder_of_the_product_says_what_it_is_for() -> None:
    silent = [file.path for file in product() if file.path.endswith("__init__.py") and not ast.get_docstring(file.tree)]
    assert not silent


def test_money_is_whole_nano_dollars() -> None:
    wrong = [
        f"{file.path}: {ast.unparse(node)}"
        for file in product()
        for node in nodes(file)
        if _is_money(node) and "float" in ast.unparse(node.annotation)  # type: ignore[attr-defined]
    ]
    assert not wrong


def _is_money(node: ast.AST) -> bool:
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target).endswith("_nusd")
    return isinstance(node, ast.arg) and node.arg.endswith("_nusd") and node.annotation is not None


def test_a_function_named_for_nano_dollars_gives_no_float() -> None:
    wrong = [
        f"{file.path}:{node.lineno} {node.name}"
        for file in product()
        for node in nodes(file)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.endswith("_nusd")
        and node.returns is not None
        and "float" in ast.unparse(node.returns)
    ]
    assert not wrong
