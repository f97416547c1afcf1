"""Client side of PLAIN, LOGIN and EXTERNAL: how the director logs in at a server.

Messages are decoded; must not know the protocol that carries them.
"""

from __future__ import annotations

from l7lb_protocols.sasl.errors import SaslMalformed


class ClientExchange:
    """`initial` is the initial response, None where the server speaks first.

    `respond` gives the answer to each challenge; if `initial` could not go with the command, it is
    the answer to the first, empty challenge. Raises SaslMalformed when the server asks on.
    """

    name = b""
    initial: bytes | None = None

    def __init__(self, answers: tuple[bytes, ...]) -> None:
        self._answers = list(answers)

    def sent_initial(self) -> None:
        """The initial response went with the command."""
        self._answers.pop(0)

    def respond(self, challenge: bytes) -> bytes:
        """What a challenge says does not matter to these mechanisms."""
        del challenge
        if not self._answers:
            raise SaslMalformed("the server asks for more than the mechanism has")
        return self._answers.pop(0)


class PlainClient(ClientExchange):
    """RFC 4616. `authorize_as`: the user's account when `account` is a master user.

    Raises ValueError for a NUL, which would move the borders between the parts.
    """

    name = b"PLAIN"

    def __init__(self, account: bytes, secret: bytes, authorize_as: bytes = b"") -> None:
        if b"\0" in account + secret + authorize_as:
            raise ValueError("NUL in a name or a secret")
        self.initial = b"\0".join((authorize_as, account, secret))
        super().__init__((self.initial,))


class LoginClient(ClientExchange):
    """Name, then secret; no initial response, for not every server takes one."""

    name = b"LOGIN"

    def __init__(self, account: bytes, secret: bytes) -> None:
        super().__init__((account, secret))


class ExternalClient(ClientExchange):
    """RFC 4422 appendix A: the certificate of the connection, perhaps for somebody else."""

    name = b"EXTERNAL"

    def __init__(self, authorize_as: bytes = b"") -> None:
        self.initial = authorize_as
        super().__init__((authorize_as,))
