"""An engine's log stays bounded, and its cause of death is found in it."""

import os
from pathlib import Path

from fairlead.engines.logfile import LONGEST, LogFile

DEATH = b"""0.00.000.909 I srv          init: initializing ...
0.00.009.786 E llama_model_load: error loading model: tensor 'x' data is not within the file bounds
0.00.009.880 E cmn  common_init_: failed to load model '/m.gguf'
Traceback (most recent call last):
RuntimeError: Failed to init server
"""


def written(log: LogFile, text: bytes) -> None:
    descriptor = log.open()
    os.write(descriptor, text)
    os.close(descriptor)


def test_the_first_error_is_the_cause(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "engines" / "one.log")
    written(log, DEATH)
    assert log.said() == "error loading model: tensor 'x' data is not within the file bounds"


def test_without_an_error_the_last_line_is_the_cause(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "one.log")
    written(log, b"something\nMemoryError: no room\n\n")
    assert log.said() == "MemoryError: no room"


def test_nothing_written_is_nothing_said(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "one.log")
    assert log.said() == ""
    written(log, DEATH)
    written(log, b"")
    assert log.said() == ""


def test_a_log_that_grew_too_long_keeps_its_end_beside_it(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "one.log")
    descriptor = log.open()
    os.write(descriptor, b"x" * LONGEST + b"the end\n")
    log.trim()
    os.write(descriptor, b"afterwards\n")
    os.close(descriptor)
    assert (tmp_path / "one.log").read_bytes() == b"afterwards\n"
    kept = (tmp_path / "one.log.1").read_bytes()
    assert len(kept) == LONGEST and kept.endswith(b"xthe end\n")
    assert log.said() == "afterwards"


def test_others_can_not_read_a_log(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "one.log")
    written(log, b"")
    assert (tmp_path / "one.log").stat().st_mode & 0o077 == 0
