"""The header of a GGUF file: read rightly where it is sound, refused with a reason where it is not."""

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engines.tiny import CONTEXT, WIDTH, write_tiny_model
from fairlead.engines.gguf import MAGIC, read_header
from fairlead.errors import EngineBroken


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


def refusal(path: Path) -> str:
    with pytest.raises(EngineBroken) as caught:
        read_header(path)
    assert caught.value.hint
    return caught.value.message


def test_a_header_says_what_the_model_is(model: Path) -> None:
    header = read_header(model)
    assert (header.architecture, header.name, header.version) == ("llama", "tiny", 3)
    assert (header.context, header.layers, header.heads, header.kv_heads) == (CONTEXT, 1, 2, 2)
    assert header.head_width == WIDTH // 2
    assert header.vocabulary == 259
    assert header.parameters == 2 * 259 * WIDTH + 4 * WIDTH**2 + 3 * 64 * WIDTH + 3 * WIDTH
    assert header.weights == "F32"
    assert header.chat_template
    assert header.size_bytes == model.stat().st_size


def test_the_cache_of_a_token_is_two_halves_of_two_bytes_in_every_layer(model: Path) -> None:
    assert read_header(model).cache_bytes(100) == 100 * 2 * 2 * WIDTH


def test_a_model_without_a_chat_template_is_seen_to_have_none(tmp_path: Path) -> None:
    assert not read_header(write_tiny_model(tmp_path / "raw.gguf", template=None)).chat_template


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "gone.gguf does not exist" in refusal(tmp_path / "gone.gguf")


@pytest.mark.parametrize("content", [b"", b"GG", b"<!doctype html><html>" * 9, b"version https://git-lfs.github.com\n"])
def test_what_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    assert "is not a GGUF file" in refusal(path)


@pytest.mark.parametrize("kept", [0.001, 0.01, 0.5, 0.99])
def test_a_download_that_was_cut_off_is_seen(model: Path, tmp_path: Path, kept: float) -> None:
    path = tmp_path / "half.gguf"
    content = model.read_bytes()
    path.write_bytes(content[: max(24, int(len(content) * kept))])
    assert "is cut off" in refusal(path)


@pytest.mark.parametrize("version", [0, 1, 4, 2**31])
def test_a_version_that_nobody_reads_is_refused(tmp_path: Path, version: int) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(MAGIC + struct.pack("<IQQ", version, 0, 0) + bytes(64))
    assert f"version {version}" in refusal(path)


@pytest.mark.parametrize(
    "rest",
    [
        struct.pack("<IQQ", 3, 2**60, 1),  # tensors without end
        struct.pack("<IQQ", 3, 1, 2**60),  # metadata without end
        struct.pack("<IQQQ", 3, 0, 1, 2**62),  # a key of four exabytes
        struct.pack("<IQQQ1sIIQ", 3, 0, 1, 1, b"k", 9, 4, 2**62),  # an array of them
        struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 99),  # a type that there is not
        struct.pack("<IQQQ1sI", 3, 1, 0, 1, b"t", 2**31),  # a tensor of two billion dimensions
        struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"k", 9) + struct.pack("<IQ", 9, 1) * 50,  # arrays in arrays in arrays
    ],
)
def test_absurd_claims_are_refused_without_being_believed(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "hostile.gguf"
    path.write_bytes(MAGIC + rest + bytes(64))
    assert "is not a sound GGUF file" in refusal(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 3000), junk=st.binary(min_size=1, max_size=12))
def test_damage_anywhere_gives_a_header_or_a_refusal_and_nothing_else(
    model: Path, tmp_path: Path, position: int, junk: bytes
) -> None:
    content = bytearray(model.read_bytes())
    content[position : position + len(junk)] = junk
    path = tmp_path / "damaged.gguf"
    path.write_bytes(content)
    try:
        assert read_header(path).size_bytes == len(content)
    except EngineBroken as error:
        assert str(path) in error.message
