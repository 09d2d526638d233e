"""What of a request a language can't say: refused, or left out and told."""

import pytest

from fairlead.dialects.losses import KEPT_ELSEWHERE, Losses
from fairlead.errors import RequestInvalid


def test_a_loss_is_refused_with_its_path_and_what_can_be_done() -> None:
    with pytest.raises(RequestInvalid) as refused:
        Losses("Klingon").lose("seed", "a seed")
    error = refused.value
    assert (error.code, error.param) == ("unsupported_feature", "seed")
    assert "Klingon" in error.message and "lossy = true" in error.hint


def test_a_lossy_route_is_told_each_loss_once_and_in_order() -> None:
    losses = Losses("Klingon", lossy=True)
    losses.lose("seed", "a seed")
    losses.leave("messages[0].name")
    losses.lose("seed", "a seed")
    assert losses.told == ("seed", "messages[0].name")


def test_what_means_nothing_there_is_left_out_on_every_route() -> None:
    losses = Losses("Klingon")
    losses.leave("messages[0].name")
    assert losses.told == ("messages[0].name",)


@pytest.mark.parametrize("path", sorted(KEPT_ELSEWHERE))
def test_half_of_a_prompt_is_never_left_out(path: str) -> None:
    with pytest.raises(RequestInvalid, match=path) as refused:
        Losses("Klingon", lossy=True).lose(path, "this field")
    assert "whole conversation" in refused.value.hint
