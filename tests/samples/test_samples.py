"""The samples: the same for everyone, true to their text, and cleanly parted into splits."""

from __future__ import annotations

import random
import re

import pytest

from fairlead.samples.draw import INVOICES, SCHEMAS, TASKS, TICKETS, samples
from fairlead.samples.invoice_layouts import TRAINED_LAYOUTS, UNSEEN_LAYOUTS
from fairlead.samples.invoices import invoice
from fairlead.samples.sample import SEEN, SPLITS, TRAIN, UNSEEN
from fairlead.samples.ticket_phrases import SIGNALS, TOPICS
from fairlead.samples.tickets import SIGNAL_POINTS, rate_priority, ticket
from fairlead.samples.vocabulary import LABELS, write_number
from fairlead.scoring.json_fields import score

MEANT_DIGITS = str.maketrans({"O": "0", "l": "1", "S": "5", "B": "8"})


@pytest.mark.parametrize("task", TASKS)
def test_the_same_seed_gives_the_same_samples_and_another_seed_others(task: str) -> None:
    first = samples(task, SEEN, 20, seed=5)
    assert first == samples(task, SEEN, 20, seed=5)
    assert first[:7] == samples(task, SEEN, 7, seed=5)
    assert not {s.text for s in first} & {s.text for s in samples(task, SEEN, 20, seed=6)}


def test_samples_do_not_change_between_releases() -> None:
    assert samples(INVOICES, SEEN, 1, seed=0)[0].id == "invoices-seen-80aa6fe89c7a"
    assert samples(TICKETS, UNSEEN, 1, seed=0)[0].id == "tickets-unseen-55c79b8ed0f0"


@pytest.mark.parametrize("task", TASKS)
def test_no_document_stands_in_two_splits(task: str) -> None:
    texts = {split: {s.text for s in samples(task, split, 400)} for split in SPLITS}
    assert not texts[TRAIN] & texts[SEEN]
    assert not texts[TRAIN] & texts[UNSEEN]
    assert not texts[SEEN] & texts[UNSEEN]


@pytest.mark.parametrize("task", TASKS)
def test_unseen_layouts_never_come_up_in_the_other_splits(task: str) -> None:
    layouts = {split: {s.layout for s in samples(task, split, 400)} for split in SPLITS}
    assert layouts[TRAIN] == layouts[SEEN]
    assert not layouts[UNSEEN] & layouts[TRAIN]
    assert len(layouts[UNSEEN]) == 3


def test_there_are_enough_layouts() -> None:
    assert len(TRAINED_LAYOUTS) >= 12
    assert len(UNSEEN_LAYOUTS) == 3


def test_held_out_wordings_are_none_of_the_trained_ones() -> None:
    for by_label in (*LABELS.values(), *TOPICS.values(), *SIGNALS.values()):
        for trained, held_out in by_label.values():
            assert held_out
            assert not set(trained) & set(held_out)


@pytest.mark.parametrize("split", SPLITS)
def test_an_invoices_gold_can_be_read_off_its_text(split: str) -> None:
    for sample in samples(INVOICES, split, 300):
        text = re.sub(r"\s+", " ", sample.text)
        meant = text.translate(MEANT_DIGITS)
        cents = round(sample.gold["total"] * 100)
        styles = ("comma_point", "plain_point", "point_comma", "space_comma", "plain_comma", "apostrophe_point")
        assert sample.gold["vendor"] in text, sample
        assert sample.gold["invoice_number"] in text, sample
        assert any(write_number(cents, style) in meant for style in styles), sample
        assert str(int(sample.gold["date"][8:])) in meant, sample


@pytest.mark.parametrize("split", SPLITS)
def test_a_tickets_gold_follows_the_stated_rule(split: str) -> None:
    wordings = [
        (words, signal)
        for by_signal in SIGNALS.values()
        for signal, choices in by_signal.items()
        for words in (choices[0] + choices[1] if split == UNSEEN else choices[0])
    ]
    for sample in samples(TICKETS, split, 300):
        signals = [signal for words, signal in wordings if words in sample.text]
        assert sample.gold["priority"] == rate_priority(signals), sample


def test_the_priority_adds_up_its_signals() -> None:
    assert rate_priority([]) == "normal"
    assert rate_priority(["no_hurry"]) == "low"
    assert rate_priority(["deadline"]) == "high"
    assert rate_priority(["everyone_blocked"]) == "urgent"
    assert rate_priority(["everyone_blocked", "no_hurry"]) == "high"
    assert rate_priority(list(SIGNAL_POINTS)) == "urgent"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("split", SPLITS)
def test_gold_and_answer_agree_with_the_schema(task: str, split: str) -> None:
    schema = SCHEMAS[task]
    assert schema["required"] == list(schema["properties"])
    assert schema["additionalProperties"] is False
    for sample in samples(task, split, 100):
        assert list(sample.gold) == schema["required"]
        for key, rule in schema["properties"].items():
            assert isinstance(sample.gold[key], float if rule["type"] == "number" else str)
            assert sample.gold[key] in rule.get("enum", [sample.gold[key]])
        assert score(sample.answer, sample.gold).is_exact
        assert sample.messages[-1] == {"role": "user", "content": sample.text}


def test_single_samples_can_be_drawn_from_any_random_stream() -> None:
    assert invoice(random.Random(1), SEEN) == invoice(random.Random(1), SEEN)
    assert ticket(random.Random(1), UNSEEN).split == UNSEEN


def test_an_unknown_task_or_split_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="unknown task 'letters'"):
        samples("letters", SEEN, 1)
    with pytest.raises(ValueError, match="unknown split 'test'"):
        samples(INVOICES, "test", 1)
