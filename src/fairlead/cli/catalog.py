"""`fairlead catalog`: the list of prices that comes with the product, and how it is renewed."""

import click

from fairlead.cli import terminal
from fairlead.cli.terminal import as_json, note


@click.group()
def catalog() -> None:
    """Renew the list of prices."""


@catalog.command()
@as_json
def update(wants_json: bool) -> None:
    """Write the price list anew from the installed package genai-prices.

    A server takes the new prices when it starts. Needs: pip install 'fairlead[catalog]'.
    """
    from fairlead.catalog.update import update as renew

    done = renew()
    if wants_json:
        terminal.show_json(done)
    else:
        note(
            f"{done.path}: {done.models:,} models of {done.providers} providers from {done.source}, "
            f"{done.unpriced} of them without a price."
        )
