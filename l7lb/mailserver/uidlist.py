"""The file that keeps the UIDs of one folder (RFC 3501 §2.3.1.1): its text, read and made.

    l7lb-uidlist 1 VALIDITY NEXT
    UID UNIQUE-NAME
    ...

UNIQUE-NAME is a message's file name without its flags, which change. Must not know any file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FILE = "l7lb-uidlist"
MAGIC = "l7lb-uidlist 1"
LARGEST = 2**32 - 1


@dataclass(slots=True)
class UidList:
    """`uids`: unique name → UID, in ascending order of UIDs, which never come back."""

    validity: int
    next: int = 1
    uids: dict[str, int] = field(default_factory=dict)

    def assign(self, unique: str) -> int:
        """The next UID."""
        uid, self.next = self.next, self.next + 1
        self.uids[unique] = uid
        return uid

    def render(self) -> bytes:
        lines = [f"{MAGIC} {self.validity} {self.next}"]
        lines += [f"{uid} {unique}" for unique, uid in self.uids.items()]
        return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"


def parse(data: bytes) -> UidList:
    """Raises ValueError for what `render` has not written: it is replaced as a whole, so a part of
    it, or another order, is damage that must not be guessed away."""
    text = data.decode("utf-8", "surrogateescape")
    head, *lines = text.split("\n")
    if not text.endswith("\n") or not head.startswith(MAGIC + " "):
        raise ValueError("no list of UIDs")
    validity, following = map(int, head[len(MAGIC) :].split())
    found = UidList(validity, following)
    last = 0
    for line in lines[:-1]:
        number, _, unique = line.partition(" ")
        uid = int(number)
        if not last < uid < following or not unique or unique in found.uids:
            raise ValueError("list of UIDs is out of order")
        last = found.uids[unique] = uid
    if not 0 < validity <= LARGEST or not 0 < following <= LARGEST:
        raise ValueError("list of UIDs with a number out of range")
    return found
