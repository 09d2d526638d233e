"""What a worker makes of its settings."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
from fairlead.config import Server
from fairlead.server.worker import bounds_of
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
print(bounds_of(Server(max_connections={wanted})).max_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "most", "files"),
    [(100, 264, 4096, 100, 264), (264, 264, 50, 50, 264), (70, 70, 4096, 3, 70), (40, 40, 9, 1, 40)],
)
@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_no_more_connections_are_taken_than_files_may_be_open(
    soft: int, hard: int, wanted: int, most: int, files: int
) -> None:
    program = PROGRAM.format(soft=soft, hard=hard, wanted=wanted)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [str(most), str(files)]
