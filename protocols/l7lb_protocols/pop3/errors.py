"""Errors of the POP3 codec. They must not know who reads it or what is answered.

Pop3Problem
├── Pop3Refusal       a client's command; to be answered with -ERR
└── Pop3ServerFault   a server's answer; the connection is of no use any more
"""


class Pop3Problem(Exception):
    """`reason`: a short sentence without the peer's words; `clause`: the section broken."""

    def __init__(self, reason: str, clause: str = "") -> None:
        super().__init__(reason, clause)
        self.reason = reason
        self.clause = clause

    def __str__(self) -> str:
        return self.reason + (f" ({self.clause})" if self.clause else "")


class Pop3Refusal(Pop3Problem):
    """`is_fatal`: it is unknown where the next command begins: answer and close."""

    def __init__(self, reason: str, clause: str = "", *, is_fatal: bool = False) -> None:
        super().__init__(reason, clause)
        self.is_fatal = is_fatal


class Pop3ServerFault(Pop3Problem):
    """The server broke the grammar or a limit."""
