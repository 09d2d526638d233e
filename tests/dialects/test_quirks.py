"""Parameters and quirks are checked before anything is started."""

import pytest

from fairlead.dialects.quirks import check_settings
from fairlead.errors import ConfigInvalid


def test_known_settings_pass():
    check_settings("openai", params={"temperature": 0, "max_tokens": 5}, quirks={"rename": {"a": "b"}, "drop": ["c"]})
    check_settings("anthropic", params={"thinking": {"type": "adaptive"}}, quirks={"thinking": "budget"})


@pytest.mark.parametrize(
    ("params", "quirks", "path"),
    [
        ({"model": "x"}, {}, "params.model"),
        ({"n": 3}, {}, "params.n"),
        ({"max_tokens": "5"}, {}, "params.max_tokens"),
        ({"max_tokens": True}, {}, "params.max_tokens"),
        ({}, {"max_token_name": "max_tokens"}, "quirks"),
        ({}, {"stream_usage": "no"}, "quirks"),
    ],
)
def test_a_setting_without_effect_is_refused(params, quirks, path):
    with pytest.raises(ConfigInvalid) as caught:
        check_settings("openai", params=params, quirks=quirks)
    assert caught.value.details["path"] == path
    assert caught.value.hint
