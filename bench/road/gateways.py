"""The gateways that are measured: how each is installed, configured and started, and which processes' CPU time counts.

Peers get the leanest configuration that their documentation knows: no database, no observability, no logs, one
worker. Fairlead always runs with keys, budget, policies and ledger on, because it has no other way to run.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".peers"  # each in an environment of its own
READY_S = 120
PACKAGES = {"litellm": "litellm[proxy]", "tensorzero": "tensorzero", "charts": "vl-convert-python"}
PORTKEY = "@portkey-ai/gateway"


@dataclass
class Gateway:
    """A server under test. `plain` and `translated` are the models to ask for; the latter speaks Anthropic upstream.

    `counted` are the processes on the road, `aside` those that work beside it; `weight` is how much less load it gets,
    so that slow ones take no hour.
    """

    name: str
    port: int
    path: str = "/v1/chat/completions"
    headers: dict[str, str] = field(default_factory=dict)
    translated_headers: dict[str, str] = field(default_factory=dict)
    plain: str = "bench"
    translated: str = ""
    counted: tuple[int, ...] = ()
    aside: tuple[int, ...] = ()
    weight: int = 1
    version: str = ""
    ready_s: float = 0.0


Start = Callable[[Path, int], "contextlib.AbstractContextManager[Gateway]"]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextlib.contextmanager
def process(*command: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(timeout=40)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def descendants(pid: int) -> tuple[int, ...]:
    """The process and all that it has started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return tuple(found)


def wait_until_answers(gateway: Gateway, running: subprocess.Popen[bytes], log: Path) -> None:
    """The first 200 to a chat completion. Raises SystemExit with the gateway's own last words."""
    body = json.dumps({"model": gateway.plain, "messages": [{"role": "user", "content": "hi"}]}).encode()
    ends = time.perf_counter() + READY_S
    why: object = "nothing"
    while time.perf_counter() < ends and running.poll() is None:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{gateway.port}{gateway.path}",
            body,
            {"content-type": "application/json", **gateway.headers},
        )
        try:
            with urllib.request.urlopen(asked, timeout=10) as response:
                response.read()
                return
        except OSError as error:
            why = error
        time.sleep(0.05)
    said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
    raise SystemExit(f"{gateway.name} does not answer: {why}\n{said}")


# --- nginx ------------------------------------------------------------------------------------------------------------

NGINX = """worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_body_buffer_size 1m;
  upstream mock {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port}; keepalive_requests 100000000;
    location / {{
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Gateway]:
    if not shutil.which("nginx"):
        raise SystemExit("nginx is needed to compare with: apt install nginx-light")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    version = (
        subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr.rpartition("/")[2].strip()
    )
    with process("nginx", "-c", str(config), "-p", str(folder), stderr=subprocess.DEVNULL) as running:
        gateway = Gateway("nginx", port, version=version)
        wait_until_answers(gateway, running, folder / "error.log")
        gateway.counted = descendants(running.pid)[1:]
        yield gateway


# --- Fairlead ---------------------------------------------------------------------------------------------------------

FAIRLEAD = """
data_dir = "data"
[server]
listen = "127.0.0.1:{port}"
admin = "off"
[backends.openai]
kind = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"
zone = "private"
[backends.anthropic]
kind = "anthropic"
base_url = "http://127.0.0.1:{upstream}"
zone = "private"
[targets.plain]
backend = "openai"
model = "mock-1"
price = {{ input = 1, output = 2 }}
[targets.translated]
backend = "anthropic"
model = "claude-mock"
price = {{ input = 1, output = 2 }}
[routes.bench]
targets = ["plain"]
max_output_tokens = 1000
budget = "1000000usd/day"
[routes.translated]
targets = ["translated"]
max_output_tokens = 1000
budget = "1000000usd/day"
"""


@contextlib.contextmanager
def fairlead(folder: Path, upstream: int) -> Iterator[Gateway]:
    port = free_port()
    (folder / "fairlead.toml").write_text(FAIRLEAD.format(port=port, upstream=upstream))
    log = folder / "log"
    began = time.perf_counter()
    command = (sys.executable, "-m", "fairlead")
    with log.open("wb") as sink, process(*command, "serve", cwd=folder, stdout=sink, stderr=sink) as running:
        ready_s = _ready(port, began)
        new_key = [*command, "key", "new", "--name", "bench", "--budget", "1000000usd/day", "--json"]
        made = subprocess.run(new_key, cwd=folder, capture_output=True, check=True)
        headers = {"authorization": f"Bearer {json.loads(made.stdout)['secret']}"}
        gateway = Gateway("fairlead", port, headers=headers, translated="translated", ready_s=ready_s)
        wait_until_answers(gateway, running, log)
        steward, *rest = descendants(running.pid)
        gateway.counted = tuple(pid for pid in rest if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes())
        gateway.aside = (steward,)
        yield gateway


def _ready(port: int, began: float) -> float:
    while time.perf_counter() - began < READY_S:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2) as sock:
            sock.settimeout(5)
            sock.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            if b" 200 " in sock.recv(64):
                return time.perf_counter() - began
        time.sleep(0.01)
    raise SystemExit("fairlead was not ready in time")


# --- peers ------------------------------------------------------------------------------------------------------------


def python_with(name: str) -> Path:
    """The Python of an environment that has the package, made at first need."""
    home = PEERS / name
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        print(f"installing {PACKAGES[name]} into {home.relative_to(ROOT)} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", PACKAGES[name]], check=True)
        (home / "installed").touch()
    return python


def version_of(python: Path, name: str) -> str:
    asked = f"from importlib.metadata import version; print(version({name!r}))"
    return subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=True).stdout.strip()


LITELLM = """
model_list:
  - model_name: bench
    litellm_params: {{model: openai/mock-1, api_base: "http://127.0.0.1:{upstream}/v1", api_key: x}}
  - model_name: translated
    litellm_params: {{model: anthropic/claude-sonnet-4-5, api_base: "http://127.0.0.1:{upstream}", api_key: x}}
general_settings: {{master_key: sk-bench}}
litellm_settings: {{set_verbose: false, telemetry: false}}
"""


@contextlib.contextmanager
def litellm(folder: Path, upstream: int) -> Iterator[Gateway]:
    python = python_with("litellm")
    port = free_port()
    config = folder / "litellm.yaml"
    config.write_text(LITELLM.format(upstream=upstream))
    command = [str(python.parent / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONPATH": ""}
    log = folder / "log"
    with log.open("wb") as sink, process(*command, cwd=folder, env=environment, stdout=sink, stderr=sink) as running:
        headers = {"authorization": "Bearer sk-bench"}
        gateway = Gateway("litellm", port, headers=headers, translated="translated", weight=10)
        gateway.version = version_of(python, "litellm")
        wait_until_answers(gateway, running, log)
        gateway.counted = descendants(running.pid)
        yield gateway


TENSORZERO = """
[gateway]
observability.enabled = false
[models.bench]
routing = ["mock"]
[models.bench.providers.mock]
type = "openai"
model_name = "mock-1"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "none"
[models.translated]
routing = ["mock"]
[models.translated.providers.mock]
type = "anthropic"
model_name = "claude-sonnet-4-5"
api_base = "http://127.0.0.1:{upstream}/v1/messages"
api_key_location = "env::BENCH_KEY"
"""
# The wheel has a gateway of its own, meant for patching OpenAI's client; it listens on a free port.
TENSORZERO_START = """
import sys, time
from tensorzero.tensorzero import _start_http_gateway as start
gateway = start(config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False)
print(gateway.base_url, flush=True)
time.sleep(86400)
"""


@contextlib.contextmanager
def tensorzero(folder: Path, upstream: int) -> Iterator[Gateway]:
    python = python_with("tensorzero")
    config = folder / "tensorzero.toml"
    config.write_text(TENSORZERO.format(upstream=upstream))
    environment = {**os.environ, "BENCH_KEY": "x", "RUST_LOG": "error", "PYTHONPATH": ""}
    command = [str(python), "-c", TENSORZERO_START, str(config)]
    with process(*command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        assert running.stdout is not None
        base = next((line.strip() for line in running.stdout if line.startswith(b"http://")), b"").decode()
        if not base:
            raise SystemExit("TensorZero did not start")
        port, _, path = base.removeprefix("http://127.0.0.1:").partition("/")
        gateway = Gateway(
            "tensorzero",
            int(port),
            path=f"/{path}/chat/completions",
            plain="tensorzero::model_name::bench",
            translated="tensorzero::model_name::translated",
            version=version_of(python, "tensorzero"),
        )
        wait_until_answers(gateway, running, folder / "log")
        gateway.counted = descendants(running.pid)
        yield gateway


@contextlib.contextmanager
def portkey(folder: Path, upstream: int) -> Iterator[Gateway]:
    if not shutil.which("npm"):
        raise SystemExit("npm is needed for Portkey's gateway: apt install npm; or leave it out with --without portkey")
    home = PEERS / "portkey"
    package = home / "node_modules" / "@portkey-ai" / "gateway"
    if not package.exists():
        print(f"installing {PORTKEY} into {home.relative_to(ROOT)} …", file=sys.stderr)
        subprocess.run(["npm", "install", "--silent", "--prefix", str(home), PORTKEY], check=True)
    port = free_port()
    environment = {**os.environ, "NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}
    command = ["node", str(package / "build" / "start-server.js"), "--headless", f"--port={port}"]
    log = folder / "log"
    with log.open("wb") as sink, process(*command, cwd=folder, env=environment, stdout=sink, stderr=sink) as running:
        shown = {"authorization": "Bearer x", "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1"}
        gateway = Gateway(
            "portkey",
            port,
            headers={**shown, "x-portkey-provider": "openai"},
            translated_headers={**shown, "x-portkey-provider": "anthropic"},
            translated="claude-sonnet-4-5",
            weight=3,
            version=json.loads((package / "package.json").read_text())["version"],
        )
        wait_until_answers(gateway, running, log)
        gateway.counted = descendants(running.pid)
        yield gateway


GATEWAYS: dict[str, Start] = {
    "nginx": nginx,
    "fairlead": fairlead,
    "tensorzero": tensorzero,
    "portkey": portkey,
    "litellm": litellm,
}
