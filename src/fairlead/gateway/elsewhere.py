"""Where else: the routes of a caller that could do what a call was refused. For hints only; nobody is asked."""

from collections.abc import Callable, Mapping

from fairlead.errors import RequestInvalid
from fairlead.gateway.call import ZONES, Asking, Backend, Call, Route, Target
from fairlead.gateway.routes import may_use

SHOWN = 5  # in a hint
MOST_BYTES = 256 * 1024  # of a request that is said in other languages for a hint's sake


def routes_that(call: Call, can: Callable[[Route, Target], bool]) -> list[str]:
    """Other routes of this caller with a target that can, within the zone that both tolerate: the first few."""
    found: list[str] = []
    for name, route in sorted(call.routes.items()):
        if len(found) == SHOWN:
            break
        widest = min(ZONES.index(route.zone), ZONES.index(call.caller.zone))
        inside = (target for target in route.targets if ZONES.index(target.zone) <= widest)
        if name != call.route.name and may_use(call.caller, name) and any(can(route, one) for one in inside):
            found.append(name)
    return found


def with_hint(error: RequestInvalid, call: Call, backends: Mapping[str, Backend]) -> RequestInvalid:
    """The same error; where a target's language had no word for what is asked, it says who has one."""
    if error.code != "unsupported_feature" or call.request.input_bytes > MOST_BYTES:
        return error

    def can(route: Route, target: Target) -> bool:
        asking = Asking(target, max_output_tokens=route.max_output_tokens, lossy=route.lossy)
        fits = target.can is None or all(getattr(target.can, need, None) is not False for need in call.request.needs)
        return fits and backends[target.backend].says(call.request, asking)

    if able := routes_that(call, can):
        error.hint = f"Routes that can: {', '.join(able)}. {error.hint}".strip()
    return error
