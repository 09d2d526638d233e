"""Floors and cycles, by import-linter; and nothing happens at import, seen by an audit hook in a fresh interpreter."""

import json
import subprocess
import sys
from pathlib import Path

from rules.house import ROOT, product

# What nobody does while being imported, on whosever behalf.
WATCHER = '''
import importlib, json, sys, threading

FORBIDDEN = ("socket.bind", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.fork", "os.exec",
             "os.posix_spawn", "os.mkdir", "os.remove", "os.rename", "os.chmod", "os.kill", "sqlite3.connect")
seen = []
importing = ""

def ours(frame):
    """Is it a module of ours that does this, and not the import machinery or another library on import?"""
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith(("importlib._bootstrap", "_frozen_importlib")):
            return False
        if name.partition(".")[0] == "fairlead":
            return True
        frame = frame.f_back
    return False

def hook(event, args):
    if importing and (event in FORBIDDEN or event == "open" and ours(sys._getframe(1))):
        seen.append(f"{importing}: {event} {args!r}")

sys.dont_write_bytecode = True
sys.addaudithook(hook)
for importing in json.loads(sys.argv[1]):
    importlib.import_module(importing)
importing = ""
seen += [f"thread {t.name}" for t in threading.enumerate() if t is not threading.main_thread()]
print(json.dumps(seen))
'''
SCRIPTS = ("__main__",)  # they are run, not imported
HEAVY = {"numpy", "scipy", "sqlalchemy", "starlette", "uvicorn", "openai", "xllamacpp", "huggingface_hub", "pydantic"}


def python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_stands_on_its_floor() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_happens_at_import() -> None:
    modules = [file.module for file in product() if not file.module.endswith(SCRIPTS)]
    modules = [name for name in modules if ".migrations." not in name]  # Alembic runs those
    assert json.loads(python("-c", WATCHER, json.dumps(modules))) == []


def test_importing_fairlead_loads_nothing_else() -> None:
    show = "import sys; before = set(sys.modules); import fairlead; print(*sorted(set(sys.modules) - before))"
    assert python("-c", show).split() == ["fairlead"]


def test_the_command_line_loads_nothing_heavy_before_it_is_told_what_to_do() -> None:
    show = "import sys; import fairlead.cli.main; print(*sys.modules)"
    assert not HEAVY & set(python("-c", show).split())
