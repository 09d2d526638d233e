"""One steward in one data directory and on one port; the second is told who has it."""

import os
from pathlib import Path

import pytest

from fairlead.errors import InUse, OperatorError
from fairlead.server.premises import Premises, Tenant, address_of, bind, is_loopback, names_loopback, tenant_of


def test_the_second_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    first = Premises(str(tmp_path / "data"), Tenant(os.getpid(), "127.0.0.1:4000"))
    with pytest.raises(InUse, match=f"process id {os.getpid()}, listening on 127.0.0.1:4000"):
        Premises(str(tmp_path / "data"), Tenant(1))
    first.close()
    Premises(str(tmp_path / "data"), Tenant(1)).close()
    assert tenant_of(tmp_path / "data") is None


def test_secrets_are_made_once_and_only_for_their_owner(tmp_path: Path) -> None:
    premises = Premises(str(tmp_path), Tenant(1))
    secret = premises.secret("hash.key")
    assert len(secret) == 32 and premises.secret("hash.key") == secret != premises.secret("admin.key")
    assert (tmp_path / "hash.key").stat().st_mode & 0o777 == 0o600
    premises.close()


def test_each_start_is_counted_and_the_name_stays(tmp_path: Path) -> None:
    premises = Premises(str(tmp_path), Tenant(1))
    first = premises.next_life()
    premises.close()
    again = Premises(str(tmp_path), Tenant(1))
    second, third = again.next_life(), again.next_life(after=40)
    again.close()
    assert first.id == second.id == third.id and (first.epoch, second.epoch, third.epoch) == (1, 2, 41)
    assert third.holder == f"{first.id}.41" and third.writers == f"{first.id}-41-"


def test_two_data_directories_are_two_replicas(tmp_path: Path) -> None:
    both = [Premises(str(tmp_path / name), Tenant(1)) for name in "ab"]
    ids = {premises.next_life().id for premises in both}
    for premises in both:
        premises.close()
    assert len(ids) == 2


@pytest.mark.parametrize("broken", [b"", b"{}", b"\xff", b'{"id": 7, "epoch": 1}'])
def test_a_replicas_name_that_is_none_is_refused_and_left_as_it_is(tmp_path: Path, broken: bytes) -> None:
    premises = Premises(str(tmp_path), Tenant(1))
    (tmp_path / "replica.id").write_bytes(broken)
    with pytest.raises(OperatorError, match="no replica's name"):
        premises.next_life()
    premises.close()
    assert (tmp_path / "replica.id").read_bytes() == broken


def test_a_path_too_long_for_a_socket_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    with pytest.raises(OperatorError, match="too long"):
        Premises(str(long), Tenant(1))
    assert not long.exists()


def test_a_place_that_cannot_be_is_an_operators_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="can't be used"):
        Premises(str(tmp_path / "file" / "data"), Tenant(1))


def test_a_taken_port_is_in_use() -> None:
    sock = bind("127.0.0.1:0", "listen")
    with pytest.raises(InUse, match="taken"):
        bind(address_of(sock), "listen")
    sock.close()
    with pytest.raises(OperatorError):
        bind("203.0.113.1:0", "listen")  # an address of nobody's


@pytest.mark.parametrize(
    ("address", "expected"), [("127.0.0.1:1", True), ("[::1]:1", True), ("localhost:1", True), ("0.0.0.0:1", False)]
)
def test_loopback_is_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) == expected


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:4001", "127.0.0.1:4001", "127.0.0.2", "[::1]:4001", "[::1]"])
def test_a_host_that_is_this_machine_is_told(host: str) -> None:
    assert names_loopback(host)


@pytest.mark.parametrize(
    "host", ["", ":", "evil.example:4001", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1:4001", "["]
)
def test_a_host_that_only_points_here_is_none(host: str) -> None:
    assert not names_loopback(host)
