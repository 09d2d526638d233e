"""Anthropic's models: what each of them takes, by its name. Every language in which they are asked goes by this.

| models | thinking | to switch it off | efforts | sampling | forced tools | goes on with an answer |
|---|---|---|---|---|---|---|
| before 3.7 | none | | none | yes | yes | yes |
| 3.7 to 4.5 | a budget | `disabled` | none; Opus 4.5 low, medium, high | yes | yes | yes |
| Opus and Sonnet 4.6 | adaptive, or a budget | `disabled` | low, medium, high, max | yes | yes | no |
| Opus 4.7, 4.8, 5; Sonnet 5; Haiku 5.5 | adaptive | `disabled` | all | no | yes | no |
| Mythos Preview | adaptive | never | all but xhigh | no | yes | no |
| Fable 5, Mythos 5 | adaptive | never | all | no | yes | no |
| Fable 5.1, Mythos 5.1, Opus 5.5 | adaptive | never | all | no | no | no |
| Sonnet 5.5 | adaptive | `between_tools` | all | no | no | no |

Sources: Anthropic's pages on thinking and effort, and the migration guide of each model
(https://platform.claude.com/docs/en/about-claude/models/migration-guide), read 2026-11. A later version of a family is
taken to be as its latest one here; a name that tells no version is not known.
"""

import re
from functools import lru_cache
from typing import Literal

from msgspec import Struct

LEVELS = ("low", "medium", "high", "xhigh", "max")

_NAME = re.compile(
    r"claude-(?:(?P<before>[a-z]+)-)?(?P<major>\d{1,2})(?!\d)(?:[-.](?P<minor>\d{1,2})(?!\d))?(?:-(?P<after>[a-z]+))?"
)
_OLDEST = re.compile(r"claude-(?:v\d|instant)")
_PREVIEW = "claude-mythos-preview"
_ALWAYS_ON = ("fable", "mythos")
_UNFORCED = {"fable": (5, 1), "mythos": (5, 1), "opus": (5, 5), "sonnet": (5, 5)}  # since when no tool can be forced


class Claude(Struct, frozen=True):
    """What a model takes. `off` is the type of thinking that switches it off, "" where nothing does."""

    thinking: Literal["none", "budget", "either", "adaptive"]
    off: Literal["disabled", "between_tools", ""] = "disabled"
    efforts: tuple[str, ...] = ()
    samples: bool = True  # takes a temperature, `top_p` and `top_k`
    forces: bool = True  # can be made to call a tool
    continues: bool = True  # goes on with an answer that has been begun

    def level(self, effort: str) -> str:
        """The nearest of its efforts to one of LEVELS, the lower where two are as near. It must have any."""
        wanted = LEVELS.index(effort)
        return min(self.efforts, key=lambda own: abs(LEVELS.index(own) - wanted))


@lru_cache(maxsize=1024)
def claude_of(model: str) -> Claude | None:
    """By a provider's name of it (`claude-opus-4-5-20251101`, `anthropic/claude-4.6-opus`, `us.anthropic.claude-...`).

    None where the name is not that of a model of Anthropic's, or tells no version.
    """
    name = model.lower()
    if _PREVIEW in name:
        return Claude("adaptive", "", ("low", "medium", "high", "max"), samples=False, continues=False)
    if _OLDEST.search(name):
        return Claude("none")
    found = _NAME.search(name)
    if found is None:
        return None
    return _of_version(found["before"] or found["after"] or "", (int(found["major"]), int(found["minor"] or 0)))


def _of_version(family: str, version: tuple[int, int]) -> Claude:
    if version < (3, 7):
        return Claude("none")
    if version < (4, 6):
        return Claude("budget", efforts=LEVELS[:3] if (family, version) == ("opus", (4, 5)) else ())
    if version < (4, 7):
        return Claude("either", efforts=("low", "medium", "high", "max"), continues=False)
    off: Literal["disabled", "between_tools", ""] = "disabled"
    if family in _ALWAYS_ON or (family == "opus" and version >= (5, 5)):
        off = ""
    elif family == "sonnet" and version >= (5, 5):
        off = "between_tools"
    forces = family not in _UNFORCED or version < _UNFORCED[family]
    return Claude("adaptive", off, LEVELS, samples=False, forces=forces, continues=False)
