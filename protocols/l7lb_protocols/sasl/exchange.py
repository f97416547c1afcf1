"""Server side of the simple mechanisms: PLAIN (RFC 4616), LOGIN, EXTERNAL (RFC 4422 appendix A).

`begin` once, then `respond` for each answer of the client, until Credentials or a SaslProblem;
after that an exchange must not be called again. Messages are decoded; must not know any directory.
"""

from __future__ import annotations

from l7lb_protocols.sasl.errors import SaslMalformed
from l7lb_protocols.sasl.keys import ScramKeys
from l7lb_protocols.sasl.names import check_secret, prepare_name
from l7lb_protocols.sasl.steps import Challenge, Credentials, Step


class ServerExchange:
    """One client's exchange by one mechanism."""

    name = b""
    shows_secret = False
    """Whoever reads the connection has the secret: not to be offered without TLS."""

    def begin(self, initial: bytes | None) -> Step:
        """`initial`: the initial response, None if there was none. Raises SaslMalformed."""
        if initial is None:
            return Challenge(b"")
        return self.respond(initial)

    def respond(self, message: bytes) -> Step:
        """The client's answer to the last challenge. Raises SaslMalformed, SaslRejected."""
        raise NotImplementedError

    def supply(self, keys: ScramKeys, nonce: bytes) -> Challenge:
        """The answer to KeysWanted; only SCRAM ever wants it."""
        raise NotImplementedError


class PlainExchange(ServerExchange):
    """One message: authorize as, NUL, account, NUL, secret."""

    name = b"PLAIN"
    shows_secret = True

    def respond(self, message: bytes) -> Step:
        parts = message.split(b"\0")
        if len(parts) != 3:
            raise SaslMalformed("PLAIN has not three parts", "RFC 4616 §2")
        as_whom, account, secret = parts
        return Credentials(
            self.name,
            prepare_name(account),
            prepare_name(as_whom) if as_whom else b"",
            check_secret(secret),
        )


class LoginExchange(ServerExchange):
    """Two messages, name and secret; an initial response is the name.

    Described in draft-murchison-sasl-login only, and obsolete; clients still speak it.
    """

    name = b"LOGIN"
    shows_secret = True

    def __init__(self) -> None:
        self._account = b""

    def begin(self, initial: bytes | None) -> Step:
        return Challenge(b"Username:") if initial is None else self.respond(initial)

    def respond(self, message: bytes) -> Step:
        if not self._account:
            self._account = prepare_name(message)
            return Challenge(b"Password:")
        return Credentials(self.name, self._account, b"", check_secret(message))


class ExternalExchange(ServerExchange):
    """`certificate`: the verified name of the client's certificate; never empty."""

    name = b"EXTERNAL"

    def __init__(self, certificate: bytes) -> None:
        self.certificate = certificate

    def respond(self, message: bytes) -> Step:
        as_whom = prepare_name(message) if message else b""
        return Credentials(self.name, prepare_name(self.certificate), as_whom, proven=True)
