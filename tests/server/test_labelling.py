"""The web page: for whoever has its token, and nobody else; texts are text, and it needs nothing from anywhere."""

import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.testclient import TestClient

from evals.labelling.test_desk import Room
from fairlead.server.labelling import FILE, new_token, page

PORT = 8123
HOSTILE = '</pre><script>alert(1)</script><img src=x onerror="alert(2)">'


class Visit:
    def __init__(self, folder: Path, **room: Any) -> None:
        self.room = Room(folder, **room)
        self.desk = self.room.desk()
        self.token = new_token()
        self.ended = 0
        self.client = TestClient(page(self.desk, self.token, PORT, self.end), base_url=f"http://127.0.0.1:{PORT}")

    def end(self) -> None:
        self.ended += 1

    def get(self, what: str = "", **how: Any) -> Any:
        return self.client.get(f"/{self.token}/{what}", **how)

    def post(self, what: str, body: Any, **how: Any) -> Any:
        return self.client.post(f"/{self.token}/{what}", json=body, **how)


@pytest.fixture
def visit(tmp_path: Path) -> Iterator[Visit]:
    found = Visit(tmp_path)
    with found.client:
        yield found


GOOD = {"coverage": 3, "faithfulness": 1}


def test_an_answer_is_shown_blind_and_what_is_said_of_it_is_kept(visit: Visit) -> None:
    state = visit.get("now").json()
    assert set(state["shown"]) == {"answer", "asked", "texts"}
    assert [one["name"] for one in state["dimensions"]] == ["coverage", "faithfulness"]
    after = visit.post("give", {"answer": state["shown"]["answer"], "scores": GOOD, "note": "n", "took_us": 7}).json()
    assert after["shown"]["answer"] != state["shown"]["answer"]
    (label,) = visit.room.book.read()
    assert (label.value, label.took_us) == (0.625, 7)


def test_skip_undo_and_end(visit: Visit) -> None:
    first = visit.get("now").json()["shown"]["answer"]
    after = visit.post("skip", {"answer": first}).json()
    assert after["progress"]["skipped"] == 1
    undone = visit.post("undo", {}).json()
    assert (undone["undone"], undone["shown"]["answer"]) == (True, first)
    assert visit.post("undo", {}).json()["undone"] is False
    assert visit.post("end", {}).json() == {"ended": True}
    assert visit.ended == 1


def test_when_all_is_done_nothing_is_shown(visit: Visit) -> None:
    while (shown := visit.get("now").json()["shown"]) is not None:
        visit.post("give", {"answer": shown["answer"], "scores": GOOD})
    assert visit.get("now").json()["progress"]["done"] == 4


def test_of_a_pair_the_sides_are_those_of_the_drawing(tmp_path: Path) -> None:
    visit = Visit(tmp_path, pairs=True)
    with visit.client:
        state = visit.get("now").json()
        shown = visit.desk.next()
        assert shown is not None
        sides = [shown.other, shown.answer] if shown.flipped else [shown.answer, shown.other]
        assert state["shown"]["texts"] == sides
        visit.post("give", {"answer": shown.answer_hash, "scores": "second"})
    (label,) = visit.room.book.read()
    assert label.value == (1 if shown.flipped else 0)


def test_texts_travel_as_json_and_the_page_puts_them_in_as_text(tmp_path: Path) -> None:
    visit = Visit(tmp_path, says=lambda *of: HOSTILE)
    with visit.client:
        assert visit.get("now").json()["shown"]["texts"] == [HOSTILE]
        assert visit.get("now").headers["content-type"] == "application/json"
        assert HOSTILE not in visit.get().text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", FILE.read_text())


def test_the_page_needs_nothing_from_elsewhere_and_may_load_nothing(visit: Visit) -> None:
    answer = visit.get()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    (nonce,) = set(re.findall(r'nonce="([^"]+)"', answer.text))
    assert f"'nonce-{nonce}'" in policy
    assert nonce not in visit.get().text
    assert not re.search(r"https?://|//cdn|@import|url\(", answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_without_the_token_there_is_nothing(visit: Visit) -> None:
    for token in ("x", visit.token[:-1], visit.token + "x", "é"):
        assert visit.client.get(f"/{token}/").status_code == 404
        assert visit.client.get(f"/{token}/now").status_code == 404
        assert visit.client.post(f"/{token}/end", json={}).status_code == 404
    assert visit.client.get("/").status_code == 404
    assert visit.ended == 0


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", ""])
def test_under_another_name_there_is_nothing(visit: Visit, host: str) -> None:
    assert visit.get("now", headers={"host": host}).status_code == 404


def test_another_page_can_change_nothing(visit: Visit) -> None:
    shown = visit.get("now").json()["shown"]["answer"]
    body = {"answer": shown, "scores": GOOD}
    assert visit.post("give", body, headers={"origin": "http://evil.example"}).status_code == 400
    assert visit.client.post(f"/{visit.token}/give", data={"answer": shown}).status_code == 400
    assert visit.get("give").status_code == 405
    assert visit.room.book.read() == []
    own = {"origin": f"http://127.0.0.1:{PORT}"}
    assert visit.post("give", body, headers=own).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"answer": "0" * 32, "scores": GOOD},
        {"scores": {"coverage": 99, "faithfulness": 1}},
        {"scores": {"coverage": "3"}},
        {"scores": "first"},
        {"scores": GOOD, "more": 1},
        {"scores": GOOD, "note": "x" * 100_000},
        [],
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_kept(visit: Visit, body: Any) -> None:
    if isinstance(body, dict) and "answer" not in body and body:
        body = {"answer": visit.get("now").json()["shown"]["answer"], **body}
    answer = visit.post("give", body)
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]
    assert visit.room.book.read() == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="wants a browser")
def test_in_a_browser_texts_stay_texts(tmp_path: Path) -> None:
    """Loaded for good, with its script, under its policy: what a browser has made of it is read."""
    room = Room(tmp_path, says=lambda *of: HOSTILE)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port, token = listening.getsockname()[1], new_token()
        app = page(room.desk(), token, port, lambda: None)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        serving.start()
        browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        address = f"http://127.0.0.1:{port}/{token}/"
        seen = subprocess.run(
            [*browser, "--virtual-time-budget=5000", "--dump-dom", address], capture_output=True, text=True, timeout=120
        ).stdout
        server.should_exit = True
        serving.join(30)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in seen
    assert "<img" not in seen
    assert "0 of 4 cases" in seen
    assert "most are missing" in seen
