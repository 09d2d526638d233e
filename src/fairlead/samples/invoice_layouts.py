"""The forms that invoices come in: one function per layout, facts in, lines of text out.

TRAINED_LAYOUTS may be learnt from; UNSEEN_LAYOUTS never are. A layout decides what stands where; the words come from
`say`, the facts are written out already. Knows nothing of gold answers, splits or noise.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

Say = Callable[[str], str]


@dataclass(frozen=True)
class Facts:
    """What an invoice says, each fact as the text that shall stand on the page; amounts carry their currency."""

    language: str
    vendor: str
    buyer: str
    number: str
    order: str
    customer_no: str
    vat_id: str
    iban: str
    date: str
    due: str
    delivery: str
    address: str
    net: str
    tax: str
    gross: str
    deposit: str
    items: tuple[tuple[str, str], ...]
    rate: str


Layout = Callable[[Facts, Say, random.Random], list[str]]


def _maybe(rng: random.Random, share: float, *lines: str) -> list[str]:
    return list(lines) if rng.random() < share else []


def _look_alikes(facts: Facts, say: Say, rng: random.Random, most: int = 2) -> list[str]:
    """Up to `most` lines that could be mistaken for the facts that are asked for."""
    lines = [
        f"{say('order')}: {facts.order}",
        f"{say('customer_no')} {facts.customer_no}",
        f"{say('vat')} {facts.vat_id}",
        f"{say('due')}: {facts.due}",
        f"{say('delivery')}: {facts.delivery}",
    ]
    return rng.sample(lines, rng.randrange(most + 1))


def _items(facts: Facts, gap: str = " ") -> list[str]:
    return [f"{name}{gap}{amount}" for name, amount in facts.items]


def letterhead(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    head = [facts.vendor, *_maybe(rng, 0.5, facts.address), say("invoice")]
    body = [f"{say('number')}: {facts.number}", f"{say('date')}: {facts.date}", *_look_alikes(facts, say, rng)]
    rng.shuffle(body)
    sums = [f"{say('net')} {facts.net}", f"{say('tax')} {facts.rate} {facts.tax}", f"{say('gross')} {facts.gross}"]
    return head + body + [f"{say('buyer')}: {facts.buyer}"] + _items(facts) + sums


def key_values(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    lines = [
        f"{say('seller')}: {facts.vendor}",
        f"{say('number')}: {facts.number}",
        f"{say('date')}: {facts.date}",
        f"{say('gross')}: {facts.gross}",
        f"{say('buyer')}: {facts.buyer}",
        *_maybe(rng, 0.6, f"{say('net')}: {facts.net}"),
        *_look_alikes(facts, say, rng, 3),
    ]
    rng.shuffle(lines)
    return lines


def columns(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    cells = [(say("number"), facts.number), (say("date"), facts.date), (say("due"), facts.due)]
    if rng.random() < 0.5:
        cells.append((say("order"), facts.order))
    rng.shuffle(cells)
    head = [facts.vendor, " | ".join(label for label, _ in cells), " | ".join(value for _, value in cells)]
    sums = [*_maybe(rng, 0.5, f"{say('net')} {facts.net}"), f"{say('gross')} {facts.gross}"]
    return [*head, *_maybe(rng, 0.5, f"{say('buyer')} {facts.buyer}"), *_items(facts), *sums]


def till_slip(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    lines = [facts.vendor, f"{facts.date} {rng.randrange(8, 20)}:{rng.randrange(60):02d}", *_items(facts, "  ")]
    lines += _maybe(rng, 0.5, f"{say('net')}  {facts.net}")
    lines += [f"{say('gross').upper()}  {facts.gross}", *_maybe(rng, 0.5, f"{say('tax')} {facts.rate}  {facts.tax}")]
    return [*lines, f"{say('number')} {facts.number}", *_maybe(rng, 0.6, say("thanks"))]


def vendor_at_foot(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    head = [f"{say('buyer')}: {facts.buyer}", f"{say('invoice')} {facts.number}", f"{say('date')} {facts.date}"]
    sums = [f"{say('net')}: {facts.net}", f"{say('gross')}: {facts.gross}"]
    return [*head, *_look_alikes(facts, say, rng), *_items(facts), *sums, f"{say('seller')}: {facts.vendor}"]


PROSE = {
    "en": (
        "please find attached invoice {number} of {date} for {gross}.",
        "we charge {gross} by invoice {number}, dated {date}.",
    ),
    "de": (
        "anbei erhalten Sie Rechnung {number} vom {date} über {gross}.",
        "wir berechnen Ihnen {gross} mit Rechnung {number} vom {date}.",
    ),
    "fr": (
        "veuillez trouver la facture {number} du {date} de {gross}.",
        "nous facturons {gross}, facture {number} du {date}.",
    ),
}
GREETINGS = {"en": ("Dear", "Regards,"), "de": ("Guten Tag", "Mit Gruß"), "fr": ("Bonjour", "Cordialement")}


def covering_letter(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    hello, goodbye = GREETINGS[facts.language]
    sentence = rng.choice(PROSE[facts.language])
    told = sentence.format(number=facts.number, date=facts.date, gross=facts.gross)
    return [f"{hello} {facts.buyer},", told, *_look_alikes(facts, say, rng), goodbye, facts.vendor]


def side_by_side(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    right = [f"{say('number')} {facts.number}", f"{say('date')} {facts.date}", *_look_alikes(facts, say, rng, 1)]
    left = [facts.vendor, facts.address, f"{say('buyer')} {facts.buyer}"]
    rows = [f"{a}    {b}".rstrip() for a, b in zip(left, right + [""] * (3 - len(right)), strict=True)]
    return [*rows, *_items(facts), f"{say('net')} {facts.net}    {say('gross')} {facts.gross}"]


def sums_in_a_row(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    cells = [(say("net"), facts.net), (say("tax"), facts.tax), (say("gross"), facts.gross)]
    if rng.random() < 0.3:
        cells.reverse()
    head = [f"{say('invoice')} {facts.number} - {facts.date}", *_look_alikes(facts, say, rng), *_items(facts)]
    table = ["  ".join(label for label, _ in cells), "  ".join(value for _, value in cells)]
    return [facts.vendor, *head, *table]


def label_above(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    pairs = [
        (say("number"), facts.number),
        (say("date"), facts.date),
        (say("gross"), facts.gross),
        (say("seller"), facts.vendor),
        rng.choice([(say("due"), facts.due), (say("order"), facts.order), (say("net"), facts.net)]),
    ]
    rng.shuffle(pairs)
    return [line for pair in pairs for line in pair]


def references_first(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    references = [
        f"{say('order')} {facts.order}",
        f"{say('customer_no')} {facts.customer_no}",
        f"{say('delivery')} {facts.delivery}",
        f"{say('number')} {facts.number}",
        f"{say('date')} {facts.date}",
    ]
    rng.shuffle(references)
    return [facts.vendor, *references, *_items(facts), f"{say('gross')} {facts.gross}"]


def with_deposit(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    head = [f"{facts.vendor}, {facts.address}", f"{say('number')} {facts.number} / {facts.date}"]
    sums = [f"{say('gross')}: {facts.gross}", f"{say('deposit')}: {facts.deposit}"]
    rng.shuffle(sums)
    return [*head, *_items(facts), *sums, *_maybe(rng, 0.5, f"{say('due')}: {facts.due}")]


def payment_slip(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    lines = [f"IBAN {facts.iban}", f"{say('gross')} {facts.gross}", f"{say('number')} {facts.number}"]
    lines.append(f"{say('customer_no')} {facts.customer_no}")
    rng.shuffle(lines)
    return [f"{say('seller')} {facts.vendor}", *lines, f"{say('date')} {facts.date}, {say('due')} {facts.due}"]


def semicolons(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    cells = [
        (say("seller"), facts.vendor),
        (say("number"), facts.number),
        (say("date"), facts.date),
        (say("net"), facts.net),
        (say("gross"), facts.gross),
    ]
    rng.shuffle(cells)
    return [";".join(label for label, _ in cells), ";".join(value for _, value in cells)]


def dotted_leaders(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    head = [say("invoice"), f"{say('number')} .... {facts.number}", f"{say('date')} .... {facts.date}"]
    sums = [f"{say('net')} .... {facts.net}", f"{say('gross')} .... {facts.gross}"]
    middle = [*_look_alikes(facts, say, rng), f"{say('buyer')} .... {facts.buyer}"]
    seller = [f"{say('seller')} .... {facts.vendor}"]
    return head + seller + middle + sums if rng.random() < 0.5 else head + middle + sums + seller


def narrow(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    width = rng.randrange(14, 22)
    lines: list[str] = []
    for line in letterhead(facts, say, rng) if rng.random() < 0.5 else references_first(facts, say, rng):
        row = ""
        for word in line.split(" "):
            if row and len(row) + len(word) + 1 > width:
                lines.append(row)
                row = word
            else:
                row = f"{row} {word}".strip()
        lines.append(row)
    return lines


def bare(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    lines = [facts.vendor, facts.number, facts.date, f"{say('gross')} {facts.gross}"]
    return lines[:1] + rng.sample(lines[1:], 3) + _look_alikes(facts, say, rng, 1)


def ledger_card(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    """Unseen: amounts first, values before their labels, the vendor in the middle."""
    return [
        f"{facts.gross} = {say('gross')}",
        f"{facts.net} = {say('net')}",
        f"{facts.vendor} = {say('seller')}",
        f"{facts.number} = {say('number')}",
        *_maybe(rng, 0.5, f"{facts.order} = {say('order')}"),
        f"{facts.date} = {say('date')}",
        f"{facts.due} = {say('due')}",
    ]


def bracketed(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    """Unseen: everything runs on in one paragraph, labels in brackets."""
    cells = [
        f"[{say('buyer')}] {facts.buyer}",
        f"[{say('number')}] {facts.number}",
        f"[{say('date')}] {facts.date}",
        f"[{say('gross')}] {facts.gross}",
        f"[{say('seller')}] {facts.vendor}",
        f"[{say('delivery')}] {facts.delivery}",
    ]
    rng.shuffle(cells)
    return [" ".join(cells)]


REMINDERS = {
    "en": "According to our books {gross} is open, for our bill {number} drawn up on {date} "
    "to {buyer} (before tax {net}).",
    "de": "In unseren Büchern stehen {gross} offen, aus Faktura {number}, erstellt {date} "
    "an {buyer} (ohne Steuer {net}).",
    "fr": "Nos livres montrent {gross} à payer pour la note {number}, établie le {date} à {buyer} (hors taxe {net}).",
}


def reminder(facts: Facts, say: Say, rng: random.Random) -> list[str]:
    """Unseen: a letter that asks for the money a second time, signed with the vendor's name and its address."""
    told = REMINDERS[facts.language].format(
        gross=facts.gross, number=facts.number, date=facts.date, buyer=facts.buyer, net=facts.net
    )
    return [told, f"{say('due')} {facts.due}", facts.vendor, *_maybe(rng, 0.7, facts.address)]


TRAINED_LAYOUTS: tuple[Layout, ...] = (
    letterhead,
    key_values,
    columns,
    till_slip,
    vendor_at_foot,
    covering_letter,
    side_by_side,
    sums_in_a_row,
    label_above,
    references_first,
    with_deposit,
    payment_slip,
    semicolons,
    dotted_leaders,
    narrow,
    bare,
)
UNSEEN_LAYOUTS: tuple[Layout, ...] = (ledger_card, bracketed, reminder)
