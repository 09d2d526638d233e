"""What is found on a machine becomes a configuration that is valid, commented, and holds no secret."""

import json
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cli.running import free_port, run
from fairlead import config
from fairlead.accounts import find_account
from fairlead.catalog.prices import find_price
from fairlead.catalog.providers import Provider
from fairlead.cli.discovery import USUAL, Found, Usual, find_servers, proposed, usual_servers
from fairlead.cli.init import compose
from fairlead.ids import now_us

SECRET = "sk-this-must-not-be-written"
PROVIDERS = proposed()
NO_KEYS: dict[str, str | None] = {row.env: None for row in PROVIDERS}


@contextmanager
def listening(body: bytes, status: int = 200) -> Iterator[int]:
    """Answers whatever is asked with `body`; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def models(*names: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}).encode()


def test_a_key_in_the_environment_becomes_a_backend_and_its_value_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "fairlead.toml"
    done = run("init", "-c", str(path), env={**NO_KEYS, "OPENAI_API_KEY": SECRET, "ANTHROPIC_API_KEY": SECRET})
    assert done.exit_code == 0, done.output
    text = path.read_text()
    assert SECRET not in text + done.output
    tables = tomllib.loads(text)
    assert tables["backends"]["openai"]["key"] == "env:OPENAI_API_KEY"
    assert tables["backends"]["anthropic"]["provider"] == "anthropic"
    assert {"invoices", "tickets", "chat"} == set(tables["routes"])
    assert "fairlead serve" in done.stderr and done.stdout == ""


def test_what_is_there_is_only_overwritten_by_force(tmp_path: Path) -> None:
    path = tmp_path / "fairlead.toml"
    path.write_text("# mine\n")
    refused = run("init", "-c", str(path), env=NO_KEYS)
    assert refused.exit_code == 1 and "--force" in refused.stderr and path.read_text() == "# mine\n"
    assert run("init", "-c", str(path), "--force", env=NO_KEYS).exit_code == 0
    assert "shipped:fairlead-nano" in path.read_text()


def test_where_nothing_is_found_the_shipped_models_are_served_and_a_provider_is_shown_as_a_comment() -> None:
    read = config.parse(compose([], []), base=Path.cwd())
    built_in = config.load(None)
    assert (read.engines, read.targets, read.routes) == (built_in.engines, built_in.targets, built_in.routes)
    assert "# [backends.openai]" in compose([], [])


def test_the_commented_example_is_good_when_it_is_uncommented() -> None:
    head, example = compose([], []).split("# --- a provider", 1)
    lines = (line.removeprefix("# ") for line in example.splitlines()[1:])
    read = config.parse(head + "\n".join(lines), base=Path.cwd(), with_secrets=False)
    assert read.routes["chat"].targets == ("gpt-5-mini",)


def test_everything_that_can_be_found_at_once_makes_one_valid_file() -> None:
    servers = [Found("ollama", "http://127.0.0.1:11434/v1", ("a/m:1", "b/m:1", "llama3.2"))]
    read = config.parse(compose(list(PROVIDERS), servers), base=Path.cwd(), with_secrets=False)
    assert read.backends["ollama"].zone == "private"
    assert all(read.backends[row.id].zone == "public" for row in PROVIDERS)
    assert {find_account(read, row.id).base_url for row in PROVIDERS} == {row.base_url for row in PROVIDERS}
    assert len(read.routes["chat"].targets) == len(PROVIDERS) + 1


@pytest.mark.parametrize("row", PROVIDERS, ids=lambda row: row.id)
def test_the_model_that_is_proposed_for_a_provider_has_a_known_price(row: Provider) -> None:
    assert find_price(row.price_list, row.model, now_us()) is not None


def test_the_usual_ports_are_those_of_the_catalog() -> None:
    assert [(one.name, one.port > 1023) for one in usual_servers()] == [(id, True) for id in USUAL]
    assert Usual("ollama", 11434) in usual_servers()


def test_a_server_of_models_is_found_with_what_it_has() -> None:
    with listening(models("llama3.2", "no good name\n", "qwen:0.5b")) as port:
        (found,) = find_servers([Usual("ollama", port), Usual("vllm", free_port())])
    assert found == Found("ollama", f"http://127.0.0.1:{port}/v1", ("llama3.2", "qwen:0.5b"))


def test_models_that_ollama_has_elsewhere_are_not_taken_for_private_ones() -> None:
    with listening(models("gpt-oss:120b-cloud", "glm-4.6:cloud", "llama3.2")) as port:
        (found,) = find_servers([Usual("ollama", port)])
    assert found.models == ("llama3.2",)


def test_the_price_of_a_found_server_is_left_to_the_operator_and_shown_how() -> None:
    text = compose([], [Found("vllm", "http://127.0.0.1:8000/v1", ("m",))])
    target = config.parse(text.replace("# price", "price"), base=Path.cwd()).targets["vllm-m"]
    assert target.price is not None
    assert config.parse(text, base=Path.cwd()).targets["vllm-m"].price is None


@pytest.mark.parametrize(
    ("body", "status"), [(b"<html>", 200), (models("m"), 404), (models(), 200), (b'{"data": 3}', 200), (b"\xff", 200)]
)
def test_any_other_server_on_a_usual_port_is_not_taken_for_one(body: bytes, status: int) -> None:
    with listening(body, status) as port:
        assert find_servers([Usual("vllm", port)]) == []
