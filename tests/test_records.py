"""Records are read again, also those that an older version left in a spool."""

from fairlead.records import Outcome, decode, encode


def test_a_record_is_read_as_it_was_written() -> None:
    ended = Outcome(attempt="a", call="c", outcome="ok", input_tokens=3, usage_details={"web_searches": 2})
    assert decode(encode(ended)) == ended


def test_a_record_without_what_was_added_later_is_read() -> None:
    ended = decode(b'{"kind":"outcome","attempt":"a","call":"c","outcome":"ok","input_tokens":3}')
    assert ended == Outcome(attempt="a", call="c", outcome="ok", input_tokens=3)
    assert ended.usage_details == {}
