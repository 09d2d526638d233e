"""What `fairlead doctor` looks at, one function for each thing, each giving findings and raising nothing.

They look and ask; nothing is started or changed. Backends are in `reaching.py`.
"""

import os
import shutil
import stat
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from fairlead.cli.findings import Finding, Level
from fairlead.cli.place import Place
from fairlead.config import Config
from fairlead.errors import FairleadError, InUse

OLDEST_PYTHON = (3, 11)
SCARCE_BYTES, TOO_FEW_BYTES = 1_000_000_000, 100_000_000
FIRST_DAY_US = 1_767_225_600_000_000  # 2026-01-01: a clock before that is wrong
MOST_SKEW_S = 30.0
EXTRAS = (
    ("xllamacpp", "the embedded engine", "local"),
    ("huggingface_hub", "models from the Hugging Face hub", "local"),
    ("openai", "`fairlead demo`", "demo"),
    ("psycopg", "a store on PostgreSQL", "postgres"),
    ("pyarrow", "`fairlead store export`", "export"),
    ("genai_prices", "`fairlead catalog update`", "catalog"),
)


async def inspect(place: Place, *, asks_backends: bool = True) -> list[Finding]:
    """Everything, in order; what needs a configuration is left out where there is none that is good."""
    from fairlead.cli.reaching import reach_all

    findings = [python()]
    settings, about_it = configuration(place)
    findings += [*extras(settings), *about_it]
    if settings is None:
        return [*findings, clock({})]
    findings += [
        *data_dir(Path(settings.data_dir)),
        store(Path(settings.data_dir), settings.store.url.value),
        *ports(settings),
    ]
    findings += engines(settings)
    skews_s: dict[str, float] = {}
    if asks_backends:
        findings += await reach_all(settings, skews_s)
    return [*findings, clock(skews_s)]


def python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("fail", "python", found, "3.11 or newer is needed")
    return Finding("ok", "python", found)


def extras(settings: Config | None) -> list[Finding]:
    findings: list[Finding] = []
    for package, use, extra in EXTRAS:
        if find_spec(package) is not None:
            findings.append(Finding("ok", f"package {package}", f"there, for {use}"))
            continue
        needed = settings is not None and _needs(settings, package)
        hint = f"pip install 'fairlead[{extra}]'"
        findings.append(Finding("fail" if needed else "warn", f"package {package}", f"missing, for {use}", hint))
    return findings


def _needs(settings: Config, package: str) -> bool:
    if package == "xllamacpp":
        return bool(settings.engines)
    return package == "psycopg" and settings.store.url.value.startswith("postgres")


def configuration(place: Place) -> tuple[Config | None, list[Finding]]:
    """The configuration as far as it is good enough to look further."""
    from fairlead.cli.rehearsal import NOWHERE

    try:
        settings = place.settings()
    except FairleadError as error:
        return None, [_failed("configuration", error)]
    try:
        from fairlead import app
        from fairlead.wire.pool import Pool

        app.generation(settings, Pool(), dict.fromkeys(settings.engines, NOWHERE))
        app.certificate(settings)
    except FairleadError as error:
        return settings, [_failed("configuration", error)]
    unused = sorted(set(settings.targets) - {name for route in settings.routes.values() for name in route.targets})
    findings = [
        Finding(
            "ok", "configuration", f"{settings.source or 'built in'}, routes {', '.join(settings.routes) or 'none'}"
        )
    ]
    if not settings.routes:
        findings.append(Finding("warn", "routes", "none: nothing can be asked for", "write [routes.NAME]"))
    if unused:
        findings.append(Finding("warn", "targets", f"in no route: {', '.join(unused)}"))
    return settings, findings


def data_dir(folder: Path) -> list[Finding]:
    """Can we write there, can nobody else read it, is there room."""
    what = "data directory"
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return [Finding("fail", what, f"{folder} can't be written", "set `data_dir`, or change its permissions")]
    findings = [Finding("ok", what, str(folder) if there == folder else f"{folder}, made when it is needed")]
    if there == folder and stat.S_IMODE(folder.stat().st_mode) & 0o077:
        findings = [Finding("warn", what, f"{folder} is open to others", f"chmod 700 {folder}")]
    free = shutil.disk_usage(there).free
    level: Level = "ok" if free >= SCARCE_BYTES else "warn" if free >= TOO_FEW_BYTES else "fail"
    hint = "" if level == "ok" else "what can't be written down is not sent: make room"
    return [*findings, Finding(level, "free disk", f"{free / 1e9:.1f} GB", hint)]


def store(folder: Path, url: str = "") -> Finding:
    """Can it be reached, and are its tables this program's?"""
    from fairlead.store import schema
    from fairlead.store.opening import FILE, find_revision

    if not url and not (folder / FILE).exists():
        return Finding("ok", "store", "none yet; it is made when it is needed")
    try:
        found = find_revision(url or folder)
    except FairleadError as error:
        return _failed("store", error)
    if found is None or found == schema.HEAD:
        return Finding("ok", "store", f"revision {found or 'none yet'}")
    hint = "fairlead store migrate" if found < schema.HEAD else "install the Fairlead that wrote it, or a newer one"
    return Finding("fail", "store", f"revision {found}, this program needs {schema.HEAD}", hint)


def ports(settings: Config) -> list[Finding]:
    """Free, or taken by the server that runs on this data directory."""
    from fairlead.server.premises import bind
    from fairlead.server.remote import Remote

    is_running = Remote(Path(settings.data_dir)).answers()
    findings: list[Finding] = []
    for setting in ("listen", "admin"):
        address: str = getattr(settings.server, setting)
        if address == "off":
            continue
        try:
            bind(address, setting).close()
        except InUse as error:
            ours = Finding(
                "ok", f"server.{setting}", f"{address}, taken by the server that runs on this data directory"
            )
            findings.append(ours if is_running else _failed(f"server.{setting}", error))
        except FairleadError as error:
            findings.append(_failed(f"server.{setting}", error))
        else:
            findings.append(Finding("ok", f"server.{setting}", f"{address} is free"))
    return findings


def engines(settings: Config) -> list[Finding]:
    """Is the file of each a whole model?"""
    from fairlead.cli.rehearsal import read_engine
    from fairlead.cli.terminal import size

    findings: list[Finding] = []
    for name, engine in settings.engines.items():
        what = f"engine {name}"
        try:
            header = read_engine(settings, name)
        except FairleadError as error:
            findings.append(_failed(what, error))
            continue
        if header is None:
            findings.append(Finding("ok", what, f"{engine.model}, fetched at the first start"))
        else:
            parameters = f"{header.parameters / 1e6:,.1f} M parameters"
            findings.append(Finding("ok", what, f"{engine.model}: {parameters}, {size(header.size_bytes)}"))
    return findings


def clock(skews_s: dict[str, float], now: Callable[[], int] | None = None) -> Finding:
    """Ours against those of the backends that told theirs: windows of budgets and expiry of keys depend on it."""
    from fairlead.cli.terminal import moment
    from fairlead.ids import now_us

    at_us = (now or now_us)()
    if at_us < FIRST_DAY_US:
        return Finding("fail", "clock", moment(at_us), "it is behind: set it, or let NTP do so")
    worst = max(skews_s, key=lambda name: abs(skews_s[name]), default="")
    if worst and abs(skews_s[worst]) > MOST_SKEW_S:
        return Finding("warn", "clock", f"{skews_s[worst]:+.0f} s against that of {worst}", "let NTP set it")
    return Finding("ok", "clock", moment(at_us))


def _failed(what: str, error: FairleadError) -> Finding:
    return Finding("fail", what, error.message, error.hint)
