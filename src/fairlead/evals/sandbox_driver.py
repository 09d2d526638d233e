"""Runs within the sandbox: binds itself, imports the tests, calls each, and reports what each raised.

It is started as a file by a bare Python and knows nothing of Fairlead. The report goes to a pipe of its own and carries
a word that was told before anything untrusted ran, so that a program that exits early has passed nothing.
"""

import json
import os
import resource
import sys
from pathlib import Path

MB = 1 << 20
MOST_TESTS = 1000


def bind(limits):
    """Soft and hard, so that nothing within can lift them."""
    wanted = {
        resource.RLIMIT_AS: int(limits["memory_mb"]) * MB,
        resource.RLIMIT_FSIZE: int(limits["file_mb"]) * MB,
        resource.RLIMIT_NOFILE: int(limits["open_files"]),
        resource.RLIMIT_NPROC: int(limits["processes"]),
        resource.RLIMIT_CORE: 0,
    }
    resource.setrlimit(resource.RLIMIT_CPU, (int(limits["cpu_s"]), int(limits["cpu_s"]) + 1))
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def run(folder):
    """What each test raised, by its name; "" for one that passed."""
    sys.path.insert(0, str(folder))
    scope = {"__name__": "tests"}
    results = {}
    try:
        exec(compile((folder / "tests.py").read_text(encoding="utf-8"), "tests.py", "exec"), scope)
        tests = [(name, one) for name, one in scope.items() if name.startswith("test") and callable(one)]
    except BaseException as error:  # noqa: BLE001
        return {"tests": told(error)}
    for name, test in tests[:MOST_TESTS]:
        try:
            test()
            results[name] = ""
        except BaseException as error:  # noqa: BLE001
            results[name] = told(error)
    return results or {"tests": ""}


def told(error):
    try:
        return f"{type(error).__name__}: {error}"[:300]
    except BaseException:  # noqa: BLE001
        return "an error that can't be told"


def main():
    report, limits = int(sys.argv[1]), json.loads(sys.argv[2])
    nonce = sys.stdin.readline().strip()
    own = os.getpid()
    bind(limits)
    results = run(Path(__file__).resolve().parent)
    if os.getpid() != own:  # a copy that the program made of itself
        os._exit(0)
    data = json.dumps({"nonce": nonce, "results": results}).encode("utf-8", "replace")
    while data:
        data = data[os.write(report, data) :]
    os._exit(0)


if __name__ == "__main__":
    main()
