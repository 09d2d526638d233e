"""Config -> App: the only place where real adapters are chosen. Tests hand in others.

Nothing is started here and nothing is read: settings come as a frozen Config, engines as addresses, keys as callers.
"""

import ssl
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import asdict, replace

from fairlead.accounts import Account, Aws, find_account
from fairlead.backends.account import Signer
from fairlead.backends.build import build as build_backend
from fairlead.backends.formats import FORMATS
from fairlead.capabilities import Served, find_capabilities, find_prefill, shared_capabilities
from fairlead.catalog.prices import find_price
from fairlead.config import (
    BUDGET,
    BUILT_IN,
    MONEY,
    AwsSettings,
    BackendSettings,
    BreakerSettings,
    CacheSettings,
    Config,
    GoogleSettings,
    HedgeSettings,
    Limits,
    MediaSettings,
    PriceSettings,
    RecordSettings,
    RetrySettings,
    RouteSettings,
    Secret,
    TargetSettings,
    fingerprint,
)
from fairlead.dialects.quirks import check_settings
from fairlead.errors import ConfigInvalid, ExtraMissing
from fairlead.gateway.call import (
    ZONES,
    Backend,
    BreakerRules,
    CacheRules,
    Caller,
    Hedge,
    Limit,
    MediaRules,
    Purse,
    RecordRules,
    Retry,
    Route,
    Spool,
    Target,
    Timeouts,
    Unit,
    Window,
)
from fairlead.gateway.flow import Gateway, Generation
from fairlead.gateway.identity import Identities
from fairlead.gateway.ledger import Ledger
from fairlead.gateway.rescuing import continues
from fairlead.gateway.routes import OF_TARGET, Routes
from fairlead.gateway.strategies import STRATEGIES
from fairlead.money import Price
from fairlead.signing import AwsChainSigner, AwsSigner, GoogleSigner
from fairlead.spans import seconds_of
from fairlead.units import SEARCHES
from fairlead.wire.fetching import Fetcher
from fairlead.wire.listener import identity
from fairlead.wire.pool import Pool

NUSD = 10**9
LLAMACPP_QUIRKS = {"counts_one_sample": True, "prefill": "last"}


class EngineAddress(Struct, frozen=True):
    """Where an engine answers, and the key that it wants."""

    url: str
    key: str


class App(Struct):
    """The road of one process, wired."""

    gateway: Gateway
    identities: Identities
    pool: Pool


def build(
    config: Config,
    *,
    spool: Spool,
    purse: Purse,
    pool: Pool | None = None,
    engines: Mapping[str, EngineAddress] | None = None,
    callers: Mapping[str, Caller] | None = None,
    adapters: Mapping[str, Backend] | None = None,
) -> App:
    """`adapters` replace backends by name (`engine:NAME` for an engine's)."""
    pool = pool or Pool()
    ledger = Ledger(spool, config.hash)
    first = generation(config, pool, engines or {}, adapters or {})
    return App(gateway=Gateway(first, ledger, purse, Fetcher(pool)), identities=Identities(callers), pool=pool)


def certificate(config: Config) -> ssl.SSLContext | None:
    """What the data listener shows of itself, read anew; None without TLS. Raises ConfigInvalid."""
    server = config.server
    if not server.tls_cert:
        return None
    return identity(str(_beside(config, server.tls_cert)), str(_beside(config, server.tls_key)))


def generation(
    config: Config, pool: Pool, engines: Mapping[str, EngineAddress], adapters: Mapping[str, Backend] | None = None
) -> Generation:
    """Raises ConfigInvalid, naming the file, where a backend can't be made or a route would deny every call."""
    made = dict(adapters or {})
    try:
        for name, settings in config.backends.items():
            if name not in made:
                made[name] = _account(config, name, settings, pool)
        targets = all_targets(config)
        routes = {name: _route(config, name, settings, targets) for name, settings in config.routes.items()}
        routes |= {route.name: route for route in _own_routes(config, targets)}
    except ConfigInvalid as error:
        message = f"{config.source or BUILT_IN}: {error.message}"
        raise ConfigInvalid(message, hint=error.hint, code=error.code, **error.details) from error
    for name, address in engines.items():
        url = address.url + "/v1"
        made.setdefault(
            f"engine:{name}",
            build_backend(name, kind="openai", base_url=url, key=address.key, quirks=LLAMACPP_QUIRKS, pool=pool),
        )
    return Generation(
        routes=Routes(routes, _house_limits(config), config.hash),
        backends=made,
        strategies=STRATEGIES,
        accounts=all_accounts(config),
    )


def all_targets(config: Config) -> dict[str, Target]:
    """Every configured target by name, with its zone and price, whether a route names it or not."""
    return {name: _target(config, name, settings) for name, settings in config.targets.items()}


def all_accounts(config: Config) -> frozenset[str]:
    """Every target at every backend of it, each by a name that changes with its settings."""
    return frozenset(
        _account_name(config, name, settings, home)
        for name, settings in config.targets.items()
        for home in settings.backends or (settings.backend,)
    )


def _account_name(config: Config, name: str, settings: TargetSettings, home: str) -> str:
    if settings.engine:
        return f"{name}@engine:{settings.engine}#{fingerprint(settings, config.engines[settings.engine])}"
    return f"{name}@{home}#{fingerprint(settings, config.backends[home])}"


def find_signer(config: Config, name: str, account: Account) -> Signer | None:
    """What signs the requests of `[backends.NAME]`, where no key is shown. Raises ConfigInvalid, ExtraMissing."""
    try:
        match account.signs:
            case None:
                return None
            case Aws(given=AwsSettings(access_key=Secret() as key, secret_key=Secret() as secret) as given) as aws:
                token = given.session_token.value if given.session_token else ""
                return AwsSigner(key.value, secret.value, token, region=aws.region, service=aws.service)
            case Aws(given=given) as aws:
                return AwsChainSigner(region=aws.region, service=aws.service, profile=given.profile)
            case GoogleSettings(credentials_file=path):
                return GoogleSigner(_beside(config, path) if path else None)
    except ExtraMissing as error:
        raise ExtraMissing(f"backends.{name}: {error.message}", hint=error.hint) from error


def _account(config: Config, name: str, settings: BackendSettings, pool: Pool) -> Backend:
    account = find_account(config, name)
    return build_backend(
        name,
        kind=account.kind,
        base_url=account.base_url,
        key=settings.key.value if settings.key else None,
        auth=account.auth,
        paths=_paths(account),
        headers={**settings.headers, **{field: secret.value for field, secret in settings.secret_headers.items()}},
        quirks=account.quirks,
        ca_file=str(_beside(config, settings.ca_file)) if settings.ca_file else "",
        proxy=settings.proxy.value,
        signer=find_signer(config, name, account),
        origin=account.origin,
        script=str(_beside(config, settings.script)) if settings.script else "",
        pool=pool,
    )


def _paths(account: Account) -> Mapping[str, str]:
    """Those that differ from the wire format's; "" for a task that is not served there."""
    if account.tasks is None:
        return account.paths
    missing = [task for task in FORMATS[account.kind].paths if task not in account.tasks]
    return dict.fromkeys(missing, "") | dict(account.paths)


def limits(
    over: str, owner: str, people: str, budget: str, rates: Limits, timezone: str, name: str = ""
) -> tuple[Limit, ...]:
    """The limits that one budget text ("" for none) and one set of rates make for a key, team, route or everything.

    `name` tells two budgets of one owner apart.
    """
    made: list[Limit] = []
    stem = f"{over}:{owner}{name and '/' + name}"

    def add(unit: Unit, amount: int, window: Window) -> None:
        made.append(Limit(f"{stem}:{unit}:{window}", people, unit, amount, window, timezone, over, owner))

    if found := BUDGET.match(budget):
        add("nusd", int(Decimal(found[1]) * NUSD), cast(Window, found[2].lower()))
    if rates.requests_per_minute:
        add("requests", rates.requests_per_minute, "minute")
    if rates.tokens_per_minute:
        add("tokens", rates.tokens_per_minute, "minute")
    if rates.concurrent:
        add("concurrent", rates.concurrent, "total")
    return tuple(made)


def all_limits(config: Config) -> list[Limit]:
    """Every limit that stands in the configuration; those of keys stand in the store."""
    of_routes = (limit for name, route in config.routes.items() for limit in _route_limits(config, name, route))
    return [*of_routes, *(limit for _, limit in _house_limits(config))]


def _house_limits(config: Config) -> tuple[tuple[str, Limit], ...]:
    made: list[tuple[str, Limit]] = []
    for name, budget in config.budgets.items():
        over, people = ("team", f"team {budget.team}") if budget.team else ("all", "everything")
        of_one = limits(over, budget.team, people, budget.amount, Limits(), budget.timezone, name)
        made += [(budget.team, limit) for limit in of_one]
    return tuple(made)


def _route_limits(config: Config, name: str, settings: RouteSettings) -> tuple[Limit, ...]:
    return limits("route", name, f"route {name}", settings.budget, settings.limits, config.timezone)


def _own_routes(config: Config, targets: Mapping[str, Target]) -> Iterator[Route]:
    """One for each target, with nothing of its own but that: a key's zone says where words may travel. Nothing is asked
    twice there, no answer repaired, no circuit opened: whoever asks so wants to know what the target says, all of it,
    and what it says to him is no reason to leave it alone."""
    plain = RouteSettings(targets=(), repair=False, retry=RetrySettings(attempts=0))
    targets = {name: _uncircuited(target) for name, target in targets.items()}
    for name, target in targets.items():
        most = (target.can and target.can.max_output_tokens) or plain.max_output_tokens
        settings = replace(plain, targets=(name,), max_output_tokens=most)
        yield _route(config, OF_TARGET + name, settings, targets)


def _uncircuited(target: Target) -> Target:
    return replace(target, breaker=None, accounts=tuple(replace(one, breaker=None) for one in target.accounts))


def _route(config: Config, name: str, settings: RouteSettings, targets: Mapping[str, Target]) -> Route:
    if all(ZONES.index(targets[target].zone) > ZONES.index(settings.zone) for target in settings.targets):
        raise ConfigInvalid(
            f"routes.{name}.zone: no target of it lies within {settings.zone}, so every call would be denied",
            hint="a target lies where its backend does; an engine is private",
        )
    if settings.on_break == "continue" and not any(continues(targets[target]) for target in settings.targets):
        raise ConfigInvalid(
            f"routes.{name}.on_break: none of its targets is known to go on with an answer that has been begun",
            hint='set `prefill = true` in [targets.NAME.can] of one that does, or on_break = "buffer"',
            path=f"routes.{name}.on_break",
        )
    most = MONEY.match(settings.max_cost_per_call)
    return Route(
        name=name,
        strategy=settings.strategy or ("fallback" if len(settings.targets) > 1 else "single"),
        targets=tuple(targets[target] for target in settings.targets),
        zone=settings.zone,
        max_output_tokens=settings.max_output_tokens,
        max_cost_nusd=int(Decimal(most[1]) * NUSD) if most else None,
        limits=_route_limits(config, name, settings),
        heartbeat_s=settings.heartbeat_s,
        lossy=settings.lossy,
        keep_responses_s=settings.keep_responses_s,
        record=_record(settings.record) if settings.record else None,
        store_zone=config.store.zone,
        media=_media(settings.media),
        repair=settings.repair,
        on_break=settings.on_break,
        total_s=settings.total_s,
        spreads=any(targets[target].accounts for target in settings.targets),
        retry=_retry(settings.retry),
        hedge=_hedge(settings.hedge),
        cache=_cache(settings.cache) if settings.cache else None,
        version=_version(config, settings) if settings.cache else "",
    )


def _cache(settings: CacheSettings) -> CacheRules:
    return CacheRules(settings.scope, settings.ttl_s, round(settings.max_mb * 1024 * 1024))


def _version(config: Config, settings: RouteSettings) -> str:
    """Of a route: the same as long as it, and all that it may ask, are set to the same."""
    targets = (config.targets[name] for name in settings.targets)
    named = [value for table in (config.backends, config.engines) for _, value in sorted(table.items())]
    return fingerprint(settings, *targets, *named)


def _retry(settings: RetrySettings) -> Retry | None:
    if not settings.attempts:
        return None
    given: dict[str, Any] = asdict(settings) | {"on": frozenset(settings.on)}
    return Retry(**given)


def _hedge(settings: HedgeSettings) -> Hedge | None:
    if settings.after_s is None and settings.after_percentile is None:
        return None
    given: dict[str, Any] = asdict(settings)
    return Hedge(**given)


def _record(settings: RecordSettings) -> RecordRules:
    return RecordRules(seconds_of(settings.keep) or 0, settings.what, settings.share)


def _media(settings: MediaSettings) -> MediaRules:
    return MediaRules(
        urls=settings.urls,
        hosts=settings.hosts,
        max_bytes=round(settings.max_mb * 1024 * 1024),
        total_s=settings.timeout_s,
    )


def _target(config: Config, name: str, settings: TargetSettings) -> Target:
    """At several backends it lies in the widest zone of them, and can do what it can do at each of them."""
    homes = settings.backends or (settings.backend,)
    accounts = tuple(_target_at(config, name, settings, home) for home in homes)
    if len(accounts) == 1:
        return accounts[0]
    spoken = {find_account(config, home).kind for home in homes}
    if len(spoken) > 1:
        message = f"targets.{name}.backends: they speak {' and '.join(sorted(spoken))}, so they are not one target"
        raise ConfigInvalid(message, hint="write a target for each, and a route over both", path=f"targets.{name}")
    return replace(
        accounts[0],
        zone=max((one.zone for one in accounts), key=ZONES.index),
        can=shared_capabilities([one.can for one in accounts]),
        accounts=accounts,
    )


def _target_at(config: Config, name: str, settings: TargetSettings, home: str) -> Target:
    if settings.engine:
        backend, zone, provider = f"engine:{settings.engine}", "private", ""
        served = Served(settings.engine, engine=config.engines[settings.engine])
    else:
        account = find_account(config, home)
        backend, zone, provider = home, account.zone, account.provider
        if settings.zone and ZONES.index(settings.zone) < ZONES.index(zone):
            message = f"targets.{name}.zone: {settings.zone} is narrower than its home's zone {zone}"
            raise ConfigInvalid(message, hint="set the backend's zone", path=f"targets.{name}.zone")
        prefill = find_prefill(account.kind, settings.model, account.quirks)
        if prefill is False and settings.can.prefill:
            raise ConfigInvalid(
                f"targets.{name}.can.prefill: {settings.model} does not go on with an answer that has been begun",
                hint="remove it",
                path=f"targets.{name}.can.prefill",
            )
        tasks = account.tasks and (*account.tasks, *account.paths)
        served = Served(settings.model, provider, tasks=tasks, prefill=prefill)
    model = settings.model or settings.engine
    try:
        check_settings("openai", params=settings.params, quirks={})
    except ConfigInvalid as error:
        raise ConfigInvalid(f"targets.{name}.{error.details['path']}: {error.message}", hint=error.hint) from error
    given = {field: value for field, value in asdict(settings.timeouts).items() if value is not None}
    return Target(
        name=name,
        backend=backend,
        model=model,
        zone=settings.zone or zone,
        params=settings.params,
        price=_own_price(name, settings.price) if settings.price else None,
        tariff=partial(find_price, provider, model) if provider else None,
        timeouts=Timeouts(**given),
        can=find_capabilities(served, settings.can),
        structured=settings.structured,
        breaker=_breaker(settings.breaker),
        account=_account_name(config, name, settings, home),
    )


def _breaker(settings: BreakerSettings) -> BreakerRules | None:
    given = asdict(settings)
    return BreakerRules(**given) if given.pop("on") else None


def _own_price(target: str, price: PriceSettings) -> Price:
    """US dollars per million tokens, or per thousand searches -> nano-dollars per million of both."""

    def nusd(dollars: float | None) -> int | None:
        return None if dollars is None else round(Decimal(str(dollars)) * NUSD)

    return Price(
        id=f"own/{target}",
        input=nusd(price.input) or 0,
        output=nusd(price.output) or 0,
        cache_read=nusd(price.cache_read),
        cache_write=nusd(price.cache_write),
        request=nusd(price.per_request) or 0,
        details={unit: (nusd(usd) or 0) * (1000 if unit in SEARCHES else 1) for unit, usd in price.details.items()},
    )


def _beside(config: Config, path: str) -> Path:
    """A path in the configuration is relative to the file that names it."""
    base = Path(config.source).parent if config.source else Path.cwd()
    return base / Path(path).expanduser()
