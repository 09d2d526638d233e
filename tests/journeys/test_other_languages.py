"""The official client on this side, Anthropic's API (a stand-in on real TCP) on the other: nobody notices."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from backends.stages import happenings, message
from fairlead.server.office import KeyMade
from journeys.door import Door, say
from upstream import Asked, Step, Talk, Upstream, events, refused_url, reply

CONFIG = """\
data_dir = "data"

[server]
listen = "127.0.0.1:0"
admin = "off"
drain_s = 1

[backends.abroad]
kind = "anthropic"
base_url = "{url}"
zone = "contract"
key = "file:key.txt"

[backends.gone]
kind = "openai"
base_url = "{gone}"
zone = "contract"

[backends.home]
kind = "script"
zone = "private"
script = "script.toml"

[targets.opus]
backend = "abroad"
model = "opus-1"
price = {{ input = 1.0, output = 10.0, cache_read = 0.1 }}
breaker = {{ on = false }}

[targets.gone]
backend = "gone"
model = "gone-1"
price = {{ input = 1.0, output = 1.0 }}

[targets.spare]
backend = "home"
model = "spare-1"
price = {{ input = 1.0, output = 1.0 }}

[routes.alone]
targets = ["opus"]
max_output_tokens = 500

[routes.after]
targets = ["gone", "opus"]

[routes.before]
targets = ["opus", "spare"]
"""
KEY = "sk-the-account"
USED = {"input_tokens": 10, "output_tokens": 4, "cache_read_input_tokens": 90}
LOOK_UP = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
CALLED = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"id": 7}}
OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'


class Abroad:
    """The stand-in, on a loop of its own. `say` sets what it answers with from now on."""

    def __init__(self) -> None:
        self._step: Step = reply(b"{}")
        self._up = Upstream(self._serve)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    async def _serve(self, talk: Talk) -> None:
        await self._step(talk)

    def open(self) -> str:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._up.__aenter__(), self._loop).result()
        return self._up.url

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._up.__aexit__(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def say(self, step: Step) -> None:
        self._up.requests.clear()
        self._step = step

    @property
    def asked(self) -> list[Asked]:
        return self._up.requests

    def body(self, number: int = 0) -> dict[str, Any]:
        return json.loads(self.asked[number].body)


@pytest.fixture(scope="module")
def abroad() -> Iterator[Abroad]:
    stand_in = Abroad()
    yield stand_in
    stand_in.close()


@pytest.fixture(scope="module")
def door(abroad: Abroad, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    (folder / "fairlead.toml").write_text(CONFIG.format(url=abroad.open(), gone=refused_url()))
    (folder / "script.toml").write_text('[[lines]]\ntext = "from the spare"\n')
    (folder / "key.txt").write_text(KEY)
    opened = Door(folder).open()
    yield opened
    opened.close()


@pytest.fixture
def ask(door: Door, key: KeyMade) -> Callable[..., Any]:
    client = door.client(key)

    def asking(model: str = "alone", **more: Any) -> Any:
        return client.chat.completions.create(**{"model": model, "messages": say("hi"), **more})

    return asking


def test_a_whole_answer_is_translated_and_billed(
    door: Door, key: KeyMade, abroad: Abroad, ask: Callable[..., Any]
) -> None:
    said = json.loads(message({"type": "text", "text": "Hello there"}))
    abroad.say(reply(json.dumps(said | {"usage": USED}).encode()))
    answer = ask(messages=[{"role": "system", "content": "be brief"}, *say("hi")], temperature=0.5)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("Hello there", "stop")
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.completion_tokens) == ("served-1", 100, 4)
    assert answer.usage.prompt_tokens_details.cached_tokens == 90
    assert abroad.asked[0].headers["x-api-key"] == KEY
    assert abroad.body() == {
        "model": "opus-1",
        "max_tokens": 500,
        "system": [{"type": "text", "text": "be brief"}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "temperature": 0.5,
    }
    (row,) = door.calls(key)
    assert (row.status, row.target, row.cost_nusd) == ("ok", "opus", 10 * 1000 + 90 * 100 + 4 * 10_000)


def test_a_stream_is_translated(door: Door, key: KeyMade, abroad: Abroad, ask: Callable[..., Any]) -> None:
    thinking = ({"type": "thinking", "thinking": ""}, [{"type": "thinking_delta", "thinking": "hm"}])
    text = ({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in ("Hel", "lo")])
    abroad.say(events(*happenings(thinking, text, stop="max_tokens"), names=True))
    chunks = list(ask(stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (5, 2)
    (row,) = door.calls(key)
    assert (row.status, row.cost_nusd) == ("ok", 5 * 1000 + 2 * 10_000)


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_goes_back(abroad: Abroad, ask: Callable[..., Any], stream: bool) -> None:
    used = (
        {**CALLED, "input": {}},
        [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"id"', ":7}")],
    )
    streamed = events(*happenings(used, stop="tool_use"), names=True)
    abroad.say(streamed if stream else reply(message(CALLED, stop="tool_use")))
    if stream:
        deltas = [chunk.choices[0].delta for chunk in ask(tools=[LOOK_UP], stream=True) if chunk.choices]
        pieces = [piece for delta in deltas for piece in delta.tool_calls or ()]
        arguments = "".join(piece.function.arguments for piece in pieces)
        (called,) = (piece for piece in pieces if piece.id)
    else:
        (called,) = ask(tools=[LOOK_UP]).choices[0].message.tool_calls
        arguments = called.function.arguments
    assert (called.id, called.function.name, json.loads(arguments)) == ("toolu_1", "look_up", {"id": 7})

    abroad.say(reply(message({"type": "text", "text": "It is seven"})))
    function = {"name": called.function.name, "arguments": arguments}
    history = [
        *say("hi"),
        {"role": "assistant", "tool_calls": [{"id": called.id, "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": called.id, "content": "seven"},
    ]
    assert ask(messages=history, tools=[LOOK_UP]).choices[0].message.content == "It is seven"
    assert abroad.body()["messages"][1:] == [
        {"role": "assistant", "content": [CALLED]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "seven"}]}
            ],
        },
    ]


def test_a_schema_is_asked_for_in_its_own_words(abroad: Abroad, ask: Callable[..., Any]) -> None:
    abroad.say(reply(message({"type": "text", "text": '{"a": 1}'})))
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    ask(response_format={"type": "json_schema", "json_schema": {"name": "it", "schema": schema}})
    assert abroad.body()["output_config"] == {"format": {"type": "json_schema", "schema": schema}}


@pytest.mark.parametrize("stream", [False, True])
def test_it_stands_in_for_a_target_of_another_language(abroad: Abroad, ask: Callable[..., Any], stream: bool) -> None:
    text = ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Hello"}])
    abroad.say(events(*happenings(text), names=True) if stream else reply(message({"type": "text", "text": "Hello"})))
    assert told(ask("after", stream=stream), stream) == "Hello"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "step",
    [
        reply(OVERLOADED, 529),
        reply(OVERLOADED.replace(b"overloaded", b"rate_limit"), 429, headers={"retry-after": "7"}),
        reply(b"<html>", 502, kind="text/html"),
        reply(OVERLOADED.replace(b"overloaded", b"authentication"), 401),
    ],
    ids=["529", "429", "502", "401"],
)
def test_another_target_stands_in_for_it(
    door: Door, key: KeyMade, abroad: Abroad, ask: Callable[..., Any], step: Step, stream: bool
) -> None:
    abroad.say(step)
    assert told(ask("before", stream=stream), stream) == "from the spare"
    failed, answered = door.call(door.calls(key)[0].id).attempts
    assert (failed.target, answered.target, answered.outcome) == ("opus", "spare", "ok")
    assert failed.outcome.startswith("target_")


def test_an_overload_in_a_stream_before_the_first_word_is_no_ones_loss(abroad: Abroad, ask: Callable[..., Any]) -> None:
    abroad.say(events(*happenings(stop=None), OVERLOADED, names=True))
    assert told(ask("before", stream=True), True) == "from the spare"


def test_what_it_can_not_say_is_said_by_another(abroad: Abroad, ask: Callable[..., Any]) -> None:
    abroad.say(reply(message({"type": "text", "text": "never asked"})))
    assert len(ask("before", n=2).choices) == 2
    assert abroad.asked == []


def test_alone_its_failures_have_openais_shape(abroad: Abroad, ask: Callable[..., Any]) -> None:
    abroad.say(reply(OVERLOADED.replace(b"overloaded", b"rate_limit"), 429, headers={"retry-after": "7"}))
    with pytest.raises(openai.RateLimitError) as limited:
        ask()
    assert (limited.value.code, limited.value.response.headers["retry-after"]) == ("target_overloaded", "7")
    abroad.say(reply(OVERLOADED.replace(b"overloaded_error", b"invalid_request_error"), 400))
    with pytest.raises(openai.BadRequestError, match="Overloaded") as rejected:
        ask()
    assert rejected.value.code == "target_rejected"
    with pytest.raises(openai.BadRequestError) as unsayable:
        ask(logit_bias={"1": 5})
    assert (unsayable.value.code, unsayable.value.param) == ("unsupported_feature", "logit_bias")


def test_a_stream_that_is_cut_is_an_error_and_never_a_stop(
    door: Door, key: KeyMade, abroad: Abroad, ask: Callable[..., Any]
) -> None:
    text = ({"type": "text", "text": ""}, [{"type": "text_delta", "text": "Hello"}])
    abroad.say(events(*happenings(text, stop=None), names=True))
    chunks: list[Any] = []
    with pytest.raises(openai.APIError, match="ended its stream"):
        chunks += ask("before", stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello"
    assert all(chunk.choices[0].finish_reason is None for chunk in chunks)
    assert door.calls(key)[0].status == "failed"


def told(answer: Any, stream: bool) -> str:
    if not stream:
        return answer.choices[0].message.content
    return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
