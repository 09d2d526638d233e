"""What is said of two candidates: the words, how sure they are, and what is told beside them."""

import pytest

from evals.scored import NAN, answers, discordant, rules
from fairlead.errors import NotFound, RequestInvalid
from fairlead.evals.comparing import Comparison, compare, flipped, paired_cases
from fairlead.evals.results import ScoreTable, joined
from fairlead.evals.suite import Metric
from fairlead.evals.wording import flip_sentence, sentence


def of(table: ScoreTable, **more: object) -> Comparison:
    (found,) = compare(table, "old", ["new"], rules(**more))
    return found


def words(found: Comparison) -> list[tuple[str, float]]:
    return [(said.word, round(said.confidence, 3)) for said in found.primary.said]


def test_a_clear_difference_is_said_at_95_percent() -> None:
    found = of(discordant(1000, 100, 20))
    assert words(found) == [("better", 0.95)]
    assert sentence(found).startswith("new is better than old (at 95 %): +8.00 points in right")


def test_a_small_difference_is_better_at_90_percent_only_and_equivalent() -> None:
    found = of(discordant(1319, 22, 11))
    assert words(found) == [("better", 0.9), ("equivalent", 0.9)]
    assert "better than old (at 90 %, not at 95 %) and equivalent to old within 2 points" in sentence(found)


def test_what_is_not_decided_says_about_how_many_more_cases_it_takes() -> None:
    found = of(discordant(200, 12, 8))
    assert words(found) == [("undecided", 0.9)]
    assert found.primary.verdict is not None and found.primary.verdict.more
    assert "is undecided: about" in sentence(found) and "more cases would decide" in sentence(found)


def test_without_a_margin_nothing_is_equivalent() -> None:
    assert words(of(discordant(1319, 0, 0), margin=None)) == [("undecided", 0.9)]


def test_of_several_candidates_a_difference_must_stand_after_holms_correction() -> None:
    table = joined([discordant(1319, 22, 11), *(answers(f"n{number}", [0] * 22 + [1] * 1297) for number in range(3))])
    alone = of(table)
    beside = compare(table, "old", ["new", "n0", "n1", "n2"], rules())[0]
    assert words(alone) == [("better", 0.9), ("equivalent", 0.9)]
    assert words(beside) == [("equivalent", 0.9)]
    assert beside.primary.p_adjusted is not None and beside.primary.p_adjusted > 0.1
    assert "corrected for all that are compared" in sentence(beside)


def test_case_sets_that_differ_are_refused_unless_asked_for() -> None:
    table = joined([answers("old", [1, 0, 1, 1]), answers("new", [1, 1, 0], item=["c0", "c1", "x"])])
    with pytest.raises(RequestInvalid, match='2 only by "old", 1 only by "new"') as refused:
        of(table)
    assert "--common" in refused.value.hint
    found = of(table, common=True)
    assert found.primary.cases == 2 and "compared on the 2 cases" in found.notes[0]


def test_candidates_without_a_case_in_common_are_refused() -> None:
    table = joined([answers("old", [1], item=["x"]), answers("new", [1], item=["y"])])
    with pytest.raises(RequestInvalid, match="no case in common"):
        of(table, common=True)


def test_what_is_missing_is_counted_and_told() -> None:
    found = of(joined([answers("old", [1, 0, 1]), answers("new", [1, NAN, 1])]))
    assert found.primary.verdict is not None
    assert (found.primary.verdict.paired.n, found.primary.verdict.paired.missing) == (2, 1)
    assert '"new" has no score of 1 of 3 answers' in found.notes


def test_a_candidate_without_any_score_is_refused() -> None:
    with pytest.raises(RequestInvalid, match="no case has a score of right by both") as refused:
        of(joined([answers("old", [1, 0]), answers("new", [NAN, NAN])]))
    assert "both have scores of: none" in refused.value.hint


def test_an_unknown_metric_or_candidate_is_told() -> None:
    with pytest.raises(NotFound):
        compare(discordant(10, 1, 1), "old", ["other"], rules())
    with pytest.raises(NotFound):
        of(discordant(10, 1, 1), also=("taste",))


def test_the_rest_is_told_but_does_not_decide() -> None:
    table = joined(
        [
            ScoreTable.of(["a", "b", "c"], [name] * 3, {"right": [1, 1, 0], "length": length})
            for name, length in (("old", [3, 4, 5]), ("new", [30, 41, 52]))
        ]
    )
    found = of(table, also=("length",), guardrails=(Metric(name="right", margin=0.1),))
    assert [(one.metric, one.role) for one in found.others] == [("length", "descriptive")]
    assert not found.others[0].is_share


def test_tags_are_told_with_p_values_for_all_of_them() -> None:
    tags = [("easy",)] * 50 + [("hard",)] * 50 + [("rare",)] * 2
    found = of(discordant(102, 30, 2, tags=tags))
    assert [(tagged.tag, tagged.cases) for tagged in found.tags] == [("easy", 50), ("hard", 50)]
    assert all(tagged.p_adjusted >= tagged.paired.p_value for tagged in found.tags)


def test_a_cluster_makes_the_interval_wider() -> None:
    alone = of(discordant(200, 40, 10)).primary.verdict
    together = of(discordant(200, 40, 10, cluster=[f"k{number // 10}" for number in range(200)])).primary.verdict
    assert alone is not None and together is not None and together.paired.clusters == 20
    width = [one.paired.difference.high - one.paired.difference.low for one in (alone, together)]
    assert width[1] > 1.3 * width[0]


def test_repeats_of_a_case_count_as_one() -> None:
    repeats = {"item": ["a", "a", "b", "b"], "repeat": [0, 1, 0, 1]}
    found = of(joined([answers("old", [1, 0, 1, 1], **repeats), answers("new", [1, 1, 1, 1], **repeats)]))
    assert found.primary.cases == 2 and "asked up to 2 times" in found.notes[0]
    assert found.primary.verdict is not None and found.primary.verdict.paired.difference.value == 0.25


# --- flips -----------------------------------------------------------------------------------------------------------


def test_flips_are_told_beside_what_the_base_flips_against_itself() -> None:
    table = joined([discordant(400, 20, 20), answers("again", [0] * 20 + [1] * 380)])
    pairs = paired_cases(table, "old", "new", "right", rules())
    quiet, noisy = flipped(pairs), flipped(pairs, table.scores("again", "right"))
    assert quiet is not None and quiet.noise is None and quiet.flipped == 40
    assert "was not measured" in flip_sentence(quiet)
    assert noisy is not None and noisy.noise is not None and noisy.noise.value == 0
    assert "more than noise" in flip_sentence(noisy)


def test_repeats_of_the_base_tell_what_noise_is() -> None:
    two = {"item": [f"c{number // 2}" for number in range(40)], "repeat": [0, 1] * 20}
    table = joined([answers("old", [1, 0] * 10 + [1] * 20, **two), answers("new", [1] * 40, **two)])
    found = of(table).flips
    assert found is not None and found.noise is not None
    assert found.noise.value == pytest.approx(0.5)  # half of the cases always disagree
    assert found.share.value == pytest.approx(0.25)
    assert "no more than noise" in flip_sentence(found)


def test_scores_that_are_not_right_or_wrong_flip_nothing() -> None:
    assert of(joined([answers("old", [0.5, 1, 0]), answers("new", [0.25, 1, 0])])).flips is None


def test_what_the_test_does_not_bear_out_is_not_called_better() -> None:
    table = joined([answers("old", [0.5] * 30), answers("new", [0.8, 0.81, 0.82, 0.83] + [0.5] * 26)])
    text = sentence(of(table))
    assert "is undecided: the interval excludes 0, and the test does not (p = 0.12)" in text
