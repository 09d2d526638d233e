"""What is left of what is over while nobody looks for cycles: a worker hardly ever does."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def living(*kinds: type) -> int:
    return sum(isinstance(one, kinds) for one in gc.get_objects())


@contextmanager
def no_collector() -> Iterator[None]:
    """Cycles stay, but for those that were there before."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
