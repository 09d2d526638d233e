"""Pairs of models on the same items: the difference, who won, the words, the gate at 2 points, and what flipped."""

import math
import re
from itertools import pairwise
from pathlib import Path

from scipy import special

from evals_check.folder import Folder, header, rows_of_table, stem
from evals_check.goals import Section, near
from fairlead.evals.comparing import Comparison, Rules, compare
from fairlead.evals.gating import Decision, decide
from fairlead.evals.importing.reading import read
from fairlead.evals.results import ScoreTable, joined
from fairlead.evals.suite import Metric
from fairlead.evals.wording import amount, between, p_value, signed, words

MARGIN = 0.02
SAME_MODEL = 0.0075  # another host or precision: so far the usual 90 % interval reaches, at most
SAME_KINDS = ("host", "quantisation")
RULES = Rules(primary=Metric(name="correct", margin=MARGIN), common=True)
# A release's date or number at the end of a model's name.
RELEASE = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|20\d{6}|\d{4}|exp-\d{4}|v\d+)(?=-FC|\Z)")


class Pair:
    def __init__(self, name: str, kind: str, table: ScoreTable, base: str, candidate: str) -> None:
        self.name, self.kind = name, kind
        (self.found,) = compare(table, base, [candidate], RULES)
        self.gate: Decision = decide(table, base, candidate, RULES)
        assert self.found.primary.verdict is not None and self.found.flips is not None
        self.verdict, self.paired = self.found.primary.verdict, self.found.primary.verdict.paired
        self.flips = self.found.flips

    @property
    def usual(self) -> tuple[float, float]:
        """The difference, and how far the normal distribution's 90 % interval reaches: what is usually published."""
        found = self.paired
        discordant, middle = (found.wins + found.losses) / found.n, found.difference.value
        return middle, float(special.ndtri(0.95)) * math.sqrt((discordant - middle**2) / found.n)

    @property
    def row(self) -> tuple[object, ...]:
        found: Comparison = self.found
        return (
            self.name,
            self.kind,
            f"{self.paired.n:,}",
            signed(self.paired.difference.value, True),
            between(self.paired.inner, True),
            self.paired.wins,
            self.paired.losses,
            p_value(self.paired.p_value),
            words(found.primary.said),
            self.gate.outcome,
            f"{self.flips.flipped:.0f} ({amount(self.flips.share.value, True)})",
        )


COLUMNS = (
    "pair",
    "kind",
    "-items",
    "-difference",
    "-90 % interval",
    "-won",
    "-lost",
    "-p",
    "said",
    "gate at 2 points",
    "-flipped",
)


def check(folder: Folder) -> Section:
    section = Section("Pairs")
    section.text.append(
        "Intervals are Tango's, which hold what they say; published ones are mostly the normal distribution's, a "
        "little narrower, and goals that repeat a published interval are held against that."
    )
    for path in folder.tables("pair", "item", "old_correct", "new_correct"):
        found = _recorded(path)
        section.text += ["", f"**{stem(path)}**:"]
        section.table(COLUMNS, [pair.row for pair in found])
        for pair in found:
            _judge(section, pair)
    for path in folder.tables("item", "model", "correct"):
        found = _releases(path)
        if found:
            section.text += ["", f"**{stem(path)}**, releases of one model that are both there:"]
            section.table(COLUMNS, [pair.row for pair in found])
            for pair in found:
                _judge(section, pair)
    return section


def _recorded(path: Path) -> list[Pair]:
    rows: dict[str, list[dict[str, str]]] = {}
    for row in rows_of_table(path):
        rows.setdefault(row["pair"], []).append(row)
    found = []
    for name, of in rows.items():
        old, _, new = name.partition(" -> ")
        sides = [
            ScoreTable.of(_items(of), [side] * len(of), {"correct": [float(row[column] or "nan") for row in of]})
            for side, column in ((old, "old_correct"), (new or f"{old}, new", "new_correct"))
        ]
        table = joined(sides)
        found.append(Pair(name, of[0].get("kind", ""), table, *table.candidates))
    return found


def _items(rows: list[dict[str, str]]) -> list[str]:
    """Named after their dataset where each has numbers of its own."""
    items = [row["item"] for row in rows]
    if len(set(items)) == len(items):
        return items
    return [f"{row.get('dataset') or row.get('category', '')}/{row['item']}" for row in rows]


def _releases(path: Path) -> list[Pair]:
    """Models of a table whose names differ in nothing but a release, each with the one before it."""
    if "correct" not in header(path):
        return []
    table = read(path).table
    families: dict[str, list[str]] = {}
    for name in table.candidates:
        if RELEASE.search(name):
            families.setdefault(RELEASE.sub("", name), []).append(name)
    found = []
    for members in families.values():
        members.sort(key=lambda name: [int(part) for part in re.findall(r"\d+", RELEASE.search(name)[0])])
        found += [Pair(f"{old} -> {new}", "update", table, old, new) for old, new in pairwise(members)]
    return found


def _judge(section: Section, pair: Pair) -> None:
    """The goals that a pair has: of its kind, and those of pairs that are known."""
    found = pair.paired
    if pair.kind in SAME_KINDS:
        middle, reach = pair.usual
        told = f"{signed(middle, True)} ± {100 * reach:.2f}, {pair.flips.flipped:.0f} of {found.n:,} flipped"
        goal = "90 % interval at most 0.75 point to each side, as usually computed"
        section.check(f"{pair.name}: the same model", goal, told, reach <= SAME_MODEL)
    if pair.name == "deepseek-coder -> DeepSeek-Coder-V2-0724":
        seen = (round(100 * found.difference.value, 2), found.losses, found.wins)
        told = f"{seen[0]} points, {seen[1]} lost, {seen[2]} won, p = {p_value(found.p_value)}: "
        told += words(pair.found.primary.said)
        met = seen == (-2.27, 59, 29) and round(found.p_value, 3) == 0.002 and "worse" in pair.verdict.words
        section.check(pair.name, "-2.27 points, 59 lost, 29 won, p = 0.002: a real regression", told, met)
    if pair.name == "gpt-4o-2024-05-13 -> gpt-4o-2024-08-06" and found.n == 1319:
        middle, reach = pair.usual
        told = f"usual interval {100 * (middle - reach):+.2f} to {100 * (middle + reach):+.2f}, gate: "
        told += f"{pair.gate.outcome}, {words(pair.found.primary.said)}"
        is_so = pair.gate.outcome == "pass" and set(pair.verdict.words) == {"equivalent", "better"}
        met = (
            is_so
            and not pair.verdict.is_sure
            and near(middle - reach, 0.0012, 5e-5)
            and near(middle + reach, 0.0155, 5e-5)
        )
        goal = "90 % interval +0.12 to +1.55 points, passes at 2 points, equivalent, better at 90 % only"
        section.check(pair.name, goal, told, met)
