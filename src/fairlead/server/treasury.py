"""What stands behind the road in the one process that owns a data directory: the store, what brings spools into it, and
the leases of limits with their broker.

A steward has one, and so has whoever asks without a server (`own_road.py`). Who spends what is not known here.
"""

from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

from fairlead.app import all_limits
from fairlead.config import Config
from fairlead.errors import InUse, Unavailable
from fairlead.gateway.call import Caller, Limit
from fairlead.server.broker import LeaseBroker, Recall
from fairlead.server.leasing import LeasingRoom
from fairlead.server.office import Office
from fairlead.server.premises import Premises
from fairlead.server.shipping import ShippingRoom
from fairlead.telemetry import Metrics


class Treasury:
    """`open` gives one; what it is made of is closed by the house that it was opened in."""

    def __init__(self, office: Office, shipping: ShippingRoom, leasing: LeasingRoom, broker: LeaseBroker) -> None:
        self.office = office
        self.shipping = shipping
        self.leasing = leasing
        self.broker = broker

    @classmethod
    async def open(
        cls,
        house: AsyncExitStack,
        premises: Premises,
        settings: Config,
        metrics: Metrics | None,
        *,
        recall: Recall | None = None,
        renewed: Callable[[], None] = lambda: None,
        lost: Callable[[InUse], None],
        patient: bool,
    ) -> "Treasury":
        """What an earlier life left in its spools is in the store then. `patient`: a store that is away will come back.

        Raises StoreMismatch, OperatorError, InUse.
        """
        place = settings.store.url.value or premises.path
        office = await Office.open(place, patient=patient)
        house.callback(office.close)
        spools = premises.path / "spool"
        shipping = ShippingRoom(office.store, spools, metrics)
        is_shared = not office.store.is_within(premises.path)
        life = premises.next_life()
        leasing = LeasingRoom(office.store, life, spools, is_shared=is_shared, ship=shipping.ship)

        async def spent(*of: Any) -> int:
            return await _spent(office, shipping, *of)

        broker = LeaseBroker(leasing, spent, recall, goes_on=settings.store.when_away == "go-on")
        leasing.serve(broker, renewed=renewed, lost=lost)
        await leasing.enter(premises.next_life)
        house.push_async_callback(leasing.close)
        await shipping.ship()
        house.push_async_callback(shipping.ship)
        return cls(office, shipping, leasing, broker)


def limits_in_force(settings: Config, callers: Iterable[Caller]) -> list[Limit]:
    """Those of keys, and those that stand in the configuration."""
    of_keys = {limit.id: limit for caller in callers for limit in caller.limits}
    return [*of_keys.values(), *all_limits(settings)]


async def _spent(
    office: Office, shipping: ShippingRoom, limit: Limit, since_us: int, until_us: int, writer: str
) -> int:
    """Raises Unavailable where the store is away."""
    if not await shipping.ship():
        raise Unavailable(f"what {writer} spent is not in the store yet", code="store_unavailable")
    return await office.spent(limit, since_us, until_us, writer)
