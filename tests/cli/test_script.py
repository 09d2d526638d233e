"""`fairlead script`: a stand-in for a provider as a user starts it, and the list of what can go wrong."""

import http.client
import json
import subprocess
from pathlib import Path

from cli.running import command, environment, free_port, run, until
from fairlead.backends.faults import FAULTS

LINES = """
[[lines]]
when = "garble"
text = "one two three"
fault = "garbled"

[[lines]]
text = "Hello there."
"""
SECRET = "a secret of the caller's"


def test_faults_lists_every_word_and_what_it_leads_to() -> None:
    told = json.loads(run("script", "faults", "--json").stdout)
    assert [row["fault"] for row in told] == list(FAULTS)
    assert {"fault": "no_end", "says": FAULTS["no_end"].says, "answer": None, "stream": "stream_broken"} in told
    assert "headers come, and then nothing" in run("script", "faults").stdout


def test_what_is_no_address_or_no_script_is_refused(tmp_path: Path) -> None:
    lines = tmp_path / "lines.toml"
    lines.write_text('[[lines]]\ntext = "x"\nfault = "tired"\n')
    refused = run("script", "serve", str(lines))
    assert refused.exit_code == 1 and "lines[0].fault" in refused.stderr
    lines.write_text(LINES)
    for wrong in ("nowhere", "127.0.0.1:", "127.0.0.1:99999", ":"):
        refused = run("script", "serve", str(lines), "--listen", wrong)
        assert refused.exit_code == 1 and "is no address" in refused.stderr


def test_serve_plays_a_script_until_it_is_told_to_stop(tmp_path: Path) -> None:
    (tmp_path / "lines.toml").write_text(LINES)
    port = free_port()
    out, err = tmp_path / "out", tmp_path / "err"
    serving = subprocess.Popen(
        command("script", "serve", "lines.toml", "--listen", f"127.0.0.1:{port}"),
        cwd=tmp_path,
        env=environment(),
        stdout=out.open("wb"),
        stderr=err.open("wb"),
    )
    try:
        until("it listens", lambda: "are played on" in err.read_text() or serving.poll() is not None)
        assert ask(port, SECRET) == "Hello there."
        assert ask(port, "garble this") is None
        refused = run("script", "serve", str(tmp_path / "lines.toml"), "--listen", f"127.0.0.1:{port}")
        assert refused.exit_code == 1 and "can't be listened on" in refused.stderr
    finally:
        serving.terminate()
        assert serving.wait(20) == 0
    seen = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(one["line"], one["path"]) for one in seen] == [(1, "/v1/chat/completions"), (0, "/v1/chat/completions")]
    assert SECRET not in out.read_text() + err.read_text()


def ask(port: int, text: str) -> str | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]})
    connection.request("POST", "/v1/chat/completions", body, {"traceparent": "00-1-2-01"})
    said = connection.getresponse().read()
    connection.close()
    try:
        return json.loads(said)["choices"][0]["message"]["content"]
    except (UnicodeDecodeError, json.JSONDecodeError):
        return None
