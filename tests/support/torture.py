"""The torture test: random clients, random troubles, and a checker that believes no one.

Run: `python tests/support/torture.py --seconds 600 --accounts 50 [--seed N]`. It prints what was
done and how it ended; status 1 when mail was lost, doubled, resurrected or its flags were.
"""

from __future__ import annotations

import argparse
import imaplib
import json
import random
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from support.etcd_members import roomy
from support.torture_check import Fault, check, differences, repeats
from support.torture_clients import Client, one_of_each
from support.torture_cluster import Cluster, Plan
from support.torture_history import Copy, History, Mailbox
from support.torture_imap import ImapTalk
from support.torture_troubles import LINES, Troubles
from support.torture_world import World

JOIN_S = 360.0
"""For clients and troubles to finish what they have in hand."""
CALM_S = 120.0
"""For the cluster to be well again when all is healed."""
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Effort:
    """`each_once`: every trouble once, instead of `seconds`."""

    seconds: float = 600.0
    each_once: bool = False
    clients: int = 16
    seed: int = 1


@dataclass
class Report:
    operations: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, int] = field(default_factory=dict)
    troubles_took_s: dict[str, float] = field(default_factory=dict)
    refused_by_token: int = 0
    messages_in_the_end: int = 0
    doubled_by_the_spool: int = 0
    faults: list[Fault] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    folder: str = ""
    """Kept when something is wrong."""

    @property
    def is_good(self) -> bool:
        return not self.faults and not self.complaints and self.refused_by_token > 0

    def shown(self, effort: Effort) -> str:
        verdict = "good" if self.is_good else "BAD"
        found = {
            "seed": effort.seed,
            "operations": self.operations,
            "sessions": self.sessions,
            "troubles": self.troubles,
            "troubles_took_s": {kind: round(s) for kind, s in self.troubles_took_s.items()},
            "refused_by_token": self.refused_by_token,
            "messages_in_the_end": self.messages_in_the_end,
            "doubled_by_the_spool": self.doubled_by_the_spool,
            "faults": dict(Counter(fault.kind for fault in self.faults)),
            "first_faults": [f"{each.kind}: {each.account}: {each.text}" for each in self.faults][
                :20
            ],
            "complaints": self.complaints[:5],
            "folder": self.folder,
            "verdict": verdict,
        }
        return json.dumps(found, indent=2)


def run(plan: Plan, effort: Effort) -> Report:
    """All of it; bounded in time. What it started has ended when it returns or raises."""
    history, report = History(), Report()
    with Cluster(plan) as cluster:
        world = World(cluster, history, threading.Event())
        lines = [Troubles(world, effort.seed + number, kinds) for number, kinds in enumerate(LINES)]
        try:
            torment(world, lines, effort)
        finally:
            world.stop.set()
        told = {name: told_in_the_end(world, name) for name in cluster.accounts}
        report.refused_by_token = cluster.refusals
        for server in cluster.servers:
            server.child.end(signal.SIGTERM)
            said = "".join(line for life in server.lives for line in life.log)
            (plan.folder / f"{server.name}.log").write_text(said)
            unforeseen(history, server.name, said)
        for director in cluster.directors:
            unforeseen(history, director.folder.name, director.log())
        (plan.folder / "history").write_text("\n".join(map(str, history.entries)))
        report.faults = check(history.entries, told)
        report.doubled_by_the_spool = repeats(history.entries, told)
        for name, mailbox in told.items():
            report.faults += differences(name, mailbox, cluster.stored(name))
        for line in lines:
            report.troubles |= line.done
            report.troubles_took_s |= line.took_s
    report.operations = {" ".join(key): n for key, n in sorted(history.outcomes().items())}
    report.sessions = dict(sorted(history.sessions.items()))
    report.messages_in_the_end = sum(map(len, told.values()))
    report.complaints = history.complaints
    return report


def unforeseen(history: History, name: str, log: str) -> None:
    """Whatever is done to a process, it knows what to do: a traceback in its log is a fault."""
    at = log.find("Traceback")
    if at >= 0:
        history.complain(
            f"{name}, {log.count('Traceback')} tracebacks: {log[max(0, at - 500) : at + 3000]}"
        )


def torment(world: World, lines: list[Troubles], effort: Effort) -> None:
    """Clients and troubles, until time is up or all troubles are done; then all is healed."""
    one_of_each(world, world.cluster.accounts[0])
    clients = [Client(world, 1000 * effort.seed + number) for number in range(effort.clients)]
    troubles = [line.begin(each_once=effort.each_once) for line in lines]
    if effort.each_once:
        for each in troubles:
            each.join(JOIN_S)
    else:
        world.stop.wait(effort.seconds)
    world.stop.set()
    end_s = time.monotonic() + JOIN_S
    for thread in [*troubles, *(client.thread for client in clients)]:
        thread.join(max(0.0, end_s - time.monotonic()))
        if thread.is_alive():
            world.history.complain("a client or a trouble does not end")
    while not all(director.is_calm() for director in world.cluster.directors):
        if time.monotonic() > end_s:
            spooled = [sorted(director.spooled()) for director in world.cluster.directors]
            world.history.complain(f"no calm; in the spools: {spooled}")
            return
        time.sleep(POLL_S)


def told_in_the_end(world: World, account: str) -> Mailbox:
    """What a session through a director says is there. Raises OSError, IMAP4.error in vain."""
    end_s = time.monotonic() + CALM_S
    chance = random.Random(account)
    while True:
        director = chance.choice(world.cluster.directors)
        try:
            talk = ImapTalk(world, director.endpoint, account)
            try:
                return mailbox_of(talk)
            finally:
                talk.close()
        except (imaplib.IMAP4.error, OSError):
            if time.monotonic() > end_s:
                raise
            time.sleep(POLL_S)


def mailbox_of(talk: ImapTalk) -> Mailbox:
    found: Mailbox = {}
    for folder in talk.folders():
        talk.select(folder)
        uids = talk.uids()
        messages, flags = talk.look(uids), talk.flags(uids)
        found |= {talk.place(uid): Copy(messages[uid], flags[uid]) for uid in uids}
    return found


def run_in_a_folder(effort: Effort, **plan: float) -> Report:
    """The folder goes when all is good."""
    folder = Path(mkdtemp(prefix="torture", dir=roomy()))
    accounts = int(plan.pop("accounts"))
    report = run(Plan(folder, accounts, **plan), effort)
    if report.is_good:
        shutil.rmtree(folder)
    else:
        report.folder = str(folder)
    return report


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--accounts", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that processes are ended
    effort = Effort(arguments.seconds, seed=arguments.seed)
    report = run_in_a_folder(effort, accounts=arguments.accounts)
    print(report.shown(effort))
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
