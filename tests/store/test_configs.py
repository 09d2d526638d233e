"""The history of configurations, and the audit's own order."""

from pathlib import Path

from fairlead.store.audit import list_audit, note
from fairlead.store.configs import latest_config, list_configs, record_config
from fairlead.store.opening import open_store


def test_a_configuration_is_noted_when_it_changes_and_not_when_it_is_loaded_again(place: Path | str) -> None:
    with open_store(place) as store, store.begin() as books:
        assert latest_config(books) is None
        first = record_config(books, hash="aa", source="fairlead.toml", body="x = 1", actor="serve", at_us=1)
        assert record_config(books, hash="aa", source="fairlead.toml", body="x = 1", actor="serve", at_us=2) == first
        second = record_config(books, hash="bb", source="fairlead.toml", body="x = 2", actor="reload", at_us=3)
        back = record_config(books, hash="aa", source="fairlead.toml", body="x = 1", actor="reload", at_us=4)
        assert list_configs(books) == [back, second, first]
        assert latest_config(books) == back
        assert [(row.actor, row.subject) for row in list_audit(books)] == [
            ("reload", "aa"),
            ("reload", "bb"),
            ("serve", "aa"),
        ]


def test_the_audit_lists_the_newest_first_and_from_a_moment_on(place: Path | str) -> None:
    with open_store(place) as store, store.begin() as books:
        rows = [note(books, actor="a", action=f"do.{n}", subject="s", details={"n": n}, at_us=n) for n in range(4)]
        assert list_audit(books) == rows[::-1]
        assert list_audit(books, since_us=2, limit=1) == [rows[3]]
        assert list_audit(books)[0].details == {"n": 3}
