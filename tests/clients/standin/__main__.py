"""Opens the stand-in and a `fairlead serve` in front of it, says where, and closes both when its input ends.

    python -m clients.standin FOLDER    # prints {"url": ..., "key": ...}; FOLDER holds configuration, data and logs

Whoever started it may die in whatever way: then its input ends, too, and nothing is left running.
"""

import json
import os
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from clients.standin.doors import APP, KEY, MODEL
from journeys.door import Door

KINDS = {"openai": "/v1", "responses": "/v1", "anthropic": "", "gemini": "/v1beta", "bedrock": "", "rerank": "/v1"}
QUIRKS = {"bedrock": '{ thinking = "anthropic" }'}  # elsewhere the model's id says how it is asked to think


def configuration(url: str) -> str:
    """Two routes over one target of every language: one that loses nothing, and one that may."""
    text = 'data_dir = "data"\n[server]\nlisten = "127.0.0.1:0"\nadmin = "off"\n'
    for kind, path in KINDS.items():
        text += f"""
[backends.{kind}]
kind = "{kind}"
zone = "private"
base_url = "{url}{path}"
key = "env:PROVIDER_KEY"
quirks = {QUIRKS.get(kind, "{}")}

[targets.{kind}]
backend = "{kind}"
model = "{MODEL}"
price = {{ input = 1.0, output = 2.0 }}

[routes.over-{kind}]
targets = ["{kind}"]
keep_responses_s = 3600
heartbeat_s = 0.1

[routes."loosely/over-{kind}"]
targets = ["{kind}"]
lossy = true
"""
    return text


def main(folder: Path) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    provider = uvicorn.Server(uvicorn.Config(APP, log_level="warning"))
    serving = threading.Thread(target=provider.run, kwargs={"sockets": [listening]})
    serving.start()
    os.environ["PROVIDER_KEY"] = KEY
    (folder / "fairlead.toml").write_text(configuration(f"http://127.0.0.1:{port}"), encoding="utf-8")
    try:
        door = Door(folder).open()
        try:
            sys.stdout.write(json.dumps({"url": door.url, "key": door.key("clients").secret}) + "\n")
            sys.stdout.flush()
            sys.stdin.read()
        finally:
            door.close()
    finally:
        provider.should_exit = True
        serving.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
