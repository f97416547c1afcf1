"""Who of a queue holds the lock: one rule, the same in every engine.

A queue is the list of modes in the order of arrival. An entry is granted when it is compatible
with **every** earlier entry, granted or waiting. So the order is strict, a writer that waits is
overtaken by nobody whom it excludes, and what is granted stays granted whatever comes later.
It knows neither resources nor holders nor time.
"""

from collections.abc import Iterable, Iterator, Sequence

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
        found.append(could_join(seen, mode))
        seen.add(mode)
    return found


def could_join(queue: Iterable[Mode], mode: Mode) -> bool:
    """Would a new entry at the end be granted at once?"""
    return all(compatible(mode, other) for other in set(queue))


def holders(queue: Iterable[Mode]) -> Iterator[int]:
    """The places that are granted, up to the first EX in the queue.

    Behind an EX only NL is granted, which never waits and excludes nobody; so it is not looked at,
    and a release in front of a long queue costs little.
    """
    seen: set[Mode] = set()
    for place, mode in enumerate(queue):
        if could_join(seen, mode):
            yield place
        seen.add(mode)
        if mode is Mode.EX:
            return


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
    asked = queue[index]
    return [place for place in holders(queue[:index]) if not compatible(asked, queue[place])]


def first_waiter(queue: Sequence[Mode], index: int) -> int | None:
    """The first later entry that this holder excludes, and which waits for that reason."""
    held = queue[index]
    behind = range(index + 1, len(queue))
    return next((place for place in behind if not compatible(held, queue[place])), None)
