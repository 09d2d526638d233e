"""Two candidates' answers to the same cases, laid side by side for somebody who says which is better.

A pair is known by the hash of what was asked and of both answers, and speaks for the answer that sorts first: so it is
the same pair, and a verdict or a label on it means the same, in whichever order the two candidates are named, and in
every run in which the two answers are given again. An answer that failed has lost against one that did not, and what
is the same word for word is no better: nobody needs to be asked. Who is asked is not known here.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from fairlead.evals.cases import digest
from fairlead.evals.results import WHOLE
from fairlead.evals.scorers import FAILED
from fairlead.store.evals.answers import AnswerRow
from fairlead.store.evals.runs import ItemRow

TIE = 0.5
SAME, LOST = "the same word for word", "failed"


class Origin(Struct, frozen=True, order=True):
    """The run of a candidate, and what it is called there."""

    run: str
    name: str


class Pair(Struct, frozen=True, kw_only=True):
    """`one` and `other` are whose answers `texts` has, in this order. `settled` is how far `one` is preferred where
    nobody need be asked, and `why`; None: somebody must."""

    item: str
    repeat: int
    hash: str
    one: Origin
    other: Origin
    texts: tuple[str, str]
    settled: float | None = None
    why: str = ""


class Paired(Struct, frozen=True):
    """`changed` are cases that the two were not asked alike; `open` counts answers that only one of the two has."""

    pairs: tuple[Pair, ...]
    changed: tuple[str, ...]
    open: int


def pairing_id(one: Origin, other: Origin) -> str:
    """The same for both orders."""
    return digest([[side.run, side.name] for side in sorted((one, other))], 32)


def pair_up(
    base: Origin,
    candidate: Origin,
    answers: Mapping[Origin, Iterable[AnswerRow]],
    items: Mapping[Origin, Mapping[str, ItemRow]],
) -> Paired:
    """Of all cases that both were asked alike, repeat by repeat."""
    before, after = (_whole(answers[side]) for side in (base, candidate))
    both = {item for item, _ in before} & {item for item, _ in after}
    same = {item for item in both if len({items[side][item].content_hash for side in (base, candidate)}) == 1}
    pairs = []
    for key in sorted(before.keys() & after.keys()):
        if key[0] in same:
            pairs.append(_pair(items[base][key[0]], (base, before[key]), (candidate, after[key])))
    alone = [key for key in before.keys() ^ after.keys() if key[0] not in both - same]
    return Paired(tuple(pairs), tuple(sorted(both - same)), len(alone))


def told(answer: AnswerRow) -> str:
    """An answer as somebody is shown it: a conversation as it went, calls of tools beside the words."""
    if answer.messages:
        said = (one for one in msgspec.json.decode(answer.messages) if one.get("role") not in ("system", "developer"))
        return "\n\n".join(f"{one.get('role', '')}: {_text(one.get('content'))}" for one in said)
    calls = "" if answer.tool_calls == "[]" else answer.tool_calls
    return "\n\n".join(part for part in (answer.text, calls) if part)


def _whole(answers: Iterable[AnswerRow]) -> dict[tuple[str, int], AnswerRow]:
    return {(one.item, one.repeat): one for one in answers if one.turn == WHOLE and one.status != "missing"}


def _pair(item: ItemRow, *sides: tuple[Origin, AnswerRow]) -> Pair:
    known = [(told(answer), answer.status if answer.status in FAILED else "", origin) for origin, answer in sides]
    (one, one_failed, first), (other, other_failed, second) = sorted(known)
    settled, why = None, ""
    if one_failed or other_failed:
        settled, why = (TIE if one_failed and other_failed else float(not one_failed)), LOST
    elif one == other:
        settled, why = TIE, SAME
    return Pair(
        item=item.id,
        repeat=sides[0][1].repeat,
        hash=digest([item.content_hash, one, one_failed, other, other_failed], 32),
        one=first,
        other=second,
        texts=(one, other),
        settled=settled,
        why=why,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
