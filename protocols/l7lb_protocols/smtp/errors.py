"""The errors of the SMTP protocols. They must not know who reads them or who is connected.

SmtpError
├── SmtpRefusal      the client's bytes are malformed, unsafe, over a limit or out of turn
├── BadReply         the server's bytes are no reply, or not one that was asked for
├── RecordTruncated  a spool record ends too early
├── RecordDamaged    a spool record is not what was written, or not of our version
└── Misuse           our own side called something that the state or the grammar forbids
"""


class SmtpError(Exception):
    """Base of all errors that this package raises."""


class SmtpRefusal(SmtpError):
    """A command or message that is not accepted.

    `code` and `enhanced` (RFC 3463) are the reply to give, `reason` its text and the log's.
    `fatal`: what follows cannot be trusted, so the connection is closed after the reply.
    """

    def __init__(
        self, code: int, enhanced: bytes, reason: str, clause: str = "", fatal: bool = False
    ) -> None:
        super().__init__(code, enhanced, reason, clause, fatal)
        self.code = code
        self.enhanced = enhanced
        self.reason = reason
        self.clause = clause
        self.fatal = fatal

    def __str__(self) -> str:
        clause = f" ({self.clause})" if self.clause else ""
        return f"{self.code} {self.enhanced.decode()} {self.reason}{clause}"


class BadReply(SmtpError):
    """A server said what is no reply; its connection is closed, and every open recipient is
    temporarily refused."""

    def __init__(self, reason: str, clause: str = "RFC 5321 §4.2") -> None:
        super().__init__(reason, clause)
        self.reason = reason
        self.clause = clause

    def __str__(self) -> str:
        return f"{self.reason} ({self.clause})"


class RecordTruncated(SmtpError):
    """The record is whole as far as it goes: a write was cut short."""


class RecordDamaged(SmtpError):
    """The record must not be used; keep it for a person to look at."""


class Misuse(SmtpError):
    """A fault of the caller, never of a peer."""
