"""Files and functions stay small enough to be read in one go."""

import ast

from rules.house import everything, nodes

MOST_LINES_IN_A_FILE = 500
MOST_LINES_IN_A_FUNCTION = 60


def test_no_file_is_longer_than_500_lines() -> None:
    long = {file.path: n for file in everything() if (n := file.text.count("\n")) > MOST_LINES_IN_A_FILE}
    assert not long


def test_no_function_is_longer_than_60_lines() -> None:
    long = [
        f"{file.path}:{node.lineno} {node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for file in everything()
        for node in nodes(file)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MOST_LINES_IN_A_FUNCTION
    ]
    assert not long
