"""What there is to be asked, and what it costs."""

import json
from pathlib import Path

from cli.running import fairlead, free_port, write_config
from engines.tiny import write_tiny_model

CLOUD = """
[backends.cloud]
kind = "openai"
zone = "contract"
base_url = "https://api.openai.com/v1"
provider = "openai"
key = "env:A_KEY_THAT_IS_NOT_HERE"
[targets.known]
backend = "cloud"
model = "gpt-4.1-mini"
[targets.unheard-of]
backend = "cloud"
model = "no-such-model"
[engines.tiny]
model = "tiny.gguf"
[targets.tiny]
engine = "tiny"
[engines.gone]
model = "gone.gguf"
[targets.gone]
engine = "gone"
"""


def test_every_target_is_shown_with_what_is_known_of_it(tmp_path: Path) -> None:
    write_config(tmp_path, free_port(), CLOUD)
    write_tiny_model(tmp_path / "tiny.gguf")
    done = fairlead(tmp_path, "models", "--json")
    assert done.exit_code == 0, done.stderr
    found = {one["target"]: one for one in json.loads(done.stdout) if one["target"]}
    assert found["good"]["input_price_nusd"] == 1_000_000_000 and found["good"]["zone"] == "private"
    assert found["known"]["input_price_nusd"] > 0 and found["known"]["zone"] == "contract"
    assert found["unheard-of"]["input_price_nusd"] is None
    assert found["tiny"]["context"] == 256 and found["tiny"]["parameters"] > 1000
    assert "does not exist" in found["gone"]["problem"]


def test_an_unknown_price_is_shown_as_unknown(tmp_path: Path) -> None:
    write_config(tmp_path, free_port())
    shown = fairlead(tmp_path, "models").stdout
    (bad,) = [line for line in shown.splitlines() if line.startswith("m-bad")]
    assert bad.split()[-2:] == ["unknown", "unknown"]
