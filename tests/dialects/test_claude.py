"""What each of Anthropic's models takes, by its name."""

import pytest

from fairlead.dialects.claude import Claude, claude_of


@pytest.mark.parametrize(
    ("names", "thinking", "off", "efforts"),
    [
        (("claude-3-5-sonnet-20241022", "claude-3-haiku-20240307", "anthropic.claude-v2:1"), "none", "disabled", 0),
        (("claude-3-7-sonnet-20250219", "claude-opus-4-20250514", "claude-sonnet-4@20250514"), "budget", "disabled", 0),
        (("claude-haiku-4-5", "us.anthropic.claude-haiku-4-5-20251001-v1:0"), "budget", "disabled", 0),
        (("claude-opus-4-5-20251101", "anthropic/claude-opus-4.5"), "budget", "disabled", 3),
        (("claude-opus-4-6", "anthropic/claude-4.6-opus", "anthropic.claude-sonnet-4-6"), "either", "disabled", 4),
        (("claude-opus-4-7", "claude-sonnet-5", "claude-opus-5", "claude-haiku-5-5"), "adaptive", "disabled", 5),
        (("claude-sonnet-5-5", "claude-sonnet-6"), "adaptive", "between_tools", 5),
        (("claude-fable-5", "claude-mythos-5-2", "claude-opus-5-5", "claude-opus-6-20270101"), "adaptive", "", 5),
        (("claude-mythos-preview",), "adaptive", "", 4),
    ],
)
def test_a_name_tells_how_a_model_thinks(names, thinking, off, efforts):
    for name in names:
        known = claude_of(name)
        assert known is not None
        assert (known.thinking, known.off, len(known.efforts)) == (thinking, off, efforts), name


def test_models_of_late_take_no_sampling_and_go_on_with_no_answer():
    assert claude_of("claude-sonnet-4-5") == Claude("budget")
    old, new, newest = claude_of("claude-opus-4-6"), claude_of("claude-opus-5"), claude_of("claude-opus-5-5")
    assert old and new and newest
    assert (old.samples, new.samples, newest.samples) == (True, False, False)
    assert (old.forces, new.forces, newest.forces) == (True, True, False)
    assert (old.continues, new.continues, newest.continues) == (False, False, False)


def test_a_name_without_a_version_tells_nothing():
    for name in ("claude", "my-deployment", "deepseek-chat", "anthropic.claude-of-tomorrow", "gpt-4-5"):
        assert claude_of(name) is None


def test_an_effort_becomes_the_nearest_that_a_model_has():
    opus = claude_of("claude-opus-4-5")
    adaptive = claude_of("claude-opus-4-6")
    assert opus and adaptive
    assert (opus.level("max"), opus.level("low")) == ("high", "low")
    assert (adaptive.level("xhigh"), adaptive.level("max")) == ("high", "max")
