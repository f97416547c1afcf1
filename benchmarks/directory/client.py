"""One client for so long: CPU of this process for each look-up, and look-ups in a second, as JSON.

Run: `python -m benchmarks.directory.client cold|cached|tasks-1|blocking URL SECONDS`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time

import uvloop

from benchmarks.directory.server import BASE, USERS
from l7lb.directory.ldap_directory import LdapDirectory
from l7lb.model_directory import (
    BindSpec,
    CacheSpec,
    LdapSpec,
    ReplicaSpec,
    SecretSpec,
)
from l7lb_protocols.ldap.filters import template
from l7lb_protocols.ldap.urls import parse_url

TASKS = 64
WARM = 2000
DIRECTOR = BindSpec("cn=director,ou=services,dc=example,dc=org", SecretSpec(b"director-secret"))
NOTHING_KEPT = CacheSpec(positive_s=0.0, negative_s=0.0, limit=1)
ATTRIBUTES = ["mail", "mailLocalAddress", "mailHost", "l7lbMailQuota", "userPassword"]


def spec(url: str, cache: CacheSpec) -> LdapSpec:
    one = template("(mail={account})", frozenset({"account"}))
    replicas = (ReplicaSpec(parse_url(url)),)
    return LdapSpec(replicas, BASE, one, one, None, one, bind=DIRECTOR, cache=cache)


async def ours(url: str, seconds: float, tasks: int, cache: CacheSpec) -> tuple[int, float, float]:
    """Look-ups, CPU seconds, seconds."""
    directory = LdapDirectory(spec(url, cache))
    directory.start()
    numbers = itertools.count()

    async def ask(until_s: float, most: int) -> None:
        while time.monotonic() < until_s and (number := next(numbers)) < most:
            account = await directory.account(f"user{number * 7919 % USERS}@example.org")
            assert account is not None

    async def all_ask(until_s: float, most: int) -> None:
        await asyncio.gather(*(ask(until_s, most) for _ in range(tasks)))

    warm = USERS if cache.positive_s else WARM
    await all_ask(time.monotonic() + 120, warm)
    numbers = itertools.count()
    start_cpu, start = time.process_time(), time.monotonic()
    await all_ask(start + seconds, sys.maxsize)
    found = next(numbers), time.process_time() - start_cpu, time.monotonic() - start
    await directory.close()
    return found


def blocking(url: str, seconds: float) -> tuple[int, float, float]:
    """The library as most use it: one search after the other, each waited for."""
    import ldap  # noqa: PLC0415 - beside the folder ldap/ only when it is installed

    connection = ldap.initialize(url)
    connection.simple_bind_s(DIRECTOR.dn, DIRECTOR.password.value)
    done = 0
    start_cpu, start = time.process_time(), time.monotonic()
    while time.monotonic() < start + seconds:
        text = f"(mail=user{done * 7919 % USERS}@example.org)"
        found = connection.search_ext_s(BASE, ldap.SCOPE_SUBTREE, text, ATTRIBUTES, sizelimit=2)
        assert len(found) == 1
        done += 1
    return done, time.process_time() - start_cpu, time.monotonic() - start


def main() -> None:
    kind, url, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    if kind == "blocking":
        done, cpu_s, wall_s = blocking(url, seconds)
    else:
        tasks = 1 if kind == "tasks-1" else TASKS
        cache = CacheSpec() if kind == "cached" else NOTHING_KEPT
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            done, cpu_s, wall_s = runner.run(ours(url, seconds, tasks, cache))
    print(json.dumps({"cpu_us": cpu_s / done * 1e6, "rate": done / wall_s, "done": done}))


if __name__ == "__main__":
    main()
