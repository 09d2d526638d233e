"""What a target can do: the catalog's word, our engines' nature, and over both the operator's."""

from pathlib import Path

import pytest

from fairlead.app import all_targets
from fairlead.capabilities import Served, find_capabilities, find_prefill
from fairlead.chat import Usage
from fairlead.config import CanSettings, EngineSettings, decode, encode, parse
from fairlead.gateway.call import Capabilities
from fairlead.money import NUSD, cost_nusd

NOTHING = CanSettings()
CONFIG = """
data_dir = "data"
[backends.cloud]
kind = "openai"
zone = "contract"
base_url = "https://api.openai.com/v1"
provider = "openai"
key = "env:OPENAI_API_KEY"
[targets.listed]
backend = "cloud"
model = "gpt-4o-mini-2024-07-18"
[targets.told]
backend = "cloud"
model = "gpt-4o-mini"
[targets.told.can]
image = false
context = 1000
max_output = 100
tasks = ["chat"]
[targets.told.price]
input = 1
output = 2
details = { input_audio_tokens = 40, web_searches = 10 }
"""


def test_a_listed_model_can_do_what_the_catalog_says() -> None:
    can = find_capabilities(Served("gpt-4o-mini", "openai"), NOTHING)
    assert can is not None
    assert (can.image, can.tools, can.audio, can.thinking) == (True, True, False, False)
    assert (can.tasks, can.context_tokens, can.max_output_tokens) == (frozenset({"chat"}), 128_000, 16_384)


def test_of_a_model_that_nobody_lists_nothing_is_known_but_the_tasks_of_its_provider() -> None:
    assert find_capabilities(Served("no-such-model", "openai"), NOTHING) is None
    assert find_capabilities(Served("gpt-4o-mini"), NOTHING) is None
    only = find_capabilities(Served("no-such-model", "openai", tasks=("chat", "embed")), NOTHING)
    assert only == Capabilities(tasks=frozenset({"chat", "embed"}))


def test_an_engine_of_ours_neither_sees_nor_hears_and_embeds_where_that_is_set() -> None:
    can = find_capabilities(Served("e", engine=EngineSettings(model="m.gguf", context=2048)), NOTHING)
    assert can is not None
    assert (can.image, can.audio, can.video, can.document, can.tools) == (False, False, False, False, None)
    assert (can.tasks, can.context_tokens) == (frozenset({"chat", "complete"}), 2048)
    both = find_capabilities(Served("e", engine=EngineSettings(model="m.gguf", embeddings=True)), NOTHING)
    assert both is not None
    assert both.tasks == frozenset({"chat", "complete", "embed"})


def test_the_operators_word_wins_where_there_is_one() -> None:
    own = CanSettings(image=False, audio=True, context=10, max_output=5, tasks=("embed",))
    can = find_capabilities(Served("gpt-4o-mini", "openai"), own)
    assert can is not None
    assert (can.image, can.audio, can.tools) == (False, True, True)
    assert (can.tasks, can.context_tokens, can.max_output_tokens) == (frozenset({"embed"}), 10, 5)
    assert find_capabilities(Served("m"), CanSettings(tools=False)) == Capabilities(tools=False)


def test_targets_are_made_with_what_they_can_do_and_with_all_that_they_cost(tmp_path: Path) -> None:
    read = parse(CONFIG, base=tmp_path, with_secrets=False)
    assert decode(encode(read)) == read
    targets = all_targets(read)
    listed, told = targets["listed"].can, targets["told"].can
    assert listed is not None
    assert told is not None
    assert (listed.image, told.image) == (True, False)
    assert (told.context_tokens, told.max_output_tokens, told.tools) == (1000, 100, True)
    price = targets["told"].price
    assert price is not None
    assert price.details == {"input_audio_tokens": 40 * NUSD, "web_searches": 10 * NUSD * 1000}
    assert cost_nusd(price, Usage(input=1_000_000, details={"web_searches": 1_000})) == 11 * NUSD


@pytest.mark.parametrize(
    ("kind", "model", "quirks", "expected"),
    [
        ("anthropic", "claude-sonnet-4-5", {}, True),
        ("bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", {}, True),
        ("anthropic", "claude-opus-4-6", {}, False),
        ("openai", "anthropic/claude-opus-4.6", {"prefill": "last"}, False),
        ("anthropic", "MiniMax-M2", {}, None),
        ("bedrock", "amazon.nova-pro-v1:0", {}, None),
        ("openai", "qwen3-8b", {"prefill": "vllm"}, True),
        ("openai", "gpt-5-mini", {}, None),
        ("gemini", "gemini-2.5-flash", {}, None),
    ],
)
def test_who_goes_on_with_a_begun_answer(kind: str, model: str, quirks: dict[str, str], expected: bool | None) -> None:
    assert find_prefill(kind, model, quirks) is expected
