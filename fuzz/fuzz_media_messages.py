"""Whatever comes to the agent or to the media-kernel process: documented errors, nothing else.

Run: `python fuzz/fuzz_media_messages.py -max_total_time=60 CORPUS`. The first byte chooses: a
datagram of a stranger, one with a good signature, a message of the socket, something that is
wanted, netlink.
"""

import hashlib
import hmac
import json
import sys

import atheris

with atheris.instrument_imports():
    from l7lb.media.kernel import wire
    from l7lb.media.kernel.spec import BadWant, Want, placement
    from l7lb.media.netfilter.netlink import attributes, messages
    from l7lb.media.signed import LIMIT_BYTES, MAGIC, BadDatagram, Seal

KEY = b"0123456789abcdef"
NOW_S = 1_800_000_000.0


def stranger(data: bytes) -> None:
    try:
        Seal(KEY).open(data, NOW_S)
    except BadDatagram:
        return
    raise AssertionError("a stranger was believed")


def signed(data: bytes) -> None:
    datagram = MAGIC + hmac.digest(KEY, data, hashlib.sha256) + data
    seal = Seal(KEY)
    try:
        found = seal.open(datagram, NOW_S)
    except BadDatagram:
        return
    assert len(datagram) <= LIMIT_BYTES
    assert isinstance(found["id"], str)
    try:
        seal.open(datagram, NOW_S)
    except BadDatagram:
        return
    raise AssertionError("it was opened twice")


def message(data: bytes) -> None:
    try:
        number, content = wire.read(data)
    except wire.BadMessage:
        return
    assert "n" not in content
    assert number >= 0


def want(data: bytes) -> None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    try:
        wanted = Want.parse(value)
    except BadWant:
        return
    assert Want.parse(wanted.as_json()) == wanted
    placement(wanted)


def netlink(data: bytes) -> None:
    for _, _, body in messages(data):
        assert all(len(value) <= len(body) for _, value in attributes(body))


READERS = (stranger, signed, message, want, netlink)


def fuzz_one_input(data: bytes) -> None:
    if data:
        READERS[data[0] % len(READERS)](data[1:])


def main() -> None:
    atheris.Setup(sys.argv, fuzz_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
