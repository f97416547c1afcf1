"""The one error of the RTSP codec. It must not know who reads it or what is answered."""


class RtspRefusal(Exception):
    """A message that is malformed, ambiguous or over a limit.

    `status` is the status to answer with, `reason` a short sentence for the log, `clause` the
    section that was broken, such as `RFC 2326 §12.17`. After `Reader` has raised it, nothing more
    can be read from that connection; a message that was read whole can be refused by itself.
    """

    def __init__(self, status: int, reason: str, clause: str = "") -> None:
        super().__init__(status, reason, clause)
        self.status = status
        self.reason = reason
        self.clause = clause

    def __str__(self) -> str:
        return f"{self.status}: {self.reason}" + (f" ({self.clause})" if self.clause else "")
