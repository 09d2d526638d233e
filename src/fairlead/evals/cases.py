"""One case of a suite: what is asked, what is right, and what it is called.

A case is its id, the hash of its content and the version of its gold: results are joined on all three, so that a case
whose text or gold was mended is never compared with what it was before. Knows no file formats (`rows`), no prompts and
no answers.
"""

import difflib
import hashlib
import math
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, field, structs

LONGEST_ID = 200
_ORDERED = msgspec.json.Encoder(order="deterministic")


class CaseWrong(ValueError):
    """What is wrong with one case; who reads the file says where. `hint` says what to do."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


class Utility(Struct, frozen=True, forbid_unknown_fields=True):
    """What an answer is worth to whoever asked, in a unit of the suite's own: a score s is worth s between the two."""

    right: float = 1.0
    wrong: float = 0.0

    def of(self, score: float) -> float:
        return self.wrong + (self.right - self.wrong) * score


class Case(Struct, frozen=True, kw_only=True):
    """`vars` fill the prompt's variables; `messages` are said as they are, where a case is a whole conversation.

    `turns` are what a scripted user says, one after the other; `user` is the persona of a simulated one. `cluster`
    names what cases have in common (a document, a conversation): they are never parted, nor counted as independent.
    """

    id: str
    vars: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Mapping[str, Any], ...] = ()
    turns: tuple[str, ...] = ()
    user: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()
    gold: Any = None
    cluster: str = ""
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    utility: Utility | None = None
    content_hash: str
    gold_version: str

    @property
    def group(self) -> str:
        """Its cluster, or itself."""
        return self.cluster or self.id

    @property
    def is_conversation(self) -> bool:
        return bool(self.turns or self.user)

    def at_turn(self, turn: int) -> "Case":
        """As a scorer sees it at a turn of a conversation, from 1: with that turn's gold, where there is one for each
        (`{"turns": [...]}`)."""
        golds = self.gold.get("turns") if isinstance(self.gold, Mapping) else None
        if not isinstance(golds, list):
            return self
        return structs.replace(self, gold=golds[turn - 1] if turn <= len(golds) else None)

    @property
    def text(self) -> str:
        """All that is its own, for finding near-duplicates and leaks: not what is sent, and no system message, which
        many cases may share."""
        said = [one for one in self.messages if one["role"] not in ("system", "developer")]
        texts: list[str] = []
        _gather((self.vars, [one.get("content") for one in said], self.turns, self.user), texts)
        return "\n".join(texts)


class _Written(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case as a file has it. `version` is of the gold, where its author counts them."""

    id: str
    vars: dict[str, Any] = field(default_factory=dict)
    messages: tuple[dict[str, Any], ...] = ()
    turns: tuple[str, ...] = ()
    user: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    gold: Any = None
    version: str = ""
    cluster: str = ""
    tags: tuple[str, ...] = ()
    weight: float = 1.0
    utility: Utility | None = None


FIELDS = _Written.__struct_fields__
"""What a row may say of a case."""
ASKED = ("vars", "messages", "turns", "user")


def digest(value: Any, length: int = 16) -> str:
    """The hash of a JSON value, however its keys are ordered."""
    return hashlib.sha256(_ORDERED.encode(value)).hexdigest()[:length]


def read_case(row: Mapping[str, Any]) -> Case:
    """A case from a decoded row. Raises CaseWrong."""
    try:
        one = msgspec.convert(row, _Written)
    except msgspec.ValidationError as error:
        raise _unreadable(row, str(error)) from None
    if not one.id.strip() or len(one.id) > LONGEST_ID or not one.id.isprintable():
        raise CaseWrong(f"`id` must be printable text of 1 to {LONGEST_ID} characters")
    if not (one.vars or one.messages or one.turns or one.user):
        raise CaseWrong("it asks nothing", f"give it one of {', '.join(ASKED)}")
    if not math.isfinite(one.weight) or one.weight < 0:
        raise CaseWrong(f"`weight` must be 0 or more, not {one.weight}")
    for message in one.messages:
        if not isinstance(message.get("role"), str):
            raise CaseWrong("a message without a `role`", '{"role": "user", "content": "..."}')
    content = {
        "vars": one.vars,
        "messages": one.messages,
        "turns": one.turns,
        "user": one.user,
        "tools": one.tools,
    }
    return Case(
        id=one.id,
        vars=one.vars,
        messages=one.messages,
        turns=one.turns,
        user=one.user,
        tools=one.tools,
        gold=one.gold,
        cluster=one.cluster,
        tags=one.tags,
        weight=one.weight,
        utility=one.utility,
        content_hash=digest(content),
        gold_version=digest([one.version, one.gold]),
    )


def _unreadable(row: Mapping[str, Any], said: str) -> CaseWrong:
    if not row.get("id") and "id" not in row:
        return CaseWrong("it has no `id`", 'give each case one: {"id": "invoice-17", ...}')
    for name in row:
        if name not in FIELDS:
            near = difflib.get_close_matches(str(name), FIELDS, n=1)
            known = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(FIELDS)}"
            return CaseWrong(f"unknown key `{name}`", f"{known} What fills a prompt stands in `vars`.")
    what, _, at = said.partition(" - at `$")
    return CaseWrong(f"`{at.strip('.`')}`: {what}" if at else what)


def _gather(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, list | tuple):
        for one in value:
            _gather(one, texts)
    elif isinstance(value, Mapping):
        for one in value.values():
            _gather(one, texts)
    elif value is not None and not isinstance(value, bool):
        texts.append(str(value))
