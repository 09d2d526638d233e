"""A call is told so that one who was not there understands it."""

from msgspec.structs import replace

from fairlead.cli.story import tell
from fairlead.store.calls import AttemptRow, CallRow, CallShown
from rows import row

CALL = row(
    CallRow, id="c" * 32, at_us=1_770_000_000_000_000, key="k1", team="ops", route="chat", task="chat", stream=True,
    status="ok", narrowed=("zone: 2 of 3 targets lie in private",), attempts=2, target="b", cost_nusd=5_000,
    estimated=True, duration_us=1_500_000, first_word_us=400_000, config="abc",
)  # fmt: skip
ATTEMPT = row(
    AttemptRow, id="a" * 32, call=CALL.id, at_us=CALL.at_us, purpose="primary", route="chat", target="a",
    backend="here", model="m", zone="private", price="own/a", hold_nusd=9_000, outcome="target_failed",
    why="out of order", status=500,
    cost_nusd=0, queued_us=500, duration_us=2_000,
)  # fmt: skip
ANSWER = replace(
    ATTEMPT, purpose="fallback", target="b", outcome="ok", why="", status=200, finish="stop", input_tokens=1200,
    output_tokens=34, cache_read_tokens=1000, reasoning_tokens=30, cost_nusd=5_000, estimated=True, overrun=True,
    first_token_us=390_000, served_model="m-2026",
)  # fmt: skip


def told(call: CallRow, *attempts: AttemptRow) -> str:
    return "\n".join(tell(CallShown(call, attempts), {"k1": "app"}))


def test_it_tells_who_asked_what_the_rules_did_who_was_tried_and_how_it_ended_in_that_order() -> None:
    story = told(CALL, ATTEMPT, ANSWER)
    parts = ('key "app" of team ops', "zone: 2 of 3", "1. primary: target a", "out of order", "2. fallback: target b",
             "It was answered by b")  # fmt: skip
    places = [story.index(part) for part in parts]
    assert places == sorted(places)


def test_tokens_are_told_with_what_they_were() -> None:
    assert "1,200 tokens in (1,000 from cache), 34 out (30 of them reasoning), estimated" in told(CALL, ANSWER)


def test_what_has_a_rate_of_its_own_is_told_beside_the_tokens() -> None:
    searched = replace(ANSWER, usage_details={"web_searches": 2, "cache_write_1h_tokens": 1500})
    assert "reasoning), estimated; cache write 1h tokens 1,500, web searches 2" in told(CALL, searched)


def test_a_form_that_was_kept_is_told() -> None:
    assert "ok, finished by stop, in the form that was asked for" in told(CALL, replace(ANSWER, shape="valid"))
    assert "form" not in told(CALL, ANSWER)


def test_money_that_was_estimated_is_marked_and_so_is_more_than_was_held() -> None:
    assert "cost ~0.000005usd at price own/a, held 0.000009usd, more than was held" in told(CALL, ANSWER)
    assert "cost: ~0.000005usd (~: estimated)" in told(CALL, ANSWER)


def test_an_unknown_price_is_unknown_and_a_free_failure_is_free() -> None:
    unpriced = replace(ANSWER, price=None, cost_nusd=None, hold_nusd=None)
    story = told(replace(CALL, cost_nusd=None), replace(ATTEMPT, price=None), unpriced)
    assert "cost unknown: b has no known price" in story and "cost: unknown" in story
    assert "cost 0.00usd\n" in story


def test_a_denied_call_has_a_reason_and_no_attempts() -> None:
    denied = replace(
        CALL, status="denied", code="zone_denied", why="no target is left", attempts=0, target="", narrowed=()
    )
    story = told(denied)
    assert "It was denied (zone_denied)" in story and "why: no target is left" in story
    assert "No target was asked." in story and "cost" not in story


def test_a_key_without_a_name_is_told_by_its_id() -> None:
    assert "key k2" in told(replace(CALL, key="k2"))


def test_an_attempt_whose_server_died_says_so() -> None:
    assert "lost: the server died before the outcome was known" in told(
        CALL, replace(ATTEMPT, outcome="lost", why="", status=None)
    )


def test_a_call_that_was_served_from_the_cache_says_so_and_cost_nothing() -> None:
    served = replace(CALL, attempts=0, cost_nusd=0, estimated=False, cache="hit")
    story = told(served)
    assert "No target was asked: the answer was in the route's cache." in story and "cost: nothing" in story
    assert "asked the same at the same time" in told(replace(served, cache="shared"))
    assert "cost: nothing" not in told(replace(CALL, cache="miss"), ATTEMPT)
