"""What only certain files may do: read the environment, speak SQL, catch everything, tell the time, print."""

import ast
from collections.abc import Callable

import pytest

from rules.house import File, dotted, imports, nodes, product

# Where catching everything is right, and why. A path ends with "/" where the whole folder may.
CATCHES_ALL = {
    "src/fairlead/server/": "the server's edge: whatever breaks becomes a 500 with a call id, and the server lives on",
    "src/fairlead/evals/sandbox_driver.py": "tests of strangers' code raise whatever they like: that is the verdict",
    "src/fairlead/evals/recipes.py": "scorers are others' code, those that do not wait",
    "src/fairlead/evals/scorers.py": "scorers are others' code: whatever they raise, the score is missing and says why",
    "src/fairlead/wire/connection.py": "a bug of whoever takes an answer breaks off that answer, and says so",
    "src/fairlead/telemetry.py": "telemetry is optional: it never breaks what it watches",
}
READS_ENVIRONMENT = {
    "src/fairlead/config/": "the only place that reads settings",
    "src/fairlead/engines/llamacpp_child.py": "a process of its own, which tells OpenMP there how to wait",
}
TELLS_THE_TIME = {"src/fairlead/ids.py"}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
WALL_CLOCK = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}

# A library, and the only places that know it.
KNOWN_ONLY_IN = {
    "sqlalchemy": ("src/fairlead/store/",),
    "alembic": ("src/fairlead/store/",),
    "psycopg": ("src/fairlead/store/",),
    "sqlite3": ("src/fairlead/store/",),
    "prometheus_client": ("src/fairlead/telemetry",),
    "opentelemetry": ("src/fairlead/telemetry",),
    "xllamacpp": ("src/fairlead/engines/",),
    "huggingface_hub": ("src/fairlead/engines/",),
    "genai_prices": ("src/fairlead/catalog/",),
    "botocore": ("src/fairlead/signing/",),
    "google": ("src/fairlead/signing/",),
    "click": ("src/fairlead/cli/",),
    "rich": ("src/fairlead/cli/",),
    "starlette": ("src/fairlead/server/",),
    "uvicorn": ("src/fairlead/server/", "src/fairlead/cli/"),
}
KNOWN_NOWHERE = ("torch", "transformers", "pydantic", "httpx", "requests", "aiohttp", "yaml", "fastapi")


def offenders(is_wrong: Callable[[ast.AST], bool], allowed: object = ()) -> list[str]:
    return [
        f"{file.path}:{getattr(node, 'lineno', 0)}"
        for file in product()
        if not _may(file, allowed)
        for node in nodes(file)
        if is_wrong(node)
    ]


def _may(file: File, allowed: object) -> bool:
    return any(file.path == place or (place.endswith("/") and file.path.startswith(place)) for place in allowed)  # type: ignore[attr-defined]


def _catches_all(node: ast.AST) -> bool:
    if not isinstance(node, ast.ExceptHandler):
        return (
            isinstance(node, ast.Call)
            and dotted(node.func) in {"suppress", "contextlib.suppress"}
            and any(dotted(arg) in {"Exception", "BaseException"} for arg in node.args)
        )
    caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    broad = any(kind is None or dotted(kind) in {"Exception", "BaseException"} for kind in caught)
    return broad and not _ends_by_raising(node)


def _ends_by_raising(handler: ast.ExceptHandler) -> bool:
    """`except BaseException: clean up; raise` swallows nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_nothing_catches_everything_but_where_that_is_right() -> None:
    assert not offenders(_catches_all, CATCHES_ALL)


def test_only_config_reads_the_environment() -> None:
    assert not offenders(lambda node: dotted(node) in ENVIRONMENT, READS_ENVIRONMENT)


def test_the_wall_clock_is_read_in_one_place() -> None:
    assert not offenders(lambda node: isinstance(node, ast.Call) and dotted(node.func) in WALL_CLOCK, TELLS_THE_TIME)


def test_the_product_does_not_print() -> None:
    assert not offenders(lambda node: isinstance(node, ast.Call) and dotted(node.func) in {"print", "pprint"})


@pytest.mark.parametrize("library", KNOWN_ONLY_IN)
def test_a_library_is_known_in_its_own_place_only(library: str) -> None:
    assert not _importers(library, KNOWN_ONLY_IN[library])


@pytest.mark.parametrize("library", KNOWN_NOWHERE)
def test_the_product_does_without(library: str) -> None:
    assert not _importers(library, ())


def _importers(library: str, places: tuple[str, ...]) -> list[str]:
    return [
        f"{file.path}:{line}"
        for file in product()
        if not file.path.startswith(places or ("\0",))
        for name, line in imports(file)
        if name.partition(".")[0] == library
    ]
