"""The demonstration's configuration is one that the product takes, and its edit changes what it should."""

from pathlib import Path

from fairlead import config
from fairlead.demo.configuration import FIRST, SECOND, TASKS, aim, write

TEXT = write("/somewhere/fairlead.toml", "127.0.0.1:4000")


def targets(text: str) -> dict[str, tuple[str, ...]]:
    return {name: route.targets for name, route in config.parse(text, base=Path("/somewhere")).routes.items()}


def test_it_is_valid_and_begins_with_the_first_target() -> None:
    assert targets(TEXT) == dict.fromkeys(TASKS, (FIRST,))
    assert config.parse(TEXT, base=Path("/somewhere")).data_dir == "/somewhere/data"


def test_an_edit_aims_both_routes_and_can_be_made_again() -> None:
    assert targets(aim(TEXT, SECOND)) == dict.fromkeys(TASKS, (SECOND,))
    assert targets(aim(aim(TEXT, SECOND), SECOND, FIRST)) == dict.fromkeys(TASKS, (SECOND, FIRST))


def test_an_edit_leaves_all_else_as_a_user_wrote_it() -> None:
    text = TEXT.replace("max_output_tokens = 64", "max_output_tokens = 63  # mine")
    changed = [
        pair for pair in zip(text.splitlines(), aim(text, SECOND).splitlines(), strict=True) if len(set(pair)) > 1
    ]
    assert changed == [(f'targets = ["{FIRST}"]', f'targets = ["{SECOND}"]')] * len(TASKS)
