"""The answer is JSON, and valid under a schema where one is given."""

from fairlead.scoring.json_fields import unfenced
from fairlead.scoring.json_schema import check_json, compiled
from fairlead.scoring.score import FileText, Item, Output, Score


def json_valid(output: Output, case: Item, *, schema: FileText | None = None, fenced: bool = False) -> Score:
    """`schema`: a file of the suite. `fenced`: JSON in a code block counts as well. The gold is not looked at."""
    text = unfenced(output.text) if fenced else output.text
    problem = compiled(schema.text.encode()).check(text) if schema else check_json(text)
    if problem is None:
        return Score(1.0)
    return Score(0.0, {"rule": problem.rule, "where": problem.where})
