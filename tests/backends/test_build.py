"""From settings to backends: the right one, or an error that says where to look."""

from pathlib import Path
from typing import Any

import pytest

from fairlead.backends.build import build
from fairlead.backends.formats import FORMATS
from fairlead.backends.http import Http
from fairlead.backends.script import Script
from fairlead.errors import ConfigInvalid
from fairlead.wire.pool import Pool


def test_each_kind_has_its_backend(tmp_path: Path) -> None:
    (tmp_path / "lines.toml").write_text("[[lines]]\ntext = 'a'")
    pool = Pool()
    for kind in FORMATS:
        made = build("a", kind=kind, base_url="https://h/v1", key="k", pool=pool)
        assert isinstance(made, Http)
        assert made.dialect == kind
    assert isinstance(build("a", kind="script", script=str(tmp_path / "lines.toml"), pool=pool), Script)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"kind": "gopher"}, "backends.acme.kind"),
        ({"kind": "openai"}, "backends.acme.base_url"),
        ({"kind": "openai", "base_url": "h"}, "backends.acme.base_url"),
        ({"kind": "openai", "base_url": "http://h", "script": "x"}, "backends.acme.script"),
        ({"kind": "openai", "base_url": "http://h", "quirks": {"odd": 1}}, "backends.acme.quirks"),
        ({"kind": "openai", "base_url": "http://h", "headers": {"host": "x"}}, "backends.acme.headers.host"),
        ({"kind": "anthropic", "base_url": "http://h", "quirks": {"odd": 1}}, "backends.acme.quirks"),
        ({"kind": "openai", "base_url": "http://h", "proxy": "socks5://h:1"}, "backends.acme.proxy"),
        ({"kind": "script", "script": "x", "proxy": "http://h:1"}, "backends.acme.script"),
        ({"kind": "script"}, "backends.acme.script"),
        ({"kind": "script", "script": "x", "base_url": "http://h"}, "backends.acme.script"),
    ],
)
def test_what_can_not_work_is_said_with_its_path(settings: Any, path: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        build("acme", **settings, pool=Pool())
    assert caught.value.details["path"] == path
    assert "backends.acme" in str(caught.value)


def test_a_script_that_makes_no_sense_keeps_its_own_file_and_path(tmp_path: Path) -> None:
    file = tmp_path / "lines.toml"
    file.write_text("[[lines]]\ntxt = 'a'")
    with pytest.raises(ConfigInvalid) as caught:
        build("acme", kind="script", script=str(file), pool=Pool())
    assert (caught.value.details["file"], caught.value.details["path"]) == (str(file), "lines[0]")


def test_no_credential_is_shown_by_a_backend_or_its_errors() -> None:
    pool = Pool()
    backend = build("acme", kind="openai", base_url="http://h", key="hush-hush-hush", pool=pool)
    assert "hush" not in f"{backend!r} {vars(backend)}"
    with pytest.raises(ConfigInvalid) as caught:
        build("acme", kind="openai", base_url="http://h", key="hush-hush\nhush", pool=pool)
    assert "hush" not in f"{caught.value} {caught.value.details}"
