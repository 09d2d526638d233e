"""Known vulnerabilities of what a lock pins, as pip-audit finds them. Who could not be asked has not said no."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PLANTED = "jinja2==2.10\n"  # known to be vulnerable since 2019: who does not find it finds nothing


class Unanswered(Exception):
    """The service could not be asked about everything, or did not know a package."""


class Vulnerable(NamedTuple):
    package: str
    version: str
    ids: tuple[str, ...]
    fixed_in: tuple[str, ...]


class Service(NamedTuple):
    """PyPI's own, or one that speaks OSV's language."""

    osv_url: str = ""

    @property
    def options(self) -> list[str]:
        return ["-s", "osv", "--osv-url", self.osv_url] if self.osv_url else ["-s", "pypi"]


def of_lock(lock: Path, service: Service) -> list[Vulnerable]:
    """Raises Unanswered."""
    return _asked(["-r", str(lock), "--require-hashes"], service)


def finds_planted(service: Service) -> bool:
    """Whether the service knows a package that is known to be vulnerable. Raises Unanswered."""
    with tempfile.TemporaryDirectory() as folder:
        planted = Path(folder) / "planted.txt"
        planted.write_text(PLANTED, encoding="utf-8")
        return bool(_asked(["-r", str(planted), "--no-deps"], service))


def _asked(what: list[str], service: Service) -> list[Vulnerable]:
    command = [sys.executable, "-m", "pip_audit", "--strict", "--disable-pip", "--format", "json", "--progress-spinner"]
    environment = os.environ | ({"NO_PROXY": "127.0.0.1"} if "127.0.0.1" in service.osv_url else {})
    done = subprocess.run(
        [*command, "off", "--timeout", "30", *service.options, *what],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise Unanswered(_last_words(done.stderr)) from None
    return [
        Vulnerable(
            one["name"],
            one["version"],
            tuple([vuln["id"] for vuln in one["vulns"]]),
            tuple(version for vuln in one["vulns"] for version in vuln["fix_versions"]),
        )
        for one in found
        if one["vulns"]
    ]


def _last_words(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip() and "WARNING" not in line]
    return lines[-1][:300] if lines else "pip-audit said nothing"
