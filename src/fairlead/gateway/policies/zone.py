"""Where a call's words may travel: a target outside the call's zone is never asked, whatever else happens."""

from msgspec.structs import replace

from fairlead.errors import PolicyDenied
from fairlead.gateway.call import ZONES, Call


def zone(call: Call) -> Call:
    """Keep the targets that lie within the call's zone. Raises PolicyDenied where none is left."""
    widest = ZONES.index(call.zone)
    inside = tuple(target for target in call.targets if ZONES.index(target.zone) <= widest)
    if len(inside) == len(call.targets):
        return call
    outside = ", ".join(f"{target.name} ({target.zone})" for target in call.targets if target not in inside)
    if not inside:
        rule = f"route {call.route.name!r}" if call.route.zone == call.zone else f"key {call.caller.name!r}"
        raise PolicyDenied(
            f"no target of route {call.route.name!r} lies in zone {call.zone!r}, which {rule} keeps to: {outside}",
            hint="give the route a target in that zone, or widen the zone on purpose",
            code="zone_denied",
            rule="zone",
        )
    return replace(call, targets=inside, narrowed=(*call.narrowed, f"zone: {call.zone} leaves out {outside}"))
