"""Looking early: how sure each look must be, so that all of them together are as right as one would be.

An interval that is wrong in 1 of 20 cases is wrong far oftener for him who looks ten times, and stops when it suits
him. Knows nothing of what is looked at.
"""

from msgspec import Struct

EARLY = 0.05  # of the error that is allowed, for all looks before the planned end


class Looks(Struct, frozen=True):
    """So many looks are `planned`, at most, and this one `is_last`, at the end that was planned; or it is one of those
    before. None: nothing is planned, one may look at any time.

    Each look before the end has the same small error, wherever it comes, and the end has nearly all of it, after
    Haybittle (1971, British Journal of Radiology 44) and Peto (1976, British Journal of Cancer 34). No two looks share
    their error, so it holds whatever is tested, exactly where the test is exact, and needs no record of what was seen
    before. At a twentieth for the early looks, outcomes being whole numbers, the end decides about as often as if
    nobody had looked; a tenth may cost six points.
    """

    planned: int | None
    is_last: bool = False

    def confidence(self, together: float) -> float:
        """Of a one-sided bound at this look, so that all looks have the confidence `together`."""
        if self.planned is None or self.planned == 1:
            return together
        share = 1 - EARLY if self.is_last else EARLY / (self.planned - 1)
        return 1 - (1 - together) * share
