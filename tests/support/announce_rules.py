"""What holds for any bytes that claim to be an announcement; for tests and for the fuzz target."""

from __future__ import annotations

from contextlib import suppress

from l7lb_protocols.announce import datagram, listing
from l7lb_protocols.announce.digest import combined, path_digest
from l7lb_protocols.announce.errors import AnnounceRefusal

SECRET = b"sixteen bytes or more"
NONCE = bytes(range(16))
FILES = (path_digest(b"/a.mp4"), path_digest(b"/b/c.mp4"))
SAID = datagram.Announcement(
    "m1", 7, 3, 12, 250, 24_000_000, 10**12, 2, combined(FILES), 7677, FILES, (5,)
)
LIST = listing.Listing("m1", 7, 3, FILES)


def seeds() -> list[bytes]:
    """Without their MAC: `check_bytes` puts it on, else no mutation would come past it."""
    return [
        datagram.build(SAID, SECRET)[: -datagram.MAC_BYTES],
        listing.build_request(NONCE, SECRET)[4 : -datagram.MAC_BYTES],
        listing.build_list(LIST, NONCE, SECRET)[4 : -datagram.MAC_BYTES],
    ]


def check_bytes(data: bytes) -> None:
    """Nothing but AnnounceRefusal comes of it, unsigned and signed; what is taken is said alike."""
    for signed in (data, datagram.sealed(data, SECRET)):
        with suppress(AnnounceRefusal):
            said = datagram.parse(signed, SECRET)
            assert datagram.build(said, SECRET) == signed
        with suppress(AnnounceRefusal):
            nonce = listing.parse_request(signed, SECRET)
            assert listing.build_request(nonce, SECRET)[4:] == signed
    signed = datagram.sealed(data, SECRET, NONCE)
    with suppress(AnnounceRefusal):
        found = listing.parse_list(signed, NONCE, SECRET)
        assert listing.build_list(found, NONCE, SECRET)[4:] == signed
