"""A name becomes targets: the routes of one configuration generation, as the road sees them."""

import difflib
from collections.abc import Iterable, Mapping

from fairlead.chat import Request
from fairlead.errors import RouteUnknown
from fairlead.gateway.call import ZONES, Call, Caller, Context, Limit, Route


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
    return "*" in caller.routes or route in caller.routes
