"""Where labels are kept, and what a label is: somebody's scores of one answer under one version of a rubric.

A label belongs to what was looked at (case and answer, by their hash) and to the rubric's version; under another
version it says nothing. It has one place for each person, so that whoever changes his mind replaces it. The tables are
the evaluation store's.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct, structs

from fairlead.evals.cases import digest
from fairlead.store.evals.labels import LabelRow, labels_of, write_labels
from fairlead.store.opening import Store

HOUSE = "house"  # gives a 0 to answers that failed
JUDGE = "judge:"  # stands before whoever judged an anchor


class Details(Struct, frozen=True, omit_defaults=True):
    """What stands beside a label's value. `skipped`: somebody looked and would not say; `undone`: it was taken back."""

    scores: Mapping[str, float] = {}
    note: str = ""
    rank: int = 0
    skipped: bool = False
    undone: bool = False
    status: str = ""
    judge: Mapping[str, Any] = {}


class LabelBook(Protocol):
    """The labels of one metric of one suite."""

    def read(self) -> list[LabelRow]: ...

    def write(self, labels: Sequence[LabelRow]) -> None: ...


class StoredLabels:
    """In the evaluation store. Several may write at once."""

    def __init__(self, store: Store, suite: str, metric: str) -> None:
        self._store = store
        self._suite = suite
        self._metric = metric

    def read(self) -> list[LabelRow]:
        with self._store.read() as connection:
            return labels_of(connection, self._suite, metric=self._metric)

    def write(self, labels: Sequence[LabelRow]) -> None:
        with self._store.begin() as connection:
            write_labels(connection, labels)


class HeldLabels:
    """In memory, for trials."""

    def __init__(self, labels: Iterable[LabelRow] = ()) -> None:
        self._held = {label.id: label for label in labels}
        self._lock = threading.Lock()

    def read(self) -> list[LabelRow]:
        with self._lock:
            return sorted(self._held.values(), key=lambda label: (label.at_us, label.id))

    def write(self, labels: Sequence[LabelRow]) -> None:
        with self._lock:
            self._held |= {label.id: label for label in labels}


def label_id(suite: str, metric: str, rubric: str, answer_hash: str, by: str) -> str:
    return digest([suite, metric, rubric, answer_hash, by], 32)


def details(label: LabelRow) -> Details:
    return msgspec.json.decode(label.details, type=Details)


def encoded(said: Details) -> str:
    return msgspec.json.encode(said).decode()


def is_standing(label: LabelRow) -> bool:
    """Somebody looked, and has not taken back what he said of it, be it that he would not say."""
    return label.value is not None or details(label).skipped


def taken_back(label: LabelRow, at_us: int) -> LabelRow:
    return structs.replace(label, value=None, at_us=at_us, details=encoded(Details(undone=True)))
