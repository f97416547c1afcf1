"""Connections that end without a word: a player stops at a FIN or a reset on its control
connection, though its media comes another way and another director may take over.

While a session plays past user space its sockets have a priority of their own, and the kernel's
rules let no FIN and no reset of such a socket out. So the end of a process, however sudden, is not
heard; who closes in order takes the priority away before. Nobody needs rights for it, and nothing
of it is seen on the wire.
"""

from __future__ import annotations

import socket

PRIORITY = 4
"""SO_PRIORITY, socket(7); queues treat it as 0, which all other sockets have."""


def make_quiet(fd: int, is_quiet: bool) -> None:
    """Raises OSError. The descriptor stays its owner's."""
    with socket.socket(fileno=fd) as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, PRIORITY if is_quiet else 0)
        finally:
            sock.detach()
