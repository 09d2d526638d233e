"""The rules of the house, in the order in which they are asked. A rule narrows a call or denies it; it never widens.

Those that are `STANDING` look at the caller and the route alone: what they say is found out once for both
(`gateway/standing.py`). The others look at what is asked.
"""

from fairlead.gateway.call import Call, Policy
from fairlead.gateway.policies.access import access
from fairlead.gateway.policies.capability import capability
from fairlead.gateway.policies.limits import ceiling, limits
from fairlead.gateway.policies.media import media
from fairlead.gateway.policies.zone import zone

STANDING: tuple[Policy, ...] = (access, zone, limits)
OF_REQUESTS: tuple[Policy, ...] = (capability, media, ceiling)
POLICIES: tuple[Policy, ...] = STANDING + OF_REQUESTS


def narrow(call: Call, policies: tuple[Policy, ...] = POLICIES) -> Call:
    """Ask every rule in order. Raises what the first one that says no raises (PolicyDenied)."""
    for policy in policies:
        call = policy(call)
    return call
