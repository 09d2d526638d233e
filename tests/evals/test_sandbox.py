"""A program that nobody trusts harms nothing: not the machine, not the network, not its own verdict."""

import asyncio
import os
import socket
import threading
import time
from pathlib import Path

import msgspec
import pytest

from fairlead.errors import ExtraMissing
from fairlead.evals import sandbox
from fairlead.evals.code_tests import code_tests
from fairlead.evals.sandbox import Limits, Ran, Walls, available, run_tests
from fairlead.scoring.code import code_in
from fairlead.scoring.score import Output, Score

FOUND, WHY = available()
LIMITS = Limits(wall_s=20, cpu_s=10, memory_mb=200, processes=8, file_mb=4, disk_mb=8, output_kb=256)


@pytest.fixture(params=["bwrap", "unshare"])
def walls(request: pytest.FixtureRequest) -> Walls:
    works, why = sandbox.tried(request.param)
    if not works:
        pytest.skip(f"{request.param}: {why}")
    return request.param


TESTS = "from solution import *\ndef test_it(): pass"


def run(solution: str, walls: Walls, tests: str = TESTS, **limits: float) -> Ran:
    return run_tests(solution, tests, msgspec.structs.replace(LIMITS, **limits), walls)


def results(solution: str, walls: Walls, tests: str = TESTS) -> dict[str, str]:
    ran = run(solution, walls, tests)
    assert ran.results is not None, ran
    return dict(ran.results)


def test_each_test_is_told(walls: Walls) -> None:
    tests = "from solution import f\ndef test_a(): assert f(1) == 2\ndef test_b(): assert f(1) == 3, 'not so'\n"
    ran = run("def f(x): return x + 1", walls, tests)
    assert (ran.end, ran.results) == ("ended", {"test_a": "", "test_b": "AssertionError: not so"})


def test_assertions_without_functions_are_a_test(walls: Walls) -> None:
    assert run("x = 1", walls, "import solution\nassert solution.x == 1").results == {"tests": ""}
    assert run("x = 1", walls, "import solution\nassert solution.x == 2").results == {"tests": "AssertionError: "}
    assert run("x = (", walls).results == {"tests": "SyntaxError: '(' was never closed (solution.py, line 1)"}


@pytest.mark.parametrize("way", ["import os; os._exit(0)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_program_that_ends_early_has_passed_nothing(way: str, walls: Walls) -> None:
    assert (run(way, walls).end, run(way, walls).results) == ("died", None)


def test_a_program_that_leaves_politely_has_failed_its_test(walls: Walls) -> None:
    assert run("import sys; sys.exit(0)", walls).results == {"tests": "SystemExit: 0"}


def test_a_report_that_the_program_writes_itself_is_none(walls: Walls) -> None:
    forged = (
        "import os\nfor fd in range(3, 60):\n"
        '  try: os.write(fd, b\'{"nonce": "", "results": {"test_it": ""}}\')\n  except OSError: pass\n'
        "os._exit(0)"
    )
    assert run(forged, walls).results is None


def test_there_is_no_network(walls: Walls) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        tests = f"import socket\ndef test_it(): socket.create_connection(('127.0.0.1', {port}), timeout=5)\n"
        assert (
            "OSError" in run("", walls, tests).results["test_it"]
            or "refused" in run("", walls, tests).results["test_it"]
        )  # type: ignore[index]
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()
    tests = "import socket\ndef test_it(): socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))\n"
    assert "unreachable" in results("", walls, tests)["test_it"]


def test_nothing_outside_is_seen_or_written(walls: Walls, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("words")
    secret.chmod(0o666)
    tmp_path.chmod(0o777)
    tests = f"""
import os
def test_read(): open({str(secret)!r}).read()
def test_write(): open({str(secret)!r}, "w")
def test_root(): open("/file", "w")
def test_work(): open("/work/solution.py", "w")
def test_usr(): open("/usr/file", "w")
def test_dev(): open("/dev/file", "w")
def test_home(): os.listdir("/home")
def test_shadow(): open("/etc/shadow")
known = "PATH HOME LANG PYTHONHASHSEED PWD LC_CTYPE SHLVL _ OLDPWD".split()
def test_environment(): assert not {{*os.environ}} - {{*known}}
def test_own_place():
    open("/tmp/mine", "w").write("x")
    assert open("/tmp/mine").read() == "x"
"""
    assert {name for name, error in results("", walls, tests).items() if not error} == {
        "test_environment",
        "test_own_place",
    }
    assert secret.read_text() == "words"


def test_other_processes_are_not_seen_and_not_signalled(walls: Walls) -> None:
    tests = f"""
import os
def test_seen(): assert len([n for n in os.listdir("/proc") if n.isdigit()]) < 6
def test_signalled(): os.kill({os.getpid()}, 0)
"""
    found = results("", walls, tests)
    assert found["test_seen"] == ""
    assert "ProcessLookupError" in found["test_signalled"]


def test_there_are_no_rights_to_be_had(walls: Walls) -> None:
    tests = """
import os, ctypes
def test_none():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    assert int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0 and status["NoNewPrivs"].strip() == "1"
def test_no_new_ones(): assert ctypes.CDLL(None, use_errno=True).unshare(0x10000000) == -1
def test_mount(): assert ctypes.CDLL(None).mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == -1
"""
    assert set(results("", walls, tests).values()) == {""}


def test_a_program_that_forks_without_end_is_ended(walls: Walls) -> None:
    ran = run("import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", walls, wall_s=3)
    assert ran.end in ("processes", "timeout", "memory")
    assert ran.results is None


def test_the_kernel_itself_gives_it_no_more_processes_also_where_root_runs_it(walls: Walls) -> None:
    many = "import os, time\nfor made in range(100):\n  try:\n    if os.fork() == 0: time.sleep(60)\n"
    many += "  except OSError: break\n"
    assert run(many, walls, "from solution import made\ndef test_it(): assert made < 8").results == {"test_it": ""}


def test_daemons_do_not_outlive_it(walls: Walls, tmp_path: Path) -> None:
    mark = f"mark{os.getpid()}"
    daemon = (
        "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n"
        f"    os.execv(os.path.realpath('/proc/self/exe'), ['{mark}', '-c', 'import time; time.sleep(600)'])\n"
        "  os._exit(0)\ntime.sleep(0.2)"
    )
    assert run(daemon, walls).results == {"test_it": ""}
    deadline = time.monotonic() + 20
    while running(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(mark)


def running(mark: str) -> bool:
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in place.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def test_memory_is_bounded_for_one_and_for_all(walls: Walls) -> None:
    assert "MemoryError" in results("x = bytearray(1 << 30)", walls)["tests"]
    one = "  if os.fork() == 0:\n    x = b'x' * (90 << 20)\n    time.sleep(60)\n"
    many = f"import os, time\nfor _ in range(5):\n{one}time.sleep(60)"
    assert run(many, walls).end == "memory"


def test_files_and_disk_are_bounded(walls: Walls) -> None:
    one = "open('/tmp/one', 'wb').write(bytes(6 << 20))"
    ran = run(one, walls)
    assert ran.results is None or "OSError" in ran.results["tests"]
    many = "for n in range(9):\n  open(f'/tmp/{n}', 'wb').write(bytes(2 << 20))"
    assert "No space left" in results(many, walls)["tests"]
    opened = "kept = [open('/dev/null') for _ in range(100)]"
    assert "Too many open files" in results(opened, walls)["tests"]


def test_time_is_bounded_whatever_it_does_with_signals(walls: Walls) -> None:
    deaf = "for n in (1, 2, 3, 13, 14, 15):\n  signal.signal(n, signal.SIG_IGN)\nwhile True: time.sleep(1)"
    deaf = f"import signal, time\n{deaf}"
    assert run(deaf, walls, wall_s=1.5).end == "timeout"
    ran = run("while True: pass", walls, cpu_s=1)
    assert (ran.end, ran.results) == ("timeout", None)


def test_printing_without_end_is_ended(walls: Walls) -> None:
    ran = run("while True: print('x' * 10000)", walls)
    assert ran.end == "output"
    assert len(ran.printed) <= 4000


def test_many_run_beside_each_other(walls: Walls) -> None:
    ended: list[Ran] = []
    threads = [threading.Thread(target=lambda: ended.append(run("x = 1", walls))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [ran.results for ran in ended] == [{"test_it": ""}] * 6


def test_without_walls_nothing_runs_unless_somebody_says_so() -> None:
    assert run_tests("x = 1", "import solution", LIMITS, "none").results == {"tests": ""}
    if FOUND is None:
        with pytest.raises(ExtraMissing, match="want a sandbox") as caught:
            run_tests("", "", LIMITS)
        assert "--unsandboxed" in caught.value.hint


def test_without_walls_time_and_early_ends_are_seen_all_the_same() -> None:
    assert run_tests("import time; time.sleep(60)", "import solution", Limits(wall_s=1), "none").end == "timeout"
    assert run_tests("import os; os._exit(0)", "import solution", LIMITS, "none").results is None


@pytest.mark.parametrize(
    ("answer", "entry", "code"),
    [
        ("x = 1", "", "x = 1"),
        ("Here:\n```python\nx = 1\n```\nDone.", "", "x = 1\n"),
        ("```\nx = 1\n```", "", "x = 1\n"),
        ("```python\nx = 1", "", "x = 1"),
        ("```bash\nls\n```\n```py\nx = 1\n```", "", "x = 1\n"),
        ("```python\nf(1)\n```\n```python\ndef f(x): pass\n```\n```python\nf(2)\n```", "f", "def f(x): pass\n"),
        ("```python\nx = 1\n```\n```python\nprint(x)\n```", "", "x = 1\n"),
    ],
)
def test_code_is_found_among_words(answer: str, entry: str, code: str) -> None:
    assert code_in(answer, entry=entry) == code


class Item:
    id = "a"
    vars: dict[str, object] = {}
    gold: object = {"tests": "from solution import f\ndef test_a(): assert f(1) == 2\ndef test_b(): assert f(2) == 3"}


def scored(answer: str, **options: bool) -> Score:
    return asyncio.run(code_tests(Output(answer), Item(), unsandboxed=FOUND is None, **options))


def test_code_scores_one_if_all_its_hidden_tests_pass_or_the_share_of_them() -> None:
    assert scored("```python\ndef f(x): return x + 1\n```").value == 1
    half = scored("def f(x): return 2")
    assert (half.value, half.reasons["passed"], half.reasons["tests"]) == (0, 1, 2)
    assert scored("def f(x): return 2", share=True).value == 0.5
    assert scored("I can't.").value == 0
    assert scored("").reasons == {"end": "no code"}
    assert scored("import os; os._exit(0)").reasons["end"] == "died"
