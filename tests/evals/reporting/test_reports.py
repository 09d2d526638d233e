"""Reports: the decision on top, hostile texts harmless, nothing loaded, and no text where the licence forbids it."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from evals.scored import discordant, rules
from fairlead.evals.correcting import Corrected
from fairlead.evals.reporting.charts import charts
from fairlead.evals.reporting.content import Judged, Report, Source, report
from fairlead.evals.reporting.differing import pieces
from fairlead.evals.reporting.markdown import fenced, markdown
from fairlead.evals.reporting.page import html
from fairlead.evals.reporting.picture import png
from fairlead.evals.results import ScoreTable, joined
from fairlead.stats.intervals import Interval
from fairlead.stats.ppi import Ppi

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> ``` | [x](javascript:alert(3)) <!-- \u2028"


def hostile(count: int = 40) -> ScoreTable:
    """Every text of the table is an attack."""
    return joined(
        ScoreTable.of(
            [f"{HOSTILE}{at}" for at in range(count)],
            [name] * count,
            {"right": scores},
            tags=[(HOSTILE, "all")] * (count // 2) + [("rest",)] * (count - count // 2),
            asked=[f"asked {HOSTILE}"] * count,
            wanted=[f"wanted {HOSTILE}"] * count,
            said=[f"{name} said {HOSTILE}"] * count,
            cost_nusd=[1000] * count,
            latency_us=[5000] * count,
        )
        for name, scores in (("old", [1.0] * count), (HOSTILE, [0.0] * 5 + [1.0] * (count - 5)))
    )


def of(table: ScoreTable, **more: Any) -> Report:
    settings = {"title": "New against old", "made": "today", "sources": [Source("a.csv", {"model": HOSTILE})]}
    return report(table, table.candidates, rules(), **settings | more)


class Reader(HTMLParser):
    """The elements of a page, and the text that stands in it outside of scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def page() -> Reader:
    return Reader(html(of(hostile())))


def test_the_decision_stands_on_top() -> None:
    text = Reader(html(of(discordant(1319, 22, 11)))).text
    assert "pass new is not worse than old by 2 points or more in right" in text
    assert text.index("is not worse") < text.index("Difference") < text.index("Candidates")


def test_texts_of_strangers_are_text(page: Reader) -> None:
    names = [tag for tag, _ in page.tags]
    assert "img" not in names and "a" not in names and names.count("script") == 3
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert page.text.count("<img src=x onerror=alert(2)>") >= 20


def test_data_of_the_charts_is_data_and_as_it_was(page: Reader) -> None:
    data, *_ = page.scripts
    assert "<" not in data and HOSTILE in json.dumps(json.loads(data)["difference"], ensure_ascii=False)


def test_the_page_loads_nothing_and_runs_its_own_scripts_only(page: Reader) -> None:
    policy = next(of["content"] for tag, of in page.tags if tag == "meta" and of.get("http-equiv"))
    assert policy is not None and policy.startswith("default-src 'none'")
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    run = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts[1:]]
    assert run == allowed and "unsafe-inline" not in policy.partition("script-src")[2]
    assert not any({"src", "href", "srcset"} & set(of) for _, of in page.tags)


def test_the_worst_cases_stand_side_by_side_with_what_differs(page: Reader) -> None:
    assert [tag for tag, _ in page.tags].count("details") == 5
    assert {"del", "ins"} <= {tag for tag, _ in page.tags}


def test_text_stays_out_where_the_licence_forbids_it() -> None:
    found = of(hostile(), shows_text=False)
    for written in (html(found), markdown(found)):
        assert "said </script>" not in written and "asked" not in written and "said &lt;" not in written
    assert "keeps their text out of reports" in html(found)
    assert all(not answer.said for one in found.worst for answer in one.answers)


def test_markdown_keeps_hostile_texts_in_their_place() -> None:
    text = markdown(of(hostile()))
    outside = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$", "", text)
    assert re.search(r"(?<!\\)[<\[]", outside) is None
    assert all(line.count("|") - line.count("\\|") in (0, *range(2, 20)) for line in outside.splitlines())


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    assert fenced("a ```` b").startswith("`````text\n") and fenced("plain").startswith("```text\n")


def test_turns_are_told_with_their_slope() -> None:
    items = [f"c{at // 3}" for at in range(60)]
    tables = [
        ScoreTable.of(items, [name] * 60, {"right": np.tile(scores, 20)}, turn=np.tile([1, 2, 3], 20))
        for name, scores in (("old", [1.0, 1.0, 0.9]), ("new", [1.0, 0.6, 0.2]))
    ]
    found = of(joined(tables))
    assert [round(one.slope.value, 2) for one in found.turns if one.slope] == [-0.05, -0.4]
    assert "turns" in charts(found) and "Each further turn changes new by −0.350" in html(found)


def test_what_people_would_say_stands_beside_the_judge() -> None:
    ppi = Ppi(Interval(0.8, 0.7, 0.9), "ppi", 0.5, 100, 400, 140.0, 0.9, 300)
    difference = Ppi(Interval(-0.05, -0.1, 0.01), "ppi", 0.5, 100, 400, 120.0, -0.02, None)
    judged = Judged(
        metric=HOSTILE,
        by="Judged by a model.",
        alone=(
            Corrected(candidate="old", cases=500, labelled=100, missing=0, ppi=ppi),
            Corrected(candidate="new", cases=500, labelled=5, missing=0, ppi=None, why="too few labels"),
        ),
        differences=(Corrected(candidate="new", cases=500, labelled=100, missing=0, ppi=difference),),
    )
    found = of(discordant(50, 10, 5), judged=judged)
    assert "| old | 500 | 100 | 0.900 | 0.800 \\(0.700 to 0.900\\) | 140 |" in markdown(found)
    text = Reader(html(found)).text
    assert "too few labels" in text and "new − old" in text and "-0.050 (-0.100 to +0.010)" in text and HOSTILE in text


def test_one_candidate_alone_is_reported_too() -> None:
    table = discordant(50, 10, 5).of_candidate("old")
    found = of(table)
    assert not found.headlines and found.candidates[0].cases == 50 and len(found.worst) == 10
    assert "Candidates" in Reader(html(found)).text


def test_what_nobody_measured_has_no_chart() -> None:
    assert set(charts(of(discordant(50, 10, 5)))) == {"difference", "means"}
    assert {"cost", "latency", "tags"} <= set(charts(of(hostile())))


def test_the_picture_is_a_png() -> None:
    assert png(of(discordant(50, 10, 5))).startswith(b"\x89PNG\r\n")


def test_what_differs_is_found_word_by_word() -> None:
    left, right = pieces("the total is 12 EUR", "the total is 13 EUR")
    assert [of.text for of in left if of.is_other] == ["12"] and [of.text for of in right if of.is_other] == ["13"]
    assert "".join(of.text for of in left) == "the total is 12 EUR"


def test_texts_that_are_too_long_to_compare_are_shown_as_they_are() -> None:
    left, right = pieces("a " * 5000, "b " * 5000)
    assert [of.is_other for of in (*left, *right)] == [False, False]


def test_tables_and_charts_are_named_for_whoever_does_not_see_them(page: Reader) -> None:
    regions = [of for name, of in page.tags if name == "div" and of.get("role") == "region"]
    assert regions and all(of["aria-label"] and of["tabindex"] == "0" for of in regions)
    assert all(spec["description"] for spec in json.loads(page.scripts[0]).values())
