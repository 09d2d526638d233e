"""The page `docs/faults.md`, drawn from the table that the tests hold the product to: `make faults` writes it."""

import sys

from faults.table import ANSWERED, RETRIES, ROWS, WAYS, End, Row

HEAD = f"""\
# When a provider fails

What a caller learns and what the books say, for all that providers were seen to do wrong. Each row is a test: it is
played over real TCP through a real server, whole and streamed, on a route with one target and on one with a second
(`tests/faults/`). `fairlead script serve` plays the same for your own applications (`fairlead script faults`).

Four things hold in every row. **No end is made up**: an answer that did not come to its end is an error; a stream that
had begun ends with a typed error event, without a finish and without `[DONE]`. **One row for each attempt** that the
provider saw is in the books, and what can't be known is estimated there and marked. **All that was held comes back**,
and the next request on the same route fares well. **Time is bounded** by the target's deadlines.

*Whole* and *streamed* are what a caller gets where there is one target, after so many *attempts*: what can be asked
again is, {RETRIES} further times. *Buffered* is a stream on a route with `on_break = "buffer"`, where that differs;
*continued* is one with `on_break = "continue"`, of a target that goes on with a begun answer and fails but this once,
where that makes a difference. On a route with several targets the *next target* is asked instead, and answers.

| what goes wrong | whole | streamed | buffered | continued | next target is asked |
|---|---|---|---|---|---|
"""
TAIL = """
What is booked: nothing where the provider can't have generated a word (unreachable, 429, 5xx, refused); an estimate,
marked as one and never more than was held, where it may have (timeouts, what can't be read, what broke off); the truth
where it counted. With `Retry-After` the caller is told the provider's wish, where that is longer than a route waits
(`max_backoff_s`). An error after the last retry says `x-should-retry: false`, so that clients don't multiply retries.

This page is made from `tests/faults/table.py` by `make faults`.
"""


def page() -> str:
    """All of it, as Markdown."""
    return HEAD + "".join(map(_line, ROWS)) + TAIL


def _line(row: Row) -> str:
    buffered = _end(row.buffered) if row.buffered is not None else ""
    continued = _end(row.end("continued")) if row.breaks else ""
    cells = (f"**{row.name}**: {row.says}", _end(row.whole), _end(row.stream), buffered, continued, _next(row))
    return f"| {' | '.join(cells)} |\n"


def _end(end: End) -> str:
    attempts = f", {end.attempts} attempts" if end.attempts > 1 else ""
    return ("answered" if end._replace(attempts=1) == ANSWERED else end.words) + attempts


def _next(row: Row) -> str:
    if row.next == "first":
        return "yes, before it is asked again"
    asked = [way for way in WAYS if row.falls_back(way)]
    return {0: "no", len(WAYS): "yes"}.get(len(asked), " and ".join(asked))


if __name__ == "__main__":
    sys.stdout.write(page())
