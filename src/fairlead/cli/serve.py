"""`fairlead serve`: one steward, from its start to its end, and what is told when it takes calls.

How serving works is the steward's business; this file says over the configuration what was typed, and draws the banner.
"""

import asyncio
import http.client
import shlex
from typing import TYPE_CHECKING, Any

import click
import msgspec

from fairlead.cli.place import Place, here, placed, talk
from fairlead.cli.terminal import note
from fairlead.errors import InUse

if TYPE_CHECKING:
    from fairlead.config import Config
    from fairlead.samples.sample import Sample
    from fairlead.server.steward import Serving

SAMPLES_LOOKED_AT = 30
ASK_S, MOST_BYTES = 1.0, 4096


@click.command()
@click.option("--listen", metavar="HOST:PORT", help="Where calls are taken.  [default: 127.0.0.1:4000]")
@click.option("--admin", metavar="HOST:PORT", help="Where operators ask, or off.  [default: 127.0.0.1:4001]")
@click.option("--workers", type=click.IntRange(1, 256), help="How many processes serve calls.  [default: 1]")
@placed
@here
def serve(place: Place, listen: str | None, admin: str | None, workers: int | None) -> None:
    """Serve calls until told to stop.

    Without a configuration file both shipped models are served, and a key that is good for a day is shown. SIGTERM and
    Ctrl-C let the calls in flight end first, SIGHUP reads the configuration again.
    """
    from fairlead import config
    from fairlead.server.steward import Steward

    talk(place.verbose)
    path = place.file()
    settings = config.load(path, place.overrides(listen=listen, admin=admin, workers=workers))
    steward = Steward(settings, path)
    try:
        asyncio.run(steward.run(lambda serving: note(banner(settings, serving))))
    except InUse as error:
        raise _named(error) from error


def banner(settings: "Config", serving: "Serving") -> str:
    """What is served where, and what to type next."""
    scheme = scheme_of(settings)
    lines = [
        f"Fairlead serves on {scheme}://{serving.listen}/v1",
        f"  admin    {'http://' + serving.admin if serving.admin else 'only the socket in the data directory'}",
        f"  data     {serving.data_dir}",
        f"  config   {serving.source or 'built in (no fairlead.toml here; `fairlead init` writes one)'}",
        "  routes   " + "\n           ".join(_routes(settings)),
        "",
    ]
    if serving.key:
        lines += ["A key that is good for a day, and a call to try:", "", f"  export FAIRLEAD_KEY={serving.key}"]
        lines += [f"  {curl(serving.listen, scheme)}", ""]
    else:
        lines += ["A key for an application: fairlead key new --name NAME", ""]
    return "\n".join(lines)


def scheme_of(settings: "Config") -> str:
    return "https" if settings.server.tls_cert else "http"


def curl(listen: str, scheme: str = "http") -> str:
    """A line for a shell that asks the shipped models to read an invoice."""
    from fairlead.samples.draw import INVOICES, SCHEMAS

    schema = {"name": "invoice", "schema": SCHEMAS[INVOICES]}
    shape = {"type": "json_schema", "json_schema": schema}
    body = {"model": INVOICES, "messages": plain_invoice().messages, "response_format": shape}
    written = shlex.quote(msgspec.json.encode(body).decode())
    url = f"{scheme}://{reachable(listen)}/v1/chat/completions"
    return f'curl -s {url} -H "Authorization: Bearer $FAIRLEAD_KEY" -H "Content-Type: application/json" -d {written}'


def plain_invoice() -> "Sample":
    """One in English, in letters that every terminal pastes as they are."""
    from fairlead.samples.draw import INVOICES, samples
    from fairlead.samples.sample import SEEN

    drawn = samples(INVOICES, SEEN, SAMPLES_LOOKED_AT)
    return next((one for one in drawn if one.text.isascii() and "invoice" in one.text.lower()), drawn[0])


def reachable(listen: str) -> str:
    """An address to connect to: a server that listens everywhere is found on loopback."""
    host, _, port = listen.rpartition(":")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"


def _named(error: InUse) -> InUse:
    """The same, saying so where it is another Fairlead that has the port."""
    address = error.details.get("address")
    found = _configuration_at(reachable(address)) if address else None
    if found is None:
        return error
    return InUse(f"{address} is taken by another Fairlead server, with configuration {found}", hint=error.hint)


def _configuration_at(address: str) -> str | None:
    """The hash that a Fairlead server tells there; None where none answers."""
    connection = http.client.HTTPConnection(address, timeout=ASK_S)
    try:
        connection.request("GET", "/readyz")
        said = msgspec.json.decode(connection.getresponse().read(MOST_BYTES), type=dict[str, Any])
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return None
    finally:
        connection.close()
    return str(said["config"]) if "config" in said else None


def _routes(settings: "Config") -> list[str]:
    widest = max((len(name) for name in settings.routes), default=0)
    return [
        f"{name:<{widest}}  {route.strategy or ('fallback' if len(route.targets) > 1 else 'single')}: "
        f"{', '.join(route.targets)}"
        for name, route in settings.routes.items()
    ] or ["none"]
