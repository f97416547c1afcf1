"""Who of a queue holds the lock: one rule, the same in every engine.

A queue is the list of modes in the order of arrival. An entry is granted when it is compatible
with **every** earlier entry, granted or waiting. So the order is strict, a writer that waits is
overtaken by nobody whom it excludes, and what is granted stays granted whatever comes later.
It knows neither resources nor holders nor time.
"""

from collections.abc import Sequence

from l7lb_storage.modes import Mode, compatible


def is_granted(queue: Sequence[Mode], index: int) -> bool:
    return last_obstacle(queue, index) is None


def last_obstacle(queue: Sequence[Mode], index: int) -> int | None:
    """The nearest earlier entry that excludes this one: whom to wait for, and nobody else."""
    asked = queue[index]
    for earlier in range(index - 1, -1, -1):
        if not compatible(asked, queue[earlier]):
            return earlier
    return None


def granted(queue: Sequence[Mode]) -> list[bool]:
    """For each entry, in one pass: six modes can only have six different obstacles."""
    seen: set[Mode] = set()
    found = []
    for mode in queue:
        found.append(all(compatible(mode, other) for other in seen))
        seen.add(mode)
    return found


def could_join(queue: Sequence[Mode], mode: Mode) -> bool:
    """Would a new entry at the end be granted at once?"""
    return all(compatible(mode, other) for other in set(queue))


def is_weaker(mode: Mode, than: Mode) -> bool:
    """Does `mode` bear every mode that `than` bears? A mode is weaker than itself too."""
    return all(compatible(other, mode) for other in Mode if compatible(other, than))


def may_convert(queue: Sequence[Mode], index: int, mode: Mode) -> bool:
    """May this granted entry take `mode` now?

    Downwards always. Upwards when nobody else in the queue excludes it, neither a holder nor one
    who waits: the entry then gets a new token, and one who waits behind it has an older one, which
    the storage would refuse after the convert's.
    """
    if is_weaker(mode, queue[index]):
        return True
    return all(compatible(mode, other) for place, other in enumerate(queue) if place != index)


def blocked_by(queue: Sequence[Mode], index: int) -> list[int]:
    """The holders whom this waiting entry waits behind, directly: those who are to be told."""
    holders = granted(queue[:index])
    return [
        place
        for place, held in enumerate(queue[:index])
        if holders[place] and not compatible(queue[index], held)
    ]


def first_waiter(queue: Sequence[Mode], index: int) -> int | None:
    """The first later entry that waits and that this holder excludes."""
    holders = granted(queue)
    for place in range(index + 1, len(queue)):
        if not holders[place] and not compatible(queue[index], queue[place]):
            return place
    return None
