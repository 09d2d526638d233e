"""Which limits a call stands under, and how many tokens it may ask for.

Whether there is room under them is found out when an attempt is held (`gateway/attempt.py`), not here: a policy is
pure.
"""

from msgspec.structs import replace

from fairlead.gateway.call import GENERATING, Call


def limits(call: Call) -> Call:
    """Add the key's and the route's limits."""
    added = (*call.caller.limits, *call.route.limits)
    return replace(call, limits=call.limits + added) if added else call


def ceiling(call: Call) -> Call:
    """Say so where more output is asked for than the route allows. The cut itself is the attempt's."""
    asked, allowed = call.request.max_output_tokens, call.route.max_output_tokens
    if asked is None or asked <= allowed or call.request.task not in GENERATING:
        return call
    return replace(call, narrowed=(*call.narrowed, f"limits: {asked} output tokens asked for, route allows {allowed}"))
