"""Two moments that chance alone seldom meets: an owner stopped inside a change until another has
taken over, and a director killed between its 250 and the delivery.

Each raises NotSprung, or what clients raise, when it did not close; then it is tried again.
"""

from __future__ import annotations

import imaplib
import random
import signal
import time

from support.fence_trap import fence_held, has_open, is_stopped
from support.torture_cluster import TRAP, MailServer
from support.torture_director import MailDirector
from support.torture_history import Outcome
from support.torture_imap import ImapTalk
from support.torture_world import World, deliver, new_message, text_of

FLAGS = (r"\Flagged", r"\Answered", r"\Seen", r"\Draft")
BEGIN_S = 10.0
"""For a change to begin; less than its own wait for the fence."""
POLL_S = 0.005
TAG = b"x1"
SEVERAL = 4
"""Recipients: most likely on more than one server."""


class NotSprung(Exception):
    """The trap did not close."""


def stop_inside_a_change(world: World, rng: random.Random) -> None:
    """The fence must refuse the stale owner."""
    victim, other = rng.sample(world.cluster.servers, 2)
    for _ in range(2):  # the new owner changes the same message or another
        world.send(rng, [TRAP])
    stale = ImapTalk(world, victim.endpoint, TRAP)
    try:
        uids = stale.uids()
        if not uids:
            raise NotSprung
        uid = uids[-1]
        stale.look([uid])
        started_s = time.monotonic()
        flag, outcome = rng.choice(FLAGS), Outcome.UNKNOWN
        try:
            _stop_inside(world, victim, stale.client, b"%d +FLAGS (%s)" % (uid, flag.encode()))
            _take_over(ImapTalk(world, other.endpoint, TRAP), rng, uids)
            victim.child.send_signal(signal.SIGCONT)
            outcome = late_outcome(stale.client)
        finally:
            victim.child.send_signal(signal.SIGCONT)
            stale.changed(uid, flag, True, started_s, outcome)
    finally:
        stale.close()
    if outcome is Outcome.DONE:
        world.history.complain("a stale owner's change was acknowledged")


def _stop_inside(world: World, victim: MailServer, client: imaplib.IMAP4, store: bytes) -> None:
    """The fence is held by us until the owner wants it and is stopped."""
    fence = world.cluster.plan.folder / "mail" / TRAP / ".fence"
    with fence_held(fence):
        client.send(TAG + b" UID STORE " + store + b"\r\n")
        end_s = time.monotonic() + BEGIN_S
        while not has_open(victim.child, fence):
            if time.monotonic() > end_s:
                raise NotSprung
            time.sleep(POLL_S)
        victim.child.send_signal(signal.SIGSTOP)
        while not is_stopped(victim.child):  # else it may still get the fence
            if time.monotonic() > end_s:
                raise NotSprung
            time.sleep(POLL_S)


def _take_over(new: ImapTalk, rng: random.Random, uids: list[int]) -> None:
    """It began as soon as the lease of the one that is stopped was over."""
    try:
        new.set_flag(rng.choice(uids), rng.choice(FLAGS), value=True)
    finally:
        new.close()


def late_outcome(client: imaplib.IMAP4) -> Outcome:
    """The answer to the command with TAG, if one still comes."""
    try:
        while line := client.file.readline():
            if line.startswith(TAG + b" "):
                return Outcome.DONE if line.startswith(TAG + b" OK") else Outcome.REFUSED
    except OSError:
        pass
    return Outcome.UNKNOWN


def kill_with_a_full_spool(world: World, rng: random.Random) -> None:
    """A mail server dies before it has its copy, the director when it has said 250."""
    server, director = rng.choice(world.cluster.servers), rng.choice(world.cluster.directors)
    with director.alone:
        try:
            if not _owes(world, rng, director, server):
                raise NotSprung
            director.kill()
            is_sprung = director.has_spooled()
            director.revive()
        finally:
            server.revive()
    if not is_sprung:
        raise NotSprung


def _owes(world: World, rng: random.Random, director: MailDirector, server: MailServer) -> bool:
    """The director has acknowledged a message that it could not deliver to all."""
    accounts = rng.sample(world.cluster.accounts, SEVERAL)
    message = new_message()
    outcome = deliver(
        director.endpoint,
        accounts,
        text_of(message),
        world.cluster.plan.wait_s,
        before_data=server.kill,
    )
    world.delivered(accounts, message, outcome)
    return outcome is Outcome.DONE and director.has_spooled()
