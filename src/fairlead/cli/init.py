"""`fairlead init`: a first `fairlead.toml`, commented, for what is found on this machine.

It serves as it stands: the shipped models are always in it. A secret's value is never written, only where it is found.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fairlead.cli.place import Place, here, placed
from fairlead.cli.terminal import note
from fairlead.errors import ConfigInvalid

if TYPE_CHECKING:
    from fairlead.catalog.providers import Provider
    from fairlead.cli.discovery import Found

HEAD = """\
# Fairlead: applications name a route, Fairlead serves it from a target.
# Try a change without a restart: fairlead config check && fairlead config reload

[server]
listen = "127.0.0.1:4000"  # where applications call; 0.0.0.0:4000 for other machines, too
admin = "127.0.0.1:4001"   # for operators; "off": only the socket in the data directory
workers = 1                # processes that serve calls

# data_dir = "data"        # where keys, calls and secrets are kept; default: ~/.local/share/fairlead
# timezone = "UTC"         # in which the days of budgets begin

# --- the models that ship with Fairlead -------------------------------------------------------------------------------

[engines.nano]
model = "shipped:fairlead-nano"

[engines.mini]
model = "shipped:fairlead-mini"  # also a path, or hf:owner/repo/file.gguf

# A target is a model somewhere, with the parameters to ask it with. The price (US dollars per million tokens) of our
# own machines is what we say it is; those of providers are in the catalog: fairlead models
[targets.nano]
engine = "nano"
params = { temperature = 0 }
price = { input = 0.02, output = 0.08 }

[targets.mini]
engine = "mini"
params = { temperature = 0 }
price = { input = 0.06, output = 0.24 }

# A route is what applications ask for. Its targets are asked in this order until one answers; its zone says how far its
# words may travel: private (our machines), contract (bound providers), public.
[routes.invoices]
targets = ["mini", "nano"]
zone = "private"
max_output_tokens = 200

[routes.tickets]
targets = ["nano", "mini"]
zone = "private"
max_output_tokens = 64
"""

EXAMPLE = """
# --- a provider, as an example ----------------------------------------------------------------------------------------

# [backends.openai]
# provider = "openai"        # who is known by name: fairlead catalog providers; others want kind, base_url and zone
# key = "env:OPENAI_API_KEY" # or file:PATH; never the key itself
# zone = "public"            # "contract" where a contract, a region or zero retention binds them

# [targets.gpt-5-mini]
# backend = "openai"
# model = "gpt-5-mini"

# [routes.chat]
# targets = ["gpt-5-mini"]
"""

# Without a price, calls of keys and routes with a budget would be refused.
OWN_PRICE = """\
# price = { input = 0.05, output = 0.15 }  # US dollars per million tokens; a budget needs to know what a token costs
"""


@click.command()
@click.option("--force", is_flag=True, help="Overwrite the file that is there.")
@placed
@here
def init(place: Place, force: bool) -> None:
    """Write a fairlead.toml for what is found on this machine.

    Looks for the keys of providers in the environment (their values are not written) and for Ollama, vLLM, llama.cpp
    and LM Studio on their usual ports.
    """
    from fairlead import config
    from fairlead.cli.discovery import find_providers, find_servers

    path = Path(place.config or "fairlead.toml")
    if path.exists() and not force:
        raise ConfigInvalid(f"{path} is there already", hint="--force overwrites it, --config FILE writes another one")
    providers, servers = find_providers(), find_servers()
    text = compose(providers, servers)
    config.parse(text, source=str(path), base=path.resolve().parent)
    with path.open("w" if force else "x", encoding="utf-8") as file:
        file.write(text)
    _tell(path, providers, servers)


def compose(providers: "list[Provider]", servers: "list[Found]") -> str:
    """The whole file."""
    blocks = [HEAD]
    blocks += [_server(one) for one in servers]
    blocks += [_provider(one) for one in providers]
    targets = [_target_name(one.name, model) for one in servers for model in one.models[:1]]
    targets += [_target_name(one.id, one.model) for one in providers]
    blocks.append(_route(targets) if targets else EXAMPLE)
    return "".join(blocks)


def _server(found: "Found") -> str:
    backend = f"""
# --- {found.name}, found on this machine {"-" * (79 - len(found.name))}

[backends.{found.name}]
kind = "openai"
base_url = "{found.base_url}"
zone = "private"
"""
    named = {_target_name(found.name, model): model for model in reversed(found.models)}  # two may be named alike
    return backend + "".join(
        _target(found.name, model) + OWN_PRICE for model in found.models if model in named.values()
    )


def _provider(found: "Provider") -> str:
    backend = f"""
# --- {found.name} {"-" * (110 - len(found.name))}

[backends.{found.id}]
provider = "{found.id}"
key = "env:{found.env}"
zone = "{found.zone}"  # "contract" where a contract, a region or zero retention binds them
"""
    return backend + _target(found.id, found.model)


def _target(backend: str, model: str) -> str:
    return f"""
[targets.{_target_name(backend, model)}]
backend = "{backend}"
model = "{model}"
"""


def _route(targets: list[str]) -> str:
    named = ", ".join(f'"{name}"' for name in targets)
    return f"""
# --- a route to them --------------------------------------------------------------------------------------------------

[routes.chat]
targets = [{named}]  # asked in this order
# zone = "private"         # would keep its words on our own machines
# budget = "5usd/day"
# limits = {{ requests_per_minute = 60 }}
"""


def _target_name(backend: str, model: str) -> str:
    """A name that TOML takes without quotes."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", f"{backend}-{model.rpartition('/')[2]}").strip("-")


def _tell(path: Path, providers: "list[Provider]", servers: "list[Found]") -> None:
    note(f"{path} is written.")
    for one in providers:
        note(f"  found the key of {one.name} in ${one.env}")
    for one in servers:
        note(f"  found {one.name} on {one.base_url}: {', '.join(one.models)}")
    if not providers and not servers:
        note("  no key of a provider and no model server was found; it serves the shipped models")
    named = "" if path == Path("fairlead.toml") else f" --config {path}"
    note("\nNext:")
    note(f"  fairlead config check{named}")
    note(f"  fairlead doctor{named}")
    note(f"  fairlead serve{named}")
    note(f"  fairlead key new --name my-app{named}")
