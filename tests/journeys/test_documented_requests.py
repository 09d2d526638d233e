"""Every request that the page about HTTP shows is sent to a running server as it stands there, and answered."""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from journeys.door import Door, furnish
from rules.house import ROOT

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
drain_s = 1

[engines.tiny]
model = "tiny.gguf"
embeddings = true

[backends.script]
kind = "script"
zone = "private"
script = "script.toml"

[backends.ranker]
kind = "rerank"
base_url = "RANKER"
zone = "private"

[targets.said]
backend = "script"
model = "said-1"

[targets.tiny]
engine = "tiny"

[targets.ranker]
backend = "ranker"
model = "ranker-1"

[routes.invoices]
targets = ["said"]

[routes.vectors]
targets = ["tiny"]

[routes.search]
targets = ["ranker"]
"""
RANKED = {"id": "r1", "results": [{"index": 0, "relevance_score": 0.9}]}


class Ranker(BaseHTTPRequestHandler):
    """A reranker that always finds the first document to be the best."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(RANKED).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def documented() -> list[str]:
    page = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")
    fenced = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    lines = fenced.replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+", " ", line) for line in lines if line.startswith("curl ")]


@pytest.fixture(scope="module")
def ranker() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ranker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, ranker: str) -> Iterator[Door]:
    door = furnish(tmp_path_factory.mktemp("documented"), CONFIG.replace("RANKER", ranker)).open()
    yield door
    door.close()


@pytest.mark.engine
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_every_request_that_is_shown_is_answered(serving: Door, tmp_path: Path) -> None:
    key = serving.key("reader").secret
    asked = documented()
    assert len(asked) > 15
    told = "curl() { command curl -s -o answer -w '%{http_code}' \"$@\"; }\n"
    for command in asked:
        environment = {"FAIRLEAD": serving.url, "KEY": key, "PATH": "/usr/local/bin:/usr/bin:/bin", "no_proxy": "*"}
        done = subprocess.run(["bash", "-c", told + command], cwd=tmp_path, env=environment, capture_output=True)
        answer = (tmp_path / "answer").read_bytes()
        assert (command, done.stdout) == (command, b"200"), answer
        assert answer and b'"error":{' not in answer, command
