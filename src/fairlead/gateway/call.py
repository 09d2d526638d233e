"""What travels on the road, and the ports that adapters fill.

`Caller`, `Target`, `Route` and `Call` are frozen: a policy that narrows a call makes a new one. The Protocols at the
end name what the gateway needs of the world (a backend, a spool, a purse); `app.py` chooses the real ones, tests hand
in others.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from fairlead.chat import Answer, Item, Relay, Request, Stream, Usage
from fairlead.money import Price as Price
from fairlead.money import Tier as Tier
from fairlead.records import Record
from fairlead.wire.fetching import Fetched
from fairlead.wire.public import PublicUrl

Zone = Literal["private", "contract", "public"]
ZONES: tuple[Zone, ...] = ("private", "contract", "public")  # from the narrowest to the widest

GENERATING = frozenset({"chat", "complete"})  # the tasks that have an output to bound and to pay for

OnBreak = Literal["error", "buffer", "continue"]
Structured = Literal["native", "tool", "prompt"]
Unit = Literal["nusd", "tokens", "requests", "concurrent"]
Window = Literal["minute", "hour", "day", "week", "month", "total"]


class Limit(Struct, frozen=True):
    """So much of a unit in a window, for everything that names it.

    `id` is unique and stable (`key:<id>:nusd:day`); `scope` is for people (`key notebook`); `over` and `owner` are
    for the books (key, team, route or all, and whose). A `concurrent` limit has no window: what is held comes back.
    Windows begin at midnight, Monday or the first of the month in `timezone`.
    """

    id: str
    scope: str
    unit: Unit
    amount: int
    window: Window
    timezone: str = "UTC"
    over: str = "all"
    owner: str = ""


class Caller(Struct, frozen=True):
    """Whoever holds a key. Holding a Caller means: authenticated."""

    key: str  # the key's id, never the key
    name: str
    team: str = ""
    routes: tuple[str, ...] = ()  # that this key may use; ("*",) is all of them
    zone: Zone = "public"  # the widest zone that this caller tolerates
    limits: tuple[Limit, ...] = ()
    expires_us: int | None = None  # this secret, or the key itself
    revoked: bool = False
    rotated: bool = False  # the key has a newer secret than this one


class Timeouts(Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds. `total_s` is the whole attempt."""

    connect_s: float = 5.0
    first_token_s: float = 120.0
    between_tokens_s: float = 60.0
    total_s: float = 600.0


class Capabilities(Struct, frozen=True):
    """What a model can do. None: nobody says; then it is asked, and its provider answers for itself.

    `context_tokens` is the longest prompt that it takes, `max_output_tokens` the longest answer that it gives.
    """

    tasks: frozenset[str] | None = None
    image: bool | None = None  # as input, like the three that follow
    audio: bool | None = None
    video: bool | None = None
    document: bool | None = None
    tools: bool | None = None
    schema: bool | None = None  # answers in the form of a JSON schema, by the provider's own means
    thinking: bool | None = None
    prefill: bool | None = None  # goes on with an answer that has been begun
    context_tokens: int | None = None
    max_output_tokens: int | None = None


class BreakerRules(Struct, frozen=True):
    """When an account is left alone: where `failure_rate` of at least `min_attempts` in `window_s` failed, or
    `in_a_row` found no connection; for `pause_s`, twice as long each time. `max_rest_s` bounds what a 429 asks for."""

    failure_rate: float = 0.5
    window_s: float = 30.0
    min_attempts: int = 20
    in_a_row: int = 5
    pause_s: float = 2.0
    max_pause_s: float = 60.0
    max_rest_s: float = 10.0


class Target(Struct, frozen=True):
    """A backend, a model there, and the parameters to ask it with."""

    name: str
    backend: str
    model: str
    zone: Zone
    params: Mapping[str, Any] = {}
    price: Price | None = None  # the operator's own; else
    tariff: Callable[[int], Price | None] | None = None  # the catalog's, at a moment: prices change by date and hour
    timeouts: Timeouts = Timeouts()
    can: Capabilities | None = None  # None: nothing is known
    structured: Structured | None = None  # how it is made to keep to a schema; None: as it can
    breaker: BreakerRules | None = None  # None: it is asked however often it fails
    account: str = ""  # names this target at this backend with these settings, for what is remembered of it
    accounts: "tuple[Target, ...]" = ()  # the same target at each of its backends, where it has several

    def price_at(self, at_us: int) -> Price | None:
        """None: unknown."""
        return self.tariff(at_us) if self.price is None and self.tariff is not None else self.price


class MediaRules(Struct, frozen=True):
    """What becomes of media that are named by a URL. `hosts`: only those, if there are any; `max_bytes` is of each,
    `total_s` of all, where they are fetched."""

    urls: Literal["refuse", "pass", "inline"] = "pass"
    hosts: tuple[str, ...] = ()
    max_bytes: int = 10 * 1024 * 1024
    total_s: float = 10.0


class Retry(Struct, frozen=True):
    """When the same target is asked again. `attempts`: further ones, of a whole call. A wait is chance times
    `backoff_s`, twice as much each time; what a provider asks for comes before it. `budget`: retries for each request
    of a target, over all calls. `on`: kinds of failures (see `retrying.py`)."""

    attempts: int = 2
    backoff_s: float = 0.25
    max_backoff_s: float = 8.0  # nor is a provider's wish to wait longer fulfilled
    budget: float = 0.2
    on: frozenset[str] = frozenset({"unreachable", "overloaded", "failed", "unclear", "broken"})


class Hedge(Struct, frozen=True):
    """When one more attempt is made beside one whose first word is late: after `after_s`, or once `min_samples` are
    known after the time in which `after_percentile` of a hundred came lately. `max_share` of the route's requests."""

    after_s: float | None = None
    after_percentile: float | None = None
    min_samples: int = 100
    max_share: float = 0.05


class CacheRules(Struct, frozen=True):
    """Whose answers are whose, how long they are kept, and how many bytes of them in each process."""

    scope: Literal["key", "team", "route"] = "key"
    ttl_s: float = 300.0
    most_bytes: int = 16 * 1024 * 1024


class RecordRules(Struct, frozen=True):
    """What is kept of what is said on a route: of which part of its calls (`share`), and for how long."""

    keep_s: int
    what: tuple[str, ...]  # request, answer
    share: float


class Route(Struct, frozen=True):
    """A task, with its rules. `version` tells apart all that it and its targets are set to, where there is a cache."""

    name: str
    strategy: str
    targets: tuple[Target, ...]
    zone: Zone = "public"
    max_output_tokens: int = 4096
    max_cost_nusd: int | None = None  # `max_cost_per_call`: the hold where a worst case has no other bound
    limits: tuple[Limit, ...] = ()
    heartbeat_s: float = 15.0
    total_s: float = 600.0
    lossy: bool = False  # what a target's language can't say is left out and told, instead of refused
    keep_responses_s: float = 0.0  # how long a response may be continued by its id
    record: RecordRules | None = None  # None: what is said is written down nowhere
    store_zone: Zone = "private"  # where that would lie
    media: MediaRules = MediaRules()
    repair: bool = True  # whether a target is asked once more where its answer has not the form that was asked for
    hedge: Hedge | None = None  # None: nobody is asked twice because it is slow
    spreads: bool = False  # whether one of its targets has several accounts
    retry: Retry | None = None  # None: no target is asked again because it failed
    on_break: OnBreak = "error"  # what becomes of a stream that breaks after its first word
    cache: CacheRules | None = None  # None: every call asks
    version: str = ""


class Context(Struct, frozen=True):
    """What surrounds a request: who it belongs to, and how it is traced."""

    at_us: int = 0
    started: float = 0.0  # time.monotonic() at arrival
    trace: str = ""  # W3C traceparent
    tags: tuple[str, ...] = ()
    session: str | None = None
    parent: str | None = None
    request_hash: str = ""
    timeout_s: float | None = None  # the caller's own deadline, where one is named
    cache: Literal["", "no-cache", "no-store"] = (
        ""  # no-cache: is not served from it; no-store: nothing is kept, either
    )


class Call(Struct, frozen=True):
    """One request of one caller, on its way. `zone` and `targets` only ever get narrower."""

    id: str
    caller: Caller
    route: Route
    request: Request
    zone: Zone
    targets: tuple[Target, ...]
    limits: tuple[Limit, ...] = ()  # every limit that a hold of this call must fit into
    narrowed: tuple[str, ...] = ()  # what the policies did, in order, for people
    config: str = ""  # hash of the configuration generation
    context: Context = Context()
    routes: Mapping[str, Route] = {}  # all that there are, so that a rule which says no can say where else
    terms: dict[int, Any] = {}  # what its attempts have in common with others of this caller on this route (attempt.py)


class Form(Protocol):
    """Knows what form one answer must have. It turns what comes into what was asked for, and judges it.

    `verdict` is valid, invalid or "" (not judged). `answered` and `end` raise OutputInvalid; `take` gives what may be
    passed on now, `end` the rest; `anew` is the same form for another attempt.
    """

    verdict: str

    def answered(self, answer: Answer) -> Answer: ...
    def take(self, item: Item) -> Iterable[Item]: ...
    def end(self) -> Iterable[Item]: ...
    def anew(self) -> "Form": ...


class Ask(Protocol):
    """The only power that a strategy is given: to ask a target that the call allows. Every asking is in the books,
    with its `purpose`: "" is primary, or fallback after the first."""

    async def answer(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Answer: ...
    def stream(self, target: Target, request: Request, purpose: str = "", form: Form | None = None) -> Stream: ...


class Strategy(Protocol):
    def answer(self, call: Call, ask: Ask) -> Awaitable[Answer]: ...
    def stream(self, call: Call, ask: Ask) -> Stream: ...


Policy = Callable[[Call], Call]  # the same or narrower, or raises PolicyDenied; pure


# --- ports -----------------------------------------------------------------------------------------------------------


class Asking(Struct, frozen=True):
    """What a backend must know to ask: everything but the request itself."""

    target: Target
    max_output_tokens: int  # what the route allows, already no more than the caller named
    trace: str = ""
    attempt: str = ""
    lossy: bool = False
    whole: bool = False  # the answer is read, not just passed on
    counted: Callable[[Usage], None] | None = None  # is told how far a target had counted when its stream ended
    relay: Relay | None = None  # of a stream that nobody changes on its way


class Backend(Protocol):
    """One wire format at one account. Raises TargetError when the target does not answer well, and RequestInvalid (code
    `unsupported_feature`) before anything is sent where its language has no word for what is asked.

    `answer` gives usage where the provider said; `stream` yields a Head first, then chunks, and at most one Usage. A
    stream that ends without the provider's own end raises StreamBroken. Closing the generator closes the connection.
    After the first word a backend may tell items to `asking.relay` instead of yielding them, while it has a `tell`.
    `says` is whether the request can be said here at all; it sends nothing.
    """

    dialect: str

    async def answer(self, request: Request, asking: Asking) -> Answer: ...
    def stream(self, request: Request, asking: Asking) -> Stream: ...
    def says(self, request: Request, asking: Asking) -> bool: ...


class Fetch(Protocol):
    """Fetches from the public internet. Raises NotPublic and TargetError."""

    async def fetch(self, url: PublicUrl, *, max_bytes: int, total_s: float) -> Fetched: ...


class Spool(Protocol):
    """Where records go before the store: a local file. `append` returns when `kill -9` can't lose the records; several
    stand together, or none does.

    `intent` makes room for its outcome as well, and raises Unavailable if there is none: a full disk denies before
    anything is sent.
    """

    def append(self, *records: Record) -> None: ...


class Clock(Protocol):
    """Time and luck. `now` is in seconds of a clock that never goes backwards; `chance` lies evenly from 0 up to 1."""

    def now(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...
    def chance(self) -> float: ...


class Purse(Protocol):
    """Holds against limits. `reserve` takes all amounts or none; `settle` books the truth and frees the rest. `spare`
    is `reserve` where there is room and nobody need be asked, else None.

    `reserve` raises LimitExceeded, BudgetExceeded or BudgetHeld; amounts are in each limit's own unit. To `settle` an
    amount as None is to book what was reserved.
    """

    async def reserve(self, amounts: Sequence[tuple[Limit, int]], at_us: int) -> Any: ...
    def spare(self, amounts: Sequence[tuple[Limit, int]], at_us: int) -> Any | None: ...
    def settle(self, hold: Any, amounts: Sequence[int | None]) -> None: ...
