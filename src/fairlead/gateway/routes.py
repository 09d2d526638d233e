"""A name becomes targets: the routes of one configuration generation, as the road sees them.

Each target also has a route of its own, `target:NAME`, for whoever must know who answers: evaluations, judges,
experiments. An application names a route, never a model, so only a key that says so may use them.
"""

import difflib
from collections.abc import Iterable, Mapping

from fairlead.chat import Request
from fairlead.errors import RouteUnknown
from fairlead.gateway.call import ZONES, Call, Caller, Context, Limit, Route

EVERY = "*"
OF_TARGET = "target:"  # how the name of a single target's own route begins
EVERY_TARGET = "target:*"


class Routes:
    """Frozen with its generation: calls in flight keep the one that they began with.

    `limits` are those of the house (over everything, or over one team), each with the team that it concerns or "".
    """

    def __init__(
        self, routes: Mapping[str, Route], limits: tuple[tuple[str, Limit], ...] = (), config: str = ""
    ) -> None:
        self._routes = routes
        self._limits = limits
        self.config = config

    def call(self, call_id: str, caller: Caller, request: Request, context: Context) -> Call:
        """The call as it stands before any policy: everything that the route itself allows. Raises RouteUnknown."""
        route = self._routes.get(request.route)
        if route is None:
            raise self._unknown(request.route, caller)
        zone = ZONES[min(ZONES.index(route.zone), ZONES.index(caller.zone))]
        return Call(
            id=call_id,
            caller=caller,
            route=route,
            request=request,
            zone=zone,
            targets=route.targets,
            limits=tuple(limit for team, limit in self._limits if not team or team == caller.team),
            config=self.config,
            context=context,
            routes=self._routes,
        )

    def get(self, name: str) -> Route | None:
        return self._routes.get(name)

    def all(self) -> Iterable[Route]:
        return self._routes.values()

    def visible(self, caller: Caller) -> list[str]:
        """Names of the routes that this caller may use."""
        return sorted(name for name in self._routes if may_use(caller, name))

    def _unknown(self, name: str, caller: Caller) -> RouteUnknown:
        known = self.visible(caller)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"this key's routes: {', '.join(known) or 'none'}"
        return RouteUnknown(
            f"there is no route {name[:200]!r}", hint=hint + " (GET /v1/models lists them)", param="model"
        )


def may_use(caller: Caller, route: str) -> bool:
    """A key names routes one by one, or all of them by `*`; that covers no target's own, which is named itself or, with
    all of its kind, by `target:*`."""
    return (EVERY_TARGET if route.startswith(OF_TARGET) else EVERY) in caller.routes or route in caller.routes
