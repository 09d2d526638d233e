"""Days as text -> dates: ISO 8601 always, and the forms that are declared, in their order. Guesses nothing."""

from collections.abc import Sequence
from datetime import date, datetime


def read_day(value: object, forms: Sequence[str] = ()) -> date | None:
    """`forms` as strptime has them (`%d.%m.%Y`); the first that fits counts. None: it is no day in any of them."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    for form in forms:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None
