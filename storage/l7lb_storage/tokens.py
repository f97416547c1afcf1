"""Fencing tokens: the cluster's epoch in the high bits, the engine's revision in the low ones.

So a token grows while the engine lives, and goes on growing when the engine or its data is
replaced, if the epoch is raised then. It must not know where the two numbers come from.
"""

from l7lb_storage.errors import LimitExceeded

REVISION_BITS = 48
EPOCH_MAX = (1 << 15) - 1
"""A token stays a positive 64-bit integer."""
FIRST_EPOCH = 1


def compose(epoch: int, revision: int) -> int:
    """Raises LimitExceeded when a part does not fit: a wrapped token would be a lower one."""
    if not 0 < epoch <= EPOCH_MAX or not 0 <= revision < 1 << REVISION_BITS:
        raise LimitExceeded(f"no token has epoch {epoch} and revision {revision}")
    return epoch << REVISION_BITS | revision


def epoch_of(token: int) -> int:
    return token >> REVISION_BITS


def revision_of(token: int) -> int:
    return token & ((1 << REVISION_BITS) - 1)


def raised(epoch: int, at_least: int) -> int:
    """The next epoch, and not below `at_least`. Raises LimitExceeded."""
    found = max(epoch + 1, at_least)
    if found > EPOCH_MAX:
        raise LimitExceeded(f"the epoch ends at {EPOCH_MAX}")
    return found
