"""Cases that stand where they should not: in prompts and their examples, in documents to be searched, in training data.

Texts are compared by runs of words. A case whose runs are all there is found `exact`ly, one with half of them or more
`near`ly. Runs that many cases share are the form that they are written in, and say nothing. A short case is found where
its words stand in a row. What means the same in other words is not found.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from fairlead.errors import SuiteInvalid
from fairlead.evals.cases import Case
from fairlead.evals.prompts import written
from fairlead.evals.rows import READERS, read_rows
from fairlead.evals.suite import Suite
from fairlead.scoring.text import sequences, words

RUN = 8  # words
NEAR = 0.5
FORM = 0.05  # of all cases: what more of them share is form
FEWEST_WORDS = 4  # of a text that could be found at all
Part = Literal["asked", "gold"]
TEXTS = (".txt", ".md", ".rst", ".html", ".py")


class Leak(Struct, frozen=True):
    """`part`: what of the case was found there, `asked` or `gold`. `share` of its runs of words."""

    case: str
    part: Part
    where: str
    share: float

    @property
    def kind(self) -> Literal["exact", "near"]:
        return "exact" if self.share == 1 else "near"


class Traces:
    """Runs of words by the cases that they are of; texts are held against them one by one."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._runs: dict[tuple[str, Part], int] = {}
        self._holders: dict[int, list[tuple[str, Part]]] = {}
        self._lengths: set[int] = set()
        seen: Counter[int] = Counter()
        found: dict[tuple[str, Part], set[int]] = {}
        for case in cases:
            texts: dict[Part, str] = {"asked": case.text, "gold": "" if case.gold is None else written(case.gold)}
            for part, text in texts.items():
                if runs := self._runs_of(words(text)):
                    found[case.id, part] = runs
                    seen.update(runs)
        form = max(2, int(len(cases) * FORM))
        for key, runs in found.items():
            own = {run for run in runs if seen[run] <= form}
            if own:
                self._runs[key] = len(own)
                for run in own:
                    self._holders.setdefault(run, []).append(key)

    def _runs_of(self, text: Sequence[str]) -> set[int]:
        if len(text) < FEWEST_WORDS:
            return set()
        self._lengths.add(min(RUN, len(text)))
        return {hash(run) for run in sequences(text, RUN)}

    def found_in(self, text: str, where: str) -> Iterator[Leak]:
        there = words(text)
        hits: dict[tuple[str, Part], set[int]] = {}
        for length in self._lengths:
            if len(there) < length:
                continue
            for run in sequences(there, length):
                for key in self._holders.get(hash(run), ()):
                    hits.setdefault(key, set()).add(hash(run))
        for key, runs in hits.items():
            share = len(runs) / self._runs[key]
            if share >= NEAR:
                yield Leak(key[0], key[1], where, share)


def search(suite: Suite, others: Iterable[Path] = ()) -> list[Leak]:
    """In the suite's prompts, its rubric, and other files or folders: training data, examples, documents of an index.

    Raises SuiteInvalid for a file that can't be read.
    """
    traces = Traces(suite.cases)
    best: dict[tuple[str, str, str], Leak] = {}
    for where, text in _texts(suite, others):
        for leak in traces.found_in(text, where):
            key = (leak.case, leak.part, where)
            if key not in best or best[key].share < leak.share:
                best[key] = leak
    return sorted(best.values(), key=lambda leak: (-leak.share, leak.where, leak.case))


def _texts(suite: Suite, others: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for prompt in suite.prompts.values():
        if prompt.source:
            yield prompt.source, prompt.text
    if suite.rubric and suite.judge:
        yield str(suite.folder / suite.judge.rubric), suite.rubric
    for path in others:
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for file in files:
            if path.is_dir() and file.suffix.lower() not in (*READERS, *TEXTS):
                continue
            yield from _texts_of(file)


def _texts_of(file: Path) -> Iterator[tuple[str, str]]:
    if file.suffix.lower() in READERS:
        for where, row in read_rows(file):
            yield where, "\n".join(_strings(row))
        return
    try:
        yield str(file), file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteInvalid(f"{file}: can't be read: {error}", hint="text is UTF-8", file=str(file)) from error


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
