"""A run asks everything once, at the pace of its targets, and goes on where it was. What targets do wrong scores 0,
what we do wrong is missing, and what the house denies stops it."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fairlead.chat import Usage
from fairlead.errors import ExtraMissing, Unavailable
from fairlead.evals.asking import Asked, Question
from fairlead.evals.patience import BesideDenied
from fairlead.evals.plans import Candidate, Plan, Wanted, body, cache_key, chosen, identity, questions
from fairlead.evals.running import Pace, Run, Stopped, score_rows
from fairlead.evals.scorers import Ready, load
from fairlead.evals.spending import Meter
from fairlead.evals.suite import Suite, read_suite
from fairlead.scoring.score import Output, Score
from fairlead.store.evals.answers import AnswerRow, ScoreRow

SUITE = """
task = "other"
[cases]
file = "cases.jsonl"
[prompts]
plain = "prompt.md"
[scorers.exact]
[primary]
metric = "exact"
margin = 0.05
"""
QUICK = Pace(concurrency=3, backoff_s=0.001, patience_s=0.02, write_again_s=0.001)
X = Candidate(name="x", route="target:x", prompt="plain", identity="i1")
Y = Candidate(name="y", route="target:y", prompt="plain", params={"temperature": 0.5}, identity="i2")


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "prompt.md").write_text("Say {word}.")
    rows = [f'{{"id": "c{n}", "vars": {{"word": "w{n}"}}, "gold": "w{n}"}}' for n in range(10)]
    (tmp_path / "cases.jsonl").write_text("\n".join(rows) + "\n")
    return read_suite(tmp_path)


class Table:
    """Answers by a function; `asked` are the questions, `at_once` how many were open at the same time by route."""

    def __init__(self, answers: Callable[[Question, int], Asked]) -> None:
        self.asked: list[Question] = []
        self.at_once: dict[str, int] = {}
        self._open: dict[str, int] = {}
        self._answers = answers

    async def ask(self, question: Question) -> Asked:
        self.asked.append(question)
        count = len(self.asked)
        self._open[question.route] = self._open.get(question.route, 0) + 1
        self.at_once[question.route] = max(self.at_once.get(question.route, 0), self._open[question.route])
        await asyncio.sleep(0.001)
        self._open[question.route] -= 1
        return self._answers(question, count)


def right(question: Question, _: int = 0) -> Asked:
    word = question.body["messages"][0]["content"].removeprefix("Say ").removesuffix(".")
    return Asked(text=word, model="m-1", usage=Usage(input=3, output=1), cost_nusd=5, took_us=9)


class Books:
    """A store that is a list."""

    def __init__(self, failing: int = 0) -> None:
        self.answers: list[AnswerRow] = []
        self.scores: list[ScoreRow] = []
        self.failing = failing

    async def write(self, answers: Sequence[AnswerRow], scores: Sequence[ScoreRow] = ()) -> None:
        await asyncio.sleep(0)
        if self.failing:
            self.failing -= 1
            raise Unavailable("the disk is full", hint="make room", code="store_unavailable")
        self.answers += answers
        self.scores += scores


class Played:
    def __init__(self, suite: Suite, table: Table, books: Books | None = None, **changes: Any) -> None:
        self.books = books or Books()
        wanted: list[Wanted] | None = changes.pop("wanted", None)
        plan = Plan(
            suite=suite.name, hash=suite.hash, folder="", candidates=changes.pop("candidates", (X,)), split="all"
        )
        self.plan = replace(plan, repeats=changes.pop("repeats", 1))
        self.wanted = list(questions(self.plan, suite.cases)) if wanted is None else wanted

        async def going() -> Stopped | None:
            scorers = changes.pop("scorers", None) or load(suite)
            self.run = Run(
                "r1", suite, self.plan, scorers, Meter(table, "r1"), self.books.write, **{"pace": QUICK, **changes}
            )
            return await self.run.go(self.wanted)

        self.stopped = asyncio.run(going())

    @property
    def progress(self) -> Any:
        return self.run.progress


def test_everything_is_asked_once_scored_and_written(suite: Suite) -> None:
    table = Table(right)
    played = Played(suite, table, candidates=(X, Y), repeats=2)
    assert played.stopped is None and len(table.asked) == 2 * 10 * 2
    assert {(row.candidate, row.item, row.repeat) for row in played.books.answers} == {w.key for w in played.wanted}
    assert {(row.metric, row.value) for row in played.books.scores} == {("exact", 1.0)} and len(
        played.books.scores
    ) == 40
    progress = played.progress
    assert (progress.done, progress.asked, progress.failed, progress.cost_nusd, progress.unpriced) == (
        40,
        40,
        0,
        200,
        0,
    )
    row = played.books.answers[0]
    assert (row.run, row.status, row.model, row.output_tokens, row.cost_nusd, row.attempts) == (
        "r1",
        "ok",
        "m-1",
        1,
        5,
        1,
    )
    assert {question.session for question in table.asked} == {"r1"}


def test_each_route_has_so_many_askers_and_no_more(suite: Suite) -> None:
    table = Table(right)
    Played(suite, table, candidates=(X, Y, replace(X, name="x hot", params={"temperature": 1})), repeats=3)
    assert table.at_once == {"target:x": 3, "target:y": 3}


def test_what_a_target_does_wrong_scores_0_and_what_a_scorer_does_wrong_is_missing(suite: Suite) -> None:
    wrong = {"w1": "timeout", "w2": "invalid", "w3": "refused", "w4": "failed"}

    def answers(question: Question, _: int) -> Asked:
        found = right(question)
        status: Any = wrong.get(found.text, "ok")
        return found if status == "ok" else Asked(status=status, code="output_invalid", cost_nusd=1)

    def broken(output: Output, case: Any) -> Score:
        if case.id == "c5":
            raise ValueError("this one is too hard")
        return Score(0.5)

    scorers = {**load(suite), "odd": Ready("odd", "odd", "v1", broken)}
    played = Played(suite, Table(answers), scorers=scorers)
    assert played.stopped is None and played.progress.failed == 4 and played.progress.missing == 1
    exact = {row.item: row.value for row in played.books.scores if row.metric == "exact"}
    assert exact == {f"c{n}": 0.0 if n in (1, 2, 3, 4) else 1.0 for n in range(10)}
    (missing,) = [row for row in played.books.scores if row.value is None]
    assert (missing.item, missing.metric) == ("c5", "odd") and "too hard" in missing.why
    assert {row.item: row.status for row in played.books.answers if row.status != "ok"} == {
        "c1": "timeout",
        "c2": "invalid",
        "c3": "refused",
        "c4": "failed",
    }


def test_a_target_that_may_do_better_a_moment_later_is_asked_again_and_no_more_than_so_often(suite: Suite) -> None:
    seen: dict[str, int] = {}

    def answers(question: Question, _: int) -> Asked:
        word = right(question).text
        seen[word] = seen.get(word, 0) + 1
        if word == "w0" or (word == "w1" and seen[word] < 3):
            return Asked(status="failed", code="target_overloaded", cost_nusd=2)
        return right(question)

    played = Played(suite, Table(answers))
    rows = {row.item: row for row in played.books.answers}
    assert (rows["c0"].status, rows["c0"].attempts, rows["c0"].cost_nusd) == ("failed", 3, 6)
    assert (rows["c1"].status, rows["c1"].attempts, rows["c1"].cost_nusd) == ("ok", 3, 9)


def test_what_the_house_denies_stops_the_run_and_is_no_answer(suite: Suite) -> None:
    def answers(question: Question, count: int) -> Asked:
        return (
            right(question) if count <= 4 else Asked(status="denied", code="budget_exhausted", message="no", hint="pay")
        )

    played = Played(suite, Table(answers))
    assert played.stopped == Stopped("no", "pay")
    assert len(played.books.answers) == 4 and {row.status for row in played.books.answers} == {"ok"}
    table = Table(right)
    there = {(row.candidate, row.item, row.repeat) for row in played.books.answers}
    again = Played(suite, table, wanted=[one for one in played.wanted if one.key not in there])
    assert again.stopped is None and len(table.asked) == 6


def test_a_limit_that_will_have_room_again_is_waited_for_and_not_for_ever(suite: Suite) -> None:
    def busy(question: Question, count: int) -> Asked:
        return right(question) if count > 5 else Asked(status="denied", code="rate_limited", retry_after_s=0.001)

    played = Played(suite, Table(busy))
    assert played.stopped is None and len(played.books.answers) == 10
    never = Table(lambda *_: Asked(status="denied", code="budget_held", message="held", retry_after_s=0.01))
    assert Played(suite, never).stopped == Stopped("held")


def test_a_provider_who_refuses_the_first_question_stops_the_run(suite: Suite) -> None:
    refused = Asked(status="refused", code="target_refused", message="no such model", hint="which?")
    played = Played(suite, Table(lambda *_: refused))
    assert played.stopped is not None and "no such model" in played.stopped.why and not played.books.answers
    later = Played(suite, Table(lambda question, count: right(question) if count < 5 else refused))
    assert later.stopped is None and {row.status for row in later.books.answers} == {"ok", "refused"}


def test_an_answer_that_was_given_before_is_taken_and_never_for_another_repeat(suite: Suite) -> None:
    first = Played(suite, Table(right))
    taken = {row.cache_key: row for row in first.books.answers}
    table = Table(right)
    again = Played(suite, table, taken=taken, repeats=2)
    assert len(table.asked) == 10 and (again.progress.cached, again.progress.asked) == (10, 10)
    assert {row.cached for row in again.books.answers if row.repeat == 0} == {"r1"}
    assert {row.cached for row in again.books.answers if row.repeat == 1} == {""}
    assert again.progress.cost_nusd == 50 and len(again.books.scores) == 20


def test_the_key_of_an_answer_changes_with_all_that_makes_it(suite: Suite) -> None:
    case, prompt = suite.cases[0], suite.prompts["plain"]
    asked = body(X, prompt, case, suite.params)
    keys = [
        cache_key(X, asked, 0),
        cache_key(X, asked, 1),
        cache_key(replace(X, identity="i9"), asked, 0),
        cache_key(X, body(replace(X, params={"temperature": 0}), prompt, case, {}), 0),
        cache_key(X, body(X, prompt, suite.cases[1], {}), 0),
        cache_key(X, {**asked, "messages": []}, 0),
    ]
    assert len(set(keys)) == len(keys) and cache_key(X, dict(reversed(asked.items())), 0) == keys[0]


def test_an_identity_changes_with_what_makes_an_answer_another_one_and_not_with_its_price(tmp_path: Path) -> None:
    target = {
        "model": "m",
        "params": {},
        "structured": None,
        "backend": "b",
        "backends": [],
        "engine": "",
        "price": None,
    }
    backend = {"kind": "openai", "provider": "", "base_url": "http://a", "script": "", "key": "env:A"}
    settings: dict[str, Any] = {
        "routes": {"r": {"strategy": None, "targets": ["t"], "budget": ""}},
        "targets": {"t": target},
        "backends": {"b": backend},
        "engines": {},
        "source": str(tmp_path / "fairlead.toml"),
    }
    here = identity(settings, "target:t")
    assert here != identity(settings, "r")

    def changed(table: str, name: str, **to: Any) -> str:
        return identity({**settings, table: {name: {**settings[table][name], **to}}}, "target:t")

    assert changed("targets", "t", price={"input": 1}) == here == changed("backends", "b", key="env:B")
    others = {changed("targets", "t", model="n"), changed("targets", "t", params={"seed": 1})}
    others |= {changed("backends", "b", base_url="http://b"), changed("targets", "t", structured="tool")}
    assert len(others) == 4 and here not in others
    (tmp_path / "a.toml").write_text("said")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.toml").write_text("said")
    once = changed("backends", "b", script="a.toml")
    settings["source"] = str(tmp_path / "b" / "fairlead.toml")
    assert changed("backends", "b", script="a.toml") == once  # a copy on another machine
    (tmp_path / "b" / "a.toml").write_text("else")
    assert changed("backends", "b", script="a.toml") != once


def test_a_store_that_is_full_for_a_moment_costs_nothing(suite: Suite) -> None:
    played = Played(suite, Table(right), Books(failing=5))
    assert played.stopped is None and len(played.books.answers) == 10


def test_a_store_that_stays_full_stops_the_run_with_its_hint(suite: Suite) -> None:
    played = Played(suite, Table(right), Books(failing=10**6))
    assert (
        played.stopped is not None and "can't be written" in played.stopped.why and played.stopped.hint == "make room"
    )
    assert not played.books.answers


def test_while_answers_can_not_be_kept_nothing_more_is_asked(suite: Suite) -> None:
    table = Table(right)
    assert Played(suite, table, Books(failing=10**6)).stopped is not None
    assert len(table.asked) <= 2 * QUICK.concurrency  # what was under way, and one more of each asker
    again = Table(right)
    assert Played(suite, again, Books(failing=20)).stopped is None and len(again.asked) == 10


def test_a_missing_extra_stops_the_run_and_a_bug_is_raised(suite: Suite) -> None:
    def lacks(output: Output, case: Any) -> Score:
        raise ExtraMissing("rouge is not installed", hint="pip install it")

    stopped = Played(suite, Table(right), scorers={"odd": Ready("odd", "odd", "v", lacks)}).stopped
    assert stopped == Stopped("rouge is not installed", "pip install it")

    def bug(question: Question, _: int) -> Asked:
        raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        Played(suite, Table(bug))


def test_an_answer_is_in_the_store_before_a_judge_is_asked_about_it(suite: Suite) -> None:
    books, kept = Books(), []

    async def judge(output: Output, case: Any) -> Score:
        kept.append(case.id in {row.item for row in books.answers})
        return Score(1.0)

    played = Played(suite, Table(right), books, scorers={"quality": Ready("quality", "quality", "v", judge)})
    assert played.stopped is None and kept == [True] * 10
    assert len(books.answers) == len(books.scores) == 10


def test_a_judge_that_is_denied_stops_the_run_and_no_answer_is_lost_or_asked_again(suite: Suite) -> None:
    judged = 0

    async def judge(output: Output, case: Any) -> Score:
        nonlocal judged
        judged += 1
        if judged > 4:
            raise BesideDenied("judge, which scores, can't be asked", hint="raise the budget", code="budget_exhausted")
        return Score(1.0)

    scorers = {"exact": load(suite)["exact"], "quality": Ready("quality", "quality", "v", judge)}
    table = Table(right)
    played = Played(suite, table, scorers=scorers)
    assert played.stopped == Stopped("judge, which scores, can't be asked", "raise the budget")
    books = played.books
    assert len(books.answers) == len(table.asked) and len(books.scores) == 2 * 4
    assert all(score.value is not None for score in books.scores) and played.progress.done == 4

    done = {score.item for score in books.scores}
    unscored = {("x", row.item, 0): [row] for row in books.answers if row.item not in done}
    judged, asked = -100, len(table.asked)
    wanted = [one for one in played.wanted if one.case.id not in done]
    again = Played(suite, table, scorers=scorers, books=books, wanted=wanted, unscored=unscored)
    assert again.stopped is None and len(table.asked) == len({row.item for row in books.answers}) == 10
    assert {(score.item, score.metric) for score in books.scores} == {
        (case.id, metric) for case in suite.cases for metric in scorers
    }
    assert (again.progress.done, again.progress.asked) == (6, 10 - asked)


def test_who_stops_it_gets_what_was_asked_until_then(suite: Suite) -> None:
    def answers(question: Question, count: int) -> Asked:
        if count == 4:
            played_run.stop("interrupted", "resume it")
        return right(question)

    played_run: Any = None
    table = Table(answers)
    books = Books()

    async def going() -> Stopped | None:
        nonlocal played_run
        plan = Plan(suite=suite.name, hash=suite.hash, folder="", candidates=(X,), split="all")
        played_run = Run("r1", suite, plan, load(suite), Meter(table, "r1"), books.write, pace=QUICK)
        return await played_run.go(questions(plan, suite.cases))

    assert asyncio.run(going()) == Stopped("interrupted", "resume it")
    assert len(books.answers) == len(table.asked) < 10


def test_a_plan_asks_in_the_same_order_every_time_and_candidates_take_turns(suite: Suite) -> None:
    plan = Plan(suite=suite.name, hash=suite.hash, folder="", candidates=(X, Y), split="dev", seed=7, limit=4)
    sealed = {"c1", "c2"}
    cases = chosen(suite.cases, plan, sealed)
    assert cases == chosen(tuple(reversed(suite.cases)), plan, sealed) and len(cases) == 4
    assert not {case.id for case in cases} & sealed
    everything = replace(plan, limit=None)
    assert {case.id for case in chosen(suite.cases, replace(everything, split="holdout"), sealed)} == sealed
    assert len(chosen(suite.cases, replace(everything, split="all"), sealed)) == 10
    assert [case.id for case in chosen(suite.cases, replace(plan, seed=8), sealed)] != [case.id for case in cases]
    asked = [(one.case.id, one.candidate.name) for one in questions(plan, cases)]
    assert asked[:2] == [(cases[0].id, "x"), (cases[0].id, "y")]


def test_a_conversation_is_had_turn_by_turn_and_scored_by_turn_and_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "prompt.md").write_text("--- system ---\nBe brief.")
    rows = [
        '{"id": "all", "turns": ["w1", "w2"], "gold": {"turns": ["w1", "w2"]}}',
        '{"id": "half", "turns": ["w1", "broken", "w3"], "gold": {"turns": ["w1", "w2", "w3"]}}',
    ]
    (tmp_path / "cases.jsonl").write_text("\n".join(rows) + "\n")
    talk = read_suite(tmp_path)

    def answers(question: Question, _: int) -> Asked:
        said = question.body["messages"][-1]["content"]
        if said == "broken":
            return Asked(status="timeout", code="target_timeout", cost_nusd=1)
        return Asked(text=said, model="m-1", cost_nusd=5, took_us=10)

    table = Table(answers)
    played = Played(talk, table)
    assert played.stopped is None and len(table.asked) == 2 + 2
    whole = {row.item: row for row in played.books.answers if row.turn == 0}
    assert (whole["all"].status, whole["all"].text, whole["all"].cost_nusd, whole["all"].took_us) == (
        "ok",
        "w2",
        10,
        20,
    )
    assert (whole["half"].status, whole["half"].cost_nusd) == ("timeout", 6)
    assert [row.turn for row in played.books.answers if row.item == "half"] == [0, 1, 2]
    scores = {(row.item, row.turn): row.value for row in played.books.scores}
    assert scores == {
        ("all", 1): 1.0,
        ("all", 2): 1.0,
        ("all", 0): 1.0,
        ("half", 1): 1.0,
        ("half", 2): 0.0,
        ("half", 3): 0.0,
        ("half", 0): pytest.approx(1 / 3),
    }
    assert (played.progress.done, played.progress.asked, played.progress.cost_nusd) == (2, 2, 16)
    again = {case.id: [row for row in played.books.answers if row.item == case.id] for case in talk.cases}
    kept = asyncio.run(_scored_again(talk, played.wanted, again))
    assert {(row.item, row.turn): row.value for row in kept} == scores


async def _scored_again(talk: Suite, wanted: list[Wanted], rows: dict[str, list[AnswerRow]]) -> list[ScoreRow]:
    found = [await score_rows(load(talk), one, rows[one.case.id]) for one in wanted]
    return [score for scores in found for score in scores]


def test_a_conversation_that_the_house_denies_is_no_answer(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    (tmp_path / "prompt.md").write_text("--- system ---\nBe brief.")
    (tmp_path / "cases.jsonl").write_text('{"id": "c", "turns": ["w1", "w2"], "gold": "w1"}\n')
    no = Asked(status="denied", code="budget_exhausted", message="no", hint="pay")
    played = Played(read_suite(tmp_path), Table(lambda _, count: Asked(text="w1") if count < 2 else no))
    assert played.stopped == Stopped("no", "pay") and not played.books.answers


def test_a_played_user_who_is_denied_stops_the_run_and_his_conversation_is_had_anew(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(f'{SUITE}\n[conversation]\nuser_route = "user"\nmost_turns = 2\n')
    (tmp_path / "prompt.md").write_text("--- system ---\nBe brief.")
    rows = [f'{{"id": "c{n}", "user": "You want c{n}.", "gold": "no"}}' for n in range(4)]
    (tmp_path / "cases.jsonl").write_text("\n".join(rows) + "\n")
    talk = read_suite(tmp_path)
    denied, played_turns = True, 0

    def answers(question: Question, _: int) -> Asked:
        nonlocal played_turns
        if question.route != "user":
            return Asked(text="no", cost_nusd=7)
        played_turns += 1
        if denied and played_turns > 3:
            return Asked(status="denied", code="budget_exhausted", message="the budget is spent", hint="raise it")
        return Asked(text="And now?", cost_nusd=5)

    table = Table(answers)
    quick = replace(QUICK, concurrency=1)
    first = Played(talk, table, pace=quick)
    assert first.stopped == Stopped("user, who plays the user, can't be asked: the budget is spent", "raise it")
    assert {row.item for row in first.books.answers} == {"c0"}
    assert all(row.status == "ok" for row in first.books.answers) and first.progress.missing == 0
    spent = sum(7 if question.route != "user" else 5 for question in table.asked) - 5  # the last one was not let in
    assert first.run.reckoned().cost_nusd == spent

    denied = False
    rest = [one for one in first.wanted if one.case.id != "c0"]
    again = Played(talk, table, books=first.books, wanted=rest, pace=quick)
    assert again.stopped is None and {row.item for row in first.books.answers} == {"c0", "c1", "c2", "c3"}
    assert all(score.value == 1.0 for score in first.books.scores)
