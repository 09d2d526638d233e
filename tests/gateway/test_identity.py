"""Who a key makes of whoever holds it; and what is said to all others."""

import pytest

from fairlead.errors import Unauthenticated
from fairlead.gateway.identity import HALF, Identities, digest
from fairlead.ids import now_us
from world import caller

SECRET = "fl_of-the-tests"


def refused(identities: Identities, sent: str | None) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as caught:
        identities.authenticate(sent)
    return caught.value


@pytest.mark.parametrize("sent", [SECRET, f"Bearer {SECRET}", f"bearer   {SECRET} "])
def test_a_key_makes_its_caller(sent: str) -> None:
    who = caller(name="app")
    assert Identities({digest(SECRET): who}).authenticate(sent) is who


@pytest.mark.parametrize(("sent", "code"), [(None, "key_missing"), ("Bearer ", "key_missing"), ("x", "key_unknown")])
def test_nobody_else_gets_in_and_each_is_counted(sent: str | None, code: str) -> None:
    identities = Identities({digest(SECRET): caller()})
    assert refused(identities, sent).code == code
    assert identities.refused == 1


def test_a_key_that_only_begins_as_another_is_not_that_one() -> None:
    whole = digest(SECRET)
    other = whole[:HALF] + "".join("0" if digit != "0" else "1" for digit in whole[HALF:])
    assert refused(Identities({other: caller()}), SECRET).code == "key_unknown"


def test_a_revoked_and_an_expired_key_hear_why() -> None:
    revoked, expired = caller(name="a", revoked=True), caller(name="b", expires_us=now_us() - 1)
    identities = Identities({digest("1"): revoked, digest("2"): expired})
    assert refused(identities, "1").code == "key_revoked"
    assert refused(identities, "2").code == "key_expired"
    assert identities.refused == 2


def test_a_secret_that_was_rotated_away_is_told_so_and_never_itself() -> None:
    identities = Identities({digest(SECRET): caller(name="app", expires_us=1, rotated=True)})
    error = refused(identities, SECRET)
    assert error.code == "key_expired" and "rotated" in error.hint
    assert SECRET not in f"{error!r} {error.message} {error.hint} {error.details}"
