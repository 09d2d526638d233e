"""OpenAI's language: a bare completion, read as a conversation."""

import json

import pytest

from fairlead.chat import Message, Text
from fairlead.dialects import openai
from fairlead.dialects.losses import Losses
from fairlead.errors import RequestInvalid


def read(**fields):
    return openai.read_request("complete", json.dumps({"model": "x", **fields}).encode()).chat()


def test_a_prompt_is_a_message_of_the_user():
    chat = read(prompt="Once", max_tokens=5, temperature=0.5, stop=["."], seed=1, user="u", n=2)
    assert chat.messages == (Message("user", (Text("Once"),)),)
    assert (chat.max_output_tokens, chat.temperature, chat.stop, chat.seed, chat.user, chat.samples) == (
        5, 0.5, (".",), 1, "u", 2,
    )  # fmt: skip
    assert chat.others == {}
    assert read(prompt=["Once"]).messages == chat.messages


def test_what_a_conversation_has_no_word_for_is_listed():
    asked = {"suffix": "end", "echo": True, "best_of": 3, "logprobs": 2, "logit_bias": {"1": 5}}
    assert list(read(prompt="Once", **asked).others) == list(asked)
    assert read(prompt="Once", suffix="", echo=False, best_of=1, logprobs=None, frequency_penalty=0).others == {}


def test_what_is_listed_is_refused_by_every_language_this_one_too():
    with pytest.raises(RequestInvalid) as caught:
        openai.write_request(
            read(prompt="Once", logprobs=2),
            model="m",
            max_output_tokens=5,
            stream=False,
            params={},
            quirks={},
            losses=Losses(openai.LANGUAGE),
        )
    assert caught.value.param == "logprobs"


@pytest.mark.parametrize("prompt", [["a", "b"], [1, 2], [[1, 2]], [[1], [2]]])
def test_tokens_and_several_prompts_are_no_conversation(prompt):
    with pytest.raises(RequestInvalid) as caught:
        read(prompt=prompt)
    assert (caught.value.code, caught.value.param) == ("unsupported_feature", "prompt")
