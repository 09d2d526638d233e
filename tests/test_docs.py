"""What the documents say is so: settings, defaults, endpoints, error codes, commands, floors and links."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_origin

import click
import msgspec
import pytest

from fairlead import app, config, errors
from fairlead.cli.main import fairlead
from fairlead.dialects import anthropic, bedrock, gemini, openai, rerank, responses
from fairlead.dialects.quirks import (
    AnthropicQuirks,
    BedrockQuirks,
    GeminiQuirks,
    OpenAIQuirks,
    RerankQuirks,
    ResponsesQuirks,
)
from fairlead.gateway.call import Timeouts
from fairlead.server.admin import AdminListener
from fairlead.server.endpoints import ENDPOINTS
from fairlead.server.errors import STATUS
from fairlead.server.gemini import METHODS
from fairlead.server.office import CallFilter
from fairlead.server.steward import RESTART_ONLY
from fairlead.store import schema
from fairlead.wire.pool import Pool
from rules.house import ROOT, product

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md"))
)
OF_SCRIPTS = frozenset({"script_has_no_line"})  # of a backend that plays lines: for rehearsals


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", read(page), re.DOTALL | re.MULTILINE)


def rows(page: str) -> Iterator[list[str]]:
    """The cells of every row of every table."""
    for line in read(page).splitlines():
        if line.startswith("| ") and line.endswith(" |"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def parsed(text: str) -> config.Config:
    return config.parse(text, base=Path("/nowhere"), with_secrets=False)


# --- settings --------------------------------------------------------------------------------------------------------

[EXAMPLE] = blocks("docs/configuration.md", "toml")


@pytest.mark.parametrize("page", ["README.md", "docs/configuration.md"])
def test_every_configuration_that_is_shown_can_be_used(page: str, tmp_path: Path) -> None:
    (tmp_path / "lines.toml").write_text('[[lines]]\ntext = "hello"\n')
    (tmp_path / "google.json").write_text(
        '{"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"}'
    )
    for block in blocks(page, "toml"):
        settings = config.parse(block, source=str(tmp_path / "it.toml"), base=tmp_path, with_secrets=False)
        address = app.EngineAddress("http://127.0.0.1:1", "key")
        app.generation(settings, Pool(), dict.fromkeys(settings.engines, address))
        sent = [value for backend in settings.backends.values() for value in backend.headers.values()]
        assert all(value.isascii() for value in sent)


def test_the_example_shows_every_setting_there_is() -> None:
    shown = tomllib.loads(EXAMPLE)
    for name in ("data_dir", "timezone"):
        assert name in shown
    for name, kind in (("server", config.Server), ("store", config.StoreSettings)):
        assert missing(kind, [shown[name]]) == [], name
    named = {
        "backends": config.BackendSettings,
        "engines": config.EngineSettings,
        "targets": config.TargetSettings,
        "routes": config.RouteSettings,
        "budgets": config.BudgetSettings,
    }
    for name, kind in named.items():
        assert missing(kind, list(shown[name].values())) == [], name


def missing(kind: type[msgspec.Struct], tables: list[dict[str, Any]]) -> list[str]:
    """Settings of a section that none of its tables has, those of the tables inside it too."""
    found = [field.name for field in msgspec.structs.fields(kind) if not any(field.name in table for table in tables)]
    for field in msgspec.structs.fields(kind):
        for inner in [field.type, *get_args(field.type)]:
            if get_origin(inner) is None and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                below = [table[field.name] for table in tables if field.name in table]
                found += [f"{field.name}.{name}" for name in missing(inner, below)]
    return found


def test_what_the_example_shows_as_usual_is_the_default() -> None:
    settings = parsed(EXAMPLE)
    assert settings.server == config.Server()
    assert settings.store == config.StoreSettings()
    assert settings.timezone == config.Config(data_dir="").timezone
    assert msgspec.structs.replace(settings.engines["mini"], model="") == config.EngineSettings(model="")
    assert msgspec.structs.asdict(settings.targets["gpt"].timeouts) == msgspec.structs.asdict(Timeouts())
    assert settings.targets["gpt"].breaker == config.BreakerSettings()
    route, usual = settings.routes["invoices"], config.RouteSettings(targets=())
    assert (route.heartbeat_s, route.total_s, route.retry) == (usual.heartbeat_s, usual.total_s, usual.retry)


def test_the_settings_that_want_a_restart_are_marked() -> None:
    marked = {line.partition(" ")[0] for line in EXAMPLE.splitlines() if line.endswith("(restart)")}
    assert marked == {"data_dir", "[store]", *RESTART_ONLY}


QUIRKS = {
    "openai": OpenAIQuirks,
    "responses": ResponsesQuirks,
    "anthropic": AnthropicQuirks,
    "gemini": GeminiQuirks,
    "bedrock": BedrockQuirks,
    "rerank": RerankQuirks,
}


@pytest.mark.parametrize("kind", QUIRKS)
def test_every_quirk_has_its_row(kind: str) -> None:
    blocks = read("docs/configuration.md").split("\n\n")
    [table] = [block for block in blocks if block.startswith(f'| `kind = "{kind}"` |')]
    told = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(told) == sorted(QUIRKS[kind].__struct_fields__)


# --- HTTP ------------------------------------------------------------------------------------------------------------


def endpoints(page: str) -> set[tuple[str, str]]:
    return {pair for row in rows(page) for pair in re.findall(r"`(GET|POST|DELETE) ([^`?]+)", row[0])}


def served_by(method: str, path: str) -> tuple[str, str]:
    """The endpoint that takes a path: its own, or one that takes all below it."""
    stems = [stem for known, stem in ENDPOINTS if known == method and stem.endswith("/") and path.startswith(stem)]
    return (method, path) if (method, path) in ENDPOINTS else (method, next(iter(stems), ""))


def test_the_endpoints_are_those_that_are_served() -> None:
    told = endpoints("docs/http-api.md") - admin_endpoints()
    elsewhere = {("POST", "/v1/models/")}  # of Gemini, where its newer clients send what they sent to /v1beta
    assert {served_by(*one) for one in told} == set(ENDPOINTS) - admin_endpoints() - elsewhere
    assert "`/v1/models/…`" in read("docs/http-api.md")


def test_every_method_of_a_model_is_told() -> None:
    told = {path.rpartition(":")[2] for method, path in endpoints("docs/http-api.md") if ":" in path}
    assert told == set(METHODS)
    told = {path.rpartition("/")[2] for method, path in endpoints("docs/http-api.md") if path.startswith("/model/")}
    assert told == {"converse", "converse-stream", "count-tokens"}


def test_every_header_that_the_data_listener_knows_is_told() -> None:
    files = [file for file in product() if file.path.startswith("src/fairlead/server/")]
    known = {
        name
        for file in files
        for name in re.findall(r'b"((?:x-|request-id|retry-after|api-key)[a-z-]*)[":]', file.text)
    }
    assert {"x-fairlead-call", "retry-after", "x-api-key", "x-fairlead-dropped"} <= known
    told = set(re.findall(r"[a-z]+(?:-[a-z]+)+", read("docs/http-api.md")))
    assert known - told == set()


def admin_endpoints() -> set[tuple[str, str]]:
    premises = SimpleNamespace(secret=lambda _: b"")
    listener = AdminListener(SimpleNamespace(premises=premises))  # type: ignore[arg-type]  # it is only looked at
    found: set[tuple[str, str]] = set()
    for route in listener._application(trusted=True).routes:  # pyright: ignore[reportPrivateUsage]
        path = re.sub(r"\{(\w+)[^}]*\}", _placeholder, route.path)  # type: ignore[attr-defined]
        found |= {(method, path) for method in route.methods if method != "HEAD"}  # type: ignore[attr-defined]
    return found


def _placeholder(match: re.Match[str]) -> str:
    return match[1].upper()


def test_a_query_names_what_can_be_asked_for() -> None:
    [query] = re.findall(r"`GET /api/calls\?([^`]+)`", read("docs/http-api.md"))
    assert set(re.findall(r"(\w+)=", query)) == set(CallFilter.__struct_fields__)


def codes_by_status() -> dict[int, set[str]]:
    told = [row for row in rows("docs/http-api.md") if row[0].isdecimal()]
    return {int(row[0]): set(re.findall(r"`(\w+)`", row[1])) for row in told}


def test_every_code_that_is_told_exists_and_every_error_is_told_with_its_status() -> None:
    told = codes_by_status()
    of_callers = [kind for kind in STATUS if not issubclass(kind, errors.OperatorError)]
    abstract = (errors.TargetError, errors.PolicyDenied, errors.NotFound, errors.TargetRejected)
    for kind in of_callers:
        if kind not in abstract:
            assert kind.code in told[STATUS[kind][0]], kind
    known = {kind.code for kind in of_callers} | literal_codes()
    assert {code for codes in told.values() for code in codes} <= known


def test_every_code_that_the_road_raises_is_told() -> None:
    told = {code for codes in codes_by_status().values() for code in codes}
    assert literal_codes("dialects", "backends", "gateway") - {"lost"} - OF_SCRIPTS <= told


def literal_codes(*folders: str) -> set[str]:
    chosen = [file for file in product() if not folders or file.path.split("/")[2] in folders]
    return {code for file in chosen for code in re.findall(r'(?:\bcode=|_unavailable\(.*?)"(\w+)"', file.text)}


# --- the house -------------------------------------------------------------------------------------------------------


def test_the_floors_are_those_that_are_checked() -> None:
    [contract] = [
        contract
        for contract in tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    floors = [[name.strip(" ()") for name in layer.split("|")] for layer in contract["layers"]]
    there = {path.stem for path in (ROOT / "src/fairlead").iterdir()} - {"__main__"}
    built = [" | ".join(name for name in floor if name in there) for floor in floors]
    shown = next(block for block in blocks("docs/architecture.md", "") if block.startswith("cli\n"))
    assert shown.splitlines() == [floor for floor in built if floor]


LANGUAGES = (openai, responses, anthropic, gemini, bedrock)


def contract() -> dict[str, str]:
    """The names of a language's front: name -> who has it."""
    told = [row for row in rows("docs/architecture.md") if len(row) == 3 and row[1] in ("all", "some")]
    return {name: row[1] for row in told for name in re.findall(r"`(\w+)`", row[0])}


def test_every_language_has_the_names_of_the_contract() -> None:
    needed = {name for name, who in contract().items() if who == "all"}
    assert {language.DIALECT: needed - set(language.__all__) for language in LANGUAGES} == {
        language.DIALECT: set() for language in LANGUAGES
    }


def test_the_names_that_only_some_languages_have_are_there() -> None:
    named = {name for name, who in contract().items() if who == "some"}
    there = {name for language in (*LANGUAGES, rerank) for name in language.__all__}
    assert named and named <= there


def test_the_rooms_that_are_named_exist() -> None:
    [table] = [block for block in read("docs/architecture.md").split("\n\n") if block.startswith("| room |")]
    rooms = [room for line in table.splitlines() for room in re.findall(r"`([\w/.]+)`", line.split("|")[1])]
    assert len(rooms) > 15
    places = [ROOT / "src/fairlead" / room.replace("NAME", "openai") for room in rooms]
    assert [str(place) for place in places if not place.exists()] == []


def test_the_tables_of_the_store_that_are_named_exist() -> None:
    [row] = [row for row in rows("docs/architecture.md") if row[0] == "`fairlead.db`"]
    assert set(re.findall(r"`(\w+)`", row[1])) <= set(schema.metadata.tables)


# --- commands --------------------------------------------------------------------------------------------------------

COMMAND = re.compile(r"(?<![\w/.-])fairlead((?: [a-z][a-z-]*)*)((?: +--[a-z-]+)*)")


def commands_in(text: str) -> list[list[str]]:
    """What stands in code and calls the product: its words, then options."""
    return [match[1].split() + match[2].split() for match in COMMAND.finditer(text)]


def code_of(page: str) -> str:
    text = read(page)
    fenced = "\n".join(re.findall(r"^```(?:sh)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    inline = "\n".join(re.findall(r"`(fairlead [^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.M)))
    return fenced + "\n" + inline


def check_command(words: list[str]) -> str:
    """What is wrong with it; "" if it can be typed."""
    command: click.Command = fairlead
    context = click.Context(command)
    for word in words:
        if word.startswith("--"):
            known = {option for parameter in command.params for option in parameter.opts}
            if word not in known | {"--help"}:
                return f"{word} is no option of {command.name}"
        elif isinstance(command, click.Group):
            below = command.get_command(context, word)
            if below is None:
                return f"{command.name} has no {word}"
            command = below
    return ""


@pytest.mark.parametrize("page", [page for page in PAGES if page != "docs/cli.md"])
def test_every_command_that_is_shown_can_be_typed(page: str) -> None:
    wrong = {" ".join(words): check_command(words) for words in commands_in(code_of(page))}
    assert {shown: why for shown, why in wrong.items() if why} == {}


def test_every_command_that_a_hint_names_can_be_typed() -> None:
    quoted = [
        command
        for file in product()
        for command in re.findall(r"`(fairlead [a-z][^`\n]*)`", file.text)
        if not command.startswith("fairlead demo.")
    ]
    assert len(quoted) > 10
    wrong = {command: check_command(words) for command in quoted for words in commands_in(command)}
    assert {shown: why for shown, why in wrong.items() if why} == {}


@pytest.mark.parametrize("page", PAGES)
def test_every_target_of_make_that_is_named_exists(page: str) -> None:
    there = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+(?:-[a-z]+)*)", read(page), re.MULTILINE))
    assert named <= there


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    here = (ROOT / page).parent
    linked = [here / target for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", read(page))]
    named = re.findall(r"`((?:src|tests|docs|bench|models)/[\w/.-]+?)/?`", read(page))
    missing_files = [str(path) for path in (*linked, *(ROOT / name for name in named)) if not path.exists()]
    assert missing_files == []
