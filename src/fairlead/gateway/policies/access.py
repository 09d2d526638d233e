"""Which key may use which route."""

from fairlead.errors import PolicyDenied
from fairlead.gateway.call import Call
from fairlead.gateway.routes import may_use


def access(call: Call) -> Call:
    """Raises PolicyDenied where the caller's key does not name the route."""
    if not may_use(call.caller, call.route.name):
        raise PolicyDenied(
            f"key {call.caller.name!r} may not use route {call.route.name!r}",
            hint=f"its routes: {', '.join(call.caller.routes) or 'none'}",
            code="route_denied",
            param="model",
            rule="access",
        )
    return call
