"""What an answer shares with a text that is right: ROUGE and chrF. Both see words and letters, not what is meant."""

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from fairlead.scoring.exact import accepted
from fairlead.scoring.score import Item, Output, Score

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.chrf import CHRF

Variant = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]
LONGEST = 50_000  # characters of an answer that are looked at: the longest common subsequence takes their square


def rouge(output: Output, case: Item, *, variant: Variant = "rougeL", stem: bool = False) -> Score:
    """F-measure, 0 to 1; of several golds the best counts. Words are those of English: letters a to z and digits."""
    scorer = _rouge(variant, stem)
    text = output.text[:LONGEST]
    best = max((scorer.score(wanted, text)[variant] for wanted in accepted(case)), key=lambda one: one.fmeasure)
    return Score(best.fmeasure, {"precision": round(best.precision, 4), "recall": round(best.recall, 4)})


def chrf(output: Output, case: Item, *, words: int = 0) -> Score:
    """F-score of letter sequences, 0 to 1, in any language; `words = 2` is chrF++."""
    return Score(_chrf(words).sentence_score(output.text[:LONGEST], accepted(case)).score / 100)


@lru_cache(maxsize=8)
def _rouge(kind: str, stem: bool) -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer  # brings nltk: slow to import

    return RougeScorer([kind], use_stemmer=stem)


@lru_cache(maxsize=8)
def _chrf(words: int) -> "CHRF":
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(word_order=words)
