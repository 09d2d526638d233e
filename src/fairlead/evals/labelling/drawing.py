"""Which answers a person is shown, and in which order: a random sample of the cases, by a seed and nothing else.

The place of a case is a hash of the seed and of what the case is. So the first hundred are a random sample, more of
them go on with the same sample, a run that comes later shows the same cases, and nothing that anybody thought of an
answer can sway it. Of a case all candidates' answers to one repeat (drawn as well) are shown, in random order: only so
is their difference known. Knows no store and no labels.
"""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from fairlead.evals.cases import Case, digest
from fairlead.evals.pairing import Pair
from fairlead.evals.suite import Suite
from fairlead.scoring.exact import accepted
from fairlead.store.evals.answers import AnswerRow

WHOLE = 0  # the turn of an answer to a whole case


class Shown(Struct, frozen=True, kw_only=True):
    """One answer to look at. `rank` is the place of its case (or of a repeat of it) in the drawing; `other` stands
    beside it where a pair is to be judged, on the left where it is `flipped`. `failed`: its target gave none, so that
    nobody need look: it is `worth` 0, or of a pair what follows."""

    run: str
    candidate: str
    item: str
    repeat: int
    rank: int
    asked: str
    answer: str
    answer_hash: str
    other: str = ""
    flipped: bool = False
    failed: str = ""
    worth: float = 0.0


class Drawn(Struct, frozen=True):
    """`changed` are cases that the suite has no more, or has otherwise than when they were asked."""

    shown: tuple[Shown, ...]
    cases: int
    changed: tuple[str, ...]


def answer_hash(content_hash: str, answer: AnswerRow, other: str = "") -> str:
    """What a label belongs to: what was asked, what was answered (or how that failed), and what stood beside it."""
    failed = "" if answer.status == "ok" else answer.status
    return digest([content_hash, answer.text, other, failed], 32)


def draw(
    suite: Suite, answers: Iterable[AnswerRow], content: Mapping[str, str], *, seed: int, pairs: bool = False
) -> Drawn:
    """All answers to whole cases, in the order in which they are to be shown.

    `content` has the content hash of each case as it was asked. `pairs`: the gold is another answer, to stand beside.
    """
    cases = {case.id: case for case in suite.cases}
    by_item: dict[str, list[AnswerRow]] = {}
    changed: dict[str, None] = {}
    for answer in answers:
        case = cases.get(answer.item)
        if case is None or content.get(answer.item, case.content_hash) != case.content_hash:
            changed[answer.item] = None
        elif answer.turn == WHOLE and answer.status != "missing":
            by_item.setdefault(answer.item, []).append(answer)
    order = sorted(by_item, key=lambda item: _lot(seed, item, cases[item].content_hash))
    found: list[tuple[int, bytes, Shown]] = []
    for place, item in enumerate(order):
        found += _of_case(cases[item], by_item[item], place, len(order), seed, pairs)
    found.sort(key=lambda one: one[:2])
    shown = tuple(one for _, _, one in found)
    return Drawn(shown, len({one.rank for one in shown}), tuple(changed))


def draw_pairs(pairs: Iterable[Pair], cases: Mapping[str, Case], *, seed: int) -> Drawn:
    """The same of pairs of answers; the places of both are drawn as well. One that is settled need not be seen."""
    by_item: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_item.setdefault(pair.item, []).append(pair)
    order = sorted(by_item, key=lambda item: _lot(seed, item, cases[item].content_hash))
    found = []
    for place, item in enumerate(order):
        repeats = sorted(by_item[item], key=lambda pair: _lot(seed, item, "repeat", pair.repeat))
        for turn, pair in enumerate(repeats):
            rank = turn * len(order) + place
            shown = Shown(
                run=pair.one.run,
                candidate=pair.one.name,
                item=item,
                repeat=pair.repeat,
                rank=rank,
                asked=cases[item].text,
                answer=pair.texts[0],
                other=pair.texts[1],
                answer_hash=pair.hash,
                flipped=bool(_lot(seed, item, pair.hash)[0] & 1),
                failed=pair.why,
                worth=pair.settled or 0.0,
            )
            found.append((rank, shown))
    found.sort(key=lambda one: one[0])
    return Drawn(tuple(shown for _, shown in found), len(found), ())


def beside(case: Case) -> str:
    """The answer that the candidates' is compared with, where pairs are judged: the gold, or the first of it."""
    return accepted(case)[0]


def _of_case(
    case: Case, answers: list[AnswerRow], place: int, cases: int, seed: int, pairs: bool
) -> list[tuple[int, bytes, Shown]]:
    other = beside(case) if pairs else ""
    repeats = sorted({answer.repeat for answer in answers}, key=lambda repeat: _lot(seed, case.id, "repeat", repeat))
    found = []
    for answer in answers:
        rank = repeats.index(answer.repeat) * cases + place
        hash = answer_hash(case.content_hash, answer, other)
        lot = _lot(seed, case.id, hash, answer.candidate)
        shown = Shown(
            run=answer.run,
            candidate=answer.candidate,
            item=case.id,
            repeat=answer.repeat,
            rank=rank,
            asked=_asked(case, answer),
            answer=answer.text,
            answer_hash=hash,
            other=other,
            flipped=bool(pairs and lot[0] & 1),
            failed="" if answer.status == "ok" else answer.status,
        )
        found.append((rank, lot, shown))
    return found


def _lot(*parts: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode([str(part) for part in parts])).digest()


def _asked(case: Case, answer: AnswerRow) -> str:
    """A conversation as it went; else what the case says."""
    if not answer.messages:
        return case.text
    said = [one for one in msgspec.json.decode(answer.messages) if isinstance(one, dict)]
    if said and said[-1].get("role") == "assistant":
        said = said[:-1]
    return "\n\n".join(f"{one.get('role', '')}: {_text(one.get('content'))}" for one in said)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
