"""Who is asked, in what order. A strategy holds no client, no store and no clock; it can only `ask`."""

from collections.abc import Mapping

from fairlead.gateway.call import Strategy
from fairlead.gateway.strategies.fallback import Fallback
from fairlead.gateway.strategies.single import Single

STRATEGIES: Mapping[str, Strategy] = {"single": Single(), "fallback": Fallback()}
