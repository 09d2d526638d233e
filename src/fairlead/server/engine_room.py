"""The steward's engines: those that a generation of the configuration names, started before it, stopped after it.

An engine whose settings did not change is kept over a reload.
"""

import asyncio
import logging
from pathlib import Path

from fairlead.app import EngineAddress
from fairlead.config import Config, EngineSettings
from fairlead.engines.llamacpp import llamacpp_engine
from fairlead.engines.supervisor import Engine, EngineStatus
from fairlead.errors import ConfigInvalid, EngineBroken, FairleadError, NotFound

log = logging.getLogger("fairlead.steward")
Running = dict[str, tuple[EngineSettings, Engine]]


class EngineRoom:
    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._running: Running = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def prepare(self, settings: Config) -> Running:
        """Every engine of that configuration, running. Raises EngineBroken, ExtraMissing; then none of the new ones is
        left running."""
        base = Path(settings.source).parent if settings.source else Path.cwd()
        kept = {
            name: self._running[name]
            for name, wanted in settings.engines.items()
            if name in self._running and self._running[name][0] == wanted
        }
        fresh = {
            name: (wanted, self._make(name, wanted, base))
            for name, wanted in settings.engines.items()
            if name not in kept
        }
        self._refuse_fixed_ports(fresh)
        starts = [engine.start() for _, engine in fresh.values()]
        results = await asyncio.gather(*starts, return_exceptions=True)
        for name, result in zip(fresh, results, strict=True):
            if isinstance(result, BaseException):
                await self.abandon(fresh)
                if isinstance(result, FairleadError):
                    where = settings.source or "built-in configuration"
                    raise type(result)(f"{where}: engines.{name}: {result.message}", hint=result.hint) from result
                raise result
        return {**kept, **fresh}

    async def abandon(self, engines: Running) -> None:
        """Stop those that were prepared and are not in use."""
        new = [
            engine for name, (_, engine) in engines.items() if self._running.get(name, (None, None))[1] is not engine
        ]
        await asyncio.gather(*(engine.stop() for engine in new))

    def commit(self, engines: Running, grace_s: float) -> None:
        """These count now; the others stop after `grace_s`, for the calls in flight."""
        kept = {engine for _, engine in engines.values()}
        for _, engine in self._running.values():
            if engine not in kept:
                leaving = asyncio.create_task(_stop_later(engine, grace_s))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)
        self._running = engines

    def restart(self, name: str) -> EngineStatus:
        """End the engine's process; its supervisor brings it back. Raises NotFound, EngineBroken."""
        if name not in self._running:
            raise NotFound(f"there is no engine {name!r}", hint=f"known: {', '.join(self._running) or 'none'}")
        engine = self._running[name][1]
        if not engine.kill():
            status = engine.status()
            raise EngineBroken(f"engine {name!r} is not running: {status.state}", hint=status.last_error)
        return engine.status()

    def status(self) -> list[EngineStatus]:
        return [engine.status() for _, engine in self._running.values()]

    async def stop(self) -> None:
        leaving = list(self._leaving)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        await asyncio.gather(*(engine.stop() for _, engine in self._running.values()))

    def _refuse_fixed_ports(self, fresh: Running) -> None:
        """A new engine starts before the old one stops, so they can't share a port."""
        taken = {settings.port: name for name, (settings, _) in self._running.items() if settings.port}
        for name, (settings, _) in fresh.items():
            if settings.port in taken:
                raise ConfigInvalid(
                    f"engines.{name}: port {settings.port} is in use by engine {taken[settings.port]!r} until it stops",
                    hint="leave `port` out, or restart the server",
                )

    def _make(self, name: str, wanted: EngineSettings, base: Path) -> Engine:
        return llamacpp_engine(
            name,
            model=wanted.model,
            base_dir=base,
            data_dir=self._data_dir,
            context=wanted.context,
            slots=wanted.slots,
            threads=wanted.threads,
            embeddings=wanted.embeddings,
            port=wanted.port,
        )


def addresses(engines: Running) -> dict[str, EngineAddress]:
    return {name: EngineAddress(engine.url, engine.key) for name, (_, engine) in engines.items()}


async def _stop_later(engine: Engine, grace_s: float) -> None:
    try:
        await asyncio.sleep(grace_s)
    finally:
        await engine.stop()
