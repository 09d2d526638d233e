"""OpenAI's language: usage, in the words of everybody who speaks it."""

import json

import msgspec
import pytest

from fairlead.chat import Usage
from fairlead.dialects.openai.usage import UsageSaid, read_usage, take_usage

COUNTS = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}


def read(**said):
    return read_usage(msgspec.convert({**COUNTS, **said}, UsageSaid))


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        ({"cache_read_input_tokens": 60, "cache_creation_input_tokens": 20}, Usage(100, 50, 60, 20)),
        ({"cached_tokens": 60}, Usage(100, 50, 60)),
        (
            {"cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}},
            Usage(100, 50, details={"cache_write_5m_tokens": 20, "cache_write_1h_tokens": 10}),
        ),
        (
            {"prompt_tokens_details": {"audio_tokens": 30, "image_tokens": 20, "video_tokens": 10, "cached_tokens": 0}},
            Usage(100, 50, details={"input_audio_tokens": 30, "input_image_tokens": 20, "input_video_tokens": 10}),
        ),
        (
            {"prompt_tokens_details": {"cached_tokens": 60, "cached_tokens_details": {"audio_tokens": 5}}},
            Usage(100, 50, 60, details={"cache_audio_read_tokens": 5}),
        ),
        (
            {"completion_tokens_details": {"audio_tokens": 30, "image_tokens": 0}},
            Usage(100, 50, details={"output_audio_tokens": 30}),
        ),
        ({"server_tool_use_details": {"web_search_requests": 2}}, Usage(100, 50, details={"web_searches": 2})),
        ({"server_tool_use": {"web_search_requests": 2}}, Usage(100, 50, details={"web_searches": 2})),
        ({"num_search_queries": 3}, Usage(100, 50, details={"web_searches": 3})),
        ({"prompt_tokens_details": None, "completion_tokens_details": None, "cache_creation": None}, Usage(100, 50)),
    ],
)
def test_what_has_a_price_of_its_own_is_counted(said, usage):
    assert read(**said) == usage


def test_reasoning_is_part_of_the_output_however_it_is_told():
    details = {"completion_tokens_details": {"reasoning_tokens": 20}}
    assert read(**details) == Usage(100, 50, reasoning=20)
    assert read(**details, total_tokens=170) == Usage(100, 70, reasoning=20)


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        (None, None),
        ("many", None),
        ({"prompt_tokens": "many"}, None),
        ({**COUNTS, "cache_creation": 7, "prompt_tokens_details": "none"}, Usage(100, 50)),
    ],
)
def test_an_odd_usage_makes_no_answer_unreadable(said, usage):
    assert take_usage(msgspec.Raw(json.dumps(said).encode())) == usage
