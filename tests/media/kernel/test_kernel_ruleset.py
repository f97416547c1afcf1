"""The director's rules: accepted by the kernel, listed as they were wanted, changed in one go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from l7lb.media.kernel import ruleset
from l7lb.media.kernel.spec import Want
from l7lb.media.netfilter import elements
from l7lb.media.netfilter.libnftables import Nft
from support.namespaces import Namespace, namespaces


@pytest.fixture
def host() -> Iterator[Namespace]:
    with namespaces("a") as hosts, hosts["a"].inside():
        yield hosts["a"]


def want(*changes: dict[str, Any], ports: tuple[int, ...] = (554,)) -> Want:
    servers = [
        {
            "name": f"s{number}",
            "address": f"10.0.2.{number}",
            "port": 554,
            "media_ports": [20000 + 100 * number, 20099 + 100 * number],
            "modes": ["nat"],
        }
        | change
        for number, change in enumerate(changes, 1)
    ]
    service = {"name": "v", "vips": ["10.0.1.10", "fd00::10"], "ports": list(ports)}
    return Want.parse({"services": [service | {"servers": servers}]})


def found(nft: Nft) -> dict[str, frozenset[str]]:
    return elements.found(nft.table("inet", ruleset.NAME), ruleset.MANAGED)


STEPS = [
    want({}, {}),
    want({}, {"media_ports": [30000, 30000]}),
    want({"address": "10.0.2.9"}, {"modes": ["direct"]}),
    want({"address": "fd00:2::1"}, {"address": "fd00:2::2", "port": 8554}, ports=(554, 8554)),
    want({}),
    Want(),
    want({}, {}),
]


def test_each_step_leads_to_exactly_what_is_wanted(host: Namespace) -> None:
    with Nft() as nft:
        nft.run(ruleset.skeleton())
        for step in STEPS:
            wanted = ruleset.elements(step)
            nft.run(elements.changes(ruleset.TABLE, found(nft), wanted) or "list tables")
            assert found(nft) == wanted
            assert elements.changes(ruleset.TABLE, found(nft), wanted) == ""


def test_the_skeleton_replaces_whatever_is_there(host: Namespace) -> None:
    with Nft() as nft:
        nft.run(f"table {ruleset.TABLE} {{ set in4 {{ type inet_service; }}\nchain old {{ }}\n}}")
        nft.run(ruleset.skeleton())
        names = {e["chain"]["name"] for e in nft.table("inet", ruleset.NAME) if "chain" in e}
    assert ruleset.VERSION in names
    assert "old" not in names


def test_nft_itself_takes_the_text(host: Namespace) -> None:
    """The command is the oracle for the library."""
    text = ruleset.skeleton() + elements.changes(ruleset.TABLE, {}, ruleset.elements(STEPS[0]))
    host.run("nft", "-c", "-f", "-", text=text)


def test_a_server_is_one_element_of_each_set_and_a_session_none() -> None:
    made = ruleset.elements(STEPS[0])
    assert made["in4"] == {
        "10.0.1.10 . 20100-20199 : 10.0.2.1",
        "10.0.1.10 . 20200-20299 : 10.0.2.2",
    }
    assert made["out4"] == {
        "10.0.2.1 . 20100-20199 : 10.0.1.10",
        "10.0.2.2 . 20200-20299 : 10.0.1.10",
    }
    assert made["front6"] == {"fd00::10 . 554"}
    assert made["guarded4"] == {"10.0.2.1", "10.0.2.2"}


def test_servers_that_answer_directly_look_for_strangers_themselves() -> None:
    assert ruleset.elements(want({"modes": ["direct"]}))["guarded4"] == frozenset()
