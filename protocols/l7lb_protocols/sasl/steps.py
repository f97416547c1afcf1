"""What an exchange may want next: one of three steps. Owns the types that its caller acts on."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Challenge:
    """Send this to the client, encoded; give its answer to `respond`."""

    message: bytes


@dataclass(frozen=True, slots=True)
class KeysWanted:
    """SCRAM: look up the keys of `account` and call `supply`. For an account that does not exist
    or has no keys, `keys.fake_keys` gives some that no proof fits: existence is not revealed."""

    account: bytes
    authorize_as: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """The exchange is over.

    `account`: who says who they are; `authorize_as`: whose mailbox they ask for, empty for their
    own (RFC 4422 §3.4.1). Whether they may is for the caller to decide.
    `proven`: by SCRAM or by certificate; otherwise `secret` is still to be verified.
    """

    mechanism: bytes
    account: bytes
    authorize_as: bytes = b""
    secret: bytes = field(default=b"", repr=False)
    proven: bool = False

    @property
    def mailbox(self) -> bytes:
        """Whose mailbox is asked for."""
        return self.authorize_as or self.account

    @property
    def is_on_behalf(self) -> bool:
        """For somebody else: that needs a right of its own. Some clients name themselves twice."""
        return self.mailbox != self.account


Step = Challenge | KeysWanted | Credentials
