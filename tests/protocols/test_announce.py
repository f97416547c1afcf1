"""Datagrams and lists: there and back, each byte that is missing or changed, each limit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.announce import datagram, listing
from l7lb_protocols.announce.datagram import Announcement, build, parse, room_for
from l7lb_protocols.announce.digest import combined, path_digest
from l7lb_protocols.announce.errors import AnnounceRefusal, Forged
from support.announce_rules import FILES, LIST, NONCE, SAID, SECRET, check_bytes, seeds

U64 = st.integers(0, 2**64 - 1)
U32 = st.integers(0, 2**32 - 1)
U16 = st.integers(0, 2**16 - 1)
DIGESTS = st.lists(U64, max_size=60).map(tuple)
NAMES = st.from_regex(r"[A-Za-z0-9_.äß-]{1,30}", fullmatch=True)


@given(
    st.builds(Announcement, NAMES, U64, U64, U32, U16, U64, U64, U32, U64, U16, DIGESTS, DIGESTS)
)
def test_there_and_back(said: Announcement) -> None:
    data = build(said, SECRET)
    assert len(data) <= datagram.DATAGRAM_BYTES
    assert parse(data, SECRET) == said


def test_every_cut_and_every_changed_byte_is_refused() -> None:
    data = build(SAID, SECRET)
    for end in range(len(data)):
        with pytest.raises(AnnounceRefusal):
            parse(data[:end], SECRET)
    for at in range(len(data)):
        with pytest.raises(AnnounceRefusal):
            parse(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :], SECRET)
    with pytest.raises(Forged):
        parse(data + b"\0", SECRET)
    with pytest.raises(Forged):
        parse(data, b"another secret of theirs")


def test_a_cut_that_is_signed_anew_is_refused_too() -> None:
    body = build(SAID, SECRET)[: -datagram.MAC_BYTES]
    for end in range(len(body)):
        with pytest.raises(AnnounceRefusal):
            parse(datagram.sealed(body[:end], SECRET), SECRET)


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        (0, b"X", "this is no announcement"),
        (4, b"\x02", "version 2; 1 is known"),
        (5, b"\x03", "kind 3 where 1 was due"),
        (6, b"\x00", "a node's name is cut short"),
        (6, b"\x41", "a node's name is cut short"),
        (7, b"\xff", "a node's name is no UTF-8"),
        (7, b"\n", "a node's name has characters that cannot be shown"),
    ],
)
def test_what_is_wrong_is_said(at: int, value: bytes, words: str) -> None:
    body = build(SAID, SECRET)[: -datagram.MAC_BYTES]
    changed = body[:at] + value + body[at + 1 :]
    with pytest.raises(AnnounceRefusal, match=words):
        parse(datagram.sealed(changed, SECRET), SECRET)


def test_what_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(AnnounceRefusal, match="longer than 1400"):
        parse(datagram.sealed(bytes(1400), SECRET), SECRET)


def test_a_datagram_is_filled_and_not_overfilled() -> None:
    full = replace(SAID, added=tuple(range(room_for("m1"))), evicted=())
    assert datagram.DATAGRAM_BYTES - 8 < len(build(full, SECRET)) <= datagram.DATAGRAM_BYTES
    with pytest.raises(ValueError, match="more than"):
        build(replace(full, evicted=(1,)), SECRET)
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        build(replace(SAID, node="x" * 65), SECRET)
    with pytest.raises(ValueError, match="format"):
        build(replace(SAID, list_port=70_000), SECRET)
    assert parse(build(replace(SAID, load_permille=10**6), SECRET), SECRET).load_permille == 65535


def test_a_path_has_one_number_however_it_is_written() -> None:
    assert path_digest(b"/a/b%20c.mp4") == path_digest(b"/a/b c.mp4/") == path_digest(b"a/b c.mp4")
    assert path_digest(b"/a") != path_digest(b"/b")
    assert combined([1, 2, 3]) == combined([3, 1, 2]) == 0
    assert combined([]) == 0


# --------------------------------------------------------------------------- lists


@pytest.mark.parametrize("files", [(), FILES, tuple(range(5000))])
def test_a_list_there_and_back(files: tuple[int, ...]) -> None:
    said = replace(LIST, files=files)
    data = listing.build_list(said, NONCE, SECRET)
    assert int.from_bytes(data[:4], "big") == len(data) - 4 <= listing.LIST_BYTES
    assert listing.parse_list(data[4:], NONCE, SECRET) == said


def test_a_list_for_another_question_is_void() -> None:
    data = listing.build_list(LIST, NONCE, SECRET)[4:]
    with pytest.raises(Forged):
        listing.parse_list(data, bytes(16), SECRET)
    with pytest.raises(Forged):
        listing.parse_list(data, NONCE, b"another secret of theirs")


def test_every_cut_of_a_list_and_of_a_request_is_refused() -> None:
    data = listing.build_list(LIST, NONCE, SECRET)[4:]
    asked = listing.build_request(NONCE, SECRET)[4:]
    assert listing.parse_request(asked, SECRET) == NONCE
    for end in range(len(data)):
        with pytest.raises(AnnounceRefusal):
            listing.parse_list(data[:end], NONCE, SECRET)
        with pytest.raises(AnnounceRefusal):
            listing.parse_list(
                datagram.sealed(data[: min(end, len(data) - 17)], SECRET, NONCE), NONCE, SECRET
            )
    for end in range(len(asked)):
        with pytest.raises(AnnounceRefusal):
            listing.parse_request(asked[:end], SECRET)
    with pytest.raises(AnnounceRefusal):
        listing.parse_request(datagram.sealed(asked[:-16] + b"x", SECRET), SECRET)


def test_what_cannot_be_said_in_a_list() -> None:
    with pytest.raises(ValueError, match="nonce"):
        listing.build_request(b"short", SECRET)
    with pytest.raises(ValueError, match="files"):
        listing.build_list(replace(LIST, files=(0,) * (listing.FILES_MOST + 1)), NONCE, SECRET)


@given(st.sampled_from(seeds()), st.data())
def test_any_bytes_are_said_alike_or_refused(seed: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(seed)))
    end = data.draw(st.integers(at, len(seed)))
    check_bytes(seed[:at] + data.draw(st.binary(max_size=12)) + seed[end:])
