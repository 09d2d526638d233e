"""The only place that reads settings and the environment: `fairlead.toml` -> a frozen Config.

Everything that can be wrong with a configuration is found here, with its file and path, before anything is started.
Secrets are references (`env:NAME`, `file:PATH`); their values are read once, at load, and masked in every repr. What a
backend, an engine or a strategy does with its settings is not known here.
"""

from fairlead.config.checks import host_and_port
from fairlead.config.handing import decode, encode, fingerprint, masked
from fairlead.config.reading import BUILT_IN, find_data_dir, find_file, find_store, load, parse
from fairlead.config.sections import (
    BUDGET,
    LARGEST,
    MONEY,
    NAME,
    ZONE_ORDER,
    AwsSettings,
    BackendSettings,
    BreakerSettings,
    BudgetSettings,
    CacheSettings,
    CanSettings,
    Config,
    EngineSettings,
    GoogleSettings,
    HedgeSettings,
    Kind,
    Limits,
    MediaSettings,
    PriceSettings,
    RetrySettings,
    RouteSettings,
    Secret,
    Server,
    StoreSettings,
    StoreUrl,
    TargetSettings,
    TimeoutSettings,
    Zone,
)
from fairlead.config.tables import environment

__all__ = [
    "BUDGET",
    "BUILT_IN",
    "LARGEST",
    "MONEY",
    "NAME",
    "ZONE_ORDER",
    "AwsSettings",
    "BackendSettings",
    "BreakerSettings",
    "BudgetSettings",
    "CacheSettings",
    "CanSettings",
    "Config",
    "EngineSettings",
    "GoogleSettings",
    "HedgeSettings",
    "Kind",
    "Limits",
    "MediaSettings",
    "PriceSettings",
    "RetrySettings",
    "RouteSettings",
    "Secret",
    "Server",
    "StoreSettings",
    "StoreUrl",
    "TargetSettings",
    "TimeoutSettings",
    "Zone",
    "decode",
    "encode",
    "environment",
    "find_data_dir",
    "find_file",
    "find_store",
    "fingerprint",
    "host_and_port",
    "load",
    "masked",
    "parse",
]
