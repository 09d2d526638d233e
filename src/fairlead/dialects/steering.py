"""What a caller may not decide by a field that only some servers know, and what makes an answer dearer than its price.

A caller's own words are passed on as they stand, fields that nobody here knows among them. So these are refused, in
whichever language they come:

| a field | what it would do |
|---|---|
| `MODEL`, `Max_Tokens`, `Stream` | servers that don't tell cases apart (Go's JSON) would take it for the one below |
| `models`, `fallbacks`, `preset` | OpenRouter and LiteLLM would ask other models than the route's |
| `n_predict`, `max_new_tokens`, ... | servers with a name of their own for the limit would pass over ours |

It knows names. Where they stand, and whether a budget minds, others know.
"""

from collections.abc import Collection, Mapping

import msgspec
from msgspec import Raw

from fairlead.dialects.quirks import LIMITS, RESERVED
from fairlead.dialects.reading import UNREADABLE, is_null
from fairlead.errors import RequestInvalid

OTHER_MODELS = frozenset({"models", "fallbacks", "preset"})
OTHER_LIMITS = frozenset({
    "max_gen_len", "max_length", "max_new_tokens", "max_tokens_to_sample", "maxTokenCount", "n_predict", "num_predict",
})  # fmt: skip
_STEERING = RESERVED | LIMITS | OTHER_LIMITS | {
    *OTHER_MODELS, "data_sources", "functions", "mcp_servers", "n_cmpl", "plugins", "service_tier", "speed", "thinking",
    "tools", "web_search_options",
}  # fmt: skip
_IDLE = frozenset({b"null", b"false", b"[]", b"{}", b'""'})
# Fields by which an answer may cost more than the price of its model, and the values by which it does not.
_USUAL: Mapping[str, frozenset[str]] = {
    "service_tier": frozenset({"auto", "default", "standard", "standard_only", "flex", "on_demand", "batch"}),
    "serviceTier": frozenset({"auto", "default", "standard", "flex", "unspecified"}),
    "speed": frozenset({"standard"}),
    "inference_geo": frozenset({"global"}),
    "performanceConfig": frozenset({"standard"}),
}
DEARER = frozenset(_USUAL)
_ANY = msgspec.json.Decoder()


def may_steer(names: Collection[str], limits: frozenset[str] = frozenset()) -> bool:
    """Whether fields of these names are to be looked at by `check_steering`, which nearly none are."""
    said = "".join(names)
    return not (said.isascii() and said.islower() and OTHER_MODELS.isdisjoint(names) and limits.isdisjoint(names))


def check_steering(fields: Mapping[str, Raw], limits: frozenset[str] = frozenset()) -> None:
    """Raises RequestInvalid for the first field that would lead a server past what the route says. `limits`: names of
    the output's limit that are none in this language."""
    if not may_steer(fields, limits):
        return
    _check_cases(fields)
    for name, value in fields.items():
        if name in OTHER_MODELS and bytes(value) not in _IDLE:
            raise RequestInvalid(
                f"`{name}`: who is asked is what the route says, and can't be said by a request.",
                code="unsupported_feature",
                param=name,
                hint="Leave it out. A route's targets are asked one after the other where it has several.",
            )
        if name in limits and not is_null(value):
            raise RequestInvalid(
                f"`{name}` is no name of the output limit here.",
                code="unsupported_feature",
                param=name,
                hint="Use the language's own: `max_tokens`, or `max_completion_tokens`.",
            )


def _check_cases(fields: Mapping[str, Raw]) -> None:
    for name in fields:
        folded = name.casefold()
        if folded != name and folded in _STEERING:
            raise RequestInvalid(
                f"`{name[:100]}`: some servers would take it for `{folded[:100]}`.",
                param=name[:100],
                hint="Write it in lower case, or leave it out.",
            )


def costs_more(fields: Mapping[str, Raw]) -> bool:
    """Whether it asks for a tier, a speed or a place that has a price of its own, which nobody told."""
    return not DEARER.isdisjoint(fields) and any(not _is_usual(name, fields[name]) for name in DEARER & fields.keys())


def _is_usual(name: str, raw: Raw) -> bool:
    try:
        said = _ANY.decode(raw)
    except UNREADABLE:
        return False
    if isinstance(said, dict) and len(said) == 1:  # Bedrock's: {"type": ...}, {"latency": ...}
        [said] = said.values()
    return said is None or (isinstance(said, str) and said.lower().removeprefix("service_tier_") in _USUAL[name])
