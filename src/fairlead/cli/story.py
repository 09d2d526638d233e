"""One call, told: who asked, what the rules did, which targets were tried in order, what each cost and how it ended.

It is given rows and makes lines of text; where the rows come from is not known here.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from fairlead.cli.terminal import duration, moment, money

if TYPE_CHECKING:
    from fairlead.store.calls import AttemptRow, CallRow, CallShown

ENDS = {
    "ok": "It was answered",
    "denied": "It was denied",
    "failed": "It failed",
    "cancelled": "The caller hung up",
    "lost": "The server died before it ended",
}
SERVED = {
    "hit": ": the answer was in the route's cache",
    "shared": ": the answer is that to another call, which asked the same at the same time",
}


def tell(shown: "CallShown", names: Mapping[str, str]) -> list[str]:
    """The story as lines. `names` are those of keys, by id."""
    call = shown.call
    lines = [f"call {call.id}", "", *_asked(call, names), ""]
    lines += _ruled(call)
    for number, attempt in enumerate(shown.attempts, 1):
        lines += _tried(number, attempt)
    if not shown.attempts:
        lines += [f"No target was asked{SERVED.get(call.cache, '')}.", ""]
    return lines + list(_ended(call, shown.attempts))


def _asked(call: "CallRow", names: Mapping[str, str]) -> Iterator[str]:
    who = f'key "{names[call.key]}"' if call.key in names else f"key {call.key}"
    team = f" of team {call.team}" if call.team else ""
    how = "as a stream" if call.stream else "for a whole answer"
    yield f"{moment(call.at_us)}  {who}{team} asked route {call.route} ({call.task}) {how}."
    for label, value in (("session", call.session), ("parent", call.parent), ("tags", ", ".join(call.tags))):
        if value:
            yield f"  {label} {value}"


def _ruled(call: "CallRow") -> list[str]:
    if not call.narrowed:
        return ["No rule narrowed it.", ""] if call.status != "denied" else []
    return ["What the rules did:", *(f"  - {rule}" for rule in call.narrowed), ""]


def _tried(number: int, attempt: "AttemptRow") -> list[str]:
    lines = [
        f"{number}. {attempt.purpose}: target {attempt.target} "
        f"({attempt.model} at {attempt.backend}, zone {attempt.zone})",
        f"   {_outcome(attempt)}",
        f"   {_times(attempt)}",
        f"   {_tokens(attempt)}",
        f"   cost {_cost(attempt)}",
    ]
    if attempt.served_model and attempt.served_model != attempt.model:
        lines.insert(1, f"   the provider calls it {attempt.served_model}")
    if attempt.request_id:
        lines.append(f"   the provider knows it as {attempt.request_id}")
    return [*lines, ""]


def _outcome(attempt: "AttemptRow") -> str:
    if attempt.outcome == "ok":
        form = ", in the form that was asked for" if attempt.shape == "valid" else ""
        return (f"ok, finished by {attempt.finish}" if attempt.finish else "ok") + form
    status = f" (status {attempt.status})" if attempt.status is not None else ""
    why = f": {attempt.why}" if attempt.why else ""
    if attempt.outcome == "lost":
        why = why or ": the server died before the outcome was known"
    return f"{attempt.outcome}{status}{why}"


def _times(attempt: "AttemptRow") -> str:
    waited = f"asked {duration(attempt.queued_us)} after the call came, " if attempt.queued_us is not None else ""
    first = f"first word after {duration(attempt.first_token_us)}, " if attempt.first_token_us is not None else ""
    return f"{waited}{first}took {duration(attempt.duration_us)}"


def _tokens(attempt: "AttemptRow") -> str:
    parts = [
        f"{attempt.cache_read_tokens:,} from cache" if attempt.cache_read_tokens else "",
        f"{attempt.cache_write_tokens:,} into cache" if attempt.cache_write_tokens else "",
    ]
    of_input = ", ".join(part for part in parts if part)
    reasoning = f" ({attempt.reasoning_tokens:,} of them reasoning)" if attempt.reasoning_tokens else ""
    counted = ", estimated" if attempt.estimated else ""
    read = f"{attempt.input_tokens:,} tokens in" + (f" ({of_input})" if of_input else "")
    apart = ", ".join(f"{unit.replace('_', ' ')} {count:,}" for unit, count in sorted(attempt.usage_details.items()))
    return f"{read}, {attempt.output_tokens:,} out{reasoning}{counted}" + (f"; {apart}" if apart else "")


def _cost(attempt: "AttemptRow") -> str:
    said = money(attempt.cost_nusd, estimated=attempt.estimated)
    if attempt.price is None:
        return f"{said}: {attempt.target} has no known price" if attempt.cost_nusd is None else said
    held = f", held {money(attempt.hold_nusd)}" if attempt.hold_nusd is not None else ""
    over = ", more than was held" if attempt.overrun else ""
    return f"{said} at price {attempt.price}{held}{over}"


def _ended(call: "CallRow", attempts: "tuple[AttemptRow, ...]") -> Iterator[str]:
    by = f" by {call.target}" if call.target and call.status == "ok" else ""
    code = f" ({call.code})" if call.code else ""
    yield f"{ENDS.get(call.status, call.status)}{by}{code} after {duration(call.duration_us)}."
    if call.why:
        yield f"  why: {call.why}"
    if call.cache in SERVED:
        yield "  cost: nothing"
    if attempts:
        estimated = " (~: estimated)" if call.estimated and call.cost_nusd is not None else ""
        yield f"  cost: {money(call.cost_nusd, estimated=call.estimated)}{estimated}"
    if call.first_word_us is not None:
        yield f"  first word after {duration(call.first_word_us)}"
    yield f"  configuration {call.config or 'unknown'}, trace {call.trace or 'none'}"
