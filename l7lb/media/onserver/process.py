"""A media server's part in `direct` as a process of its own: rules, and an ear for directors.

It prints `ready` when it listens. At SIGTERM the rules stay, so players go on.
Needs CAP_NET_ADMIN, and CAP_NET_BIND_SERVICE where media ports are below 1024.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, closing

from l7lb.media.netfilter.libnftables import NftError
from l7lb.media.onserver.agent import Agent, listen
from l7lb.media.onserver.rules import OnServer
from l7lb.media.onserver.spec import OnServerSpec
from l7lb.media.signed import Seal


async def start(stack: AsyncExitStack, spec: OnServerSpec, ear: tuple[bytes, int]) -> list[Agent]:
    """Rules set, and an agent on each side's address; all is let go with the stack.

    `ear`: key and UDP port. Raises NftError, OSError, ValueError.
    """
    key, port = ear
    server = OnServer(spec)
    stack.callback(server.close)
    server.apply()
    agents = []
    for side in spec.sides:
        agents.append(await listen(server, Seal(key), (str(side.address), port)))
        stack.callback(agents[-1].close)
    return agents


async def serve(spec: OnServerSpec, ear: tuple[bytes, int]) -> None:
    """Until SIGTERM or SIGINT. Raises the same."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        await start(stack, spec, ear)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await stop.wait()


def main(spec: OnServerSpec, ear: tuple[bytes, int]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    return _status(lambda: asyncio.run(serve(spec, ear)))


def check(spec: OnServerSpec) -> int:
    """Prints what is not as it should be; status 0: all is well."""
    wrong: list[str] = []

    def look() -> None:
        with closing(OnServer(spec)) as server:
            wrong.extend(server.check())
        sys.stdout.write("".join(f"{line}\n" for line in wrong or ["all is as it should be"]))

    return _status(look) or int(bool(wrong))


def undo(spec: OnServerSpec) -> int:
    """Takes every rule of ours away."""

    def take_back() -> None:
        with closing(OnServer(spec)) as server:
            server.undo()

    return _status(take_back)


def _status(work: Callable[[], None]) -> int:
    try:
        work()
    except (NftError, OSError, ValueError) as error:
        sys.stderr.write(f"media-direct: {error}\n")
        return 1
    return 0
