"""The page of the command line is that of the commands."""

from fairlead.cli.pages import page
from rules.house import ROOT


def test_the_page_is_up_to_date() -> None:
    shown = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    assert shown == page(), "write it anew: python -m fairlead.cli.pages > docs/cli.md"
