"""The page of the command line is that of the commands, the page of providers that of the catalog."""

from fairlead.catalog.providers import shipped_providers
from fairlead.cli import providers
from fairlead.cli.pages import page
from rules.house import ROOT


def test_the_page_is_up_to_date() -> None:
    shown = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert shown == page(), "write it anew: python -m fairlead.cli.pages > docs/cli.md"


def test_the_page_of_providers_is_up_to_date() -> None:
    shown = (ROOT / "docs/providers.md").read_text(encoding="utf-8")
    drawn = providers.page(shipped_providers().values())
    assert shown == drawn, "write it anew: python -m fairlead.cli.providers > docs/providers.md"
