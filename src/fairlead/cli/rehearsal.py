"""Everything of a start that can be tried without starting: backends are made, engines' files are looked at.

Nothing is asked of anybody and no process is started. Where a server would refuse to start, the same error is raised.
"""

from pathlib import Path

from fairlead import app
from fairlead.app import EngineAddress
from fairlead.config import Config
from fairlead.engines.gguf import Header, read_header
from fairlead.engines.models import HUB, locate
from fairlead.errors import FairleadError
from fairlead.wire.pool import Pool

NOWHERE = EngineAddress("http://127.0.0.1:9", "")  # where an engine would be; it is not asked


def rehearse(settings: Config) -> None:
    """Raises ConfigInvalid, SecretMissing, EngineBroken, ExtraMissing: the first thing that is wrong."""
    app.generation(settings, Pool(), dict.fromkeys(settings.engines, NOWHERE))
    app.certificate(settings)
    for name in settings.engines:
        read_engine(settings, name)


def read_engine(settings: Config, name: str) -> Header | None:
    """What the file of an engine's model says; None for one on the hub, which is fetched at the first start.

    Raises EngineBroken, ExtraMissing, naming the setting.
    """
    reference = settings.engines[name].model
    if reference.startswith(HUB):
        return None
    try:
        return read_header(locate(reference, base_dir(settings)))
    except FairleadError as error:
        where = settings.source or "built-in configuration"
        raise type(error)(f"{where}: engines.{name}: {error.message}", hint=error.hint) from error


def base_dir(settings: Config) -> Path:
    """What relative paths in the configuration are relative to."""
    return Path(settings.source).parent if settings.source else Path.cwd()
