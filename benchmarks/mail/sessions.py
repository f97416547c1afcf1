"""IMAP through the director beside other proxies: logins, bytes after them, idle sessions.

CPU and memory are those of all of a proxy's processes: of Dovecot its auth and anvil as well, of
the director its supervisor and lockd.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.figures import OURS, Bench, Case, Figures, Target
from benchmarks.load import LoadFailed
from benchmarks.mail.load import Load, idle_sessions, run_clients
from benchmarks.mail.proxies import USERS, town

PEERS = ("dovecot", "nginx")
WARM_ACCOUNTS = 500
WARM_SESSIONS = 64
SESSIONS = 1000
FORKED = 100
"""Sessions of perdition, which has a process for each."""
COLD_S = 1
"""No account may come twice, and a quick machine goes through thousands in a second."""
SETTLES_S = 1.0
ROUNDS = 3
BODY_MIB = 4
BODIES_AT_ONCE = 8


def logins(*, warm: bool) -> Callable[[Bench], Figures]:
    """`warm`: accounts that all have looked up before; else each account comes once."""

    def measure(bench: Bench) -> Figures:
        accounts = WARM_ACCOUNTS if warm else USERS
        rates: dict[str, list[float]] = defaultdict(list)
        peers = PEERS if warm else PEERS[:1]  # nginx asks no directory
        with town(bench.lab, (*peers, OURS)) as proxies:
            nexts = {
                kind: run_clients(proxy, Load(1.0, accounts=accounts)).next
                for kind, proxy in proxies.items()
            }

            def one(kind: str) -> float:
                seconds = bench.seconds if warm else min(bench.seconds, COLD_S)
                load = Load(seconds, first=nexts[kind], accounts=accounts)
                done = run_clients(proxies[kind], load)
                if not warm and done.next > USERS:
                    raise LoadFailed(f"{kind}: {USERS} accounts are too few")
                nexts[kind] = done.next
                rates[kind].append(done.sessions / done.duration_s)
                return done.cpu_us_per_session

            rounds = bench.interleave({kind: partial(one, kind) for kind in proxies})
        notes = {f"logins/s, {kind}:": median(found) for kind, found in rates.items()}
        return Figures(rounds, notes)

    return measure


def relay(bench: Bench) -> Figures:
    with town(bench.lab, ("nginx", "dovecot", OURS)) as proxies:

        def one(kind: str) -> float:
            load = Load(bench.seconds, BODIES_AT_ONCE, mib=BODY_MIB)
            return run_clients(proxies[kind], load).cpu_us_per_mib

        return Figures(bench.interleave({kind: partial(one, kind) for kind in proxies}))


def idle(*peers: str, tls: bool) -> Callable[[Bench], Figures]:
    """Every round has fresh processes: what one leaves behind would hide the next one's needs."""

    def one(bench: Bench, kind: str) -> float:
        with town(bench.lab, (kind,), tls=tls) as proxies:
            proxy = proxies[kind]
            count = FORKED if kind == "perdition" else SESSIONS
            with idle_sessions(proxy, WARM_SESSIONS, SESSIONS):
                time.sleep(SETTLES_S)
            before = proxy.pss_bytes()
            with idle_sessions(proxy, count, 0):
                time.sleep(SETTLES_S)
                return (proxy.pss_bytes() - before) / count / 1024

    def measure(bench: Bench) -> Figures:
        subjects = {kind: partial(one, bench, kind) for kind in (*peers, OURS)}
        return Figures(bench.at_most(ROUNDS).interleave(subjects))

    return measure


LOGIN = "µs CPU/login"
MEMORY = "KiB/session"
CASES = (
    Case(
        "imap-login",
        "IMAP login, SELECT and logout, account known",
        LOGIN,
        logins(warm=True),
        Target(1.0, against="dovecot"),
    ),
    Case(
        "imap-login-cold",
        "the same, each account for the first time",
        LOGIN,
        logins(warm=False),
        Target(1.0, against="dovecot"),
    ),
    Case(
        "imap-relay-mib",
        f"bodies of {BODY_MIB} MiB after the login",
        "µs CPU/MiB",
        relay,
        Target(0.5, against="nginx"),
    ),
    Case(
        "imap-idle",
        "idle session after its login",
        MEMORY,
        idle("nginx", "dovecot", "perdition", tls=False),
        Target(6.0, against=""),
    ),
    Case(
        "imap-idle-tls",
        "idle session, TLS to the client",
        MEMORY,
        idle("nginx", "dovecot", tls=True),
        Target(32.0, against=""),
    ),
)
