"""Who it is that asks, as providers take it."""

from fairlead.dialects.end_users import end_user


def test_a_name_that_is_taken_stays():
    for name in ("u1", "0b6f2f0e-6c0a-4f7e-9a51-000000000000", "team 7", "12345"):
        assert end_user(name, longest=64, opaque=True) == name
    assert end_user("ada@example.org", longest=64) == "ada@example.org"


def test_addresses_and_telephone_numbers_are_digests_where_they_are_refused():
    for name in ("ada@example.org", "+44 20 7946 0000", "020-7946-0000"):
        said = end_user(name, longest=256, opaque=True)
        assert (len(said), name in said) == (64, False)
