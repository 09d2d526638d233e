"""What is written as TOML is read back as it was."""

import tomllib

from fairlead.cli.tables import written


def test_what_is_written_is_read_back() -> None:
    tables = {
        "data_dir": 'a "b" \\ ü',
        "empty": {},
        "server": {"workers": 1, "drain_s": 2.5, "on": True},
        "targets": {
            "a/b c": {"params": {"stop": ["x", "y"], "deep": {"k.l": 1}}, "price": {"input": 0.02}},
            "plain": {},
        },
    }
    assert tomllib.loads(written(tables)) == tables


def test_what_is_not_set_is_left_out() -> None:
    assert tomllib.loads(written({"a": {"zone": None, "price": {"input": 1, "cache_read": None}}})) == {
        "a": {"price": {"input": 1}}
    }
