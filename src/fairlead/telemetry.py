"""Metrics, derived from the ledger's records off the road. The only module that knows Prometheus.

Labels are names that an operator chose (routes, targets, engines) and stable codes; never a key, a call or a prompt.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fairlead.records import CallClosed, Intent, Outcome, Record

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
UNKNOWN = "(unknown)"


class Metrics:
    """One registry of its own, fed with shipped records."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._calls = Counter("fairlead_calls", "Calls that ended", ["route", "status", "code"], registry=registry)
        self._call_s = Histogram(
            "fairlead_call_duration_seconds", "From arrival to last byte", ["route"], buckets=SECONDS, registry=registry
        )
        self._cached = Counter(
            "fairlead_cache", "Calls on routes with a cache: hit, shared, miss", ["route", "cache"], registry=registry
        )
        self._attempts = Counter(
            "fairlead_attempts",
            "Attempts that ended",
            ["route", "target", "purpose", "outcome"],
            registry=registry,
        )
        self._first_s = Histogram(
            "fairlead_time_to_first_token_seconds",
            "From an attempt's start to its first word",
            ["target"],
            buckets=SECONDS,
            registry=registry,
        )
        self._tokens = Counter("fairlead_tokens", "Tokens", ["target", "kind"], registry=registry)
        self._cost = Counter(
            "fairlead_cost_usd", "Cost, where the price is known", ["route", "target"], registry=registry
        )
        self._unpriced = Counter(
            "fairlead_unpriced_attempts", "Attempts whose price is unknown", ["target"], registry=registry
        )
        self._targets: dict[str, tuple[str, str, str]] = {}  # open attempts: route, target and purpose
        self._make_gauges(registry)

    def _make_gauges(self, registry: CollectorRegistry) -> None:
        """Of what is so when somebody looks."""
        self._open = Gauge("fairlead_open_calls", "Calls in flight", ["worker"], registry=registry)
        self._refused = Gauge(
            "fairlead_unauthenticated_requests", "Requests without a valid key since start", registry=registry
        )
        self._engine_up = Gauge("fairlead_engine_up", "1 while the engine is ready", ["engine"], registry=registry)
        self._engine_restarts = Gauge(
            "fairlead_engine_restarts", "Times that the engine was restarted", ["engine"], registry=registry
        )
        self._circuits = Gauge(
            "fairlead_circuit",
            "1 for each target that is left alone at a backend",
            ["target", "backend", "state"],
            registry=registry,
        )
        self._lag = Gauge("fairlead_spool_lag_seconds", "Since the spool was last shipped whole", registry=registry)
        self._keys_age = Gauge(
            "fairlead_keys_age_seconds", "Since the keys were known to be those of the store", registry=registry
        )
        self._limits = Gauge(
            "fairlead_limit",
            "Of limits of routes, teams and all, by what became of it: amount, spent, held, idle (leased here)",
            ["limit", "unit", "state"],
            registry=registry,
        )
        self._beyond = Gauge(
            "fairlead_leases_beyond", "Times that more was handed out than the store had granted", registry=registry
        )
        self._leases_away = Gauge("fairlead_leases_away", "1 while the store grants no leases", registry=registry)
        self._unrecorded = Gauge(
            "fairlead_unrecorded_calls", "Calls whose content was to be kept and was given up", registry=registry
        )

    def saw(self, records: Iterable[Record]) -> None:
        for record in records:
            match record:
                case Intent():
                    self._targets[record.attempt] = (record.route, record.target, record.purpose)
                case Outcome():
                    self._ended(record)
                case CallClosed():
                    # a name that no route has was chosen by a caller: as a label it would grow without bound
                    route = UNKNOWN if record.code == "route_not_found" else record.route
                    self._calls.labels(route, record.status, record.code).inc()
                    self._call_s.labels(route).observe(record.duration_us / 1e6)
                    if record.cache:
                        self._cached.labels(route, record.cache).inc()

    def _ended(self, record: Outcome) -> None:
        route, target, purpose = self._targets.pop(record.attempt, ("", "", ""))
        self._attempts.labels(route, target, purpose, record.outcome).inc()
        if record.first_token_us is not None:
            self._first_s.labels(target).observe(record.first_token_us / 1e6)
        for kind in ("input", "output", "cache_read", "cache_write", "reasoning"):
            if count := getattr(record, f"{kind}_tokens"):
                self._tokens.labels(target, kind).inc(count)
        if record.cost_nusd is None:
            self._unpriced.labels(target).inc()
        else:
            self._cost.labels(route, target).inc(record.cost_nusd / 1e9)

    def exposition(
        self,
        *,
        open_calls: Mapping[str, int],
        refused: int,
        engines: Mapping[str, tuple[bool, int]],
        lag_s: float,
        keys_age_s: float,
        unrecorded: int,
        circuits: Iterable[tuple[str, str, str]] = (),
        limits: Mapping[tuple[str, str], Mapping[str, int]] = {},
        leases_beyond: int = 0,
        leases_away: bool = False,
    ) -> bytes:
        """The text that Prometheus reads. `engines`: whether each is up, and its restarts. `circuits`: target, backend
        and state of each that is not closed. `limits`: id and unit -> state -> how much."""
        self._open.clear()
        for worker, count in open_calls.items():
            self._open.labels(worker).set(count)
        for engine, (up, restarts) in engines.items():
            self._engine_up.labels(engine).set(up)
            self._engine_restarts.labels(engine).set(restarts)
        self._circuits.clear()
        for circuit in circuits:
            self._circuits.labels(*circuit).set(1)
        self._limits.clear()
        for (limit, unit), states in limits.items():
            for state, amount in states.items():
                self._limits.labels(limit, unit, state).set(amount)
        self._beyond.set(leases_beyond)
        self._leases_away.set(leases_away)
        self._refused.set(refused)
        self._lag.set(lag_s)
        self._keys_age.set(keys_age_s)
        self._unrecorded.set(unrecorded)
        return generate_latest(self.registry)
