"""Invoices as text, and what is true about them: vendor, number, date, currency and total.

As awkward as real ones: net, tax and gross side by side, reference numbers that look alike, several dates, wrapped
lines, and misread letters. Names and reference numbers are never misread, dates and amounts only so that the digit
meant is plain (O for 0, l for 1), so the answer can always be read off. Knows nothing of models; how a page is laid out
is in `invoice_layouts`.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from typing import Any

from fairlead.samples import vocabulary as words
from fairlead.samples.invoice_layouts import TRAINED_LAYOUTS, UNSEEN_LAYOUTS, Facts
from fairlead.samples.sample import TRAIN, UNSEEN, Sample, belongs, finish

INVOICE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "vendor": {"type": "string"},
        "invoice_number": {"type": "string"},
        "date": {"type": "string", "description": "ISO 8601 date of the invoice"},
        "currency": {"type": "string", "description": "ISO 4217 code"},
        "total": {"type": "number", "description": "gross amount"},
    },
    "required": ["vendor", "invoice_number", "date", "currency", "total"],
    "additionalProperties": False,
}

SYSTEM = "Read the invoice. Answer in JSON."
TRAINED_SYSTEMS = (
    SYSTEM,
    SYSTEM,
    "Extract vendor, invoice_number, date, currency and total as JSON.",
    "You read invoices and answer with compact JSON.",
    "Invoice to JSON: vendor, invoice_number, date, currency, total.",
    None,
)

NOISY_SHARE = 0.3
"""Share of documents that look as if read by a scanner."""
MISREAD_DIGITS = {"0": "O", "1": "l", "5": "S", "8": "B"}
MISREADINGS = {"o": "0", "l": "1", "i": "l", "e": "c", "m": "rn", "u": "v", "B": "8", "S": "5", "t": "f", "a": "o"}


def invoice(rng: random.Random, split: str) -> Sample:
    """One invoice of a split, with its gold answer. Only `unseen` shows the layouts and wordings that are held out."""
    while True:
        text, gold, layout = _compose(rng, is_unseen=split == UNSEEN)
        if belongs(text, split):
            system = rng.choice(TRAINED_SYSTEMS) if split == TRAIN else SYSTEM
            return finish("invoices", split, text, system, gold, layout)


def _compose(rng: random.Random, is_unseen: bool) -> tuple[str, dict[str, Any], str]:
    layout = rng.choice(UNSEEN_LAYOUTS if is_unseen else TRAINED_LAYOUTS)
    is_noisy = rng.random() < NOISY_SHARE
    facts, gold, currency_word = _invent_facts(rng, is_unseen, is_noisy)
    labels = words.LABELS[facts.language]

    def say(label: str) -> str:
        return words.pick(rng, labels[label], is_unseen)

    lines = layout(facts, say, rng)
    if currency_word:
        line = f"{say('currency')} {currency_word}"
        lines.insert(rng.choice((0, len(lines))), line)
    text = "\n".join(lines)
    if is_noisy:
        text = _blur(text, facts, rng)
    return text, gold, layout.__name__


def _invent_facts(rng: random.Random, is_unseen: bool, is_noisy: bool) -> tuple[Facts, dict[str, Any], str]:
    """Facts as written on the page, the gold answer, and the currency's name where the amounts don't say it."""
    language = rng.choice(words.LANGUAGES)
    currency = rng.choice(words.USUAL_CURRENCIES[language])
    write_amount, currency_word = _choose_amounts(rng, language, currency, is_noisy)
    net, tax, gross, rate = _invent_sums(rng)
    day = datetime.date(2015, 1, 1) + datetime.timedelta(days=rng.randrange(5400))
    style = rng.choice(words.DATE_STYLES)

    def write_day(days_later: int) -> str:
        moved = day + datetime.timedelta(days=days_later)
        written = words.write_date(moved, style, language, currency == "USD")
        return _smudge(written, rng) if is_noisy else written

    vendor = words.invent_company(rng)
    facts = Facts(
        language=language,
        vendor=vendor,
        buyer=words.invent_company(rng),
        number=words.invent_reference(rng),
        order=words.invent_reference(rng),
        customer_no=words.invent_reference(rng),
        vat_id=f"{language.upper()}{rng.randrange(10**8, 10**9)}",
        iban=f"{language.upper()}{rng.randrange(10, 99)} ... {rng.randrange(1000, 9999)}",
        date=write_day(0),
        due=write_day(rng.randrange(7, 60)),
        delivery=write_day(-rng.randrange(1, 21)),
        address=f"{words.invent_word(rng)} {rng.randrange(1, 99)}",
        net=write_amount(net),
        tax=write_amount(tax),
        gross=write_amount(gross),
        deposit=write_amount(gross * rng.randrange(10, 50) // 100),
        items=_invent_items(rng, language, net, write_amount, is_unseen),
        rate=rate,
    )
    gold = {
        "vendor": vendor,
        "invoice_number": facts.number,
        "date": day.isoformat(),
        "currency": currency,
        "total": gross / 100,
    }
    return facts, gold, currency_word


def _choose_amounts(
    rng: random.Random, language: str, currency: str, is_noisy: bool
) -> tuple[Callable[[int], str], str]:
    """How this invoice writes amounts (cents in, text out), and the currency's name if a line of its own tells it."""
    style = rng.choice(words.USUAL_NUMBER_STYLES[language])
    sign = rng.choice(words.CURRENCIES[currency])
    place = rng.random()

    def write_amount(cents: int) -> str:
        number = words.write_number(cents, style)
        if is_noisy:
            number = _smudge(number, rng)
        if place < 0.2:
            return number
        if place < 0.6 and language == "en":
            return f"{sign}{number}" if len(sign) == 1 else f"{sign} {number}"
        return f"{number} {sign}"

    return write_amount, sign if place < 0.2 else ""


def _invent_sums(rng: random.Random) -> tuple[int, int, int, str]:
    """Net, tax and gross in cents, and the tax rate as text."""
    net = int(10 ** rng.uniform(2.7, 6.6))
    rate = rng.choice((5, 7, 10, 19, 20, 21, 25))
    tax = (net * rate + 50) // 100
    return net, tax, net + tax, f"{rate}%"


def _invent_items(
    rng: random.Random, language: str, net: int, write_amount: Callable[[int], str], is_unseen: bool
) -> tuple[tuple[str, str], ...]:
    """No, one or two lines of what was bought; two lines add up to the net amount."""
    count = rng.choice((0, 0, 1, 2))
    amounts = {0: [], 1: [net], 2: [net * 2 // 5, net - net * 2 // 5]}[count]
    return tuple((words.pick(rng, words.ITEMS[language], is_unseen), write_amount(amount)) for amount in amounts)


def _blur(text: str, facts: Facts, rng: random.Random) -> str:
    """Misread letters, lost colons and stray marks, in words that are neither names nor numbers."""
    values = set(f"{facts.vendor} {facts.buyer} {facts.date} {facts.due} {facts.delivery} {facts.gross}".split())
    values.update(words.MONTHS[facts.language], words.SHORT_MONTHS[facts.language])
    values.update(sign for written in words.CURRENCIES.values() for sign in written)
    lines = []
    for line in text.split("\n"):
        kept = []
        for word in line.split(" "):
            pieces = {word, word.strip(".,:;()[]|"), *word.rstrip(",").split(";")}
            is_value = not pieces.isdisjoint(values) or any(character.isdigit() for character in word)
            if word and not is_value and rng.random() < 0.25:
                kept.append(_misread(word, rng))
            else:
                kept.append(word)
        lines.append(" ".join(kept) + (rng.choice((" .", " ~", " '", " |")) if rng.random() < 0.06 else ""))
    return "\n".join(lines)


def _smudge(written: str, rng: random.Random) -> str:
    """A date or an amount in which a digit or two may look like a letter."""
    return "".join(MISREAD_DIGITS.get(sign, sign) if rng.random() < 0.08 else sign for sign in written)


def _misread(word: str, rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.2:
        return word.upper()
    if kind < 0.4:
        return word.replace(":", "")
    spots = [spot for spot, letter in enumerate(word) if letter in MISREADINGS]
    if not spots:
        return word
    spot = rng.choice(spots)
    return word[:spot] + MISREADINGS[word[spot]] + word[spot + 1 :]
