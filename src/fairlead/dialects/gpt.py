"""OpenAI's models: what each of them takes, by its name. Both of its languages go by this.

| models | think | efforts | sampling, log probabilities | stop sequences |
|---|---|---|---|---|
| GPT-3.5, 4, 4.1, 4o | no | | yes | yes |
| o1, o3, o4-mini | always | low, medium, high | no | no |
| GPT-5 | always | minimal, low, medium, high | no | no |
| GPT-5.1 | if asked to | none, low, medium, high | where it does not think | yes |
| GPT-5.2 to 5.5 | if asked to | the same, and xhigh | where it does not think | yes |
| later ones | if asked to | not known here | where it does not think | yes |

Sources: https://platform.openai.com/docs/guides/reasoning and the pages of the models, read 2026-11. The chat variants
(`gpt-5-chat-latest`) and models of others under such names (`openai/gpt-5`, `gpt-oss-20b`) are not known.
"""

import re
from functools import lru_cache
from typing import Any

from msgspec import Struct

from fairlead.dialects.effort import SHARES
from fairlead.dialects.losses import Losses

_NAME = re.compile(r"(?:gpt-(?P<major>\d)(?:\.(?P<minor>\d+))?(?P<omni>o)?|(?P<o>o\d))(?=-|\Z)(?!.*-chat)")
HINT = "The model takes none while it thinks; leave it out."
_DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "frequency_penalty": 0.0, "presence_penalty": 0.0}


class Gpt(Struct, frozen=True):
    """What a model takes. `efforts`: () where it does not think, None where they are not known."""

    efforts: tuple[str, ...] | None = None
    always: bool = False  # it always thinks

    @property
    def thinks(self) -> bool:
        return self.efforts != ()

    def level(self, effort: str) -> str:
        """The nearest of its efforts; it is not switched off unless that was asked for."""
        if not self.efforts or effort in self.efforts or (effort not in SHARES and effort != "none"):
            return effort
        share = SHARES.get(effort, 0.0)
        return min((own for own in self.efforts if own != "none"), key=lambda own: abs(SHARES[own] - share))


@lru_cache(maxsize=512)
def gpt_of(model: str) -> Gpt | None:
    """By OpenAI's own name of it (`gpt-5.1-codex`, `o3-mini-2025-01-31`). None where the name is no such."""
    found = _NAME.match(model.lower())
    if found is None:
        return None
    if found["o"]:
        return Gpt(("low", "medium", "high"), always=True)
    version = (int(found["major"]), int(found["minor"] or 0))
    if version < (5, 0) or found["omni"]:
        return Gpt(())
    if version < (5, 1):
        return Gpt(("minimal", "low", "medium", "high"), always=True)
    if version < (5, 2):
        return Gpt(("none", "low", "medium", "high", *(("xhigh",) if "-max" in model else ())))
    return Gpt(("none", "low", "medium", "high", "xhigh") if version < (5, 6) else None)


def refuses_sampling(gpt: Gpt | None, effort: str | None) -> bool:
    """Whether it will think, and then takes no sampling and tells no log probabilities."""
    return gpt is not None and gpt.thinks and (gpt.always or effort not in (None, "none"))


def lose_sampling(fields: dict[str, Any], losses: Losses) -> None:
    """Leave out what a model refuses that thinks."""
    for name, default in _DEFAULTS.items():
        if fields.pop(name, default) != default:
            losses.lose(name, f"a `{name}` to this model", HINT)
