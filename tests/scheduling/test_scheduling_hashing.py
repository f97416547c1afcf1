"""The hash, and walks of tables."""

from l7lb.scheduling.hashing import hash64, owners_from


def test_the_hash_is_the_same_for_ever():
    assert hash64(b"") == 0xE4A6A0577479B2B4
    assert hash64(b"10.0.0.1") == 0x538EF646E14D03E6


def test_a_walk_names_each_owner_once_round_the_end():
    assert list(owners_from("aabbc", 3, "abc")) == ["b", "c", "a"]


def test_owners_without_an_entry_come_last():
    assert list(owners_from("aab", 2, "abxy")) == ["b", "a", "x", "y"]
