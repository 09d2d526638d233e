"""The page of the command line is that of the commands, the page of providers that of the catalog."""

from fairlead.catalog.providers import shipped_providers
from fairlead.cli import languages, providers
from fairlead.cli.pages import page
from rules.house import ROOT


def test_the_page_is_up_to_date() -> None:
    shown = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert shown == page(), "write it anew: python -m fairlead.cli.pages > docs/cli.md"


def test_the_page_of_providers_is_up_to_date() -> None:
    shown = (ROOT / "docs/providers.md").read_text(encoding="utf-8")
    drawn = providers.page(shipped_providers().values())
    assert shown == drawn, "write it anew: python -m fairlead.cli.providers > docs/providers.md"


def test_the_page_of_languages_is_up_to_date() -> None:
    shown = (ROOT / "docs/languages.md").read_text(encoding="utf-8")
    drawn = languages.page(languages.findings())
    assert shown == drawn, "write it anew: python -m fairlead.cli.languages > docs/languages.md"


def test_nothing_is_said_otherwise_than_it_was_meant_without_being_told() -> None:
    assert [one for one in languages.findings() if one.fate == "changed"] == []
