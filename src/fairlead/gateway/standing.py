"""What the rules say of a caller on a route, whatever is asked: found out once, for as long as neither changes.

Only `policies.STANDING` are asked here, over a call that asks for nothing, so that none of them can look at a request.
What is kept belongs to one generation of the configuration and to the very Caller that was authenticated: a reload, or
a key that was changed, begins anew.
"""

from msgspec.structs import replace

from fairlead.chat import Request
from fairlead.gateway.call import Call, Caller, Context
from fairlead.gateway.policies import STANDING, narrow
from fairlead.gateway.routes import Routes

MOST = 10_000  # callers times routes; then all are forgotten, and found out again

_NOBODY = Context()


class Standing:
    def __init__(self) -> None:
        self._routes: Routes | None = None
        self._known: dict[tuple[int, str], Call] = {}

    def call(self, routes: Routes, call_id: str, caller: Caller, request: Request, context: Context) -> Call:
        """The call as these rules leave it. Raises RouteUnknown, and PolicyDenied where one of them says no."""
        if routes is not self._routes or len(self._known) > MOST:
            self._routes, self._known = routes, {}
        key = id(caller), request.route
        known = self._known.get(key)
        if known is None or known.caller is not caller:
            known = routes.call("", caller, Request(task="chat", route=request.route), _NOBODY)
            known = self._known[key] = narrow(known, STANDING)
        route = known.route
        if context.timeout_s is not None and context.timeout_s < route.total_s:
            route = replace(route, total_s=context.timeout_s)
        return replace(known, id=call_id, request=request, context=context, route=route)
