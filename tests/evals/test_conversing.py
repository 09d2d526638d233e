"""Conversations are had turn by turn, by a script or a played user, and what breaks them is told apart."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fairlead.evals.asking import Asked, Question
from fairlead.evals.cases import Case, read_case
from fairlead.evals.conversing import OVER, WHOLE, Conversation, Message, PlayedUser, converse, score_turns
from fairlead.evals.scorers import load
from fairlead.evals.suite import ConversationSettings, Suite, read_suite

OPENING = [{"role": "system", "content": "Be kind."}]


def scripted(**parts: Any) -> Case:
    gold = {"turns": [["Mira"], ["lamp"], ["Mira", "lamp"]]}
    return read_case({"id": "a", "turns": ["I am Mira.", "My lamp broke.", "Sum up."], "gold": gold, **parts})


def suite(at: Path, case: dict[str, Any] | None = None) -> Suite:
    (at / "suite.toml").write_text(
        '[scorers.kept]\nkind = "terms"\n[scorers.repetition]\n[primary]\nmetric = "kept"\nmargin = 0.1\n'
    )
    case = case or {"id": "a", "turns": ["x"], "gold": {"turns": [["y"]]}}
    (at / "cases.jsonl").write_text(json.dumps(case))
    return read_suite(at)


class Assistant:
    """Says its lines; None: that one fails."""

    def __init__(self, *lines: str | None, status: Any = "timeout") -> None:
        self.lines = list(lines)
        self.status = status
        self.heard: list[Sequence[Message]] = []

    async def __call__(self, said: Sequence[Message]) -> Asked:
        self.heard.append(said)
        line = self.lines.pop(0)
        return Asked(text=line) if line is not None else Asked(status=self.status, message="no")


def had(case: Case, assistant: Assistant, **options: Any) -> Conversation:
    return asyncio.run(converse(case, OPENING, assistant, **options))


def values(at: Path, case: Case, conversation: Conversation) -> dict[tuple[int, str], float | None]:
    scores = asyncio.run(score_turns(load(suite(at)), case, conversation))
    return {(one.turn, one.metric): one.scored.score and one.scored.score.value for one in scores}


def test_a_script_is_said_to_its_end_with_all_that_was_said_before() -> None:
    assistant = Assistant("Hello Mira.", "Poor lamp.", "Mira has a lamp.")
    found = had(scripted(), assistant)
    assert [turn.asked.text for turn in found.turns] == ["Hello Mira.", "Poor lamp.", "Mira has a lamp."]
    roles = [message["role"] for message in assistant.heard[2]]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
    assert found.turns[-1].messages[-1]["content"] == "Mira has a lamp."


def test_each_turn_is_scored_by_its_own_gold_and_the_whole_is_their_mean(tmp_path: Path) -> None:
    found = values(tmp_path, scripted(), had(scripted(), Assistant("Hello Mira.", "Oh.", "You have a lamp.")))
    assert [found[turn, "kept"] for turn in (1, 2, 3)] == [1, 0, 0.5]
    assert found[WHOLE, "kept"] == 0.5


def test_what_is_said_again_costs(tmp_path: Path) -> None:
    again = "Thank you for telling me that, dear Mira."
    found = values(
        tmp_path, scripted(), had(scripted(), Assistant(again, f"{again} Your lamp is broken now.", "Done."))
    )
    assert found[1, "repetition"] == 1
    assert found[2, "repetition"] == pytest.approx(1 - 5 / 10)
    assert found[3, "repetition"] == 1


def test_a_target_that_fails_ends_it_and_all_that_was_still_to_come_is_worth_nothing(tmp_path: Path) -> None:
    conversation = had(scripted(), Assistant("Hello Mira.", None))
    assert len(conversation.turns) == 2
    found = values(tmp_path, scripted(), conversation)
    assert [found[turn, "kept"] for turn in (1, 2, 3)] == [1, 0, 0]
    assert found[WHOLE, "kept"] == pytest.approx(1 / 3)


def test_what_the_house_denies_is_missing(tmp_path: Path) -> None:
    conversation = had(scripted(), Assistant("Hello Mira.", None, status="denied"))
    assert values(tmp_path, scripted(), conversation)[2, "kept"] is None
    assert values(tmp_path, scripted(), conversation)[WHOLE, "kept"] is None


class Stage:
    """Plays users by their lines."""

    def __init__(self, *lines: str | None) -> None:
        self.lines = list(lines)
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Asked:
        self.asked.append(question)
        line = self.lines.pop(0)
        return Asked(text=line) if line is not None else Asked(status="failed", message="no user today")


PLAYED = read_case({"id": "p", "user": "You want to return a lamp.", "gold": ["lamp"]})


def played(*lines: str | None) -> tuple[PlayedUser, Stage]:
    stage = Stage(*lines)
    return PlayedUser(
        ConversationSettings(user_route="user", params={"temperature": 1}), "You are short.", stage
    ), stage


def test_a_played_user_speaks_until_it_is_over() -> None:
    user, stage = played("My lamp broke.", "Thanks.", OVER)
    found = had(PLAYED, Assistant("Oh.", "Bye."), user=user)
    assert [turn.user for turn in found.turns] == ["My lamp broke.", "Thanks."]
    assert found.planned == 2
    about, begin, *rest = stage.asked[1].body["messages"]
    assert "You are short." in about["content"]
    assert "You want to return a lamp." in about["content"]
    assert [(one["role"], one["content"]) for one in rest] == [("assistant", "My lamp broke."), ("user", "Oh.")]
    assert begin["role"] == "user"


def test_a_played_user_who_never_ends_is_ended() -> None:
    user, _ = played(*["More."] * 9)
    assert len(had(PLAYED, Assistant(*["Yes."] * 9), user=user, most_turns=3).turns) == 3


def test_a_played_user_who_fails_breaks_it_and_that_is_no_fault_of_the_assistant(tmp_path: Path) -> None:
    user, _ = played("My lamp broke.", None)
    conversation = had(PLAYED, Assistant("Poor lamp."), user=user)
    assert conversation.broken == "no user today"
    found = values(tmp_path, PLAYED, conversation)
    assert (found[1, "kept"], found[2, "kept"], found[WHOLE, "kept"]) == (1, None, None)


def test_a_case_without_a_script_wants_somebody_to_play() -> None:
    with pytest.raises(ValueError, match="nobody plays"):
        had(PLAYED, Assistant())
