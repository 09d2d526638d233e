"""The embedded engine, for real: llama.cpp's server in a child process, with a tiny random model."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from engines.test_supervisor import is_alive, until
from engines.tiny import CONTEXT, write_tiny_model
from fairlead.engines.gguf import read_header
from fairlead.engines.llamacpp import MOST_CONTEXT, Llamacpp, llamacpp_engine
from fairlead.engines.supervisor import Engine, Pace
from fairlead.errors import EngineBroken

pytestmark = pytest.mark.engine
FAST = Pace(start_timeout_s=60, check_every_s=0.05, first_wait_s=0.01, longest_wait_s=0.1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


def engine_of(model: Path, data_dir: Path, **settings: Any) -> Engine:
    return llamacpp_engine(
        "tiny", model=model.name, base_dir=model.parent, data_dir=data_dir, pace=FAST, slots=2, **settings
    )


@asynccontextmanager
async def running(model: Path, data_dir: Path, **settings: Any) -> AsyncIterator[Engine]:
    engine = engine_of(model, data_dir, **settings)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def ask_now(engine: Engine, path: str, body: object = None, key: str | None = None) -> Any:
    request = urllib.request.Request(
        engine.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {engine.key if key is None else key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


async def ask(engine: Engine, path: str, body: object = None, key: str | None = None) -> Any:
    return await asyncio.to_thread(ask_now, engine, path, body, key)


def question(**more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 8, **more}


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_it_answers_dies_comes_back_and_stops(model: Path, tmp_path: Path, run: Any) -> None:
    async def story() -> None:
        async with running(model, tmp_path) as engine:
            first = await ask(engine, "/v1/chat/completions", question(temperature=0))
            killed = engine.status().pid or 0
            os.kill(killed, signal.SIGKILL)
            await until(lambda: engine.status().state == "ready" and engine.status().pid != killed)
            again = await ask(engine, "/v1/chat/completions", question(temperature=0))
            assert again["choices"] == first["choices"]
            assert again["model"] == "tiny"
            pid = engine.status().pid or 0
        assert not is_alive(pid)

    run(story())


def test_only_who_has_the_key_is_answered(model: Path, tmp_path: Path) -> None:
    async def story() -> None:
        async with running(model, tmp_path) as engine:
            for path, body in (("/v1/chat/completions", question()), ("/metrics", None), ("/slots", None)):
                with pytest.raises(urllib.error.HTTPError, match="401"):
                    await ask(engine, path, body, key="wrong")
            command = Path(f"/proc/{engine.status().pid}/cmdline")
            if command.exists():
                assert engine.key.encode() not in command.read_bytes()
                assert engine.key.encode() not in command.with_name("environ").read_bytes()

    asyncio.run(story())


def test_chat_and_embeddings_come_from_one_engine(model: Path, tmp_path: Path) -> None:
    async def story() -> None:
        async with running(model, tmp_path, embeddings=True) as engine:
            chat = await ask(engine, "/v1/chat/completions", question(logprobs=True, top_logprobs=2))
            assert len(chat["choices"][0]["logprobs"]["content"][0]["top_logprobs"]) == 2
            vectors = await ask(engine, "/v1/embeddings", {"input": ["a", "bc"], "model": "tiny"})
            assert [len(row["embedding"]) for row in vectors["data"]] == [32, 32]

    asyncio.run(story())


def test_without_embeddings_they_are_refused(model: Path, tmp_path: Path) -> None:
    async def story() -> None:
        async with running(model, tmp_path) as engine:
            with pytest.raises(urllib.error.HTTPError, match="501"):
                await ask(engine, "/v1/embeddings", {"input": "a", "model": "tiny"})

    asyncio.run(story())


def test_a_json_schema_binds_even_a_model_that_knows_nothing(model: Path, tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"queue": {"enum": ["sales", "support"]}, "urgent": {"type": "boolean"}},
        "required": ["queue", "urgent"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "ticket", "strict": True, "schema": schema}}

    async def story() -> None:
        async with running(model, tmp_path) as engine:
            answer = await ask(engine, "/v1/chat/completions", question(response_format=form) | {"max_tokens": 150})
            said = json.loads(answer["choices"][0]["message"]["content"])
            assert said["queue"] in ("sales", "support")
            assert isinstance(said["urgent"], bool)

    asyncio.run(story())


def test_every_slot_has_the_whole_context(model: Path, tmp_path: Path) -> None:
    async def story() -> None:
        async with running(model, tmp_path) as engine:
            slots = await ask(engine, "/slots")
            assert [slot["n_ctx"] for slot in slots] == [CONTEXT, CONTEXT]

    asyncio.run(story())


def test_a_prompt_that_is_too_long_is_an_error_with_a_type(model: Path, tmp_path: Path) -> None:
    async def story() -> None:
        async with running(model, tmp_path) as engine:
            with pytest.raises(urllib.error.HTTPError) as caught:
                await ask(engine, "/v1/completions", {"prompt": "x" * (CONTEXT + 1), "max_tokens": 1})
            assert caught.value.code == 400
            assert json.loads(caught.value.read())["error"]["type"] == "exceed_context_size_error"

    asyncio.run(story())


def test_a_file_that_is_broken_inside_says_what_llama_cpp_says(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "odd.gguf")
    path.write_bytes(path.read_bytes().replace(b"blk.0.ffn_up.weight", b"blk.0.ffn_oops.weig"))
    with pytest.raises(EngineBroken, match="ffn_up") as caught:
        asyncio.run(engine_of(path, tmp_path).start())
    assert "tiny.log" in caught.value.hint


def test_a_file_that_is_cut_off_is_refused_before_anything_is_started(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    path.write_bytes(model.read_bytes()[:50_000])
    with pytest.raises(EngineBroken, match="is cut off"):
        asyncio.run(engine_of(path, tmp_path).start())
    assert not (tmp_path / "engines").exists()


def test_slots_that_can_not_fit_are_refused_with_the_numbers(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "wide.gguf", context=2**31)
    engine = llamacpp_engine(
        "wide", model=str(model), base_dir=tmp_path, data_dir=tmp_path, context=2**31, slots=1024, pace=FAST
    )
    with pytest.raises(EngineBroken, match=r"not enough memory: .* need 262144\.0 GiB"):
        asyncio.run(engine.start())


PARENT = """
import asyncio, sys
from pathlib import Path
from fairlead.engines.llamacpp import llamacpp_engine
async def story():
    engine = llamacpp_engine("tiny", model=sys.argv[1], base_dir=Path(), data_dir=Path(sys.argv[2]))
    await engine.start()
    print(engine.status().pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(story())
"""


def test_when_its_parent_is_killed_the_engine_goes_too(model: Path, tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, model, tmp_path], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent:
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    asyncio.run(until(lambda: not is_alive(pid) or is_zombie(pid), within_s=10))


def is_zombie(pid: int) -> bool:
    """Dead, but nobody has asked for its exit status yet: in a container without an init that may take for ever."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_long_context_is_only_taken_where_it_is_asked_for(tmp_path: Path) -> None:
    header = read_header(write_tiny_model(tmp_path / "long.gguf", context=131_072))
    assert Llamacpp(name="x", model="", base_dir=tmp_path).tokens_per_slot(header) == MOST_CONTEXT
    assert Llamacpp(name="x", model="", base_dir=tmp_path, context=100_000).tokens_per_slot(header) == 100_000
    assert Llamacpp(name="x", model="", base_dir=tmp_path, context=200_000).tokens_per_slot(header) == 131_072


def test_a_very_small_model_gets_one_thread_unless_told_otherwise(model: Path, tmp_path: Path) -> None:
    header = read_header(model)
    assert Llamacpp(name="x", model="", base_dir=tmp_path).threads_for(header) == 1
    assert Llamacpp(name="x", model="", base_dir=tmp_path, threads=3).threads_for(header) == 3


def test_a_streamed_answer_that_was_begun_is_gone_on_with_and_not_said_again(tmp_path: Path) -> None:
    """What `on_break = "continue"` counts on."""

    def spoken(engine: Engine, *begun: str) -> str:
        messages = [{"role": "user", "content": "Invoice 12 from Acme, total 40 EUR"}]
        messages += [{"role": "assistant", "content": one} for one in begun]
        body = json.dumps({"messages": messages, "max_tokens": 24, "temperature": 0, "stream": True}).encode()
        headers = {"Authorization": f"Bearer {engine.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(engine.url + "/v1/chat/completions", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            events = [json.loads(line[6:]) for line in answer if line.startswith(b"data: {")]
        return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])

    async def story() -> None:
        engine = llamacpp_engine("nano", model="shipped:fairlead-nano", base_dir=tmp_path, data_dir=tmp_path, pace=FAST)
        await engine.start()
        try:
            whole = await asyncio.to_thread(spoken, engine)
            begun = whole[: len(whole) // 2]
            assert begun and begun + await asyncio.to_thread(spoken, engine, begun) == whole
        finally:
            await engine.stop()

    asyncio.run(story())
