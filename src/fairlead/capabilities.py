"""What a target's model can do: what the catalog says of it, what we know of our own engines, and over both the
operator's own words (`[targets.NAME.can]`).

It knows no request and rules nothing out: that is `gateway/policies/capability.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace

from fairlead.catalog.models import FEATURES, Facts, find_model
from fairlead.config import CanSettings, EngineSettings
from fairlead.dialects.claude import claude_of
from fairlead.gateway.call import Capabilities

NOTHING_KNOWN = Capabilities()


class Served(Struct, frozen=True):
    """Where a model is asked: at a provider by the catalog's name of it ("" where it has none), or by an engine.

    `tasks` are those that are served there at all, None where nobody says; `prefill` is whether a begun answer is gone
    on with there, None where nobody knows.
    """

    model: str
    provider: str = ""
    engine: EngineSettings | None = None
    tasks: tuple[str, ...] | None = None
    prefill: bool | None = None


def find_capabilities(served: Served, own: CanSettings) -> Capabilities | None:
    """None: nothing is known."""
    if served.engine is not None:
        known = _of_engine(served.engine)
    else:
        facts = find_model(served.provider, served.model) if served.provider else None
        known = _of_facts(facts) if facts else NOTHING_KNOWN
    if known.tasks is None and served.tasks is not None:
        known = replace(known, tasks=frozenset(served.tasks))
    if known.prefill is None and served.prefill is not None:
        known = replace(known, prefill=served.prefill)
    said = {name: value for name, value in asdict(own).items() if value is not None}
    limits = {"context": "context_tokens", "max_output": "max_output_tokens"}
    said = {limits.get(name, name): frozenset(value) if name == "tasks" else value for name, value in said.items()}
    known = replace(known, **said) if said else known
    return None if known == NOTHING_KNOWN else known


def find_prefill(kind: str, model: str, quirks: Mapping[str, Any]) -> bool | None:
    """Whether a model goes on with an answer that has been begun: by its wire format, its name and its server."""
    claude = claude_of(model)
    if claude is not None and not claude.continues:
        return False
    if kind == "openai":
        return True if quirks.get("prefill") else None
    return True if claude is not None and kind in ("anthropic", "bedrock") else None


def shared_capabilities(several: Sequence[Capabilities | None]) -> Capabilities | None:
    """What one model can do wherever it is asked: what is known of none is not known of all, and the least counts."""
    known = [one or NOTHING_KNOWN for one in several]
    shared: dict[str, Any] = {}
    for name in Capabilities.__struct_fields__:
        values = [value for one in known if (value := getattr(one, name)) is not None]
        if name == "tasks":
            shared[name] = frozenset[str].intersection(*values) if len(values) == len(known) else None
        elif name.endswith("_tokens"):
            shared[name] = min(values, default=None)
        else:
            shared[name] = False if False in values else True if len(values) == len(known) else None
    found = Capabilities(**shared)
    return None if found == NOTHING_KNOWN else found


def _of_facts(facts: Facts) -> Capabilities:
    features = {name: True if name in facts.can else False if name in facts.cannot else None for name in FEATURES}
    return Capabilities(
        tasks=frozenset(facts.tasks),
        **features,
        context_tokens=facts.prompt or facts.context,
        max_output_tokens=facts.output,
    )


def _of_engine(engine: EngineSettings) -> Capabilities:
    """The embedded engine loads language models alone, without what would let them see or hear."""
    tasks = ("chat", "complete", "embed") if engine.embeddings else ("chat", "complete")
    return Capabilities(
        tasks=frozenset(tasks),
        image=False,
        audio=False,
        video=False,
        document=False,
        prefill=True,
        context_tokens=engine.context or None,
    )
