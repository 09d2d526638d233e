"""The ledger's records, as they are appended to the spool and shipped to the store.

Three kinds: an `Intent` before an attempt is sent, its `Outcome` after, and a `CallClosed` at the end of every call.
An intent that never got its outcome becomes an attempt `lost`, priced at its hold. Whoever reads them (store,
telemetry) needs nothing but this file. Money is integer nano-dollars, None where the price is unknown; times are UTC
microseconds; durations microseconds from a monotonic clock, None where the moment never came.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

LARGEST = 2**53  # so that sums stay within 64 bits, and every reader of JSON can hold it

Number = Annotated[int, Meta(ge=-LARGEST, le=LARGEST)]


class Intent(Struct, frozen=True, kw_only=True, tag="intent", tag_field="kind", omit_defaults=True, gc=False):
    attempt: str
    call: str
    at_us: Number
    purpose: str = "primary"  # primary, fallback, retry, hedge, vote, judge, repair, continue, shadow, explore
    key: str
    team: str = ""
    route: str
    target: str
    backend: str
    model: str
    zone: str
    price: str | None = None  # id of the price row; None: unknown
    hold_nusd: Number | None = None
    hold_tokens: Number | None = None
    config: str = ""  # hash of the configuration generation
    parent: str | None = None
    session: str | None = None
    trace: str = ""
    propensity: float | None = None


class Outcome(Struct, frozen=True, kw_only=True, tag="outcome", tag_field="kind", omit_defaults=True, gc=False):
    attempt: str
    call: str
    outcome: str  # ok, cancelled, or the code of the error
    why: str = ""
    status: Number | None = None
    finish: str | None = None
    shape: str = ""  # valid, invalid; "" where no form was asked for, or the answer did not come to its end
    served_model: str = ""
    request_id: str = ""  # the provider's own name of it
    input_tokens: Number = 0
    output_tokens: Number = 0
    cache_read_tokens: Number = 0
    cache_write_tokens: Number = 0
    reasoning_tokens: Number = 0
    usage_details: Mapping[str, Number] = {}  # counts with rates of their own, such as web_searches
    cost_nusd: Number | None = None
    overrun: bool = False  # it cost more than was held
    estimated: bool = False
    queued_us: Number | None = None  # from the call's arrival to the attempt's start
    first_token_us: Number | None = None  # from the attempt's start to the first word
    last_token_us: Number | None = None
    duration_us: Number = 0


class CallClosed(Struct, frozen=True, kw_only=True, tag="call", tag_field="kind", omit_defaults=True, gc=False):
    call: str
    at_us: Number
    key: str
    team: str = ""
    route: str
    task: str = "chat"
    stream: bool = False
    status: str  # ok, denied, failed, cancelled
    code: str = ""  # of the error, where there is one
    why: str = ""
    narrowed: tuple[str, ...] = ()  # what each policy did to the call, in order
    attempts: Number = 0
    target: str = ""  # that answered
    cost_nusd: Number | None = None  # sum over attempts; None if one of them is unknown
    estimated: bool = False
    duration_us: Number = 0
    first_word_us: Number | None = None
    cache: str = ""  # hit, shared (another call's asking answered it too), miss; "" where nothing was looked up
    request_hash: str = ""  # keyed (BLAKE2b) hash of the request's body
    config: str = ""
    parent: str | None = None
    session: str | None = None
    trace: str = ""
    tags: tuple[str, ...] = ()


Record = Intent | Outcome | CallClosed

_NUL = b"\\u0000"
ENCODER = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def encode(record: Record) -> bytes:
    """One line of the spool, with its newline."""
    return ENCODER.encode(record) + b"\n"


def decode(line: bytes) -> Record:
    """Raises msgspec.DecodeError where the line is not a record.

    A provider may claim any number and a caller may say NUL, but not every store holds that: numbers end at LARGEST,
    and NUL is left out.
    """
    if _NUL not in line:
        try:
            return _decoder.decode(line)
        except msgspec.ValidationError:
            pass
    return msgspec.convert(_storable(msgspec.json.decode(line)), Record)


def decode_all(lines: bytes) -> list[Record]:
    """The same for many, at three times the speed. Raises msgspec.DecodeError where one of them needs a closer look."""
    if _NUL in lines:
        raise msgspec.DecodeError("NUL")
    return _decoder.decode_lines(lines)


def _storable(said: Any) -> Any:
    if type(said) is int:
        return max(-LARGEST, min(LARGEST, said))
    if isinstance(said, str):
        return said.replace("\0", "")
    if isinstance(said, list):
        return [_storable(one) for one in said]
    if isinstance(said, dict):
        return {_storable(name): _storable(value) for name, value in said.items()}
    return said
