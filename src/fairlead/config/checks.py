"""What one section says of another, and numbers that lie within their bounds. Nothing is read here."""

import difflib
import re
import zoneinfo
from collections.abc import Mapping
from typing import Any, Protocol

from fairlead.config.sections import (
    BUDGET,
    HOST,
    LARGEST,
    MONEY,
    ORIGIN,
    ZONE_ORDER,
    AwsSettings,
    BackendSettings,
    BreakerSettings,
    BudgetSettings,
    Config,
    MediaSettings,
    PriceSettings,
    RetrySettings,
    RouteSettings,
    Section,
    StoreSettings,
    TargetSettings,
)
from fairlead.errors import ConfigInvalid
from fairlead.spans import seconds_of
from fairlead.units import PLAIN, SEARCHES, TOKENS

PROXY = re.compile(r"http://[^\s/]+:\d{1,5}/?\Z")
STORE = re.compile(r"(?:postgres|postgresql|postgresql\+psycopg)://|sqlite:///.")


class Wrong(Protocol):
    """Makes the error for a path of the configuration; it knows which file that stands in."""

    def __call__(self, path: str, what: str, hint: str = "") -> ConfigInvalid: ...


def check(config: Config, wrong: Wrong) -> None:
    """Raises ConfigInvalid for the first thing that can't work."""
    _Checks(config, wrong).run()


def check_store(store: StoreSettings, wrong: Wrong) -> None:
    """Raises ConfigInvalid for a URL of another kind of database."""
    if store.url.value and not STORE.match(store.url.value):  # it may hold a password, so it is not shown
        hint = "postgresql://USER:PASSWORD@HOST/DATABASE, or sqlite:///PATH"
        raise wrong("store.url", "names no database that Fairlead can use", hint)


class _Checks:
    def __init__(self, config: Config, wrong: Wrong) -> None:
        self.config = config
        self.wrong = wrong

    def run(self) -> None:
        self._zones_of_time()
        self._server()
        for name, backend in self.config.backends.items():
            self._backend(f"backends.{name}", backend)
        for name, target in self.config.targets.items():
            self._target(f"targets.{name}", target)
        for name, route in self.config.routes.items():
            if name.startswith("target:"):
                raise self.wrong(f"routes.{name}", "is the name of a target's own route", "choose another")
            self._route(f"routes.{name}", route)
        for name, budget in self.config.budgets.items():
            self._budget(f"budgets.{name}", name, budget)

    def _zones_of_time(self) -> None:
        named = {"timezone": self.config.timezone}
        named |= {f"budgets.{name}.timezone": budget.timezone for name, budget in self.config.budgets.items()}
        for path, zone in named.items():
            try:
                zoneinfo.ZoneInfo(zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
                raise self.wrong(path, f"unknown time zone {zone!r}", "such as UTC or Europe/Berlin") from error

    def _server(self) -> None:
        server = self.config.server
        for path, address in (("server.listen", server.listen), ("server.admin", server.admin)):
            if not (path == "server.admin" and address == "off"):
                try:
                    host_and_port(address)
                except ValueError as error:
                    raise self.wrong(path, str(error), "HOST:PORT, such as 127.0.0.1:4000") from error
        self._bounded("server", server, 1, "workers", below=257)
        self._bounded("server", server, 0.001, "max_body_mb")
        self._bounded("server", server, 0, "drain_s")
        self._bounded("server", server, 0.1, "head_s", "body_s", "idle_s", "write_s", below=10**6)
        self._bounded("server", server, 1, "max_connections")
        if bool(server.tls_cert) != bool(server.tls_key):
            missing = "tls_key" if server.tls_cert else "tls_cert"
            raise self.wrong(f"server.{missing}", "missing", "TLS wants a certificate and its key, or neither")
        for number, origin in enumerate(server.cors_origins):
            if not ORIGIN.match(origin):
                raise self.wrong(
                    f"server.cors_origins[{number}]", f"{origin!r} is no origin", "https://app.example.com"
                )
        self._bounded("store", self.config.store, 0.01, "ship_every_s")
        self._bounded("store", self.config.store, 0, "content_mb", below=10**6)
        self._span("store.keys_good_for", self.config.store.keys_good_for)
        for name in ("keep", "keep_runs"):
            if span := getattr(self.config.store, name):
                self._span(f"store.{name}", span)
        check_store(self.config.store, self.wrong)

    def _backend(self, path: str, backend: BackendSettings) -> None:
        if not backend.kind and not backend.provider:
            raise self.wrong(path, "names neither `provider` nor `kind`", 'such as provider = "openai"')
        if not backend.provider and not backend.zone:
            raise self.wrong(f"{path}.zone", "missing", f"where it lies: {', '.join(ZONE_ORDER)}")
        if backend.kind == "script":
            if not backend.script:
                raise self.wrong(f"{path}.script", "a scripted backend needs the path of its script")
        elif backend.base_url and not re.match(r"https?://[^\s/]+", backend.base_url):
            raise self.wrong(f"{path}.base_url", f"{backend.base_url!r} is no http(s) URL")
        elif not backend.provider and not backend.base_url:
            raise self.wrong(f"{path}.base_url", "missing", "such as https://api.openai.com/v1")
        elif backend.base_url.rstrip("/").endswith(("/chat/completions", "/messages")):
            raise self.wrong(f"{path}.base_url", "names an endpoint", "leave out what comes after /v1")
        if backend.proxy.value and not PROXY.match(backend.proxy.value):  # it may hold a password, so it is not shown
            hint = "http://HOST:PORT; with USER:PASSWORD@ in it as env:NAME or file:PATH"
            raise self.wrong(f"{path}.proxy", "is not the URL of an HTTP proxy", hint)
        if backend.aws:
            self._aws(f"{path}.aws", backend.aws)

    def _aws(self, path: str, aws: AwsSettings) -> None:
        if bool(aws.access_key) != bool(aws.secret_key):
            missing = "secret_key" if aws.access_key else "access_key"
            raise self.wrong(f"{path}.{missing}", "missing", 'both keys, such as "env:AWS_SECRET_ACCESS_KEY", or none')
        if aws.session_token and not aws.access_key:
            raise self.wrong(f"{path}.session_token", "has no effect without keys", "write the keys that it goes with")
        if aws.profile and aws.access_key:
            raise self.wrong(f"{path}.profile", "has no effect: keys are there already", "remove it, or the keys")

    def _target(self, path: str, target: TargetSettings) -> None:
        config = self.config
        if [bool(target.backend), bool(target.backends), bool(target.engine)].count(True) != 1:
            raise self.wrong(path, "names exactly one of `backend`, `backends` and `engine`")
        self._exists(f"{path}.backend", target.backend, config.backends)
        self._exists(f"{path}.engine", target.engine, config.engines)
        for number, name in enumerate(target.backends):
            self._exists(f"{path}.backends[{number}]", name, config.backends)
        if len(set(target.backends)) != len(target.backends):
            raise self.wrong(f"{path}.backends", "names a backend twice")
        homes = [config.backends[name].zone for name in (target.backend, *target.backends) if name]
        if homes and not target.model:
            raise self.wrong(f"{path}.model", "missing", "the model's name at that backend")
        widest = max((ZONE_ORDER.index(home) for home in homes or ["private"] if home), default=0)
        if target.zone and ZONE_ORDER.index(target.zone) < widest:
            told = f"{target.zone} is narrower than its home's zone {ZONE_ORDER[widest]}"
            raise self.wrong(f"{path}.zone", told, "set the backend's zone")
        self._bounded(f"{path}.timeouts", target.timeouts, 0.001, *target.timeouts.__struct_fields__)
        self._breaker(f"{path}.breaker", target.breaker)
        if target.price:
            self._price(f"{path}.price", target.price)
        self._bounded(f"{path}.can", target.can, 1, "context", "max_output")
        if target.can.tasks == ():
            raise self.wrong(f"{path}.can.tasks", "empty", "leave it out where nothing is known")

    def _breaker(self, path: str, breaker: BreakerSettings) -> None:
        self._bounded(path, breaker, 0.01, "failure_rate", below=2)
        self._bounded(path, breaker, 1, "min_attempts", "in_a_row")
        self._bounded(path, breaker, 0.1, "window_s", "pause_s", "max_pause_s", below=86_401)
        self._bounded(path, breaker, 0, "max_rest_s", below=86_401)

    def _price(self, path: str, price: PriceSettings) -> None:
        self._bounded(path, price, 0, "input", "output", "cache_read", "cache_write", "per_request", below=10**9)
        for unit, dollars in price.details.items():
            if unit not in TOKENS and unit not in SEARCHES:
                near = difflib.get_close_matches(unit, (*TOKENS, *SEARCHES), n=3)
                hint = f"such as {', '.join(near or ('cache_write_1h_tokens', 'input_audio_tokens', 'web_searches'))}"
                raise self.wrong(f"{path}.details.{unit}", "is nothing that is billed", hint)
            if unit in PLAIN:
                raise self.wrong(f"{path}.details.{unit}", "has a price of its own", f"write {path}.{PLAIN[unit]}")
            if not 0 <= dollars < 10**9:
                raise self.wrong(f"{path}.details.{unit}", f"must be at least 0 and below {10**9}")

    def _route(self, path: str, route: RouteSettings) -> None:
        if not route.targets:
            raise self.wrong(f"{path}.targets", "empty", "name at least one target")
        for number, name in enumerate(route.targets):
            self._exists(f"{path}.targets[{number}]", name, self.config.targets)
        if len(set(route.targets)) != len(route.targets):
            raise self.wrong(f"{path}.targets", "names a target twice")
        if route.strategy == "single" and len(route.targets) > 1:
            raise self.wrong(f"{path}.strategy", "single takes one target", 'strategy = "fallback" takes many')
        self._bounded(path, route, 1, "max_output_tokens")
        self._bounded(path, route, 0.001, "heartbeat_s", "total_s")
        self._bounded(path, route, 0, "keep_responses_s", below=10**9)
        self._kept(path, route)
        if route.budget and not BUDGET.match(route.budget):
            raise self.wrong(f"{path}.budget", f"{route.budget!r} is no budget", 'such as "5usd/day"')
        if route.max_cost_per_call and not MONEY.match(route.max_cost_per_call):
            raise self.wrong(f"{path}.max_cost_per_call", "is no money", 'such as "0.50usd"')
        self._retry(f"{path}.retry", route.retry)
        self._hedge(f"{path}.hedge", route)
        self._media(f"{path}.media", route.media)
        self._bounded(f"{path}.limits", route.limits, 1, *route.limits.__struct_fields__)
        if route.cache is not None:
            self._bounded(f"{path}.cache", route.cache, 0, "ttl_s", below=10**9)
            self._bounded(f"{path}.cache", route.cache, 0.001, "max_mb", below=100_000)

    def _retry(self, path: str, retry: RetrySettings) -> None:
        self._bounded(path, retry, 0, "attempts", below=11)
        self._bounded(path, retry, 0, "backoff_s", "max_backoff_s", below=3601)
        self._bounded(path, retry, 0, "budget", below=11)

    def _hedge(self, path: str, route: RouteSettings) -> None:
        hedge = route.hedge
        self._bounded(path, hedge, 0.001, "after_s", below=86_401)
        self._bounded(path, hedge, 1, "after_percentile", below=100)
        self._bounded(path, hedge, 1, "min_samples", below=513)
        self._bounded(path, hedge, 0, "max_share", below=2)
        wanted = hedge.after_s is not None or hedge.after_percentile is not None
        if wanted and len(route.targets) == 1 and len(self.config.targets[route.targets[0]].backends) < 2:
            raise self.wrong(path, "there is nobody else to ask", "another target, or several `backends` of this one")

    def _media(self, path: str, media: MediaSettings) -> None:
        if media.urls == "inline" and not media.hosts:
            raise self.wrong(f"{path}.hosts", "missing", "what is fetched here must be listed, such as *.example.com")
        for number, host in enumerate(media.hosts):
            if not HOST.match(host):
                raise self.wrong(f"{path}.hosts[{number}]", f"{host!r} is no host", "example.com, *.example.com")
        self._bounded(path, media, 0.001, "max_mb", "timeout_s", below=10_000)

    def _budget(self, path: str, name: str, budget: BudgetSettings) -> None:
        if not BUDGET.match(budget.amount):
            raise self.wrong(f"{path}.amount", f"{budget.amount!r} is no budget", 'such as "100usd/month"')
        if name != "all" and not budget.team:
            raise self.wrong(f"{path}.team", "missing", "only [budgets.all] is over everything")

    def _bounded(self, path: str, section: Section, least: float, *fields: str, below: int = LARGEST) -> None:
        for field in fields:
            if (value := getattr(section, field)) is not None and not least <= value < below:  # `nan` is not, either
                raise self.wrong(f"{path}.{field}", f"must be at least {least:g} and below {below}")

    def _kept(self, path: str, route: RouteSettings) -> None:
        """What a route keeps lies where the store does."""
        store = self.config.store.zone
        if route.record is not None:
            self._span(f"{path}.record.keep", route.record.keep)
            self._bounded(f"{path}.record", route.record, 0, "share", below=2)
            if not route.record.what or route.record.share > 1:
                raise self.wrong(f"{path}.record", "`what` names request or answer, and `share` is 1 at most")
        kept = "record" if route.record is not None else "keep_responses_s" if route.keep_responses_s else ""
        if kept and ZONE_ORDER.index(route.zone) < ZONE_ORDER.index(store):
            hint = f"the store lies in {store} ([store] zone), and the words of this route stay in {route.zone}"
            raise self.wrong(f"{path}.{kept}", "its words would leave their zone", hint)

    def _span(self, path: str, text: str) -> None:
        if seconds_of(text) is None:
            raise self.wrong(path, f"{text!r} is no span of time", 'such as "12h" or "30d"')

    def _exists(self, path: str, name: str, table: Mapping[str, Any]) -> None:
        if name and name not in table:
            near = difflib.get_close_matches(name, table, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(table)) or 'none'}"
            raise self.wrong(path, f"there is no {name!r}", hint)


def host_and_port(address: str) -> tuple[str, int]:
    """`127.0.0.1:4000`, `[::1]:4000` -> host and port. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or not host:
        raise ValueError(f"{address!r} is no HOST:PORT")
    return host.strip("[]"), int(port)
