"""The settings that there are, as frozen values with their defaults.

Where they are read from is not known here, nor what one of them has to do with another.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

Kind = Literal["openai", "anthropic", "gemini", "bedrock", "responses", "rerank", "script"]
Zone = Literal["private", "contract", "public"]
ZONE_ORDER: tuple[Zone, ...] = ("private", "contract", "public")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}\Z")
MONEY = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*usd\s*\Z", re.IGNORECASE)
BUDGET = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*usd\s*/\s*(hour|day|week|month|total)\s*\Z", re.IGNORECASE)
_NAMED = r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)+(?::\d{1,5})?"
HOST = re.compile(rf"(?:{_NAMED}|(?:s3|gs)://[a-z0-9][a-z0-9._-]*[a-z0-9])\Z")
ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?\Z")  # as browsers say it
LARGEST = 2**53  # every reader of JSON and every store can hold it, and sums of it


class Secret:
    """A value that must not be seen, and where it came from."""

    __slots__ = ("source", "value")

    def __init__(self, value: str, source: str) -> None:
        self.value = value
        self.source = source

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self.value, self.source) == (other.value, other.source)

    def __hash__(self) -> int:
        return hash((self.value, self.source))


class StoreUrl(Secret):
    """Where the store is: a reference to a URL that may hold a password, or plainly a file that SQLite keeps it in."""

    __slots__ = ()


class ProxyUrl(Secret):
    """A reference to a proxy's URL that may hold a password, or plainly one that holds none."""

    __slots__ = ()


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: unknown keys are refused."""


class Server(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What needs a restart is listed in `server/steward.py`."""

    listen: str = "127.0.0.1:4000"
    admin: str = "127.0.0.1:4001"  # "off": only the Unix socket
    workers: int = 1
    max_body_mb: float = 20.0
    drain_s: float = 30.0
    head_s: float = 10.0  # for the head of a request to come
    body_s: float = 30.0  # between two pieces of its body
    idle_s: float = 75.0  # between two requests of a connection
    write_s: float = 30.0  # for a caller who does not read
    max_connections: int = 4096  # of each worker
    tls_cert: str = ""  # PEM; "": no TLS
    tls_key: str = ""
    cors_origins: tuple[str, ...] = ()  # of web pages that may ask
    metrics: Literal["auto", "admin"] = "auto"  # auto: also on the data listener while that is on loopback


class StoreSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: StoreUrl = StoreUrl("", "")  # none: SQLite, in a file of the data directory
    keep: str = ""  # how long calls, attempts and the audit are kept, such as 90d; "": for ever
    keep_runs: str = ""  # the same of evaluations
    sync: Literal["none", "interval"] = "none"  # of the spool: interval survives power loss, but for the last second
    ship_every_s: float = 0.25
    when_away: Literal["spend-leases", "go-on"] = "spend-leases"  # go-on: grant without it, and reckon later

    zone: Zone = "private"  # where it lies: words that may not travel so far are not kept there
    content_mb: float = 256.0  # of recorded content that may wait for it on disk, of each worker
    keys_good_for: str = "7d"  # how old the keys may be that a start goes by while the store is away


class AwsSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credentials that requests are signed with: both keys, or what AWS's own tools find (of `profile`, if that is
    named): environment, profiles, SSO, roles of machines."""

    access_key: Secret | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    profile: str = ""


class GoogleSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credentials that tokens are fetched with: a file's, or what Google's own tools find."""

    credentials_file: str = ""  # a service account, a federated identity, what gcloud leaves of a user


class BackendSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account at somewhere tokens come from. `kind` is the wire format; what is not said comes from `provider`."""

    kind: Kind | None = None
    provider: str = ""  # the catalog's name of it: a row of providers, or a name in the price list
    zone: Zone | None = None
    base_url: str = ""
    vars: Mapping[str, str] = {}  # for the placeholders in the provider's URL
    key: Secret | None = None
    aws: AwsSettings | None = None
    google: GoogleSettings | None = None
    headers: Mapping[str, str] = {}
    secret_headers: Mapping[str, Secret] = {}
    paths: Mapping[str, str] = {}  # task -> below `base_url`, where it is not at the wire format's own path
    ca_file: str = ""
    proxy: ProxyUrl = ProxyUrl("", "")  # none: straight to the server
    quirks: Mapping[str, Any] = {}
    script: str = ""  # kind "script": path of a TOML file with its lines


class EngineSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model server that Fairlead starts and watches. `model`: shipped:NAME, a path, or hf:owner/repo/file."""

    kind: Literal["llamacpp"] = "llamacpp"
    model: str
    context: int = 0  # tokens per slot; 0: as the model was trained, but at most 8192
    slots: int = 4
    threads: int = 0  # 0: as many as there are cores; one for a very small model
    embeddings: bool = False
    port: int = 0  # 0: any free one


class PriceSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars per million tokens; `per_request` US dollars. `details`: of other units, per thousand of searches."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    per_request: float = 0.0
    details: Mapping[str, float] = {}


class CanSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a target's model can do, where the operator knows better than the catalog. None: as that says."""

    tasks: tuple[Literal["chat", "complete", "embed", "rerank"], ...] | None = None
    image: bool | None = None
    audio: bool | None = None
    video: bool | None = None
    document: bool | None = None
    tools: bool | None = None
    schema: bool | None = None
    thinking: bool | None = None
    prefill: bool | None = None  # goes on with an answer that has been begun
    context: int | None = None  # tokens of the longest prompt
    max_output: int | None = None  # tokens of the longest answer


class TimeoutSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    connect_s: float | None = None
    first_token_s: float | None = None
    between_tokens_s: float | None = None
    total_s: float | None = None


class BreakerSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a target is left alone; what the fields mean is in `gateway/call.py`."""

    on: bool = True
    failure_rate: float = 0.5
    window_s: float = 30.0
    min_attempts: int = 20
    in_a_row: int = 5
    pause_s: float = 2.0
    max_pause_s: float = 60.0
    max_rest_s: float = 10.0  # 0: a 429 rests nobody


class TargetSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one of `backend`, `backends` and `engine`."""

    model: str = ""
    backend: str = ""
    backends: tuple[str, ...] = ()  # several accounts or replicas of one model
    engine: str = ""
    zone: Zone | None = None  # where it differs from its backend's; never wider than that
    params: Mapping[str, Any] = {}
    price: PriceSettings | None = None
    can: CanSettings = CanSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    structured: Literal["native", "tool", "prompt"] | None = None  # how it is made to keep to a schema; None: as it can
    breaker: BreakerSettings = BreakerSettings()


class Limits(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent: int | None = None


class MediaSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images and other media named by a URL. `pass` leaves fetching to the provider, `inline` does it here.

    `hosts`: `example.com`, `*.example.com`, `s3://bucket`; none: all public ones, but for what is fetched here.
    """

    urls: Literal["refuse", "pass", "inline"] = "pass"
    hosts: tuple[str, ...] = ()
    max_mb: float = 10.0  # of each, where it is fetched here
    timeout_s: float = 10.0  # for all of a request


class RetrySettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the same target is asked again; what the fields mean is in `gateway/call.py`."""

    attempts: int = 2  # 0: never
    backoff_s: float = 0.25
    max_backoff_s: float = 8.0
    budget: float = 0.2
    on: tuple[Literal["unreachable", "overloaded", "failed", "unclear", "broken", "timeout"], ...] = (
        "unreachable",
        "overloaded",
        "failed",
        "unclear",
        "broken",
    )


class HedgeSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a second attempt is made beside a slow one; what the fields mean is in `gateway/call.py`. Off by default."""

    after_s: float | None = None
    after_percentile: float | None = None
    min_samples: int = 100
    max_share: float = 0.05


class CacheSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers to the same request, in each worker. `scope`: whose answers are given to whom."""

    scope: Literal["key", "team", "route"] = "key"
    ttl_s: float = 300.0  # 0: nothing is kept, but those who ask the same at once share one asking
    max_mb: float = 16.0


class RecordSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said on a route is kept in the store, for admins to read. `keep`: such as "7d"."""

    keep: str
    what: tuple[Literal["request", "answer"], ...] = ("request", "answer")
    share: float = 1.0  # of its calls


class RouteSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    targets: tuple[str, ...]
    strategy: Literal["single", "fallback"] | None = None  # None: fallback where there are several targets
    zone: Zone = "public"
    max_output_tokens: int = 4096
    max_cost_per_call: str = ""  # "0.50usd"
    budget: str = ""  # "5usd/day"
    limits: Limits = Limits()
    heartbeat_s: float = 15.0
    total_s: float = 600.0
    lossy: bool = False  # leave out what a target's language can't say (and tell), instead of refusing
    keep_responses_s: float = 0.0  # how long a response can be continued by its id; 0: not at all, nothing is kept
    record: RecordSettings | None = None  # None: what is said is written down nowhere
    media: MediaSettings = MediaSettings()
    repair: bool = True  # ask once more where an answer has not the form that was asked for
    retry: RetrySettings = RetrySettings()
    hedge: HedgeSettings = HedgeSettings()
    on_break: Literal["error", "buffer", "continue"] = "error"  # of a stream that breaks after its first word
    cache: CacheSettings | None = None  # None: every call asks


class BudgetSettings(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A budget over everything (`[budgets.all]`) or over a team's keys (`[budgets.NAME]` with `team`)."""

    amount: str  # "100usd/month"
    team: str = ""
    timezone: str = "UTC"


class Config(Struct, frozen=True, kw_only=True):
    """One generation of the configuration, checked.

    `hash` is over what was written and what was said over it; secrets' values are left out.
    """

    data_dir: str
    server: Server = Server()
    store: StoreSettings = StoreSettings()
    backends: Mapping[str, BackendSettings] = {}
    engines: Mapping[str, EngineSettings] = {}
    targets: Mapping[str, TargetSettings] = {}
    routes: Mapping[str, RouteSettings] = {}
    budgets: Mapping[str, BudgetSettings] = {}
    timezone: str = "UTC"
    source: str = ""  # the file, or "" for the built-in configuration
    hash: str = ""
    text: str = ""  # as it was written; secrets are references in it
    overrides: Mapping[str, Any] = {}  # what was said at start over the file; a reload says it again
