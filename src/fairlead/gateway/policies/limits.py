"""Which limits a call stands under, and how many tokens it may ask for.

Whether there is room under them is found out when an attempt is held (`gateway/attempt.py`), not here: a policy is
pure.
"""

from msgspec.structs import replace

from fairlead.gateway.call import GENERATING, Call


def limits(call: Call) -> Call:
    """Add the key's and the route's limits; cap the output at what the route allows."""
    added = (*call.caller.limits, *call.route.limits)
    narrowed = call.narrowed
    asked, allowed = call.request.max_output_tokens, call.route.max_output_tokens
    if call.request.task in GENERATING and asked is not None and asked > allowed:
        narrowed = (*narrowed, f"limits: {asked} output tokens asked for, route allows {allowed}")
    if not added and narrowed is call.narrowed:
        return call
    return replace(call, limits=call.limits + added, narrowed=narrowed)
