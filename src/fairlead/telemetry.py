"""Metrics, derived from the ledger's records off the road. The only module that knows Prometheus.

Labels are names that an operator chose (routes, targets, engines) and stable codes; never a key, a call or a prompt.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from fairlead.records import Intent, Outcome, Record

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
UNKNOWN = "(unknown)"


class _Times:
    """How often something took how long: one count for each of SECONDS, and for what took longer."""

    __slots__ = ("_counts", "_sum_us")

    def __init__(self) -> None:
        self._counts = [0] * (len(SECONDS) + 1)
        self._sum_us = 0

    def add(self, took_us: int) -> None:
        self._counts[bisect_left(SECONDS, took_us / 1e6)] += 1
        self._sum_us += took_us

    def told(self) -> tuple[list[tuple[str, float]], float]:
        """Prometheus' buckets, each with all that is in those before it, and the sum in seconds."""
        bounds = [*(floatToGoString(seconds) for seconds in SECONDS), "+Inf"]
        return list(zip(bounds, accumulate(self._counts), strict=True)), self._sum_us / 1e6


class _Counted(Collector):
    """What the records came to, as plain numbers: Prometheus' own objects, asked for each record, cost 37 µs a call."""

    def __init__(self) -> None:
        self.calls: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.call_times: defaultdict[str, _Times] = defaultdict(_Times)
        self.cached: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.attempts: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.first_times: defaultdict[str, _Times] = defaultdict(_Times)
        self.tokens: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.cost_nusd: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.unpriced: defaultdict[tuple[str, ...], int] = defaultdict(int)

    def collect(self) -> Iterator[Metric]:
        yield _counter("calls", "Calls that ended", ["route", "status", "code"], self.calls)
        yield _histogram("call_duration_seconds", "From arrival to last byte", "route", self.call_times)
        cached = "Calls on routes with a cache: hit, shared, miss"
        yield _counter("cache", cached, ["route", "cache"], self.cached)
        yield _counter("attempts", "Attempts that ended", ["route", "target", "purpose", "outcome"], self.attempts)
        first = "From an attempt's start to its first word"
        yield _histogram("time_to_first_token_seconds", first, "target", self.first_times)
        yield _counter("tokens", "Tokens", ["target", "kind"], self.tokens)
        dollars = {labels: nusd / 1e9 for labels, nusd in self.cost_nusd.items()}
        yield _counter("cost_usd", "Cost, where the price is known", ["route", "target"], dollars)
        yield _counter("unpriced_attempts", "Attempts whose price is unknown", ["target"], self.unpriced)


def _counter(name: str, what: str, labels: list[str], counts: Mapping[tuple[str, ...], float]) -> Metric:
    family = CounterMetricFamily(f"fairlead_{name}", what, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _histogram(name: str, what: str, label: str, times: Mapping[str, _Times]) -> Metric:
    family = HistogramMetricFamily(f"fairlead_{name}", what, labels=[label])
    for value, taken in times.items():
        family.add_metric([value], *taken.told())
    return family


class Metrics:
    """One registry of its own, fed with shipped records."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._counted = _Counted()
        registry.register(self._counted)
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
        counted = self._counted
        for record in records:
            if isinstance(record, Intent):
                self._targets[record.attempt] = (record.route, record.target, record.purpose)
            elif isinstance(record, Outcome):
                self._ended(record)
            else:
                # a name that no route has was chosen by a caller: as a label it would grow without bound
                route = UNKNOWN if record.code == "route_not_found" else record.route
                counted.calls[route, record.status, record.code] += 1
                counted.call_times[route].add(record.duration_us)
                if record.cache:
                    counted.cached[route, record.cache] += 1

    def _ended(self, record: Outcome) -> None:
        counted = self._counted
        route, target, purpose = self._targets.pop(record.attempt, ("", "", ""))
        counted.attempts[route, target, purpose, record.outcome] += 1
        if record.first_token_us is not None:
            counted.first_times[target].add(record.first_token_us)
        for kind in ("input", "output", "cache_read", "cache_write", "reasoning"):
            if count := getattr(record, f"{kind}_tokens"):
                counted.tokens[target, kind] += count
        if record.cost_nusd is None:
            counted.unpriced[target,] += 1
        else:
            counted.cost_nusd[route, target] += record.cost_nusd

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
