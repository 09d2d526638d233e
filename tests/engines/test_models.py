"""References to models become files, or errors that say what to write instead."""

import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.engines.gguf import read_header
from fairlead.engines.models import locate, parse_hub_reference, shipped
from fairlead.errors import EngineBroken


def test_a_relative_path_counts_from_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "mine.gguf"
    file.write_bytes(b"")
    assert locate("models/mine.gguf", tmp_path) == file
    assert locate(str(file), Path("/elsewhere")) == file


def test_a_missing_file_is_named_with_the_three_ways_to_write_a_model(tmp_path: Path) -> None:
    with pytest.raises(EngineBroken, match=r"no\.gguf does not exist") as caught:
        locate("no.gguf", tmp_path)
    assert "shipped:NAME" in caught.value.hint


def test_a_folder_is_refused_and_its_models_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"")
    with pytest.raises(EngineBroken, match="is a folder") as caught:
        locate(".", tmp_path)
    assert "a.gguf" in caught.value.hint


def test_an_unknown_shipped_model_is_refused_and_the_known_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(EngineBroken, match="no model 'giant' ships") as caught:
        locate("shipped:giant", tmp_path)
    assert all(model.name in caught.value.hint for model in shipped())


def test_every_shipped_model_is_found_and_sound(tmp_path: Path) -> None:
    for model in shipped():
        assert locate(model.reference, tmp_path) == model.path
        header = read_header(model.path)
        assert header.chat_template
        assert header.size_bytes == model.size_bytes <= 4 << 20


def test_a_hub_reference_names_repository_file_and_revision() -> None:
    assert parse_hub_reference("hf:owner/repo/file.gguf") == ("owner/repo", "file.gguf", None)
    assert parse_hub_reference("hf:owner/repo/q4/file.gguf@v1.0") == ("owner/repo", "q4/file.gguf", "v1.0")


@pytest.mark.parametrize("reference", ["hf:", "hf:owner", "hf:owner/repo", "hf:owner/repo/", "hf://file.gguf"])
def test_a_hub_reference_without_a_file_is_refused(reference: str, tmp_path: Path) -> None:
    with pytest.raises(EngineBroken, match="names no file on the hub"):
        locate(reference, tmp_path)


OFFLINE = """
import os, sys
os.environ |= {"HF_HUB_CACHE": sys.argv[1], "HF_HUB_OFFLINE": "1"}
from pathlib import Path
from fairlead.engines.models import locate
from fairlead.errors import EngineBroken
try:
    print(locate(sys.argv[2], Path()))
except EngineBroken as error:
    print(error.message, error.hint, sep="|")
"""


def offline(cache: Path, reference: str) -> str:
    """In a process of its own: the hub's client reads its settings when it is imported."""
    done = subprocess.run([sys.executable, "-c", OFFLINE, cache, reference], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_cached_file_of_the_hub_is_used_without_a_network(tmp_path: Path) -> None:
    repository, commit = tmp_path / "models--owner--repo", "a" * 40
    file = repository / "snapshots" / commit / "file.gguf"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"GGUF")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    assert offline(tmp_path, "hf:owner/repo/file.gguf") == str(file)
    assert offline(tmp_path, f"hf:owner/repo/file.gguf@{commit}") == str(file)


def test_what_is_neither_cached_nor_reachable_is_refused_with_a_way_out(tmp_path: Path) -> None:
    said = offline(tmp_path, "hf:owner/repo/file.gguf")
    assert "is not in the local cache, and the hub can't be reached|connect to the network once" in said
