"""The one error of the HTTP codec. It must not know who reads it or what is answered."""


class HttpRefusal(Exception):
    """A message that is malformed, ambiguous or over a limit; the connection is to be closed.

    `status` is the status to answer with (for a response of a server: 502), `reason` a short
    sentence for the log, `clause` the section that was broken, such as `RFC 9112 §6.1`.
    """

    def __init__(self, status: int, reason: str, clause: str = "") -> None:
        super().__init__(status, reason, clause)
        self.status = status
        self.reason = reason
        self.clause = clause

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}" + (f" ({self.clause})" if self.clause else "")
