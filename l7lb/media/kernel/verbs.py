"""The verbs of the media-kernel process: what may be asked, with every input looked at.

| verb | takes | gives |
|---|---|---|
| `hello` | | version of the rules, when something was wanted last, whether there is a key |
| `want` | `services` | per server whether the kernel can serve it, warnings |
| `transparent_socket` | `source`, `port` | one descriptor |
| `latch` | a path, `timeout_s` | whence the client is heard |
| `unlatch` | a path | `was` |
| `counters` | | per server, and what was dropped |
| `flow` | a path | packets and octets of this stream's way |
| `flows` | `client` or nothing | pairs of ports with packets and octets |
| `probe` | `service`, `server`, `agent`, `at` | way back, spoof probe, rules of the agent |
| `clean` | | nothing: all rules are gone |

A path is `client`, `client_port`, `server`, `server_port`, and `agent`: the agent's UDP port, or
absent where there is none. With it the latch is set there, since the media does not come by here.
Knows no socket of its own.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from l7lb.media.kernel import way_back
from l7lb.media.kernel.rules import KernelRules
from l7lb.media.kernel.ruleset import VERSION
from l7lb.media.kernel.spec import (
    Address,
    BadWant,
    MediaServer,
    Want,
    address_of,
    placement,
    port_of,
)
from l7lb.media.kernel.spoof import AgentAway, Asker
from l7lb.media.netfilter.latches import Path

TIMEOUT_S = (1, 86_400)
FLOWS_LIMIT = 500
Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """`sock`, where there is one, goes to whoever asked and is closed here."""

    result: dict[str, Any]
    sock: socket.socket | None = None


class Verbs:
    """All of one process. `answer` raises BadWant, NftError, OSError, AgentAway."""

    def __init__(self, rules: KernelRules, asker: Asker | None) -> None:
        self._rules = rules
        self._asker = asker
        self._verbs: dict[str, Callable[[Parameters], Answered | Awaitable[Answered]]] = {
            "hello": self._hello,
            "want": self._want,
            "transparent_socket": self._transparent_socket,
            "latch": self._latch,
            "unlatch": self._unlatch,
            "counters": self._counters,
            "flow": self._flow,
            "flows": self._flows,
            "probe": self._probe,
            "clean": self._clean,
        }

    async def answer(self, verb: object, parameters: Parameters) -> Answered:
        run = self._verbs.get(verb) if isinstance(verb, str) else None
        if run is None:
            raise BadWant(f"there is no verb {verb!r:.40}")
        found = run(parameters)
        return found if isinstance(found, Answered) else await found

    def _hello(self, parameters: Parameters) -> Answered:
        wanted_at_s = self._rules.wanted_at_s
        return Answered(
            {"rules": VERSION, "wanted_at_s": wanted_at_s, "has_key": self._asker is not None}
        )

    def _want(self, parameters: Parameters) -> Answered:
        return Answered(self._rules.apply(Want.parse(dict(parameters))))

    def _transparent_socket(self, parameters: Parameters) -> Answered:
        source = address_of(parameters.get("source"), "source")
        if not placement(self._rules.want).placed:
            raise BadWant("no server is wanted that would be told a client's address")
        port = parameters.get("port", 0)
        if port != 0:
            port = port_of(port, "port")
        return Answered({}, self._rules.transparent_socket(source, port))

    async def _latch(self, parameters: Parameters) -> Answered:
        path = self._path(parameters)
        timeout_s = parameters.get("timeout_s")
        if not isinstance(timeout_s, int) or not TIMEOUT_S[0] <= timeout_s <= TIMEOUT_S[1]:
            raise BadWant(f"timeout_s is not from {TIMEOUT_S[0]} to {TIMEOUT_S[1]}")
        agent = self._agent(parameters, path.server)
        if agent is not None:
            order = {"kind": "latch", **_path_json(path), "timeout_s": timeout_s}
            found = await self._ask().order(agent, order)
            return Answered({"heard": found.get("heard"), "port": found.get("port")})
        heard, port = self._rules.latching.latch(path, timeout_s)
        return Answered({"heard": heard.value, "port": port})

    async def _unlatch(self, parameters: Parameters) -> Answered:
        path = self._path(parameters)
        agent = self._agent(parameters, path.server)
        if agent is not None:
            found = await self._ask().order(agent, {"kind": "unlatch", **_path_json(path)})
            return Answered({"was": found.get("was")})
        return Answered({"was": self._rules.latching.unlatch(path)})

    def _counters(self, parameters: Parameters) -> Answered:
        return Answered(self._rules.counters())

    async def _flow(self, parameters: Parameters) -> Answered:
        """Zero where nothing went lately."""
        path = self._path(parameters)
        agent = self._agent(parameters, path.server)
        if agent is not None:
            order = {"kind": "flow", **_path_json(path)}
            found = await self._ask().order(agent, order)
            return Answered({name: found.get(name) for name in ("packets", "octets")})
        return Answered(self._rules.latching.flow(path))

    def _flows(self, parameters: Parameters) -> Answered:
        """Those of the `FLOWS_LIMIT` busiest; `all` says how many there are."""
        found = [flow for version in (4, 6) for flow in self._rules.latching.flows(version)]
        if "client" in parameters:
            client = str(address_of(parameters["client"], "client"))
            found = [flow for flow in found if flow["client"] == client]
        found.sort(key=lambda flow: -int(flow["octets"]))
        return Answered({"flows": found[:FLOWS_LIMIT], "all": len(found)})

    async def _probe(self, parameters: Parameters) -> Answered:
        server, vip = self._wanted(parameters)
        way = await way_back.ask(server)
        result: dict[str, Any] = {
            "control": way.control.value,
            "media": way.media.value,
            "reason": way.reason,
        }
        agent = self._agent(parameters, server.address)
        if agent is not None:
            result |= await self._probe_agent(agent, vip, address_of(parameters.get("at"), "at"))
        return Answered(result)

    async def _probe_agent(
        self, agent: tuple[Address, int], vip: Address, at: Address
    ) -> dict[str, Any]:
        if at.version != vip.version:
            raise BadWant(f"at {at} is not of the VIP's family")
        asker = self._ask()
        try:
            wrong = (await asker.order(agent, {"kind": "check"})).get("wrong")
            agent_words = "; ".join(map(str, wrong)) if isinstance(wrong, list) else ""
        except AgentAway as error:
            return {"agent": str(error), "spoof": str(error)}
        spoof = await asker.probe(agent, vip, at)
        return {"agent": agent_words, "spoof": spoof.reason}

    def _clean(self, parameters: Parameters) -> Answered:
        self._rules.remove()
        return Answered({})

    # ------------------------------------------------------------------ inputs

    def _wanted(self, parameters: Parameters) -> tuple[MediaServer, Address]:
        for each in placement(self._rules.want).placed:
            names = (each.service, each.server.name)
            if names == (parameters.get("service"), parameters.get("server")):
                return each.server, each.vip
        raise BadWant("the kernel serves no server of that name")

    def _path(self, parameters: Parameters) -> Path:
        """Only between a client and a media port of a wanted server."""
        client = address_of(parameters.get("client"), "client")
        server = address_of(parameters.get("server"), "server")
        ports = [port_of(parameters.get(each), each) for each in ("client_port", "server_port")]
        if client.version != server.version:
            raise BadWant("client and server are of two families")
        for each in placement(self._rules.want).placed:
            if each.server.address == server and ports[1] in each.server.media_ports:
                return Path(client, ports[0], server, ports[1])
        raise BadWant(f"{server} port {ports[1]} is no media port that is wanted")

    @staticmethod
    def _agent(parameters: Parameters, server: Address) -> tuple[Address, int] | None:
        port = parameters.get("agent")
        return None if port is None else (server, port_of(port, "agent"))

    def _ask(self) -> Asker:
        if self._asker is None:
            raise BadWant("this process has no key to sign orders to agents with")
        return self._asker


def _path_json(path: Path) -> dict[str, Any]:
    return {
        "client": str(path.client),
        "client_port": path.client_port,
        "server_port": path.server_port,
    }
