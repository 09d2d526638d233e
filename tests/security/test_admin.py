"""The admin API: a listener and a credential of its own, and nothing that a web page could do there."""

import contextlib
import socket
from collections.abc import Iterator

import httpx
import pytest

from journeys.door import Door

PATHS = ("/api/status", "/api/config", "/api/keys", "/api/calls", "/api/summary", "/api/engines")
CHANGES = ("/api/keys", "/api/keys/x/revoke", "/api/keys/x/rotate", "/api/config/reload", "/api/engines/x/restart")


@pytest.fixture(scope="module")
def admin(door: Door) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{door.status().admin}", trust_env=False) as client:
        yield client


def token(door: Door) -> dict[str, str]:
    return {"authorization": f"Bearer {(door.folder / 'data' / 'admin.key').read_text().strip()}"}


@pytest.mark.parametrize("path", PATHS)
def test_over_tcp_nothing_is_told_without_the_token(path: str, door: Door, admin: httpx.Client) -> None:
    assert admin.get(path).status_code == 401
    assert admin.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert admin.get(path, headers=token(door)).status_code == 200


@pytest.mark.parametrize("path", CHANGES)
def test_over_tcp_nothing_is_changed_without_the_token(path: str, admin: httpx.Client) -> None:
    assert admin.post(path, json={"name": "intruder"}).status_code == 401


def test_a_callers_key_is_no_admins_and_an_admins_token_no_callers(door: Door, admin: httpx.Client) -> None:
    made = door.key("only-data")
    assert admin.get("/api/keys", headers={"authorization": f"Bearer {made.secret}"}).status_code == 401
    said = httpx.get(f"{door.url}/v1/models", headers=token(door), trust_env=False)
    assert said.status_code == 401


@pytest.mark.parametrize("path", PATHS)
def test_the_data_listener_has_no_admin_api(path: str, door: Door) -> None:
    assert httpx.get(f"{door.url}{path}", headers=token(door), trust_env=False).status_code == 404


@pytest.mark.parametrize("path", ["/api/keys", "/metrics"])
def test_a_web_page_whose_name_points_here_is_told_nothing(path: str, admin: httpx.Client) -> None:
    assert admin.get(path, headers={"host": "rebound.example.com"}).status_code == 401


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
def test_a_page_of_another_origin_may_not_read_or_send(method: str, door: Door, admin: httpx.Client) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for headers in (asked, asked | token(door), asked | {"cookie": token(door)["authorization"]}):
        said = admin.request(method, "/api/keys", headers=headers)
        assert not [name for name in said.headers if name.startswith("access-control-")]
        assert "set-cookie" not in said.headers


def test_the_configuration_is_told_without_secrets_and_can_not_be_written(door: Door, admin: httpx.Client) -> None:
    said = admin.get("/api/config", headers=token(door))
    assert "env:QUETZAL" in said.text and "sk-provider" not in said.text
    for method in ("PUT", "PATCH", "POST", "DELETE"):
        assert admin.request(method, "/api/config", headers=token(door), json={}).status_code == 405


def test_a_head_without_end_is_not_read_on(door: Door) -> None:
    host, port = door.status().admin.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=30) as line, contextlib.suppress(ConnectionError):
        line.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 1_000_000)
        assert line.recv(64).startswith(b"HTTP/1.1 400 ")
