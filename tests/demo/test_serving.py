"""The demonstration's server: where it listens, and what is said where it can't start."""

import asyncio
import socket
from pathlib import Path

import pytest

from fairlead.demo.serving import free_address, serving
from fairlead.errors import OperatorError


def test_a_port_that_is_named_is_taken_at_its_word() -> None:
    assert free_address(4321) == "127.0.0.1:4321"


def test_a_free_port_is_found_where_the_usual_one_is_taken() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        host, _, port = free_address(usual=taken).rpartition(":")
    assert host == "127.0.0.1"
    assert int(port) not in (0, taken)


def test_a_server_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    file = tmp_path / "fairlead.toml"
    file.write_text(
        'data_dir = "data"\n[server]\nlisten = "127.0.0.1:0"\nadmin = "off"\n[engines.gone]\nmodel = "no.gguf"\n'
    )

    async def serve() -> None:
        async with serving(file):
            raise AssertionError("it can't be ready")

    with pytest.raises(OperatorError, match=r"did not start: .*engines\.gone.*no\.gguf") as caught:
        asyncio.run(serve())
    assert caught.value.hint.startswith("a model is shipped:NAME")
