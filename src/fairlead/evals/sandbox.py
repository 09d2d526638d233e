"""Runs a Python program that nobody trusts: a process of its own that sees no network, no files but Python's, and has
bounds of time, processor, memory, processes, files and output.

`bwrap` (bubblewrap) makes the walls: namespaces for users, processes, network, mounts and names, a root that can't be
written to, no capabilities. Where it is not installed, `unshare` and `setpriv` (util-linux) make the same namespaces.
Both need that the kernel lets this user make them. Limits alone (`setrlimit`) are no sandbox: without walls nothing
runs, unless somebody says so. Root steps down first and builds the walls as nobody: the kernel bounds nobody's
processes, and never root's, not even inside.

What is left open: programs share the processor's caches and the kernel itself with everybody; who needs more than a
kernel between himself and a program runs the whole evaluation in a virtual machine. Knows no suites and no scores.
"""

import contextlib
import itertools
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import IO, Literal

import msgspec
from msgspec import Struct

from fairlead.errors import ExtraMissing

Walls = Literal["bwrap", "unshare", "none"]
End = Literal["ended", "timeout", "memory", "processes", "output", "died"]

DRIVER = "sandbox_driver.py"
LOOKED_AT_S = 0.05  # how often memory and processes are counted
LONGEST_REPORT = 1 << 20
KEPT = 4000  # characters of what it printed
NOBODY = 65534
HINT = (
    "install bubblewrap (`apt install bubblewrap`), allow user namespaces, or run it elsewhere; "
    "`--unsandboxed` runs untrusted code with your own rights"
)


class Limits(Struct, frozen=True, kw_only=True):
    """`wall_s` is the time until it is killed; `memory_mb` of all its processes together, files in memory aside."""

    wall_s: float = 20.0
    cpu_s: int = 10
    memory_mb: int = 512
    processes: int = 16
    open_files: int = 64
    file_mb: int = 16
    disk_mb: int = 64
    output_kb: int = 1024


class Ran(Struct, frozen=True):
    """`results` are what each test raised, "" for one that passed; None: the program did not come to its end."""

    end: End
    results: Mapping[str, str] | None
    printed: str
    took_s: float


class _Report(Struct):
    nonce: str
    results: dict[str, str]


def run_tests(solution: str, tests: str, limits: Limits, walls: Walls | None = None) -> Ran:
    """Run `tests` (functions `test_*`, or assertions of a module) over `solution`, which they import under that name.

    Blocks until it is over. Raises ExtraMissing where there are no walls; "none" has to be asked for.
    """
    walls = walls or require()
    files = {"solution.py": solution, "tests.py": tests, DRIVER: _driver()}
    nonce = secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        report, theirs = os.pipe()
        stack.callback(os.close, report)
        with os.fdopen(theirs, "wb") as end:
            process = stack.enter_context(_started(walls, files, limits, nonce, end.fileno()))
        return _watched(process, report, nonce, limits)


def require() -> Walls:
    """The walls that there are. Raises ExtraMissing."""
    found, why = available()
    if found is None:
        raise ExtraMissing(f"hidden tests want a sandbox, and there is none: {why}", hint=HINT)
    return found


@lru_cache(maxsize=1)
def available() -> tuple[Walls | None, str]:
    """Found out by trying: (None, why) where no walls can be made here."""
    why = []
    for walls in ("bwrap", "unshare"):
        ran, said = tried(walls)
        if ran:
            return walls, ""
        why.append(f"{walls}: {said}")
    return None, "; ".join(why)


def tried(walls: Walls) -> tuple[bool, str]:
    """Whether these walls can be made here, and what was said if not."""
    needed = _PROGRAMS[walls] + (_PROGRAMS["unshare"] if _is_root() else ())
    missing = sorted({name for name in needed if shutil.which(name) is None})
    if missing:
        return False, f"{', '.join(missing)} is not installed"
    ran = run_tests("", "def test_it(): pass", Limits(), walls)
    return ran.results == {"test_it": ""}, ran.printed.strip()[:300] or ran.end


_PROGRAMS: Mapping[Walls, tuple[str, ...]] = {"bwrap": ("bwrap",), "unshare": ("unshare", "setpriv", "mount", "sh")}


def _driver() -> str:
    return resources.files("fairlead.evals").joinpath(DRIVER).read_text(encoding="utf-8")


@contextlib.contextmanager
def _started(
    walls: Walls, files: Mapping[str, str], limits: Limits, nonce: str, report: int
) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryDirectory(prefix="fairlead-sandbox-", ignore_cleanup_errors=True) as folder:
        home = _Home(Path(folder), steps_down=walls != "none" and _is_root())
        for name, text in files.items():
            (home.work / name).write_text(text, encoding="utf-8", errors="replace")
        process = subprocess.Popen(
            [*home.down, *_COMMANDS[walls](home, limits), *_python(limits, report, home.seen_at(walls))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(report,),
            cwd=folder,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            with contextlib.suppress(BrokenPipeError):
                _pipe(process.stdin).write(nonce.encode() + b"\n")
                _pipe(process.stdin).close()
            yield process
        finally:
            _kill(process)
            _pipe(process.stdout).close()


def _python(limits: Limits, report: int, work: str) -> list[str]:
    """The interpreter, isolated from the environment and from installed packages, and what it runs."""
    told = msgspec.json.encode(limits).decode()
    return [os.path.realpath(sys.executable), "-I", "-S", "-B", f"{work}/{DRIVER}", str(report), told]


_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/alternatives")

# Pairs of a folder and where it is to be reached, `--`, a command that runs as nobody.
_DOWN = """
set -e
while [ "$1" != -- ]; do mount --bind "$1" "$2"; shift 2; done
shift
exec "$@"
"""


class _Home:
    """A run's folder: `work` for the program's files, and how root steps down with what nobody could not reach."""

    def __init__(self, folder: Path, steps_down: bool) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        own = sorted({os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)})
        self.places = {place: place for place in _SYSTEM if Path(place).exists()}
        self.places |= {place: place for place in own if not place.startswith("/usr/")}
        self.down: list[str] = []
        if steps_down:
            self._step_down([place for place in self.places if place in own and not _is_open(Path(place))])

    def seen_at(self, walls: Walls) -> str:
        return str(self.work) if walls == "none" else "/work"

    def _step_down(self, closed: list[str]) -> None:
        os.chown(self.folder, 0, NOBODY)
        self.folder.chmod(0o750)
        pairs: list[str] = []
        for number, place in enumerate(closed):
            self.places[place] = str(self.folder / f"own{number}")
            Path(self.places[place]).mkdir()
            pairs += [place, self.places[place]]
        if pairs:
            self.down = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _DOWN, "sh", *pairs, "--"]
        self.down += ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def _is_root() -> bool:
    return os.geteuid() == 0


def _is_open(path: Path) -> bool:
    """Whether everybody may go there."""
    return all(one.stat().st_mode & 0o001 for one in (path, *path.parents))


def _bwrap(home: _Home, limits: Limits) -> list[str]:
    bound: list[str] = []
    for place, source in home.places.items():
        path = Path(place)
        bound += ["--symlink", str(path.readlink()), place] if path.is_symlink() else ["--ro-bind", source, place]
    disk = ["--size", str(limits.disk_mb << 20)]
    return [
        *("bwrap", "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"),
        *("--cap-drop", "ALL", "--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "sandbox", "--clearenv"),
        *("--setenv", "LANG", "C.UTF-8", "--setenv", "HOME", "/tmp", "--setenv", "PYTHONHASHSEED", "0"),
        *bound,
        *("--proc", "/proc", "--dev", "/dev", *disk, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"),
        *(*disk, "--tmpfs", "/tmp", "--ro-bind", str(home.work), "/work", "--remount-ro", "/", "--chdir", "/tmp", "--"),
    ]


# $1: the folder that becomes the root; $2: the program's files; $3: megabytes of /tmp; then pairs of a place within
# and what is shown there, `--`, a command.
# The shell stays as the parent of all within.
_SCRIPT = """
set -e
root=$1 work=$2 disk=$3; shift 3
mount -t tmpfs -o size=1m,mode=755 tmpfs "$root"
while [ "$1" != -- ]; do
  if [ -L "$1" ]; then ln -s "$(readlink "$1")" "$root$1"; shift 2; continue; fi
  if [ -d "$2" ]; then mkdir -p "$root$1"; else mkdir -p "$root$(dirname "$1")"; : > "$root$1"; fi
  mount --rbind "$2" "$root$1"; mount -o remount,bind,ro,nosuid "$root$1"; shift 2
done
shift
mkdir -p "$root/work" "$root/tmp" "$root/proc" "$root/dev" "$root/old"
mount --bind "$work" "$root/work"; mount -o remount,bind,ro "$root/work"
mount -t tmpfs -o "size=${disk}m,mode=1777" tmpfs "$root/tmp"
mount -t proc proc "$root/proc"; echo 0 > "$root/proc/sys/user/max_user_namespaces"
for one in null zero urandom random; do : > "$root/dev/$one"; mount --bind "/dev/$one" "$root/dev/$one"; done
cd "$root"; pivot_root . old; umount -l /old; mount -o remount,bind,ro /
cd /tmp
setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$@"
"""


def _unshare(home: _Home, limits: Limits) -> list[str]:
    root = home.folder / "root"
    root.mkdir()
    return [
        *("unshare", "--user", "--map-root-user", "--mount", "--propagation", "private", "--net", "--ipc", "--uts"),
        *("--cgroup", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", _SCRIPT, "sh"),
        *(str(root), str(home.work), str(limits.disk_mb), *itertools.chain.from_iterable(home.places.items()), "--"),
    ]


def _none(home: _Home, limits: Limits) -> list[str]:
    return []


_COMMANDS = {"bwrap": _bwrap, "unshare": _unshare, "none": _none}


def _watched(process: subprocess.Popen[bytes], report: int, nonce: str, limits: Limits) -> Ran:
    """Reads what it says until it ends, or until it is over a limit."""
    began = time.monotonic()
    printed, told, count = bytearray(), bytearray(), 0
    end: End = "ended"
    with selectors.DefaultSelector() as selector:
        selector.register(_pipe(process.stdout), selectors.EVENT_READ, printed)
        selector.register(report, selectors.EVENT_READ, told)
        next_look = began
        while selector.get_map() and end == "ended":
            now = time.monotonic()
            if now - began > limits.wall_s:
                end = "timeout"
            elif now >= next_look:
                end = _over(process.pid, limits) or end
                next_look = now + LOOKED_AT_S
            if process.poll() is not None and not selector.select(0):
                break  # a daemon that kept the pipes open, outside of any walls
            for key, _ in selector.select(LOOKED_AT_S):
                chunk = os.read(key.fd, 65536)
                if not chunk:
                    selector.unregister(key.fileobj)
                count += len(chunk)
                key.data.extend(chunk[: max(0, LONGEST_REPORT - len(key.data))])
            if count > limits.output_kb * 1024:
                end = "output"
    _kill(process)
    results = _read(bytes(told), nonce) if end == "ended" else None
    if end == "ended" and results is None:
        end = "timeout" if process.returncode in (-signal.SIGXCPU, 128 + signal.SIGXCPU) else "died"
    text = bytes(printed[-KEPT:]).decode(errors="replace")
    return Ran(end, results, text, round(time.monotonic() - began, 3))


def _read(told: bytes, nonce: str) -> Mapping[str, str] | None:
    """Only a report with the nonce is one: a program that ends early, or writes there itself, has passed nothing."""
    try:
        report = msgspec.json.decode(told, type=_Report)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return report.results if secrets.compare_digest(report.nonce, nonce) else None


def _over(root: int, limits: Limits) -> End | None:
    """Whether it has more memory or processes than it may; bwrap and its reaper are not counted."""
    pids = _descendants(root, most=limits.processes + 8)
    if len(pids) > limits.processes + 3:
        return "processes"
    page = os.sysconf("SC_PAGE_SIZE")
    used = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            used += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
    return "memory" if used > limits.memory_mb << 20 else None


def _descendants(root: int, most: int) -> list[int]:
    found, row = [root], [root]
    while row and len(found) <= most:
        below: list[int] = []
        for pid in row:
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    below += map(int, (task / "children").read_text().split())
        found += below
        row = below
    return found


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The walls' own process is the parent of all within: with it, the kernel ends them all."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("started without pipes")
    return stream
