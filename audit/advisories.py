"""A folder of advisories, answering as an OSV service does: for machines that reach no service.

The folder is a checkout of github.com/pypa/advisory-database: `vulns/NAME/ID.yaml`.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


def find(folder: Path, name: str, version: str) -> list[dict[str, Any]]:
    """The advisories that affect that version of that package, as OSV writes them."""
    found = []
    for path in sorted((folder / "vulns" / canonicalize_name(name)).glob("*.yaml")):
        advisory = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        if not advisory.get("withdrawn") and any(_affects(part, name, version) for part in advisory["affected"]):
            found.append(advisory)
    return found


def newest(folder: Path) -> str:
    """When the last of them was changed, by their own word: the advisories are of that day at least."""
    days = (_modified(path) for path in (folder / "vulns").glob("*/*.yaml"))
    return max(days, default="")[:10]


def _modified(path: Path) -> str:
    last = path.read_text(encoding="utf-8").rpartition("\nmodified:")[2].partition("\n")[0]
    return last.strip().strip("'\"")


def _affects(part: dict[str, Any], name: str, version: str) -> bool:
    if canonicalize_name(part["package"]["name"]) != canonicalize_name(name):
        return False
    if version in map(str, part.get("versions", ())):
        return True
    return any(_within(spans["events"], version) for spans in part.get("ranges", ()) if spans["type"] == "ECOSYSTEM")


def _within(events: list[dict[str, str]], version: str) -> bool:
    """Whether the last event before that version, or at it, lets the fault in."""
    try:
        asked = Version(version)
        passed = [(Version(str(at)), kind) for event in events for kind, at in event.items()]
    except InvalidVersion:
        return True  # what can't be told is looked at by people
    before = [(at, kind) for at, kind in passed if at < asked or (at == asked and kind != "last_affected")]
    return bool(before) and max(before)[1] == "introduced"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL at which they can be asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found = find(folder, asked["package"]["name"], asked["version"])
            body = json.dumps({"vulns": found} if found else {}, default=str).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
