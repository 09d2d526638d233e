"""What the road costs: a worker's CPU time per request and per streamed chunk, with keys, budget and ledger on.

`make bench` runs it. A mock upstream and a load generator, both bare protocols in processes of their own, stand
around a real `fairlead serve`; beside it, in the same rounds, the same load goes through nginx as a plain proxy where
nginx is installed, so that a ratio can be told (machines differ, and noisy ones differ by the minute). CPU time is
what the kernel booked for the process that serves (user and system). It prints a table, leaves it in docs/bench.md,
and writes build/bench.json.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
BODY = {"model": "bench", "messages": [{"role": "user", "content": "x" * 200}]}
CHUNKS = 40

CONFIG = """
data_dir = "data"
[server]
listen = "127.0.0.1:{port}"
admin = "off"
[backends.mock]
kind = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"
zone = "private"
[targets.mock]
backend = "mock"
model = "mock-1"
price = {{ input = 1, output = 2 }}
[routes.bench]
targets = ["mock"]
max_output_tokens = 100
budget = "1000000usd/day"
"""
NGINX = """ worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log crit; events {{
worker_connections 1024; }} http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path
{folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; upstream mock {{
server 127.0.0.1:{upstream}; keepalive 64; }} server {{ listen 127.0.0.1:{port}; keepalive_requests 100000000;
location / {{ proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
}} }}
"""


@dataclass
class Served:
    """A server under test: where it answers, what it wants, and the process whose CPU time counts."""

    name: str
    port: int
    key: str
    pid: int


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def request_bytes(served: Served, stream: bool) -> bytes:
    body = json.dumps({**BODY, "stream": stream}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {served.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def unary(served: Served, count: int, connections: int) -> list[float]:
    """Seconds of each request."""
    took: list[float] = []
    asked = request_bytes(served, stream=False)

    async def one(times: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        for _ in range(times):
            began = time.perf_counter()
            writer.write(asked)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            took.append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(one(count // connections) for _ in range(connections)))
    return took


async def streams(served: Served, count: int) -> None:
    asked = request_bytes(served, stream=True)

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(asked)
        await reader.readuntil(b"[DONE]")
        writer.close()

    await asyncio.gather(*(one() for _ in range(count)))


def wait_for(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing answers on port {port}")


def child_of(pid: int, word: str) -> int:
    """The child process whose command line has `word` in it."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid and word.encode() in (entry / "cmdline").read_bytes():
                    return int(entry.name)
    raise SystemExit(f"process {pid} has no child {word!r}")


@contextlib.contextmanager
def process(*command: str, **options: object):
    running = subprocess.Popen(command, **options)  # type: ignore[call-overload]
    try:
        yield running
    finally:
        running.terminate()
        running.wait()


@contextlib.contextmanager
def fairlead(folder: Path, upstream: int):
    port = free_port()
    (folder / "fairlead.toml").write_text(CONFIG.format(port=port, upstream=upstream))
    began = time.perf_counter()
    command = (sys.executable, "-m", "fairlead", "serve")
    with process(*command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        ready_s = wait_until_ready(port, began)
        made = subprocess.run(
            [sys.executable, "-m", "fairlead", "key", "new", "--name", "bench", "--json"],
            cwd=folder,
            capture_output=True,
            check=True,
        )
        yield Served("fairlead", port, json.loads(made.stdout)["secret"], child_of(running.pid, "worker")), ready_s


def wait_until_ready(port: int, began: float) -> float:
    while time.perf_counter() - began < 30:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2) as sock:
            sock.settimeout(5)
            sock.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            if b" 200 " in sock.recv(64):
                return time.perf_counter() - began
        time.sleep(0.01)
    raise SystemExit("fairlead was not ready within 30 s")


@contextlib.contextmanager
def nginx(folder: Path, upstream: int):
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, upstream=upstream))
    with process("nginx", "-c", str(config), "-p", str(folder), stderr=subprocess.DEVNULL) as running:
        wait_for(port)
        yield Served("nginx", port, "none", child_of(running.pid, "nginx"))


def measure(served: Served, requests: int, streamed: int) -> dict[str, float]:
    before = cpu_s(served.pid)
    took = asyncio.run(unary(served, requests, 32))
    unary_us = (cpu_s(served.pid) - before) / len(took) * 1e6
    alone = sorted(asyncio.run(unary(served, requests // 10, 1)))
    before = cpu_s(served.pid)
    asyncio.run(streams(served, streamed))
    chunk_us = (cpu_s(served.pid) - before) / (streamed * CHUNKS) * 1e6
    return {
        "unary_cpu_us": unary_us,
        "alone_p50_ms": alone[len(alone) // 2] * 1e3,
        "alone_p99_ms": alone[int(len(alone) * 0.99)] * 1e3,
        "chunk_cpu_us": chunk_us,
    }


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def table(medians: dict[str, dict[str, float]], extra: dict[str, float]) -> str:
    rows = [
        ("CPU per unary request (300 B), µs", "unary_cpu_us"),
        ("CPU per paced streamed chunk, µs", "chunk_cpu_us"),
        ("one connection, p50, ms", "alone_p50_ms"),
        ("one connection, p99, ms", "alone_p99_ms"),
    ]
    names = list(medians)
    ratio = " | ratio |" if len(names) > 1 else " |"
    lines = ["| | " + " | ".join(names) + ratio, "|---|" + "--:|" * (len(names) + (len(names) > 1))]
    for label, field in rows:
        cells = [f"{medians[name][field]:.3g}" for name in names]
        if len(names) > 1:
            cells.append(f"{medians['fairlead'][field] / medians['nginx'][field]:.2f}")
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    lines += [f"\n{label}: {value:.3g}" for label, value in extra.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=6000)
    parser.add_argument("--streams", type=int, default=100)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairlead-bench-")))
        upstream = free_port()
        stack.enter_context(process(sys.executable, str(ROOT / "bench" / "upstream.py"), str(upstream)))
        wait_for(upstream)
        ours, ready_s = stack.enter_context(fairlead(folder, upstream))
        servers = [ours]
        if shutil.which("nginx"):
            servers.append(stack.enter_context(nginx(folder, upstream)))
        rounds: dict[str, list[dict[str, float]]] = {served.name: [] for served in servers}
        for number in range(options.rounds):
            for served in servers if number % 2 == 0 else servers[::-1]:
                rounds[served.name].append(measure(served, options.requests, options.streams))
                print(number + 1, served.name, rounds[served.name][-1], file=sys.stderr)
        extra = {"time to ready, s": ready_s, "worker resident, MB": resident_mb(ours.pid)}
    medians = {
        name: {field: statistics.median(one[field] for one in many) for field in many[0]}
        for name, many in rounds.items()
    }
    said = table(medians, extra)
    print(said)
    title = (
        "# The road, measured\n\n`make bench`; medians of interleaved rounds; machines differ, so read the ratios.\n\n"
    )
    (ROOT / "docs" / "bench.md").write_text(title + said + "\n")
    write_goals(medians, ready_s)


def write_goals(medians: dict[str, dict[str, float]], ready_s: float) -> None:
    goals = [{"name": "serve ready without engines, s", "goal": "< 1.5", "value": ready_s, "met": ready_s < 1.5}]
    for name, figures in medians.items():
        goals += [
            {"name": f"{name} {field}", "goal": None, "value": value, "met": None} for field, value in figures.items()
        ]
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    (build / "bench.json").write_text(json.dumps({"goals": goals}, indent=1))


if __name__ == "__main__":
    main()
