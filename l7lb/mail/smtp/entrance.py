"""How the director logs in at servers of SMTP and LMTP: as itself, for a client, or as the client.

Must not know connections or dialogues.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from l7lb.model_mail import SmtpLoginSpec
from l7lb_protocols.smtp.client_session import Login
from l7lb_protocols.smtp.replies import Reply, reply

LOG_IN_FIRST = reply(530, b"5.7.0", "log in first")


@dataclass(frozen=True, slots=True)
class Holder:
    """The client that logged in, and the password it gave; empty where it gave none."""

    account: bytes = b""
    secret: bytes = field(default=b"", repr=False)


NOBODY = Holder()


class NoLogin(Exception):
    """The client did not log in with a password, so there is nothing to pass on."""

    def __init__(self) -> None:
        super().__init__(str(LOG_IN_FIRST))
        self.reply: Reply = LOG_IN_FIRST


def own_login(spec: SmtpLoginSpec | None) -> Login | None:
    """Of the director itself, for nobody."""
    if spec is None or spec.secret is None:
        return None
    return Login(spec.user.encode(), spec.secret.value)


def login_for(spec: SmtpLoginSpec | None, holder: Holder) -> Login | None:
    """None: the servers are not logged in at. Raises NoLogin."""
    if spec is None:
        return None
    if spec.secret is not None:
        owner = holder.account if spec.on_behalf else b""
        return Login(spec.user.encode(), spec.secret.value, owner)
    if not (holder.account and holder.secret):
        raise NoLogin
    return Login(holder.account, holder.secret)
