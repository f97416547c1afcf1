"""Locks and store of the cluster, usable without the rest of it.

Node, Session, Lock       one lease for each process, locks under it
Store                     keys and values, transactions, watches, counters
guard                     the storage says no to a stale owner
MemoryEngine              this process; `lockd.client.LockdEngine` and
                          `etcd.engine.EtcdEngine` are imported from where they are
"""

from l7lb_storage.errors import (
    AuthenticationFailed,
    ConversionRefused,
    DeadlinePassed,
    InDoubt,
    LeaseLost,
    LimitExceeded,
    NotGranted,
    ProtocolViolation,
    StaleToken,
    StorageError,
    Unavailable,
)
from l7lb_storage.fence import guard
from l7lb_storage.lock import Lock
from l7lb_storage.memory import MemoryEngine, World
from l7lb_storage.model import (
    ABSENT,
    Changed,
    Check,
    Delete,
    Item,
    LockView,
    Notice,
    Outcome,
    Page,
    Put,
    Reset,
)
from l7lb_storage.modes import Mode
from l7lb_storage.node import Node
from l7lb_storage.session import Session, SessionSpec
from l7lb_storage.store import Store

__all__ = [
    "ABSENT",
    "AuthenticationFailed",
    "Changed",
    "Check",
    "ConversionRefused",
    "DeadlinePassed",
    "Delete",
    "InDoubt",
    "Item",
    "LeaseLost",
    "LimitExceeded",
    "Lock",
    "LockView",
    "MemoryEngine",
    "Mode",
    "Node",
    "NotGranted",
    "Notice",
    "Outcome",
    "Page",
    "ProtocolViolation",
    "Put",
    "Reset",
    "Session",
    "SessionSpec",
    "StaleToken",
    "StorageError",
    "Store",
    "Unavailable",
    "World",
    "guard",
]
