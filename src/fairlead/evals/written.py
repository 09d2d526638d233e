"""Answers, conversations and scores as rows of the evaluation store, and back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from fairlead.chat import ToolCall
from fairlead.evals.asking import Asked
from fairlead.evals.cases import Case
from fairlead.evals.conversing import WHOLE, Conversation, Turn
from fairlead.evals.plans import Wanted
from fairlead.evals.scorers import Scored
from fairlead.scoring.score import Output
from fairlead.store.evals.answers import AnswerRow, ScoreRow

_CALLS = msgspec.json.Decoder(tuple[ToolCall, ...])
_MESSAGES = msgspec.json.Decoder(tuple[dict[str, Any], ...])
_REASONS = msgspec.json.Encoder(enc_hook=str)
NO_CALLS = "[]"
BROKEN = "user_failed"  # of a conversation whose user could not be played on: that is no target's fault


def answer_row(
    run: str,
    wanted: Wanted,
    found: Asked,
    *,
    at_us: int,
    tries: int = 1,
    key: str = "",
    turn: int = WHOLE,
    messages: Sequence[Mapping[str, Any]] = (),
) -> AnswerRow:
    usage = found.usage
    return AnswerRow(
        run=run,
        candidate=wanted.candidate.name,
        item=wanted.case.id,
        repeat=wanted.repeat,
        turn=turn,
        at_us=at_us,
        status="missing" if found.status == "denied" else found.status,
        code=found.code,
        message=storable(found.message),
        text=storable(found.text),
        reasoning=storable(found.reasoning),
        tool_calls=storable(msgspec.json.encode(found.tool_calls).decode()),
        messages=storable(msgspec.json.encode(messages).decode()) if messages else "",
        finish=found.finish,
        model=found.model,
        fingerprint=found.fingerprint,
        target=found.target,
        input_tokens=usage.input if usage else None,
        output_tokens=usage.output if usage else None,
        reasoning_tokens=usage.reasoning if usage else None,
        cost_nusd=found.cost_nusd,
        estimated=found.estimated,
        took_us=found.took_us,
        first_word_us=found.first_word_us,
        call=found.call,
        attempts=tries,
        cache_key=key,
    )


def conversation_rows(run: str, wanted: Wanted, conversation: Conversation, at_us: int) -> list[AnswerRow]:
    """The whole first (its last answer, with all that was said; what all turns cost and took), then each turn."""
    turns = conversation.turns
    asked = [turn.asked for turn in turns]
    last = asked[-1] if asked else Asked()
    costs = [one.cost_nusd for one in asked]
    whole = msgspec.structs.replace(
        last,
        cost_nusd=None if None in costs else sum(cost or 0 for cost in costs),
        took_us=sum(one.took_us for one in asked),
        **({"status": "denied", "code": BROKEN, "message": conversation.broken} if conversation.broken else {}),
    )
    said = turns[-1].messages if turns else ()
    rows = [answer_row(run, wanted, whole, at_us=at_us, messages=said)]
    rows += [answer_row(run, wanted, one.asked, at_us=at_us, turn=one.number, messages=one.messages) for one in turns]
    return rows


def conversation_of(case: Case, rows: Iterable[AnswerRow]) -> Conversation:
    """As it went, of its rows."""
    inside = sorted(rows, key=lambda row: row.turn)
    whole = next((row for row in inside if row.turn == WHOLE), None)
    turns = tuple(
        Turn(row.turn, _words(row), _asked(row), _MESSAGES.decode(row.messages or "[]"))
        for row in inside
        if row.turn != WHOLE
    )
    broken = whole.message if whole is not None and whole.code == BROKEN else ""
    return Conversation(turns, len(case.turns) or len(turns) + bool(broken), broken)


def output_of(row: AnswerRow) -> Output:
    calls = _CALLS.decode(row.tool_calls) if row.tool_calls != NO_CALLS else ()
    return Output(row.text, calls, _MESSAGES.decode(row.messages) if row.messages else ())


def score_row(row: AnswerRow, metric: str, version: str, found: Scored, turn: int = WHOLE) -> ScoreRow:
    score = found.score
    reasons = _REASONS.encode(score.reasons if score is not None else found.reasons).decode()
    return ScoreRow(
        run=row.run,
        candidate=row.candidate,
        item=row.item,
        repeat=row.repeat,
        turn=turn,
        metric=metric,
        value=None if score is None else score.value,
        why=storable(found.why) if found.why else "",
        reasons=storable(reasons),
        version=version,
    )


def storable(text: str) -> str:
    """PostgreSQL keeps no NUL, and nobody half a surrogate pair."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _asked(row: AnswerRow) -> Asked:
    status: Any = "denied" if row.status == "missing" else row.status
    calls = _CALLS.decode(row.tool_calls)
    return Asked(status=status, text=row.text, tool_calls=calls, code=row.code, message=row.message)


def _words(row: AnswerRow) -> str:
    """What the user said at that turn."""
    said = [one for one in _MESSAGES.decode(row.messages or "[]") if one.get("role") == "user"]
    return str(said[-1].get("content", "")) if said else ""
