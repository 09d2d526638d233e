"""The share of wanted terms that an answer names: key terms of a summary, obligations, risks."""

from fairlead.scoring.exact import accepted
from fairlead.scoring.score import GoldUnfit, Item, Output, Score
from fairlead.scoring.text import tidy


def terms(output: Output, case: Item, *, absent: bool = False) -> Score:
    """Gold: the terms; what may be said in several ways has them apart by `|`. Whole words, whatever their capitals.

    `absent`: the terms are those that must not be said.
    """
    wanted = accepted(case)
    text = f" {_plain(output.text)} "
    there = {term: any(f" {_plain(way)} " in text for way in term.split("|") if _plain(way)) for term in wanted}
    if not there:
        raise GoldUnfit("no terms are wanted")
    good = [term for term, is_there in there.items() if is_there is not absent]
    bad = [term for term in there if term not in good]
    return Score(len(good) / len(there), {"said" if absent else "left_out": bad})


def _plain(text: str) -> str:
    return tidy(text, case=False, spaces=False, punctuation=False)
