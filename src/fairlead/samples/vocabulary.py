"""The words of invoices in three languages: labels, dates, amounts, and names that nobody has heard before.

Each label has trained wordings and held-out ones; the held-out ones are for the split `unseen` alone. Names are random
syllables, so a reader has to copy them. Knows words and number styles, nothing of layouts.
"""

from __future__ import annotations

import datetime
import random

LANGUAGES = ("en", "de", "fr")

# language -> label -> (trained wordings, held-out wordings)
LABELS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "en": {
        "invoice": (("Invoice", "INVOICE", "Tax invoice"), ("Bill",)),
        "number": (("Invoice no.", "Invoice number", "Invoice #", "Inv. no."), ("Bill number", "Document no.")),
        "date": (("Invoice date", "Date", "Issued", "Date of issue"), ("Billed on", "Drawn up")),
        "due": (("Due date", "Payable by", "Due"), ("Pay before",)),
        "delivery": (("Delivery date", "Shipped", "Service date"), ("Dispatched",)),
        "order": (("Order no.", "PO number", "Your order"), ("Purchase ref.",)),
        "customer_no": (("Customer no.", "Account", "Client ID"), ("Buyer code",)),
        "vat": (("VAT ID", "VAT no."), ("Tax number",)),
        "net": (("Net", "Subtotal", "Net amount"), ("Before tax",)),
        "tax": (("VAT", "Tax", "Sales tax"), ("Levy",)),
        "gross": (("Total", "Total due", "Amount due", "Grand total", "Gross"), ("To pay", "Payable in full")),
        "deposit": (("Deposit", "Paid so far"), ("Instalment",)),
        "buyer": (("Bill to", "Customer", "Sold to"), ("Recipient",)),
        "seller": (("From", "Seller", "Supplier", "Payable to"), ("Issued by", "Merchant")),
        "currency": (("Currency", "All amounts in"), ("Billed in",)),
        "thanks": (("Thank you", "Page 1 of 1", "Goods remain ours until paid"), ("E. & O. E.",)),
    },
    "de": {
        "invoice": (("Rechnung", "RECHNUNG"), ("Faktura",)),
        "number": (("Rechnungsnr.", "Rechnungsnummer", "Rechnung Nr.", "Re.-Nr."), ("Belegnummer", "Faktura-Nr.")),
        "date": (("Rechnungsdatum", "Datum", "vom", "Ausgestellt am"), ("Belegdatum", "Erstellt")),
        "due": (("Zahlbar bis", "Fällig am", "Fällig"), ("Zahlungsziel",)),
        "delivery": (("Lieferdatum", "Leistungsdatum", "Geliefert am"), ("Versandt",)),
        "order": (("Bestellnr.", "Auftragsnr.", "Ihre Bestellung"), ("Vorgang",)),
        "customer_no": (("Kundennr.", "Kunden-Nr.", "Konto"), ("Debitor",)),
        "vat": (("USt-IdNr.", "Steuernr."), ("UID",)),
        "net": (("Netto", "Zwischensumme", "Nettobetrag"), ("Ohne Steuer",)),
        "tax": (("MwSt.", "USt.", "Umsatzsteuer"), ("Steueranteil",)),
        "gross": (("Gesamt", "Gesamtbetrag", "Rechnungsbetrag", "Brutto", "Summe"), ("Endbetrag", "Zu zahlen")),
        "deposit": (("Anzahlung", "Bereits bezahlt"), ("Abschlag",)),
        "buyer": (("Kunde", "Rechnung an", "An"), ("Empfänger",)),
        "seller": (("Von", "Verkäufer", "Lieferant", "Zahlbar an"), ("Aussteller", "Händler")),
        "currency": (("Währung", "Alle Beträge in"), ("Abgerechnet in",)),
        "thanks": (("Vielen Dank", "Seite 1 von 1", "Ware bleibt unser Eigentum"), ("Irrtum vorbehalten",)),
    },
    "fr": {
        "invoice": (("Facture", "FACTURE"), ("Note",)),
        "number": (("Facture n°", "N° de facture", "Numéro de facture", "Fact. n°"), ("Pièce n°", "N° de note")),
        "date": (("Date de facture", "Date", "Émise le", "Date d'émission"), ("Établie le", "Facturée le")),
        "due": (("Échéance", "Payable avant le", "À régler le"), ("Terme",)),
        "delivery": (("Date de livraison", "Livrée le", "Expédiée le"), ("Envoyée le",)),
        "order": (("Commande n°", "N° de commande", "Votre commande"), ("Réf. achat",)),
        "customer_no": (("Client n°", "N° client", "Compte"), ("Code acheteur",)),
        "vat": (("N° TVA", "TVA intracom."), ("Identifiant fiscal",)),
        "net": (("Total HT", "Sous-total", "Montant HT"), ("Hors taxe",)),
        "tax": (("TVA", "Taxe"), ("Impôt",)),
        "gross": (("Total TTC", "Net à payer", "Montant TTC", "Total à payer"), ("Somme due", "À payer")),
        "deposit": (("Acompte", "Déjà réglé"), ("Avance",)),
        "buyer": (("Client", "Facturé à", "À"), ("Destinataire",)),
        "seller": (("De", "Vendeur", "Fournisseur", "À l'ordre de"), ("Émetteur", "Marchand")),
        "currency": (("Devise", "Montants en"), ("Facturé en",)),
        "thanks": (("Merci", "Page 1 sur 1", "Pas d'escompte"), ("Sauf erreur",)),
    },
}

ITEMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "en": (("Work hours", "Paper", "Cable", "Repair", "Licence", "Travel", "Paint", "Rent"), ("Varnish", "Freight")),
    "de": (("Arbeitszeit", "Papier", "Kabel", "Reparatur", "Lizenz", "Anfahrt", "Farbe", "Miete"), ("Lack", "Fracht")),
    "fr": (("Heures", "Papier", "Câble", "Réparation", "Licence", "Trajet", "Peinture", "Loyer"), ("Vernis", "Fret")),
}

MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
}
SHORT_MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(),
    "de": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez".split(),
    "fr": "janv févr mars avr mai juin juil août sept oct nov déc".split(),
}

# currency code -> the symbols or words it is also written with
CURRENCIES = {
    "EUR": ("€", "EUR", "Euro"),
    "USD": ("$", "USD", "US$"),
    "GBP": ("£", "GBP"),
    "CHF": ("CHF", "Fr."),
    "SEK": ("SEK",),
    "PLN": ("PLN", "zł"),
    "CAD": ("CAD", "CA$"),
}
USUAL_CURRENCIES = {
    "en": ("USD", "GBP", "EUR", "CAD", "USD", "GBP", "SEK"),
    "de": ("EUR", "EUR", "CHF", "EUR", "PLN"),
    "fr": ("EUR", "EUR", "CHF", "EUR", "CAD"),
}

DATE_STYLES = ("iso", "dots", "slashes", "long", "short", "dots_short_year", "comma")
NUMBER_STYLES = ("comma_point", "plain_point", "point_comma", "space_comma", "plain_comma", "apostrophe_point")
USUAL_NUMBER_STYLES = {
    "en": ("comma_point", "plain_point", "comma_point"),
    "de": ("point_comma", "plain_comma", "point_comma", "apostrophe_point", "space_comma"),
    "fr": ("space_comma", "plain_comma", "space_comma", "point_comma"),
}

ONSETS = "b br c ch d dr f fl g gr h j k kl l m n p pl qu r s sch st t tr v w x z".split()
VOWELS = "a e i o u a e i o u ai ei ou y ö ü é".split()
CODAS = ["", "", "", "", "l", "m", "n", "r", "s", "t", "x", "nd", "ck"]
COMPANY_FORMS = ("GmbH", "AG", "KG", "Ltd", "Inc.", "LLC", "SARL", "SA", "SAS", "plc", "& Co.", "e.K.")


def pick(rng: random.Random, choices: tuple[tuple[str, ...], tuple[str, ...]], is_unseen: bool) -> str:
    """One of the trained wordings; for unseen documents, every other time, one of the held-out ones."""
    trained, held_out = choices
    return rng.choice(held_out if is_unseen and rng.random() < 0.5 else trained)


def invent_word(rng: random.Random) -> str:
    """A capitalised word of two or three random syllables."""
    syllables = (rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(rng.choice((2, 2, 3))))
    return "".join(syllables).capitalize()


def invent_company(rng: random.Random) -> str:
    """One or two invented words, mostly followed by a company's legal form."""
    words = [invent_word(rng) for _ in range(rng.choice((1, 1, 2)))]
    if rng.random() < 0.65:
        words.append(rng.choice(COMPANY_FORMS))
    name = " ".join(words)
    return name.upper() if rng.random() < 0.06 else name


def invent_reference(rng: random.Random) -> str:
    """A number as companies give to invoices, orders and customers alike: only its label tells which it is."""

    def digits(count: int) -> str:
        return "".join(rng.choice("0123456789") for _ in range(count))

    def letters(count: int) -> str:
        return "".join(rng.choice("ABCDEFGHJKLMNPRSTUVWXZ") for _ in range(count))

    shapes = (
        lambda: f"{letters(rng.choice((1, 2, 3)))}-{digits(rng.choice((4, 5, 6)))}",
        lambda: f"{rng.randrange(2015, 2030)}-{digits(4)}",
        lambda: f"{digits(rng.choice((2, 3)))}/{digits(rng.choice((3, 4, 5)))}",
        lambda: digits(rng.choice((5, 6, 7, 8))),
        lambda: f"{letters(2)}{digits(rng.choice((4, 6)))}",
        lambda: f"{digits(2)}-{digits(4)}-{letters(1)}",
        lambda: f"{letters(1)}{digits(2)}.{digits(4)}",
    )
    return rng.choice(shapes)()


def write_date(day: datetime.date, style: str, language: str, is_american: bool) -> str:
    """A date in one of DATE_STYLES. Slashes put the month first where the amounts are in US dollars."""
    d, m, y = day.day, day.month, day.year
    if style == "iso":
        return day.isoformat()
    if style == "dots":
        return f"{d:02d}.{m:02d}.{y}"
    if style == "dots_short_year":
        return f"{d}.{m}.{y % 100:02d}"
    if style == "slashes":
        return f"{m:02d}/{d:02d}/{y}" if is_american else f"{d:02d}/{m:02d}/{y}"
    if style == "short":
        return f"{d:02d}-{SHORT_MONTHS[language][m - 1]}-{y}"
    month = MONTHS[language][m - 1]
    if style == "comma" and language == "en":
        return f"{month} {d}, {y}"
    return f"{d}. {month} {y}" if language == "de" else f"{d} {month} {y}"


def write_number(cents: int, style: str) -> str:
    """An amount with two decimals in one of NUMBER_STYLES."""
    whole, rest = divmod(cents, 100)
    group, point = {
        "comma_point": (",", "."),
        "plain_point": ("", "."),
        "point_comma": (".", ","),
        "space_comma": (" ", ","),
        "plain_comma": ("", ","),
        "apostrophe_point": ("'", "."),
    }[style]
    return f"{whole:,}".replace(",", group) + f"{point}{rest:02d}"
