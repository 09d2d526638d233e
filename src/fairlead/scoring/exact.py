"""The answer is the right one, to the letter, or but for what is declared to say nothing."""

from fairlead.scoring.score import GoldUnfit, Item, Output, Score
from fairlead.scoring.text import tidy


def exact(
    output: Output, case: Item, *, case_counts: bool = True, spaces_count: bool = False, punctuation_counts: bool = True
) -> Score:
    """Gold: the right text, or a list of texts each of which is right. Spaces around and between words say nothing
    unless `spaces_count`."""

    def seen(text: str) -> str:
        return tidy(text, case=case_counts, spaces=spaces_count, punctuation=punctuation_counts)

    wanted = accepted(case)
    found = seen(output.text)
    return Score(float(any(found == seen(one) for one in wanted)))


def accepted(case: Item) -> list[str]:
    """What is right: one text or several. Raises GoldUnfit."""
    gold = [case.gold] if isinstance(case.gold, str | int | float) else case.gold
    if not isinstance(gold, list | tuple) or not gold or isinstance(case.gold, bool):
        raise GoldUnfit("the gold must be a text, or a list of texts each of which is right")
    if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in gold):
        raise GoldUnfit("the gold must be a text, or a list of texts each of which is right")
    return [str(one) for one in gold]
