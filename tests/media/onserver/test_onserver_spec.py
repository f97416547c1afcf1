"""What a media server may be told."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from l7lb.media.onserver.spec import OnServerSpec, Side

SIDE = Side(ip_address("10.0.2.1"), ip_address("10.0.1.10"), ip_address("10.0.2.10"))
SIX = Side(ip_address("fd00::1"), ip_address("fd00::10"))


def test_a_side_is_found_by_its_vip() -> None:
    spec = OnServerSpec((SIDE, SIX), 20000, 20999)
    assert spec.side_of(ip_address("10.0.1.10")) is SIDE
    assert spec.side_of(ip_address("10.0.1.11")) is None


@pytest.mark.parametrize(
    ("sides", "first", "last"),
    [((), 1, 2), ((SIDE, SIDE), 1, 2), ((SIDE,), 2, 1), ((SIDE,), 0, 1), ((SIDE,), 1, 65536)],
)
def test_what_cannot_be(sides: tuple[Side, ...], first: int, last: int) -> None:
    with pytest.raises(ValueError, match=r"ports|one side"):
        OnServerSpec(sides, first, last)


def test_one_side_is_of_one_family() -> None:
    for others in ({"vip": SIX.vip}, {"way_back": SIX.vip}, {"relays": (SIX.vip,)}):
        with pytest.raises(ValueError, match="IPv4"):
            Side(**({"address": SIDE.address, "vip": SIDE.vip} | others))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="own address"):
        Side(SIDE.address, SIDE.address)
