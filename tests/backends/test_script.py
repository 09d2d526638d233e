"""The scripted backend: whose turn a line is, how it is said, and what may not stand in a script."""

import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.stages import asking, spoken
from fairlead.backends.lines import Line, load
from fairlead.backends.script import Script
from fairlead.chat import Chunk, Request, Usage
from fairlead.errors import ConfigInvalid, RequestInvalid, TargetRejected, TargetTimeout, TargetUnclear

EXAMPLE = """
[[lines]]
when = "invoice|Rechnung"
text = '{"vendor": "Kral"}'
usage = { input = 12, output = 7, cache_read = 3 }

[[lines]]
pieces = ["Hel", "lo"]
usage = "none"

[[lines]]
tool_calls = [{ name = "look_up", arguments = { id = 7 } }]
"""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    (tmp_path / "lines.toml").write_text(EXAMPLE)
    return Script(load(str(tmp_path / "lines.toml")))


async def text(script: Script, said: str, **how: Any) -> str | None:
    return (await script.answer(spoken(said, **how), asking())).said[0].text


@pytest.mark.anyio
async def test_a_line_that_fits_comes_first(script: Script) -> None:
    assert await text(script, "Read this Rechnung") == '{"vendor": "Kral"}'
    assert await text(script, "Read this invoice") == '{"vendor": "Kral"}'
    assert script.plays == (2, 0, 0)


@pytest.mark.anyio
async def test_lines_follow_each_other_and_begin_anew(script: Script) -> None:
    assert [await text(script, "Hi") for _ in range(4)] == ["Hello", None, "Hello", None]


@pytest.mark.anyio
async def test_only_the_last_thing_that_the_user_said_counts(script: Script) -> None:
    turns = [("user", "an invoice"), ("assistant", "yes?"), ("user", "Hi")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert await text(script, "", messages=messages) == "Hello"


@pytest.mark.anyio
async def test_without_a_fitting_line_it_says_so() -> None:
    with pytest.raises(TargetRejected, match="none of its lines fits") as caught:
        await text(Script([Line(when="x", text="y")]), "Hi")
    assert caught.value.code == "script_has_no_line"


@pytest.mark.anyio
async def test_usage_is_as_told_or_counted(script: Script) -> None:
    assert (await script.answer(spoken("invoice"), asking())).usage == Usage(12, 7, 3)
    assert (await script.answer(spoken("Hi"), asking())).usage is None
    counted = (await script.answer(spoken("one two three"), asking())).usage
    assert counted is not None
    assert counted.input == 3


@pytest.mark.anyio
async def test_completions_are_answered_too(script: Script) -> None:
    assert await text(script, "invoice", task="complete") == '{"vendor": "Kral"}'
    assert await text(script, "", task="complete", prompt=["a", "b"]) == "Hello"


@pytest.mark.anyio
async def test_every_choice_is_said_whole() -> None:
    line = Line(text="one two", reasoning="hm", finish="length")
    assert len((await Script([line]).answer(spoken(n=3), asking())).said) == 3
    async with aclosing(Script([line]).stream(spoken(n=2, stream=True), asking())) as stream:
        chunks = [item async for item in stream if isinstance(item, Chunk)]
    assert [(c.index, c.text or c.reasoning, c.finish) for c in chunks] == [
        (index, *piece) for index in (0, 1) for piece in (("hm", None), ("one", None), (" two", None), ("", "length"))
    ]


@pytest.mark.anyio
async def test_pauses_are_kept_and_deadlines_too() -> None:
    slow = Script([Line(pieces=("a", "b"), latency_s=0.03, delay_s=0.03)])
    started = time.monotonic()
    await slow.answer(spoken(), asking())
    assert 0.055 < time.monotonic() - started < 1
    with pytest.raises(TargetTimeout) as caught:
        async with aclosing(slow.stream(spoken(), asking(between_tokens_s=0.01))) as stream:
            [item async for item in stream]
    assert caught.value.details["stage"] == "between_tokens"


@pytest.mark.anyio
@pytest.mark.parametrize("stage", ["connect", "first_token", "between_tokens", "total"])
async def test_a_deadline_can_pass_at_once(stage: Any) -> None:
    with pytest.raises(TargetTimeout) as caught:
        await Script([Line(timeout=stage)]).answer(spoken(), asking())
    assert caught.value.details["stage"] == stage


@pytest.mark.anyio
async def test_an_echo_says_what_the_user_said_last() -> None:
    script = Script([Line(text="You said: ", echo=True)])
    assert await text(script, "one two") == "You said: one two"
    async with aclosing(script.stream(spoken("one two", stream=True), asking())) as stream:
        pieces = [item.text async for item in stream if isinstance(item, Chunk)]
    assert pieces == ["You", " said:", " one", " two", ""]
    assert script.plays == (2,)


@pytest.mark.anyio
async def test_a_filtered_answer_ends_as_one() -> None:
    answer = await Script([Line(text="", finish="content_filter")]).answer(spoken(), asking())
    assert (answer.finish, answer.said[0].finish) == ("content_filter", "content_filter")


@pytest.mark.anyio
async def test_a_malformed_answer_is_malformed_for_streams_as_well() -> None:
    with pytest.raises(TargetUnclear):
        async with aclosing(Script([Line(malformed=True)]).stream(spoken(), asking())) as stream:
            [item async for item in stream]


@given(st.text(alphabet="ab \n\t", max_size=30))
def test_pieces_put_together_are_the_text(said: str) -> None:
    assert "".join(Line(text=said).cuts) == said


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("lines = []", "lines"),
        ("", "lines"),
        ("[[lines]]", "lines[0]"),
        ("[[lines]]\ntext = 'a'\n[[lines]]\ntxt = 'b'", "lines[1]"),
        ("[[lines]]\ntext = 1", "lines[0].text"),
        ("[[lines]]\ntext = 'a'\nwhen = '('", "lines[0].when"),
        ("[[lines]]\ntext = 'a'\nfinish = 'done'", "lines[0].finish"),
        ("[[lines]]\nstatus = 429\nrefuse = true", "lines[0].refuse"),
        ("[[lines]]\nstatus = 200", "lines[0].status"),
        ("[[lines]]\ntext = 'a'\nfault = 'tired'", "lines[0].fault"),
        ("[[lines]]\ntext = 'a'\nfault = 'page'\nstatus = 500", "lines[0].fault"),
        ("[[lines]]\nfault = 'garbled'", "lines[0]"),
        ("[[lines]]\ncut_after = 1", "lines[0]"),
        ("[[lines]]\ntext = 'a'\ncut_after = -1", "lines[0].cut_after"),
        ("[[lines]]\ntext = 'a'\ndelay_s = -1", "lines[0].delay_s"),
        ("[[lines]]\ntext = 'ab'\npieces = ['a', 'c']", "lines[0].pieces"),
        ("[[lines]]\ntext = 'a'\nusage = { inputs = 1 }", "lines[0].usage"),
        ("[[lines]\n", ""),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_path(tmp_path: Path, written: str, path: str) -> None:
    file = tmp_path / "lines.toml"
    file.write_text(written)
    with pytest.raises(ConfigInvalid) as caught:
        load(str(file))
    assert caught.value.details["file"] == str(file)
    assert caught.value.details["path"] == path
    assert str(file) in str(caught.value)


def test_a_missing_script_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"nothing\.toml can't be read"):
        load(str(tmp_path / "nothing.toml"))


@pytest.mark.anyio
@pytest.mark.parametrize("task", ["embed", "rerank"])
async def test_what_is_no_text_is_refused(script: Script, task: Any) -> None:
    with pytest.raises(RequestInvalid, match=task) as refused:
        await script.answer(Request(task=task, route="r"), asking())
    assert refused.value.code == "unsupported_feature"
