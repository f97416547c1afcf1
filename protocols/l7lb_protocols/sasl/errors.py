"""Errors of the SASL package. They must not know which reply a protocol gives to them.

SaslProblem
├── SaslMalformed   wrong Base64, broken grammar, a refused name, over a limit
├── SaslCancelled   the client sent `*`
└── SaslRejected    well formed and wrong: the proof does not fit the keys
"""


class SaslProblem(Exception):
    """The exchange has ended without credentials.

    `reason` is a short sentence for the log and holds nothing that the client sent; `clause` the
    section that was broken.
    """

    def __init__(self, reason: str, clause: str = "") -> None:
        super().__init__(reason, clause)
        self.reason = reason
        self.clause = clause

    def __str__(self) -> str:
        return self.reason + (f" ({self.clause})" if self.clause else "")


class SaslMalformed(SaslProblem):
    """The message cannot be what the mechanism asks for."""


class SaslCancelled(SaslProblem):
    """The client gave up (RFC 4422 §3.5)."""


class SaslRejected(SaslProblem):
    """The proof is wrong. `account`: who it was for, for the log and the penalty."""

    def __init__(self, account: bytes) -> None:
        super().__init__("the proof does not fit", "RFC 5802 §3")
        self.account = account
