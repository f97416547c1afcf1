"""How large keys, values, transactions and answers may be, and the checks for it.

Every engine keeps the same limits, so that what works on the embedded one works on etcd too.
It knows no engine; etcd's own precedents are 1.5 MiB for a request and 128 operations.
"""

from l7lb_storage.errors import LimitExceeded
from l7lb_storage.model import Transaction

KEY_BYTES = 1024
"""Of a key or a resource name, in UTF-8."""
VALUE_BYTES = 64 << 10
TRANSACTION_BYTES = 512 << 10
TRANSACTION_STEPS = 64
"""Checks and edits of one transaction, each."""
PAGE_ITEMS = 1000
"""Items of one page of a range."""
PAGE_BYTES = 512 << 10
"""A page ends early when its values are so large."""
SNAPSHOT_ITEMS = 200_000
"""Items that a watch may begin with."""
QUEUE_ENTRIES = 10_000
"""Holders and waiters of one resource."""
WATCH_EVENTS = 10_000
"""Changes that wait for a slow watcher before it is told `Reset`."""
TTL_MIN_S = 1.0
TTL_MAX_S = 30 * 86400.0
HOLDER_BYTES = 255


def check_key(key: str, *, empty: bool = False) -> None:
    """Keys and resource names. Raises LimitExceeded."""
    size = len(key.encode("utf-8", "surrogatepass"))
    if size > KEY_BYTES or (not size and not empty):
        raise LimitExceeded(f"a key has 1 to {KEY_BYTES} bytes, not {size}")
    if any(sign < " " or sign == "\x7f" or "\ud800" <= sign <= "\udfff" for sign in key):
        raise LimitExceeded(f"control characters have no place in a key: {key!r}")


def check_value(value: bytes) -> None:
    if len(value) > VALUE_BYTES:
        raise LimitExceeded(f"a value has at most {VALUE_BYTES} bytes, not {len(value)}")


def check_page(limit: int) -> None:
    if not 0 < limit <= PAGE_ITEMS:
        raise LimitExceeded(f"a page has 1 to {PAGE_ITEMS} items, not {limit}")


def check_ttl(ttl_s: float) -> None:
    if not TTL_MIN_S <= ttl_s <= TTL_MAX_S:
        raise LimitExceeded(f"a lease lasts {TTL_MIN_S} s to {TTL_MAX_S} s, not {ttl_s}")


def check_holder(holder: str) -> None:
    if not 0 < len(holder.encode("utf-8", "surrogatepass")) <= HOLDER_BYTES:
        raise LimitExceeded(f"a holder's name has 1 to {HOLDER_BYTES} bytes")


def check_transaction(transaction: Transaction) -> None:
    """Sizes, and that no key is edited twice. Raises LimitExceeded."""
    if max(len(transaction.checks), len(transaction.edits)) > TRANSACTION_STEPS:
        raise LimitExceeded(f"a transaction has at most {TRANSACTION_STEPS} checks and edits")
    for step in (*transaction.checks, *transaction.edits):
        check_key(step.key)
    puts = transaction.puts
    for put in puts:
        check_value(put.value)
    if sum(len(put.value) + len(put.key) for put in puts) > TRANSACTION_BYTES:
        raise LimitExceeded(f"a transaction has at most {TRANSACTION_BYTES} bytes")
    if len({edit.key for edit in transaction.edits}) < len(transaction.edits):
        raise LimitExceeded("a transaction edits a key once")
