"""`fairlead demo --once`, as a user types it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine


def test_the_demonstration_holds_what_it_promises_and_leaves_nothing_behind(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "fairlead", "demo", "--once", "--requests", "12", "--json", str(figures)]
    with tempfile.TemporaryDirectory() as scratch:  # pytest's own paths are too long for a Unix socket in them
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "TMPDIR": scratch}
        )
        left = list(Path(scratch).iterdir())
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(figures.read_text())
    assert report["problems"] == []
    assert report["sent"] == report["in_books"] > 24
    assert "was back after" in done.stdout
    assert left == []
