"""What an answer says again that was said before in the same conversation."""

from fairlead.scoring.score import Item, Output, Score
from fairlead.scoring.text import sequences, words


def repetition(output: Output, case: Item, *, run: int = 4) -> Score:
    """1 less the share of the answer's runs of words that stood in an earlier answer; 1 for the first one, and for one
    that is too short to repeat. The gold is not looked at."""
    said = words(output.text)
    if len(said) < run:
        return Score(1.0)
    before: set[tuple[str, ...]] = set()
    for message in output.messages[:-1]:
        text = message.get("content")
        if message.get("role") == "assistant" and isinstance(text, str):
            before.update(sequences(words(text), run))
    runs = list(sequences(said, run))
    again = [one for one in runs if one in before]
    return Score(1 - len(again) / len(runs), {"again": " ".join(again[0]) if again else ""})
