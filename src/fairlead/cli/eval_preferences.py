"""What a judge preferred of two runs' candidates (`fairlead eval prefer`), as a metric beside their other ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from fairlead.cli.eval_runs import opened
from fairlead.cli.eval_stored import Stored, origins_of
from fairlead.cli.place import Place

if TYPE_CHECKING:
    from fairlead.evals.correcting import Evidence
    from fairlead.evals.preferred import Preferred
    from fairlead.evals.results import ScoreTable


class Beside(Struct, frozen=True, eq=False):
    """The scores with the metric, what people's labels say of it, and what is known of the judge, in words."""

    table: "ScoreTable"
    evidence: "Evidence"
    notes: tuple[str, ...]


def beside(place: Place, table: "ScoreTable", names: Sequence[str], found: Sequence[Stored]) -> Beside | None:
    """Of two candidates of runs; None where there are others, or no judge compared them."""
    origins = origins_of(names, found)
    if len(names) != 2 or len(origins) != 2:
        return None
    from fairlead.evals.labelling.book import StoredLabels
    from fairlead.evals.pairing import pairing_id
    from fairlead.evals.preferred import evidence, preferred
    from fairlead.evals.results import PREFERENCE
    from fairlead.store.evals import runs
    from fairlead.store.evals.preferences import preferences_of

    if PREFERENCE in table.metrics:  # a scorer's own
        return None
    base, candidate = (origins[name] for name in names)
    with opened(place) as store:
        with store.read() as connection:
            said = preferred(preferences_of(connection, pairing_id(base, candidate)), base, candidate)
            if said is None:
                return None
            run = runs.find_run(connection, base.run)
            items = {item.id: item for item in runs.items_of(connection, run.suite)}
        labels = StoredLabels(store, run.name, PREFERENCE).read()
    known = evidence(said, items, labels, names=(names[0], names[1]))
    return Beside(_with_metric(table, said, names), known, _notes(said))


def _with_metric(table: "ScoreTable", said: "Preferred", names: Sequence[str]) -> "ScoreTable":
    from msgspec import structs

    from fairlead.evals.preferred import columns
    from fairlead.evals.results import PREFERENCE, WHOLE

    values = columns(said)
    scores = np.full(len(table), np.nan)
    places = zip(table.candidate, table.item, table.repeat, table.turn, strict=True)
    for at, (candidate, item, repeat, turn) in enumerate(places):
        value = values.get((item, int(repeat))) if turn == WHOLE else None
        if value is not None:
            scores[at] = value if candidate == names[1] else 1 - value
    return structs.replace(table, metrics={**table.metrics, PREFERENCE: scores})


def _notes(found: "Preferred") -> tuple[str, ...]:
    from fairlead.evals.results import PREFERENCE

    told = []
    if found.judges:
        judges = ", ".join(f"{one.target or one.route} ({one.model})" for one in found.judges)
        told.append(f"{judges} was asked which of two answers is better, {found.use.questions} questions")
    if found.position is not None:
        kept = found.position.consistent
        told.append(
            f"{100 * kept.value:.1f} % of {found.position.pairs} pairs keep their verdict in the other order "
            f"({100 * kept.low:.1f} to {100 * kept.high:.1f}); the others count one half"
        )
    if found.missing:
        told.append(f"{found.missing} of {len(found.pairs)} pairs have no verdict")
    return (*(f"{PREFERENCE}: {text}" for text in told), *found.warnings)
