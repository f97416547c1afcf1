"""`python -m l7lb.media.relay FD`: the relay as a process.

FD is a listening SOCK_SEQPACKET socket that its starter keeps open: so it can be started anew on
the same one. It prints `ready`, and ends well on SIGTERM and SIGINT.
"""

from __future__ import annotations

import argparse
import resource
import signal
import socket
import sys

from l7lb.media.relay.loop import Relay
from l7lb.media.relay.spec import RelaySpec


def arguments() -> argparse.Namespace:
    default = RelaySpec()
    parser = argparse.ArgumentParser("python -m l7lb.media.relay", description=__doc__)
    parser.add_argument("fd", type=int, help="descriptor of the listening socket")
    parser.add_argument(
        "--ports", default=f"{default.first_port}-{default.last_port}", metavar="FIRST-LAST"
    )
    parser.add_argument("--sessions", type=int, default=default.sessions)
    parser.add_argument("--cooling", type=float, default=default.cooling_s, metavar="SECONDS")
    parser.add_argument("--rest", type=float, default=default.rest_s, metavar="SECONDS")
    parser.add_argument(
        "--while-stdin", action="store_true", help="end when standard input does, with its owner"
    )
    return parser.parse_args()


def specification(options: argparse.Namespace) -> RelaySpec:
    """Raises ValueError."""
    first, _, last = options.ports.partition("-")
    return RelaySpec(
        int(first),
        int(last),
        cooling_s=options.cooling,
        sessions=options.sessions,
        rest_s=options.rest,
    )


def allow_descriptors() -> None:
    """Four sockets a stream: as many as this user may have."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> int:
    try:
        options = arguments()
        allow_descriptors()
        relay = Relay(socket.socket(fileno=options.fd), specification(options))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"relay: {error}\n")
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: relay.stop())
    if options.while_stdin:
        relay.end_with(sys.stdin.fileno())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    relay.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
