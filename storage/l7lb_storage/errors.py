"""The error tree of locks and store; each says whether something may have happened.

StorageError
├── Unavailable             nobody answered; nothing happened, asking again is safe
│   └── InDoubt             the request went out and no answer came: it may have happened
├── DeadlinePassed          the caller's own deadline; nothing is held
├── LeaseLost               the lease is gone, and with it its locks and bound keys
├── NotGranted              try only: somebody incompatible is before us
├── ConversionRefused       a stronger mode cannot be had at once: release and queue again
├── StaleToken              the storage has seen a newer owner
├── LimitExceeded           a key, value, transaction, answer or queue is too large
├── AuthenticationFailed    the engine does not know us, or we do not trust it
└── ProtocolViolation       the other side spoke nonsense; the connection is closed

It must not know any engine.
"""


class StorageError(Exception):
    """Root of everything that this package raises on purpose."""


class Unavailable(StorageError):
    """No engine could be asked. Nothing was changed."""


class InDoubt(Unavailable):
    """The answer is missing: a change may have happened, or may still happen."""


class DeadlinePassed(StorageError, TimeoutError):
    """The time that the caller allowed is over."""


class LeaseLost(StorageError):
    """Expired, closed, or not known any more. Open a new session."""


class NotGranted(StorageError):
    """Only with `try_only`: the lock cannot be had at once, and nobody queues for it."""


class ConversionRefused(StorageError):
    """Up-conversion never queues: two readers that both wait to write would wait for ever."""


class StaleToken(StorageError):
    """`token` is lower than `highest`, which a newer owner has left at the storage."""

    def __init__(self, token: int, highest: int) -> None:
        super().__init__(
            f"token {token:#x} is stale: the storage has seen {highest:#x}; "
            "a newer owner has it, or the engine lost its data and its epoch must be raised"
        )
        self.token = token
        self.highest = highest


class LimitExceeded(StorageError, ValueError):
    """Too large; the text says what, and the limit."""


class AuthenticationFailed(StorageError):
    """Wrong secret, wrong password, or a certificate that does not fit."""


class ProtocolViolation(StorageError):
    """Bytes that the protocol does not allow."""
