"""The rules of the house, in the order in which they are asked. A rule narrows a call or denies it; it never widens."""

from fairlead.gateway.call import Call, Policy
from fairlead.gateway.policies.access import access
from fairlead.gateway.policies.capability import capability
from fairlead.gateway.policies.limits import limits
from fairlead.gateway.policies.media import media
from fairlead.gateway.policies.zone import zone

POLICIES: tuple[Policy, ...] = (access, zone, capability, media, limits)


def narrow(call: Call, policies: tuple[Policy, ...] = POLICIES) -> Call:
    """Ask every rule in order. Raises what the first one that says no raises (PolicyDenied)."""
    for policy in policies:
        call = policy(call)
    return call
