"""`python -m l7lb_storage.lockd --data DIR --unix SOCKET`: the lock server as a process.

It prints `ready` when it listens, and ends well on SIGTERM and SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import ssl
import sys
from pathlib import Path

from l7lb_storage.errors import StorageError
from l7lb_storage.lockd.server import Lockd, LockdSpec


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m l7lb_storage.lockd", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="directory of the database")
    parser.add_argument("--unix", type=Path, help="path of a unix socket")
    parser.add_argument("--tcp", help="HOST:PORT; wants --secret, and beyond loopback --tls")
    parser.add_argument("--secret", type=Path, help="file with the shared secret")
    parser.add_argument("--tls", type=Path, help="PEM file with certificate chain and key")
    parser.add_argument(
        "--while-stdin", action="store_true", help="end when standard input does, with its owner"
    )
    parser.add_argument("--clients-ca", type=Path, help="PEM file: clients must show certificates")
    return parser.parse_args()


def specification(options: argparse.Namespace) -> LockdSpec:
    """Raises OSError, ValueError, ssl.SSLError."""
    host, port = None, 0
    if options.tcp:
        host, _, text = options.tcp.rpartition(":")
        host, port = host.strip("[]"), int(text)
    secret = options.secret.read_bytes().strip() if options.secret else b""
    return LockdSpec(options.data, options.unix, host, port, secret, context(options))


def context(options: argparse.Namespace) -> ssl.SSLContext | None:
    if options.tls is None:
        return None
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=options.clients_ca)
    found.load_cert_chain(options.tls)
    if options.clients_ca is not None:
        found.verify_mode = ssl.CERT_REQUIRED
    return found


async def serve(spec: LockdSpec, *, while_stdin: bool = False) -> None:
    lockd = Lockd(spec)
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    if while_stdin:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), at_end, task)
    try:
        await lockd.start()
        port = f" {lockd.port}" if spec.host is not None else ""
        sys.stdout.write(f"ready{port}\n")
        sys.stdout.flush()
        await lockd.serve()
    except asyncio.CancelledError:
        return
    finally:
        await lockd.close()


def at_end(task: asyncio.Task[None]) -> None:
    """Nobody writes there: what can be read is the end."""
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        task.cancel()


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    try:
        options = arguments()
        asyncio.run(serve(specification(options), while_stdin=options.while_stdin))
    except (StorageError, OSError, ValueError) as error:
        sys.stderr.write(f"lockd: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
