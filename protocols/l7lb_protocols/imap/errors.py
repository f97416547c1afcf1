"""Errors of the IMAP codec. They must not know who reads it or what is answered.

ImapProblem
├── ImapRefusal       a client's command; to be answered with BAD
└── ImapServerFault   a server's answer; the connection is of no use any more
"""


class ImapProblem(Exception):
    """`reason`: a short sentence without the peer's words; `clause`: the section broken."""

    def __init__(self, reason: str, clause: str = "") -> None:
        super().__init__(reason, clause)
        self.reason = reason
        self.clause = clause

    def __str__(self) -> str:
        return self.reason + (f" ({self.clause})" if self.clause else "")


class ImapRefusal(ImapProblem):
    """`tag`: the command's, empty if none was readable. `is_fatal`: it is unknown where the next
    command begins, or bytes come that nobody will read: say BYE and close."""

    def __init__(
        self, reason: str, clause: str = "", *, tag: bytes = b"", is_fatal: bool = False
    ) -> None:
        super().__init__(reason, clause)
        self.tag = tag
        self.is_fatal = is_fatal


class ImapServerFault(ImapProblem):
    """The server broke the grammar or a limit."""
